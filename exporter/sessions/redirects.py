"""Where a call goes, and where an answer may send it: nothing of the caller's leaves the origin.

The policy is that of `probers.redirects`, on yarl's parser, with which aiohttp connects: two
parsers that disagree on one address are a way out. What differs belongs to calls: the caller's own
method, headers and options, a limit of ten, and a body that can be sent only once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from multidict import CIMultiDict
from yarl import URL

from exporter.probers.redirects import FOLLOWED
from exporter.sessions.wire import Broken, SilentResponse

MAX_REDIRECTS = 10
_HARMLESS = frozenset(
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
"""Options of a call that may follow it to another origin."""
_OF_BODIES = frozenset({"data", "json", "compress", "chunked", "expect100"})
_BODY_HEADERS = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding")
_TEXTS = (str, bytes, bytearray, memoryview)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One request to send, of a call or of a redirect of it."""

    method: str
    url: URL
    home: bool
    """Goes to the service itself, and came there by no detour."""
    headers: CIMultiDict[str]
    """The caller's own."""
    options: dict[str, Any]


def following(hop: Hop, answer: SilentResponse) -> Hop | Broken | None:
    """Return the request that a redirect asks for; None if *answer* is none."""
    location = answer.headers.get("Location", "")
    if answer.status not in FOLLOWED or not location:
        return None
    url = None
    if "\\" not in location:  # a slash to some parsers, a letter to others
        with contextlib.suppress(ValueError):
            url = parsed(str(answer.url.join(URL(location))))
    if url is None or (answer.url.scheme == "https" and url.scheme == "http"):
        return Broken("a redirect that may not be followed")
    same = origin(url) == origin(hop.url)
    kept = {n: v for n, v in hop.options.items() if n != "params" and (same or n in _HARMLESS)}
    headers = hop.headers.copy() if same else CIMultiDict[str]()
    method = hop.method
    if (answer.status == 303 and method != "HEAD") or (
        answer.status in (301, 302) and method == "POST"
    ):
        method = "GET"
        kept = {n: v for n, v in kept.items() if n not in _OF_BODIES}
        for name in _BODY_HEADERS:
            headers.popall(name, None)
    elif not replayable(kept):
        return Broken("a redirect asks for a body that cannot be sent twice")
    # Who has left does not come back with credentials: the way was another origin's choice.
    return replace(
        hop, method=method, url=url, home=hop.home and same, headers=headers, options=kept
    )


def parsed(text: str) -> URL | None:
    """Return *text* as a URL that can be asked, or None."""
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
    """Return whether *url*, its dots resolved, is *base* or stands below it."""
    path = base.raw_path.rstrip("/")
    inside = url.raw_path.rstrip("/") == path or url.raw_path.startswith(f"{path}/")
    return inside and origin(url) == origin(base)


def replayable(options: Mapping[str, Any]) -> bool:
    """Return whether the body in a call's *options* can be sent a second time."""
    data = options.get("data")
    if data is None or isinstance(data, _TEXTS):
        return True
    if isinstance(data, Mapping):
        return all(map(_simple, data.values()))
    return isinstance(data, (list, tuple)) and all(
        isinstance(pair, (list, tuple)) and all(map(_simple, pair)) for pair in data
    )


def _simple(value: Any) -> bool:
    return isinstance(value, (*_TEXTS, int, float))
