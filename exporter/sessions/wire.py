"""Requests, answers and errors of aiohttp, made to show no keys.

aiohttp's exceptions and reprs quote URLs and headers. Here each failure is one of a few fixed
phrases, and the repr of an answer has only its service, method and status.
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
    """A call without a usable answer: *reason* is a fixed phrase, *attempts* the number of tries.

    Holds nothing of the request, and of the answer only its status.
    """

    def __init__(self, reason: str, service: str, attempts: int) -> None:
        super().__init__(reason, service, attempts)
        self.reason, self.service, self.attempts = reason, service, attempts

    def __str__(self) -> str:
        return f"{self.service}: {self.reason} (attempts: {self.attempts})"


class FailedAttempt(aiohttp.ClientError):
    """Why one attempt got no answer; *retryable* is whether another attempt may help."""

    def __init__(self, reason: str, *, retryable: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.retryable = reason, retryable


class RefusedAddress(OSError):  # noqa: N818
    """The address is not public; raised before anything connects."""


class SilentRequest(aiohttp.ClientRequest):
    """Passes only method and origin on to its answer, and so to any exception."""

    @property
    def request_info(self) -> aiohttp.RequestInfo:
        origin, no_headers = self.url.origin(), CIMultiDictProxy[str](CIMultiDict())
        return aiohttp.RequestInfo(origin, self.method, no_headers, origin)


class SilentResponse(aiohttp.ClientResponse):
    """An answer whose exceptions and repr quote neither URL nor headers."""

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
        # outside the block: raised inside, its __context__ would quote the URL
        raise RequestFailed("the answer is not declared as JSON", self.service, self.attempts)


NO_CONNECTION_IN_TIME = "no connection in time"
NO_ANSWER_IN_TIME = "no answer in time"

# The first match counts, so subclasses come before their bases.
_REASONS: tuple[tuple[tuple[type[Exception], ...], str, bool], ...] = (
    (
        (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError),
        "the TLS handshake failed",
        False,
    ),
    ((aiohttp.ServerFingerprintMismatch,), "the certificate has another fingerprint", False),
    ((aiohttp.ClientConnectorDNSError,), "the name does not resolve", True),
    ((aiohttp.ClientConnectorError,), "no connection", True),
    ((aiohttp.ConnectionTimeoutError,), NO_CONNECTION_IN_TIME, True),
    ((TimeoutError,), NO_ANSWER_IN_TIME, True),
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


def failed_attempt(error: Exception) -> FailedAttempt:
    """Return *error* as one of our fixed phrases."""
    if isinstance(error, FailedAttempt):
        return error
    if isinstance(getattr(error, "os_error", None), RefusedAddress):
        return FailedAttempt("the address is not public")
    for kinds, reason, retryable in _REASONS:
        if isinstance(error, kinds):
            return FailedAttempt(reason, retryable=retryable)
    return FailedAttempt("the request failed")


def public_socket(address: AddrInfoType) -> socket.socket:
    """Return a socket for *address*, the one that is really connected to, if it is public.

    Raises:
        RefusedAddress: it is not.
    """
    if not is_public(str(address[4][0])):
        raise RefusedAddress("not public")
    return any_socket(address)


def any_socket(address: AddrInfoType) -> socket.socket:
    """Return a socket for *address*."""
    family, kind, protocol, _, _ = address
    return socket.socket(family=family, type=kind, proto=protocol)


def tls_contexts(tls: TlsSettings) -> tuple[ssl.SSLContext, ssl.SSLContext] | None:
    """Return the TLS contexts for the service and for other origins.

    None if a file cannot be read. Only the service gets the client certificate, and only it may be
    unverified.
    """
    authorities = TlsSettings(ca_file=tls.ca_file)
    with contextlib.suppress(OSError, ValueError):
        others = _context(authorities) if tls.ca_file else _default_context()
        return (others if tls == authorities else _context(tls)), others
    return None


def _context(tls: TlsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file or default_authorities())
    if tls.cert_file:
        # without a password OpenSSL would ask for that of an encrypted key on the terminal
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@functools.cache
def _default_context() -> ssl.SSLContext:
    return _context(TlsSettings())
