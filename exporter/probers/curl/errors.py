"""libcurl's error numbers and OpenSSL's verify results, as our reasons and texts.

libcurl's own texts contain host names and parts of answers, so none is passed on. Numbers:
curl.se/libcurl/c/libcurl-errors.html and OpenSSL's X509_STORE_CTX_get_error(3).
"""

from __future__ import annotations

import pycurl

from exporter.model import Reason
from exporter.probers.transport import EXPIRED

# Bare numbers are those for which not every pycurl has a name.
_FAILURES: dict[int, tuple[Reason, str]] = {
    # HTTP/0.9 and what is no HTTP at all: the scheme of the URL has been checked before.
    pycurl.E_UNSUPPORTED_PROTOCOL: (Reason.PROTOCOL, "the answer is not HTTP"),
    pycurl.E_URL_MALFORMAT: (Reason.CLIENT_ERROR, "the URL is not valid"),
    pycurl.E_COULDNT_RESOLVE_PROXY: (Reason.DNS, "the proxy's name does not resolve"),
    pycurl.E_COULDNT_RESOLVE_HOST: (Reason.DNS, "the name does not resolve"),
    pycurl.E_COULDNT_CONNECT: (Reason.CONNECT, "connection refused or host unreachable"),
    8: (Reason.PROTOCOL, "the answer is not HTTP"),  # CURLE_WEIRD_SERVER_REPLY
    16: (Reason.PROTOCOL, "an HTTP/2 error"),  # CURLE_HTTP2
    pycurl.E_PARTIAL_FILE: (Reason.PROTOCOL, "the answer ended before its announced length"),
    pycurl.E_WRITE_ERROR: (Reason.PROTOCOL, "the answer has too many or too large headers"),
    pycurl.E_SSL_CONNECT_ERROR: (Reason.TLS, "the TLS handshake failed"),
    pycurl.E_ABORTED_BY_CALLBACK: (Reason.PROTOCOL, "the server refuses requests without reading"),
    pycurl.E_GOT_NOTHING: (Reason.PROTOCOL, "the connection was closed without an answer"),
    pycurl.E_SEND_ERROR: (Reason.CONNECT, "the connection broke while sending"),
    pycurl.E_RECV_ERROR: (Reason.CONNECT, "the connection was reset"),
    pycurl.E_SSL_CERTPROBLEM: (Reason.TLS, "our client certificate or its key cannot be used"),
    pycurl.E_SSL_CIPHER: (Reason.TLS, "no common cipher"),
    pycurl.E_SSL_CACERT_BADFILE: (Reason.TLS, "tls.ca_file cannot be read"),
    # CURLE_BAD_FUNCTION_ARGUMENT: of ours only a key that its passphrase does not open.
    43: (Reason.TLS, "our client certificate or its key cannot be used"),
    61: (Reason.PROTOCOL, "the body's encoding is broken"),  # CURLE_BAD_CONTENT_ENCODING
    92: (Reason.PROTOCOL, "an HTTP/2 stream error"),  # CURLE_HTTP2_STREAM
    97: (Reason.CONNECT, "the proxy refused the connection"),  # CURLE_PROXY
    98: (Reason.TLS, "the server requires a client certificate"),  # CURLE_SSL_CLIENTCERT
    100: (Reason.PROTOCOL, "the answer has too many or too large headers"),  # CURLE_TOO_LARGE
}
_VERIFY_FAILURES = {
    9: "the certificate is not yet valid",
    10: EXPIRED,
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
    """Return reason and detail of a libcurl error *code* that occurred during *phase*.

    *text* is libcurl's own. In TLS 1.3 a server's alert comes after the handshake, as a read
    error that only the text distinguishes from a reset connection.
    """
    if code == pycurl.E_OPERATION_TIMEDOUT:
        if phase == "resolving the name":
            return Reason.DNS, "no name server answers in time"
        return Reason.TIMEOUT, f"time ran out {phase}"
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        return Reason.TLS, _VERIFY_FAILURES.get(verify, "the certificate is not for this name")
    if "alert certificate required" in text:
        return Reason.TLS, "the server requires a client certificate"
    if code == pycurl.E_RECV_ERROR and "SSL routines" in text:
        return Reason.TLS, "the server ended the TLS session"
    if code in (pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR) and "nghttp2" in text:
        return Reason.PROTOCOL, "an HTTP/2 error"
    if code == pycurl.E_RECV_ERROR and "chunk" in text:
        return Reason.PROTOCOL, "the body's chunks are broken"
    reason, detail = _FAILURES.get(code, (Reason.PROTOCOL, f"libcurl error {code}"))
    if reason is Reason.CONNECT and phase == "in the TLS handshake":
        return Reason.TLS, "the connection broke in the TLS handshake"
    return reason, detail
