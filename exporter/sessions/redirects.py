"""Where calls and redirects go; one to another origin takes no header or body of the caller along.

The policy is that of `probers.redirects`, but on the parser of yarl, with which aiohttp connects: a
URL that two parsers read differently could pass the check and go elsewhere. Calls differ in the
caller's own method, headers and options, in the limit of ten, and in bodies that can be sent once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from multidict import CIMultiDict
from yarl import URL

from exporter.characters import has_control, oversized_url
from exporter.probers.redirects import FOLLOWED
from exporter.sessions.wire import FailedAttempt, SilentResponse

MAX_REDIRECTS = 10
_KEPT_OPTIONS = frozenset(
    {
        "timeout",
        "read_until_eof",
        "read_bufsize",
        "auto_decompress",
        "max_line_size",
        "max_field_size",
        "max_headers",
    }
)
"""Options of a call that are kept on the way to another origin."""
_BODY_OPTIONS = frozenset({"data", "json", "compress", "chunked", "expect100"})
_BODY_HEADERS = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding")
_TEXTS = (str, bytes, bytearray, memoryview)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One request to send, of a call or of a redirect of it."""

    method: str
    url: URL
    to_service: bool
    """Goes to the service itself, and no redirect to another origin led there."""
    headers: CIMultiDict[str]
    """Those of the caller; the service's own are added when it is sent."""
    options: dict[str, Any]


def redirected(hop: Hop, answer: SilentResponse) -> Hop | FailedAttempt | None:
    """Return the request that the redirect *answer* asks for; None if it is not a redirect.

    A redirect that must not be followed is returned as a `FailedAttempt`.
    """
    location = answer.headers.get("Location", "")
    if answer.status not in FOLLOWED or not location:
        return None
    url = None
    usable = not has_control(location) and not oversized_url(location)
    if usable and "\\" not in location:  # WHATWG URL reads \ as /, RFC 3986 forbids it
        with contextlib.suppress(ValueError):
            url = parsed(str(answer.url.join(URL(location))))
    if url is None or (answer.url.scheme == "https" and url.scheme == "http"):
        return FailedAttempt("a redirect that may not be followed")
    same_origin = origin(url) == origin(hop.url)
    # params: the Location has its own query
    kept = {
        n: v
        for n, v in hop.options.items()
        if n != "params" and (same_origin or n in _KEPT_OPTIONS)
    }
    headers = hop.headers.copy() if same_origin else CIMultiDict[str]()
    method = hop.method
    # GET after 303, and after 301 and 302 of a POST, as browsers do (RFC 9110, 15.4)
    if (answer.status == 303 and method != "HEAD") or (
        answer.status in (301, 302) and method == "POST"
    ):
        method = "GET"
        kept = {n: v for n, v in kept.items() if n not in _BODY_OPTIONS}
        for name in _BODY_HEADERS:
            headers.popall(name, None)
    elif not replayable(kept):
        return FailedAttempt("a redirect asks for a body that cannot be sent twice")
    # No credentials after a detour: another origin chose where this request goes.
    home = hop.to_service and same_origin
    return replace(hop, method=method, url=url, to_service=home, headers=headers, options=kept)


def parsed(text: str) -> URL | None:
    """Return *text* as an http or https URL without user and password, or None."""
    try:
        url = URL(text)
        usable = url.scheme in ("http", "https") and url.raw_host and url.port
    except ValueError:
        return None
    return url if usable and url.raw_user is None and url.raw_password is None else None


def origin(url: URL) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of *url*."""
    return url.scheme, url.raw_host, url.port


def below(url: URL, base: URL) -> bool:
    """Return whether *url*, its dot segments resolved, is *base* or below it."""
    path = base.raw_path.rstrip("/")
    inside = url.raw_path.rstrip("/") == path or url.raw_path.startswith(f"{path}/")
    return inside and origin(url) == origin(base)


def replayable(options: Mapping[str, Any]) -> bool:
    """Return whether the body in a call's *options* can be sent a second time."""
    data = options.get("data")
    if data is None or isinstance(data, _TEXTS):
        return True
    if isinstance(data, Mapping):
        return all(map(_is_replayable_value, data.values()))
    return isinstance(data, (list, tuple)) and all(
        isinstance(pair, (list, tuple)) and all(map(_is_replayable_value, pair)) for pair in data
    )


def _is_replayable_value(value: Any) -> bool:
    return isinstance(value, (*_TEXTS, int, float))
