"""Which targets a module may be used for, and what makes it need that list: its credentials.

`/probe` is open for whoever reaches the port. blackbox_exporter (0.23, prober/http.go) sends a
module's credentials to any `target=`, so everybody who may scrape can have them sent to himself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from exporter.probers.redirects import origin
from exporter.probers.urls import ascii_host
from exporter.secret import looks_like_key, names_secret

PLAIN_HEADERS = frozenset(
    {
        *("accept", "accept-charset", "accept-encoding", "accept-language", "cache-control"),
        *("connection", "content-encoding", "content-language", "content-type", "date", "dnt"),
        *("expect", "host", "if-match", "if-modified-since", "if-none-match"),
        *("if-unmodified-since", "origin", "pragma", "range", "te", "upgrade-insecure-requests"),
        "user-agent",
    }
)
"""Lower-case names of the headers that hold no credential; every other one counts as one."""
ANY_PORT = -1
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PATTERN = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<any>\*\.)?"
    r"(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}|\*))?/?"
)
_WORD = re.compile(r"[A-Za-z0-9_.:+/=-]{8,}")
_HINT = (
    "must be an origin such as https://api.example.com or a host pattern such as "
    "*.example.com:8443; without a scheme https is meant, and the port may be *"
)


class Pattern:
    """One entry of `allowed_targets`: `[http[s]://][*.]host[:port]`; https without a scheme.

    Compared as texts, without a search: linear in the target's length.

    >>> Pattern("*.example.com").allows("https://api.example.com/v1")
    True
    >>> Pattern("*.example.com").allows("http://api.example.com/v1")
    False

    Raises:
        ValueError: the text has another form.
    """

    __slots__ = ("_any", "_host", "_port", "_scheme")

    def __init__(self, text: str) -> None:
        scheme, separator, place = text.rpartition("://")
        match = _PATTERN.fullmatch(f"{scheme.lower()}{separator}{_ascii(place)}")
        if match is None or (match["any"] and "." not in match["host"]):
            raise ValueError
        self._scheme = match["scheme"] or "https"
        self._host, self._any = match["host"].lower().strip("[]"), bool(match["any"])
        port = match["port"] or str(_DEFAULT_PORTS[self._scheme])
        self._port = ANY_PORT if port == "*" else int(port)
        if self._port > 65535 or self._port == 0:
            raise ValueError

    def allows(self, url: str) -> bool:
        """Return whether *url*, which has an http or https origin, is one of these."""
        scheme, host, port = origin(url)
        if scheme != self._scheme or self._port not in (ANY_PORT, port):
            return False
        return host.endswith(f".{self._host}") if self._any else host == self._host


def _ascii(place: str) -> str:
    wildcard = "*." if place.startswith("*.") else ""
    return wildcard + ascii_host(place.removeprefix(wildcard))


def is_allowed(patterns: Iterable[str], url: str) -> bool:
    """Return whether one of *patterns*, checked ones, allows *url*."""
    return any(Pattern(text).allows(url) for text in patterns)


def mistakes_of_targets(raw: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the mistakes of `allowed_targets` in the http section *raw*; quotes no value."""
    patterns = raw.get("allowed_targets", [])
    for index, text in enumerate(patterns):
        try:
            Pattern(text)
        except ValueError:
            yield ("allowed_targets", index), _HINT
    found = next(credentials_of(raw), None)
    if found is not None and not patterns:
        yield (
            found,
            "is sent to every target= that somebody asks /probe for; name the only ones with "
            "allowed_targets, such as [https://api.example.com]",
        )


def credentials_of(raw: dict[str, Any]) -> Iterator[tuple[str | int, ...]]:
    """Yield where the http section *raw* has what a stranger must not be sent.

    A body counts if it looks like it has a key; one from a file counts always, since the file may
    change after this check.
    """
    for name in ("basic_auth", "authorization", "bearer_token", "bearer_token_file", "body_file"):
        if raw.get(name) is not None:
            yield (name,)
    for name, value in raw.get("headers", {}).items():
        if name.lower() not in PLAIN_HEADERS or _has_key(value):
            yield ("headers", name)
    if raw.get("tls_config", {}).get("cert_file"):
        yield ("tls_config", "cert_file")
    body = raw.get("body")
    if body is not None and (_has_key(body) or names_secret(body)):
        yield ("body",)


def _has_key(text: str) -> bool:
    return any(looks_like_key(word) for found in _WORD.findall(text) for word in _words(found))


def _words(text: str) -> Iterable[str]:
    return (text, *re.split(r"[=:/]", text))
