"""Sets libcurl's options for a `Request`. Texts become UTF-8 bytes: pycurl's `str` is ASCII."""

from __future__ import annotations

import functools
import ssl
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import certifi
import pycurl

from exporter.characters import has_control
from exporter.checks import TlsSettings
from exporter.probers import Request
from exporter.probers.urls import ascii_host, normalized

# OpenSSL 3.5 and newer offers a post-quantum key share first. It costs a tenth of a handshake and a
# second packet, and most servers cannot use it yet.
_GROUPS = "X25519:P-256:P-384:P-521"


_DAY_MILLISECONDS = 86_400_000


@functools.lru_cache(maxsize=1)
def default_authorities() -> str:
    """Return the PEM file of the trusted authorities: the system's, else certifi's."""
    return ssl.get_default_verify_paths().cafile or certifi.where()


@functools.lru_cache(maxsize=16384)
def address_of(url: str) -> tuple[str, int, bool, str]:
    """Return host, port, whether *url* is https, and its normal form, which the first are of.

    Raises:
        ValueError: *url* is not an http or https URL with a host and a valid port.
    """
    url = normalized(url)
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or not host.isascii():
        raise ValueError("not an http or https URL with a host")
    secure = parts.scheme == "https"
    return host, parts.port or (443 if secure else 80), secure, url


Shape = tuple[str, str | None, TlsSettings | None, bool, bool, bool, bool, int]


def shape_of(request: Request) -> Shape | None:
    """Return what *request* has in common with others whose handle has the same options.

    None if it has options besides that `set_own_options` does not set.
    """
    if request.body is not None or request.session or request.inspect or request.tls.server_name:
        return None
    if request.plain:
        return None
    return (
        request.method,
        request.proxy,
        request.tls if _has_tls(request) else None,  # to look one up takes its hash
        request.url.startswith("https"),
        request.allow_private,
        request.keep_alive,
        request.http2,
        request.ip_version,
    )


def set_options(curl: Any, request: Request) -> None:
    """Set the options of *curl* that *request* shares with all of its shape, but no callback."""
    set_ = curl.setopt
    set_(pycurl.NOSIGNAL, 1)
    set_(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    set_(pycurl.CONNECTTIMEOUT_MS, _DAY_MILLISECONDS)  # the time of the whole is what counts
    set_(pycurl.PROXY, normalized(request.proxy or "").encode())
    set_(pycurl.NOPROXY, "")  # if unset, the environment's no_proxy decides
    if not request.plain:
        set_(pycurl.ACCEPT_ENCODING, "")  # empty: every encoding that libcurl can decode
    _set_method(curl, request)
    if request.ip_version:
        only = pycurl.IPRESOLVE_V4 if request.ip_version == 4 else pycurl.IPRESOLVE_V6
        set_(pycurl.IPRESOLVE, only)
    if not request.keep_alive:
        set_(pycurl.FRESH_CONNECT, 1)
        set_(pycurl.FORBID_REUSE, 1)
    if _has_tls(request):
        _set_tls(curl, request)


def _has_tls(request: Request) -> bool:
    """Return whether *request* is sent over TLS, be it to a proxy only."""
    return request.url.startswith("https") or (request.proxy or "").startswith("https")


def set_own_options(curl: Any, request: Request, addresses: list[str], seconds: float) -> None:
    """Set the options of *curl* that *request* shares with no other; it may take *seconds*.

    Raises:
        ValueError: a header holds a control character, or the URL a NUL.
    """
    milliseconds = max(1, round(seconds * 1000))  # 0 would mean no timeout
    curl.setopt(pycurl.TIMEOUT_MS, milliseconds)
    headers = _header_lines(request.headers)
    headers += _set_address(curl, request, addresses)
    if headers:
        curl.setopt(pycurl.HTTPHEADER, headers)
    else:
        curl.unsetopt(pycurl.HTTPHEADER)  # an empty list would leave those of another request


def _header_lines(headers: tuple[tuple[str, str], ...]) -> list[bytes]:
    if has_control("".join(chain.from_iterable(headers))):
        names, values = map("".join, zip(*headers, strict=True))
        if has_control(names) or has_control(values.replace("\t", "")):  # RFC 9110 allows a tab
            raise ValueError("a header holds a control character")
    return [
        (f"{name}: {value}" if value.strip() else f"{name};").encode() for name, value in headers
    ]


def _set_method(curl: Any, request: Request) -> None:
    if request.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    elif request.body is not None:
        curl.setopt(pycurl.POSTFIELDSIZE, len(request.body))
        curl.setopt(pycurl.POSTFIELDS, request.body)
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)
    elif request.method == "POST":
        curl.setopt(pycurl.POSTFIELDS, b"")
    elif request.method != "GET":
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)


def _set_address(curl: Any, request: Request, addresses: list[str]) -> list[bytes]:
    """Set the URL and where to connect; return the Host header if it is not the URL's own."""
    host, port, _, _ = address_of(request.url)
    url, host_headers = request.url, []
    if (name := _server_name(request)) and name != host:
        # libcurl takes SNI and the name to verify from the URL. So the URL gets the other name,
        # while the connection and the Host header keep the real one.
        parts = urlsplit(url)
        url = parts._replace(netloc=f"{name}:{port}").geturl()
        shown = f"[{host}]" if ":" in host else host
        curl.setopt(pycurl.CONNECT_TO, [f"{name}:{port}:{shown}:{port}".encode()])
        host_headers = [line.encode() for line in host_lines(request)]
    curl.setopt(pycurl.URL, url.encode())
    if addresses and addresses != [host]:
        text = ",".join(f"[{a}]" if ":" in a else a for a in addresses)
        # With `+` the entry expires; without it libcurl would keep the addresses for ever.
        curl.setopt(pycurl.RESOLVE, [f"+{host}:{port}:{text}".encode()])
    return host_headers


def host_lines(request: Request) -> list[str]:
    """Return the Host header to add: with a `server_name` libcurl would send that name."""
    name, host = _server_name(request), address_of(request.url)[0]
    if not name or name == host or any(n.lower() == "host" for n, _ in request.headers):
        return []
    return [f"Host: {urlsplit(request.url).netloc.rpartition('@')[2]}"]


def _server_name(request: Request) -> str:
    return ascii_host(request.tls.server_name) if request.tls.server_name else ""


def _set_tls(curl: Any, request: Request) -> None:
    tls = request.tls
    curl.setopt(pycurl.CAINFO, tls.ca_file or default_authorities())
    curl.setopt(pycurl.SSL_EC_CURVES, _GROUPS)
    curl.setopt(pycurl.OPT_CERTINFO, 1)
    # A resumed session would send no certificate and make the handshake look too fast.
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    if not request.http2:
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    if tls.cert_file:
        curl.setopt(pycurl.SSLCERT, tls.cert_file)
        curl.setopt(pycurl.SSLKEY, tls.key_file or tls.cert_file)
        # Even an empty one: without it OpenSSL asks for it on the terminal, and all waits.
        curl.setopt(pycurl.KEYPASSWD, "")
    if tls.insecure_skip_verify:
        curl.setopt(pycurl.SSL_VERIFYPEER, 0)
        curl.setopt(pycurl.SSL_VERIFYHOST, 0)
