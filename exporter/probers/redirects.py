"""The redirect policy of every probe: which redirects are followed, and what is sent along.

Followed are 301, 302, 303, 307 and 308 to an http or https address without user information, but
never from https to http. Credentials, the user's own headers, body and client certificate go to
the origin (RFC 6454) of the first request only. Once another origin has redirected, they are not
sent even to the first one again: the way back was the other origin's choice (as in Go's net/http
since CVE-2024-45336). Cookies that an origin set on the way go back to it, and to it alone.

The users' own calls (`sessions`) have the same policy on aiohttp's parser, yarl. If the check used
one parser and the connection another, an address on which they disagree would evade the check.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin, urlsplit

from exporter.characters import breaks_url, has_control, oversized_url
from exporter.checks import TlsSettings
from exporter.probers.cookies import Cookies
from exporter.probers.endpoint import Endpoint
from exporter.probers.transport import Answer, Request
from exporter.probers.urls import normalized

FOLLOWED = frozenset({301, 302, 303, 307, 308})
HARMLESS_HEADERS = frozenset({"user-agent", "accept", "accept-language"})
"""Lower-case names of the headers that are sent to any origin."""


@functools.lru_cache(maxsize=16384)
def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of *url*: its origin (RFC 6454).

    Raises:
        ValueError: the port is not a number up to 65535, the URL cannot be parsed or is too long.

    >>> origin("https://API.example/v1")
    ('https', 'api.example', 443)
    """
    if oversized_url(url):
        raise ValueError("a URL that is too long")
    parts = urlsplit(normalized(url))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, (parts.hostname or "").lower(), port


def redirect_target(url: str, answer: Answer) -> str | None:
    """Return the address to which *answer*, that of *url*, redirects.

    An empty text means a redirect that must not be followed, None that it is not a redirect.
    """
    location = answer.headers.get("location")
    if answer.failure is not None or answer.status not in FOLLOWED or not location:
        return None
    location = _as_utf8(location)
    if has_control(location) or oversized_url(location):
        return ""
    try:
        target = normalized(urljoin(url, location).partition("#")[0])
        target_origin, own_origin = origin(target), origin(url)
    except ValueError:
        return ""
    if target_origin[0] not in ("http", "https") or not target_origin[1]:
        return ""
    place = urlsplit(target).netloc
    if "@" in place or not place.isascii():
        return ""
    if breaks_url(target) or (own_origin[0] == "https" and target_origin[0] == "http"):
        return ""
    return target


def _as_utf8(location: str) -> str:
    """Return a header's value, which is read as Latin-1, as the UTF-8 that it may be."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location


@dataclass(slots=True)
class Trail:
    """The redirects of one probe.

    *others_tls*: the TLS settings for origins other than the first. `is_home`: no other origin has
    been on the way so far. `cookies` are those that were set on the way.
    """

    endpoint: Endpoint
    others_tls: TlsSettings
    is_home: bool = True
    cookies: Cookies = field(default_factory=Cookies)

    def same_origin(self, target: str) -> bool:
        """Return whether *target* has the origin of the first request."""
        return origin(target) == origin(self.endpoint.url)

    def hop(
        self, request: Request, target: str, answer: Answer, *, left: float, now: float
    ) -> Request:
        """Return the request for *target*, to which *answer*, that to *request*, redirects.

        *left* is how many seconds of the probe remain, *now* a Unix time.
        """
        endpoint, status = self.endpoint, answer.status
        self.is_home = self.is_home and self.same_origin(target)
        self.cookies.keep(origin(request.url), request.url, answer.values_of("set-cookie"), now)
        # RFC 9110, 15.4: 307 and 308 repeat the request; after the others a method
        # other than GET and HEAD becomes GET, and the body is dropped.
        repeats = status in (307, 308) or request.method in ("GET", "HEAD")
        harmless = tuple((n, v) for n, v in endpoint.headers if n.lower() in HARMLESS_HEADERS)
        return replace(
            request,
            url=target,
            method=request.method if repeats else "GET",
            body=request.body if repeats and self.is_home else None,
            headers=self._with_cookies(
                own_headers(endpoint) if self.is_home else harmless, target, now
            ),
            timeout=max(0.001, left),
            tls=endpoint.tls if self.is_home else self.others_tls,
        )

    def _with_cookies(
        self, headers: tuple[tuple[str, str], ...], target: str, now: float
    ) -> tuple[tuple[str, str], ...]:
        own = "; ".join(value for name, value in headers if name.lower() == "cookie")
        cookie = self.cookies.header(origin(target), target, now, own)
        if cookie == own:
            return headers
        others = tuple((n, v) for n, v in headers if n.lower() != "cookie")
        return (*others, ("Cookie", cookie)) if cookie else others


def own_headers(endpoint: Endpoint) -> tuple[tuple[str, str], ...]:
    """Return every header of a request to the endpoint's own origin."""
    return (*endpoint.headers, *[(name, key.reveal()) for name, key in endpoint.credentials])


def joined(before: Answer, after: Answer) -> Answer:
    """Return *after* with the phases and the duration of both requests added up."""
    a, b = before.phases, after.phases
    after.phases = (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4])
    after.duration = before.duration + after.duration
    return after
