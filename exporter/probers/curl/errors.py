"""libcurl's error numbers and OpenSSL's verify results, in our reasons and our own words.

libcurl's texts name hosts and quote answers, so none is passed on. Numbers: curl.se/libcurl/c/
libcurl-errors.html and OpenSSL's X509_STORE_CTX_get_error(3).
"""

from __future__ import annotations

import pycurl

from exporter.model import Reason

_FAILURES: dict[int, tuple[Reason, str]] = {
    pycurl.E_UNSUPPORTED_PROTOCOL: (Reason.PROTOCOL, "only http and https are spoken"),
    pycurl.E_URL_MALFORMAT: (Reason.CLIENT_ERROR, "the URL is not valid"),
    pycurl.E_COULDNT_RESOLVE_PROXY: (Reason.DNS, "the proxy's name does not resolve"),
    pycurl.E_COULDNT_RESOLVE_HOST: (Reason.DNS, "the name does not resolve"),
    pycurl.E_COULDNT_CONNECT: (Reason.CONNECT, "connection refused or host unreachable"),
    8: (Reason.PROTOCOL, "the answer is not HTTP"),
    16: (Reason.PROTOCOL, "an HTTP/2 error"),
    pycurl.E_PARTIAL_FILE: (Reason.PROTOCOL, "the answer ended before its announced length"),
    pycurl.E_WRITE_ERROR: (Reason.PROTOCOL, "more headers than anybody needs"),
    pycurl.E_SSL_CONNECT_ERROR: (Reason.TLS, "the TLS handshake failed"),
    pycurl.E_GOT_NOTHING: (Reason.PROTOCOL, "the connection was closed without an answer"),
    pycurl.E_SEND_ERROR: (Reason.CONNECT, "the connection broke while sending"),
    pycurl.E_RECV_ERROR: (Reason.CONNECT, "the connection was reset"),
    pycurl.E_SSL_CERTPROBLEM: (Reason.TLS, "our client certificate or its key cannot be used"),
    pycurl.E_SSL_CIPHER: (Reason.TLS, "no common cipher"),
    pycurl.E_SSL_CACERT_BADFILE: (Reason.TLS, "tls.ca_file cannot be read"),
    61: (Reason.PROTOCOL, "the body's encoding is broken"),
    92: (Reason.PROTOCOL, "an HTTP/2 stream error"),
    97: (Reason.CONNECT, "the proxy refuses"),
    98: (Reason.TLS, "the peer wants a client certificate"),
    100: (Reason.PROTOCOL, "more headers than anybody needs"),
}
_VERIFY = {
    9: "the certificate is not yet valid",
    10: "the certificate has expired",
    18: "the certificate is self-signed",
    19: "the certificate's authority is not trusted (self-signed root)",
    20: "the certificate's authority is not known",
    21: "the certificate's authority is not known",
    23: "the certificate is revoked",
    26: "the certificate is not for servers",
    62: "the certificate is not for this name",
    66: "the certificate's key is too weak",
    68: "the certificate's signature is too weak",
}


def failure_of(code: int, text: str, phase: str, verify: int) -> tuple[Reason, str]:
    """Return reason and wording for a libcurl error *code* that struck while *phase*.

    *text* is libcurl's; in TLS 1.3 a server's alert comes after the handshake, as a read error
    that only the text tells from a reset.
    """
    if code == pycurl.E_OPERATION_TIMEDOUT:
        if phase == "resolving the name":
            return Reason.DNS, "no name server answers in time"
        return Reason.TIMEOUT, f"time ran out {phase}"
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        return Reason.TLS, _VERIFY.get(verify, "the certificate is not for this name")
    if "alert certificate required" in text:
        return Reason.TLS, "the peer wants a client certificate"
    if code == pycurl.E_RECV_ERROR and "SSL routines" in text:
        return Reason.TLS, "the peer ended the TLS session"
    if code == pycurl.E_RECV_ERROR and "chunk" in text:
        return Reason.PROTOCOL, "the body's chunks are broken"
    reason, detail = _FAILURES.get(code, (Reason.PROTOCOL, f"libcurl error {code}"))
    if reason is Reason.CONNECT and phase == "in the TLS handshake":
        return Reason.TLS, "the connection broke in the TLS handshake"
    return reason, detail
