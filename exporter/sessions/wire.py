"""What goes out and what comes back: the parts of aiohttp, made silent about keys.

aiohttp's exceptions and texts quote URLs and headers. Here each failure is one of a few fixed
words, and an answer tells no more than its service, method and status.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
from typing import Any

import aiohttp
from aiohttp.connector import AddrInfoType
from multidict import CIMultiDict, CIMultiDictProxy

from exporter.checks import TlsSettings
from exporter.probers.curl.addresses import is_public
from exporter.probers.curl.options import default_authorities


class RequestFailed(aiohttp.ClientError):
    """A call that got no usable answer. Holds nothing of the request or of the answer."""

    def __init__(self, reason: str, service: str, attempts: int) -> None:
        super().__init__(reason, service, attempts)
        self.reason, self.service, self.attempts = reason, service, attempts

    def __str__(self) -> str:
        return f"{self.service}: {self.reason} (attempts: {self.attempts})"


class Broken(aiohttp.ClientError):
    """Why one attempt brought no answer; *again* is whether another might."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.again = reason, again


class RefusedAddress(OSError):  # noqa: N818
    pass


class SilentRequest(aiohttp.ClientRequest):
    """Tells its answer, and so any exception, no more than the origin that was asked."""

    @property
    def request_info(self) -> aiohttp.RequestInfo:
        origin, none = self.url.origin(), CIMultiDictProxy[str](CIMultiDict())
        return aiohttp.RequestInfo(origin, self.method, none, origin)


class SilentResponse(aiohttp.ClientResponse):
    """An answer whose own exceptions and text quote neither URL nor headers."""

    service = ""
    attempts = 1

    def __repr__(self) -> str:
        return f"<{self.service} {self.method} {self.status}>"

    def raise_for_status(self) -> None:
        if not self.ok:
            if not self._in_context:
                self.release()
            raise RequestFailed(f"status {self.status}", self.service, self.attempts)

    async def json(self, **options: Any) -> Any:
        with contextlib.suppress(aiohttp.ContentTypeError):
            return await super().json(**options)
        raise RequestFailed("the answer is not declared as JSON", self.service, self.attempts)


_WORDS: tuple[tuple[tuple[type[Exception], ...], str, bool], ...] = (
    (
        (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError),
        "the TLS handshake failed",
        False,
    ),
    ((aiohttp.ServerFingerprintMismatch,), "the certificate is another one", False),
    ((aiohttp.ClientConnectorDNSError,), "the name does not resolve", True),
    ((aiohttp.ClientConnectorError,), "no connection", True),
    ((TimeoutError,), "no answer in time", True),
    ((aiohttp.InvalidURL,), "not an http or https URL", False),
    ((aiohttp.ClientHttpProxyError,), "the proxy refuses", False),
    ((aiohttp.ClientResponseError,), "the answer is not HTTP", False),
    (
        (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError),
        "the connection broke",
        True,
    ),
    ((ValueError,), "the request cannot be written", False),
)


def broken(error: Exception) -> Broken:
    """Return what *error* means, in our words."""
    if isinstance(error, Broken):
        return error
    if isinstance(getattr(error, "os_error", None), RefusedAddress):
        return Broken("the address is not public")
    for kinds, reason, again in _WORDS:
        if isinstance(error, kinds):
            return Broken(reason, again=again)
    return Broken("the request failed")


def public_socket(address: AddrInfoType) -> socket.socket:
    """Return a socket for *address* if it is public: the check is on what is really dialled."""
    if not is_public(str(address[4][0])):
        raise RefusedAddress("not public")
    return any_socket(address)


def any_socket(address: AddrInfoType) -> socket.socket:
    """Return a socket for *address*."""
    family, kind, protocol, _, _ = address
    return socket.socket(family=family, type=kind, proto=protocol)


def contexts(tls: TlsSettings) -> tuple[ssl.SSLContext, ssl.SSLContext] | None:
    """Return how the service is verified and how others are; None if a file cannot be read."""
    authorities = TlsSettings(ca_file=tls.ca_file)
    with contextlib.suppress(OSError, ValueError):
        theirs = _context(authorities) if tls.ca_file else _usual()
        return (theirs if tls == authorities else _context(tls)), theirs
    return None


def _context(tls: TlsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file or default_authorities())
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@functools.cache
def _usual() -> ssl.SSLContext:
    return _context(TlsSettings())
