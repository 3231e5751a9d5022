"""The pause that an error asks for in its body, where no header does: Discord, Telegram, Google.

Read of 429 and 503 only, by the names that are in use, in the places where errors have them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exporter.readings.declarations import TimeFormat
from exporter.readings.times import instant

STATUSES = frozenset({429, 503})
"""The statuses under which a body may ask for a pause (RFC 9110, 10.2.3; RFC 6585, 4)."""
_FORMATS: dict[str, TimeFormat] = {
    "retry_after": "auto",  # discord.com/developers: seconds as a float; core.telegram.org/bots/api
    "retryafter": "auto",
    "retry-after": "auto",
    "retry_after_seconds": "delta_s",
    "retryafterseconds": "delta_s",
    "retry_after_ms": "delta_ms",
    "retryafterms": "delta_ms",
    "retrydelay": "proto_duration",  # google.rpc.RetryInfo
}
_PLACES = (
    "error",
    "errors",
    "detail",
    "details",
    "parameters",
    "extensions",
    "metadata",
    "data",
)
_MOST_OBJECTS, _MOST_ITEMS = 32, 8


def asked_in(json: Any, now: float) -> float | None:
    """Return the Unix time until which the error *json* asks to wait, None if it does not.

    >>> asked_in({"message": "You are being rate limited.", "retry_after": 1.5}, 1000.0)
    1001.5
    """
    for found in _objects(json):
        for name, value in found.items():
            form = _FORMATS.get(name.lower())
            if form is None or isinstance(value, bool) or not isinstance(value, int | float | str):
                continue
            if (at := instant(str(value), form, now)) is not None:
                return at
    return None


def _objects(json: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects at the usual places of an error, the outer ones first."""
    waiting = [json]
    for _ in range(_MOST_OBJECTS):
        if not waiting:
            return
        node = waiting.pop(0)
        if isinstance(node, list):
            waiting += node[:_MOST_ITEMS]
        elif isinstance(node, dict):
            yield node
            waiting += [node[name] for name in _PLACES if name in node]
