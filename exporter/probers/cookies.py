"""The cookies of one probe: what a redirect sets is sent on the next hop to the same origin.

After RFC 6265, with one restriction: the `Domain` attribute never widens a cookie to another host,
as the credentials of a probe stay at one origin too. Nothing is kept once the probe has ended.
"""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_tz
from urllib.parse import urlsplit

from exporter.characters import has_control

MAX_COOKIES = 50
MAX_COOKIE_BYTES = 4096
_MAX_AGE = re.compile(r"-?[0-9]{1,18}")
Origin = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class _Cookie:
    """`end` is the Unix time when it expires."""

    name: str
    value: str = field(repr=False)
    path: str
    end: float


class Cookies:
    """The cookies that the origins of one probe have set so far."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[tuple[Origin, str, str], _Cookie] = {}

    def keep(self, origin: Origin, url: str, lines: Iterable[str], now: float) -> None:
        """Keep what the answer of *url*, which is of *origin*, sets in its Set-Cookie *lines*."""
        for line in lines:
            cookie = _cookie_of(line, origin, url, now)
            if cookie is None:
                continue
            key = (origin, cookie.name, cookie.path)
            if key in self._kept or len(self._kept) < MAX_COOKIES:
                self._kept[key] = cookie

    def header(self, origin: Origin, url: str, now: float, own: str = "") -> str:
        """Return the Cookie header for *url*; *own* is the one that the request has anyway.

        What the server has set, or taken back, wins over a cookie of the same name in *own*.
        """
        path = urlsplit(url).path or "/"
        there = [c for (of, _, _), c in self._kept.items() if of == origin and _under(path, c.path)]
        if not there:
            return own
        names = {cookie.name for cookie in there}
        pairs = [pair.strip() for pair in own.split(";") if pair.strip()]
        mine = [pair for pair in pairs if pair.partition("=")[0].strip() not in names]
        alive = sorted((c for c in there if c.end > now), key=lambda c: -len(c.path))
        return "; ".join((*mine, *(f"{c.name}={c.value}" for c in alive)))


def _cookie_of(line: str, origin: Origin, url: str, now: float) -> _Cookie | None:
    """Return the cookie in *line*; None if there is none, or *origin* must not set it."""
    pair, *rest = line.split(";")
    name, equals, value = (part.strip() for part in pair.partition("="))
    text = _as_sent(value)
    if not equals or not name or len(pair) > MAX_COOKIE_BYTES or text is None:
        return None
    if has_control(pair) or not name.isascii():
        return None
    attributes = {}
    for attribute in rest:
        key, _, word = attribute.partition("=")
        attributes[key.strip().lower()] = word.strip()
    path = attributes.get("path", "")
    if not path.startswith("/"):
        path = (urlsplit(url).path or "/").rpartition("/")[0] or "/"
    if not _may_set(name, attributes, origin):
        return None
    return _Cookie(name, text, path, _end(attributes, now))


def _as_sent(value: str) -> str | None:
    """Return *value*, read as Latin-1, as text that is sent back as the same bytes; or None."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return None


def _may_set(name: str, attributes: dict[str, str], origin: Origin) -> bool:
    scheme, host, _ = origin
    domain = attributes.get("domain", "").lower().removeprefix(".")
    if domain and domain != host and not host.endswith(f".{domain}"):
        return False
    secure = "secure" in attributes
    if secure and scheme != "https":
        return False
    if name.lower().startswith("__host-"):
        return secure and not domain and attributes.get("path") == "/"
    return secure or not name.lower().startswith("__secure-")


def _end(attributes: dict[str, str], now: float) -> float:
    """Return when the cookie expires; Max-Age has precedence, and without either it is never."""
    if _MAX_AGE.fullmatch(age := attributes.get("max-age", "")):
        return now + int(age) if int(age) > 0 else -math.inf
    try:
        date = parsedate_tz(attributes.get("expires", ""))
        # Without a zone it is UTC: the local one would be a guess.
        return calendar.timegm(date[:6]) - (date[9] or 0) if date else math.inf
    except (ValueError, OverflowError, IndexError):
        return math.inf


def _under(path: str, cookie_path: str) -> bool:
    """Return whether a cookie with *cookie_path* is sent to *path* (RFC 6265, 5.1.4)."""
    below = cookie_path if cookie_path.endswith("/") else f"{cookie_path}/"
    return path == cookie_path or path.startswith(below)
