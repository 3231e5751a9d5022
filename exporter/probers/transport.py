"""The seam below the probers: a request goes out, an answer comes back; engines implement it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from exporter.checks import TlsSettings
from exporter.model import Certificate, Reason

MAX_BODY = 64 * 1024
MAX_HEADERS = 128
MAX_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request on the wire; everything in it is in the clear, so nothing of it is shown."""

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
    max_body: int = MAX_BODY
    inspect: bool = False
    """Send no header of the engine's own, undo `encoding` only, fill `chain` and `session`."""
    encoding: str = ""
    """With `inspect`: the content encoding to undo; empty leaves the body as it comes."""


@dataclass(slots=True, kw_only=True)
class Answer:
    """What came back, or how far the request came.

    `failure` is None for a complete HTTP answer (a body cut at its bound counts: `truncated`).
    Seconds throughout. Nothing here may reach a label or a log: it is the peer's text.
    """

    failure: Reason | None = None
    detail: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    truncated: bool = False
    content_length: int = -1
    http_version: float = 0.0
    duration: float = 0.0
    phases: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    certificate: Certificate | None = None
    address: str = ""
    resolved: tuple[str, ...] = ()
    """The addresses of the name, in the order to try; none where a proxy resolves."""
    chain: tuple[bytes, ...] = ()
    """The certificates that the peer sent, leaf first, as DER."""
    session: tuple[str, str] = ("", "")
    """TLS version and cipher, as OpenSSL names them."""


class Transport(Protocol):
    """Sends requests. An expected failure is an `Answer`, an exception is a bug."""

    async def fetch(self, request: Request) -> Answer:
        """Return the answer, within the request's timeout."""
