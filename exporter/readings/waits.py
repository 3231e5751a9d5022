"""The pause that an error asks for in its body, where no header does: Discord, Telegram, Google.

Read of 429 and 503 only, by the names that are in use, in the places where errors have them. Last
comes what the message says in words: "Please try again in 6m0s."
"""

from __future__ import annotations

import re
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
_MESSAGES = ("message", "error", "detail", "title", "description", "msg", "reason")
_MOST_TEXT = 512
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = (
    r"(\d{1,9}(?:\.\d{1,15})?)\s?"
    r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)(?![a-z])"
)
# OpenAI and Groq: "Please try again in 7.66s", Azure: "Please retry after 30 seconds" (reports of
# 2023 and 2024; both send headers too, which gateways in between drop)
_IN_WORDS = re.compile(
    r"(?:try again|retry|wait)(?: (?:in|after|for|at least|about|another)){0,2} "
    rf"((?:{_PART}(?:,? and |,? )?){{1,4}})",
    re.IGNORECASE,
)
_AMOUNT = re.compile(_PART, re.IGNORECASE)


def asked_in(json: Any, now: float) -> float | None:
    """Return the Unix time until which the error *json* asks to wait, None if it does not.

    >>> asked_in({"message": "You are being rate limited.", "retry_after": 1.5}, 1000.0)
    1001.5
    >>> asked_in({"error": {"message": "Rate limit reached. Try again in 1m30s."}}, 1000.0)
    1090.0
    """
    for found in _objects(json):
        for name, value in found.items():
            form = _FORMATS.get(name.lower())
            if form is None or isinstance(value, bool) or not isinstance(value, int | float | str):
                continue
            if (at := instant(str(value), form, now)) is not None:
                return at
    for found in _objects(json):
        for name in _MESSAGES:
            seconds = _in_words(found.get(name))
            if seconds is not None and (at := instant(str(seconds), "delta_s", now)) is not None:
                return at
    return None


def _in_words(message: Any) -> float | None:
    if not isinstance(message, str) or not (found := _IN_WORDS.search(message[:_MOST_TEXT])):
        return None
    return sum(float(n) * _seconds(unit) for n, unit in _AMOUNT.findall(found[1]))


def _seconds(unit: str) -> float:
    unit = unit.lower()
    return _UNITS["ms" if unit.startswith(("ms", "milli")) else unit[0]]


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
