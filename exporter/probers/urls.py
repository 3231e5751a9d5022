"""One spelling for a URL, so that resolver, SNI, certificate check and Host see the same name."""

from __future__ import annotations

import functools
import re
from urllib.parse import quote, urlsplit, urlunsplit

import idna

from exporter.characters import has_control, oversized_url

# What RFC 3986 allows in a path, `%` of what is encoded already, and brackets, which servers take.
_PATH = "/%:@!$&'()*+,;=[]"


# What is its own normal form, and not too long: most of the addresses of 10,000 services.
_NORMAL = re.compile(r"https?://[a-z0-9.:-]{1,256}(?:/[A-Za-z0-9/._~-]{0,512})?")


def normalized(url: str) -> str:
    """Return *url* with scheme and host in lower case, the host in ASCII, the rest encoded.

    Unchanged is what must be refused, not repaired: control characters, a backslash, a host that
    is no name, what is too long.

    >>> normalized("HTTPS://BÜCHER.example/a b|c?q=é")
    'https://xn--bcher-kva.example/a%20b%7Cc?q=%C3%A9'
    """
    return url if _NORMAL.fullmatch(url) else _normalized(url)


@functools.lru_cache(maxsize=16384)
def _normalized(url: str) -> str:
    if has_control(url) or "\\" in url or oversized_url(url):
        return url
    try:
        parts = urlsplit(url)
        user, at, place = parts.netloc.rpartition("@")
        host = ascii_host(place)
    except ValueError:
        return url
    if not parts.scheme or not host:
        return url
    path, query = quote(parts.path, safe=_PATH), quote(parts.query, safe=_PATH + "?")
    return urlunsplit((parts.scheme, f"{user}{at}{host}", path, query, parts.fragment))


def ascii_host(host: str) -> str:
    """Return *host*, perhaps with a port, in lower case and with each label in ASCII (UTS 46).

    Raises:
        ValueError: a character cannot be in a host name.

    >>> ascii_host("Bücher.example:8080")
    'xn--bcher-kva.example:8080'
    """
    if host.isascii():
        return host.lower()
    name, colon, port = host.partition(":")
    try:
        name = idna.uts46_remap(name, std3_rules=False, transitional=False)
    except idna.IDNAError:
        raise ValueError("a character that no host name has") from None
    labels = [label if label.isascii() else _ascii_label(label) for label in name.split(".")]
    text = ".".join(labels)
    if not text.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ValueError("a character that no host name has")
    return f"{text}{colon}{port}"


def _ascii_label(label: str) -> str:
    try:
        return idna.alabel(label).decode()
    except idna.IDNAError:  # IDNA 2008 has no symbols; registries and browsers have
        encoded = "xn--" + label.encode("punycode").decode()
    if len(encoded) > 63:
        raise ValueError("a label that is too long")
    return encoded
