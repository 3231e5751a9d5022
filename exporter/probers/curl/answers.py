"""From a finished transfer to an `Answer`: phases, certificate, failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pycurl

from exporter.model import Reason
from exporter.probers import Answer, Request
from exporter.probers.curl.certificates import chain_of, earliest
from exporter.probers.curl.errors import failure_of
from exporter.probers.transport import UNKNOWN_CODING

_VERSIONS = {
    pycurl.CURL_HTTP_VERSION_1_0: 1.0,
    pycurl.CURL_HTTP_VERSION_1_1: 1.1,
    pycurl.CURL_HTTP_VERSION_2_0: 2.0,
    pycurl.CURL_HTTP_VERSION_3: 3.0,
}
_BAD_ENCODING = 61  # CURLE_BAD_CONTENT_ENCODING
# iana.org/assignments/http-parameters, content codings; "identity" says that there is none.
_ENCODINGS = frozenset(
    [
        "aes128gcm",
        "br",
        "compress",
        "dcb",
        "dcz",
        "deflate",
        "exi",
        "gzip",
        "pack200-gzip",
        "x-compress",
        "x-gzip",
        "zstd",
    ]
)
# Who answers a CONNECT is the proxy, so these are never the provider's words (RFC 9110, RFC 6585).
_INTERCEPTED = {
    407: "our proxy asks for a login (407)",
    511: "our network asks for a login (511)",
}
# pycurl has the first name since 7.46, and since then warns about the second.
_CONTENT_LENGTH = getattr(pycurl, "CONTENT_LENGTH_DOWNLOAD_T", pycurl.CONTENT_LENGTH_DOWNLOAD)


def answer_of(
    curl: Any,
    answer: Answer,
    ended: tuple[int, str],
    resolved: float,
    request: Request,
    *,
    refused: bool,
) -> Answer:
    """Return *answer*, which has headers and body, with what libcurl knows filled in.

    *ended* is libcurl's error number and text; the text is only searched, never shown. *resolved*
    is how many seconds the resolution took. *refused*: the address policy refused a connection.
    """
    code = ended[0]
    get: Callable[[int], Any] = curl.getinfo
    secure = request.url.startswith("https")
    answer.status = status = get(pycurl.RESPONSE_CODE)
    answer.content_length = int(get(_CONTENT_LENGTH))
    answer.http_version = _VERSIONS.get(get(pycurl.INFO_HTTP_VERSION), 0.0)
    connected = not code or _connected(get, secure)
    answer.phases = _phases(_stamps(get, status), resolved, secure, connected=connected)
    answer.duration = sum(answer.phases)
    answer.address = get(pycurl.PRIMARY_IP) or ""
    cut = code == pycurl.E_WRITE_ERROR and answer.truncated
    if secure:
        verified = (code == 0 or cut) and not request.tls.insecure_skip_verify
        entries = get(pycurl.INFO_CERTINFO)
        answer.certificate = earliest(entries, verified=verified)
        answer.chain = chain_of(entries)
    if code and not cut:  # a body cut at its bound ends with a write error of our own making
        answer.failure, answer.detail = _failure(
            get, ended, status, secure, connected=connected, refused=refused
        )
        if code == _BAD_ENCODING and not _is_encoded(answer.headers):
            answer.detail = UNKNOWN_CODING
    elif request.plain and _is_encoded(answer.headers):
        answer.failure = Reason.PROTOCOL
        answer.detail = "the body has an encoding that was not asked for"
    return answer


def _is_encoded(headers: Mapping[str, str]) -> bool:
    """Return whether one of the encodings of the body is one that HTTP has.

    libcurl ends at a header whose encodings it refuses, so that one is seen when it decodes none.
    """
    names = headers.get("content-encoding", "").lower().split(",")
    return any(name.strip() in _ENCODINGS for name in names)


def _failure(
    get: Callable[[int], Any],
    ended: tuple[int, str],
    status: int,
    secure: bool,
    *,
    connected: bool,
    refused: bool,
) -> tuple[Reason, str]:
    """Return why there is no whole answer, and what is shown of it."""
    if refused:
        return Reason.ADDRESS_REFUSED, "the address is not public"
    tunnel = get(pycurl.HTTP_CONNECTCODE)
    if why := _INTERCEPTED.get(tunnel):
        return Reason.INTERCEPTED, why
    if tunnel >= 300:
        return Reason.CONNECT, "the proxy refused the connection"
    verify = get(pycurl.SSL_VERIFYRESULT) if secure else 0
    phase = _open_phase(_stamps(get, status), secure, connected=connected)
    return failure_of(*ended, phase, verify)


_Stamps = tuple[float, float, float, float, float]


def _stamps(get: Callable[[int], Any], status: int) -> _Stamps:
    return (
        get(pycurl.NAMELOOKUP_TIME),
        get(pycurl.CONNECT_TIME),
        get(pycurl.APPCONNECT_TIME),
        # A failure sets it too, so it counts only if there is a status.
        get(pycurl.STARTTRANSFER_TIME) if status else 0.0,
        get(pycurl.TOTAL_TIME),
    )


def _phases(
    stamps: _Stamps, resolved: float, secure: bool, *, connected: bool
) -> tuple[float, float, float, float, float]:
    """Return the seconds of the phases in the order of `PHASES`; they sum to the duration.

    libcurl's stamps are cumulative and 0 where a phase did not happen (a kept connection) or did
    not end (a failure). In the second case the rest of the time belongs to that phase.
    """
    lookup, connect, handshake, first, total = stamps
    if not secure:
        handshake = connect
    if not 0 < lookup <= connect <= handshake <= first <= total:  # seldom: a new connection's are
        lookup, connect, handshake, first = _ends(stamps, secure, connected=connected)
    return (
        resolved + lookup,
        connect - lookup,
        handshake - connect,
        first - handshake,
        total - first,
    )


def _ends(stamps: _Stamps, secure: bool, *, connected: bool) -> tuple[float, float, float, float]:
    """Return when each phase but the last ended, in their order."""
    lookup, connect, handshake, first, total = stamps
    ends, before = [], 0.0
    for stamp, happens, is_over in (
        (lookup, True, connected),
        (connect, True, connected),
        (handshake, secure, connected),
        (first, True, False),
    ):
        if stamp > 0 and happens:
            end = min(max(stamp, before), total)
        else:
            end = before if is_over or not happens else total
        ends.append(end)
        before = end
    a, b, c, d = ends
    return a, b, c, d


def _connected(get: Callable[[int], Any], secure: bool) -> bool:
    """Return whether the connection was established and the request was being sent.

    The time stamps alone do not show it: a failure sets those that were not reached to the total.
    Nor do the bytes sent alone: a proxy's tunnel is requested before the TLS handshake.
    """
    if get(pycurl.REQUEST_SIZE) <= 0:
        return False
    return bool(not secure or get(pycurl.APPCONNECT_TIME) > 0 or get(pycurl.NAMELOOKUP_TIME) <= 0)


def _open_phase(stamps: _Stamps, secure: bool, *, connected: bool) -> str:
    """Return in words the phase that had not ended."""
    lookup, connect, handshake, first, _ = stamps
    if connected:
        return "reading the answer" if first > 0 else "waiting for the answer"
    if lookup <= 0:
        return "resolving the name"
    if connect <= 0:
        return "connecting"
    return "in the TLS handshake" if secure and handshake <= 0 else "waiting for the answer"
