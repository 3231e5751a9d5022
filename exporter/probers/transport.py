"""The interface between probers and HTTP engines: `Request`, `Answer` and `Transport`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from exporter.checks import TlsSettings
from exporter.frozen import frozen
from exporter.model import Certificate, Reason, Shortage
from exporter.probers.charsets import codec_of, text_of

MAX_BODY_BYTES = 64 * 1024
MAX_HEADERS = 128
MAX_HEAD_BYTES = 64 * 1024
EXPIRED = "the certificate has expired"
"""The detail of an `Answer` of which a certificate has expired."""
UNKNOWN_CODING = "the body has an encoding that HTTP does not know"
"""The detail of an `Answer` with a `Content-Encoding` such as utf-8; `plain`, it can be read."""


@frozen
class Request:
    """One request as it is sent: its keys are plain text, so its `repr` must show none of them.

    `timeout` is in seconds, `max_body` in bytes; `ip_version` 4 or 6 restricts the addresses.
    """

    url: str = field(repr=False)
    method: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeout: float
    proxy: str | None = field(default=None, repr=False)
    tls: TlsSettings = field(default_factory=TlsSettings)
    allow_private: bool = False
    keep_alive: bool = False
    ip_version: int = 0
    http2: bool = True
    max_body: int = MAX_BODY_BYTES
    session: bool = False
    """Fill `Answer.session`, at the price of a callback for each event of the transfer."""
    inspect: bool = False
    """Send no headers but the given ones, decode `encoding` only, fill `Answer.session`."""
    encoding: str = ""
    """With `inspect`: the content encoding to decode; empty leaves the body as it is sent."""
    plain: bool = False
    """Ask for no content encoding and decode none."""
    watch: Callable[[bytes], None] | None = field(default=None, repr=False)
    """Called with each piece of the body as it comes, decoded; it must not raise."""


@dataclass(slots=True, kw_only=True)
class Answer:
    """The response to a request, or how far the request came.

    `failure` is None for a complete response; a body cut at `max_body` (`truncated`) counts as
    complete. Durations are seconds, header names are lower case. `headers`, `body` and `chain`
    are chosen by the server: they must not get into a label or a log. `detail` is our own text.

    A header that came several times has its values in `repeated`; in `headers` it has the first
    one, or for a header that is a list all of them, joined by commas.
    """

    failure: Reason | None = None
    detail: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    repeated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    truncated: bool = False
    content_length: int = -1
    http_version: float = 0.0
    duration: float = 0.0
    phases: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    certificate: Certificate | None = None
    address: str = ""
    resolved: tuple[str, ...] = ()
    """The addresses of the name, in the order to try; empty if a proxy resolves the name."""
    chain: tuple[bytes, ...] = ()
    """The certificates that the server sent, leaf first, as DER."""
    shortage: Shortage | None = None
    """What we lacked ourselves, if the request failed for that."""
    session: tuple[str, str] = ("", "")
    """TLS version and cipher, as OpenSSL names them."""

    def text(self) -> str:
        """Return the body as text, in the charset that its Content-Type declares."""
        return text_of(self.body, self.headers.get("content-type", ""))

    def json_source(self) -> bytes | str:
        """Return what to parse as JSON: the text where a charset other than UTF-8 is declared.

        Otherwise the bytes, in which JSON's own encodings can be told apart.
        """
        declared = codec_of(self.headers.get("content-type", ""))
        return self.body if declared == "utf-8" else self.text()

    def values_of(self, header: str) -> tuple[str, ...]:
        """Return each value of *header*, in any case, as it came; none if it is missing.

        >>> Answer(headers={"x-a": "1, 2"}, repeated={"x-a": ("1", "2")}).values_of("X-A")
        ('1', '2')
        """
        name = header.lower()
        if name in self.repeated:
            return self.repeated[name]
        return (self.headers[name],) if name in self.headers else ()


class Transport(Protocol):
    """Sends requests. An expected failure is an `Answer`, an exception is a bug.

    Example:

        class Unreachable:
            async def fetch(self, request: Request) -> Answer:
                return Answer(failure=Reason.CONNECT, detail="connection refused")
    """

    async def fetch(self, request: Request) -> Answer:
        """Return the answer to *request*, within its timeout."""
