"""Scalar kinds with a written form of their own: durations, ratios, URLs, points in time.

A kind turns the text of the file into a value. Its schema is what an editor sees, its hint is
what a person reads when the value does not fit; neither ever holds the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from exporter.characters import breaks_url, oversized_url

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"([0-9]{1,15})(ms|s|m|h|d|w)")
_DURATIONS = re.compile(r"(?:[0-9]{1,15}(?:ms|s|m|h|d|w))+")
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]+)?)[ \t]*%")
_SHARE = re.compile(r"0?\.[0-9]+|[01](?:\.0*)?")


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of scalar is written, read and explained."""

    name: str
    schema: dict[str, Any] = field(hash=False)
    parse: Callable[[Any], Any]
    hint: str
    type: str = "string"


def duration(text: Any) -> float:
    """Return the seconds of a Prometheus-style duration such as `1h30m` or `500ms`.

    Raises:
        ValueError: *text* is not of that form.
    """
    if not isinstance(text, str) or not _DURATIONS.fullmatch(text):
        raise ValueError
    return sum(int(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))


def ratio(text: Any) -> float:
    """Return `99.9%` or 0.999 as a number from 0 to 1.

    Raises:
        ValueError: *text* is not of that form or lies outside.
    """
    if isinstance(text, str):
        if match := _PERCENT.fullmatch(text):
            value = round(float(match.group(1)) / 100, 12)
        elif _SHARE.fullmatch(text):
            value = float(text)
        else:
            raise ValueError
    elif isinstance(text, (int, float)) and not isinstance(text, bool):
        value = text
    else:
        raise ValueError
    if not 0 <= value <= 1:
        raise ValueError
    return float(value)


def url(text: Any) -> str:
    """Return an absolute http(s) URL without user, password or fragment.

    Raises:
        ValueError: *text* is something else.
    """
    if not isinstance(text, str) or breaks_url(text) or oversized_url(text):
        raise ValueError
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError
    if "@" in parts.netloc or "#" in text:
        raise ValueError
    return text


def timestamp(text: Any) -> float:
    """Return the Unix time of an RFC 3339 time with its zone.

    Raises:
        ValueError: *text* is something else, or has no zone.
    """
    if not isinstance(text, str):
        raise ValueError
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError
    return at.timestamp()


DURATION = Kind(
    "duration",
    {"type": "string", "pattern": f"^{_DURATIONS.pattern}$"},
    duration,
    "must be a duration such as 500ms, 10s, 5m, 1h30m or 30d",
)
RATIO = Kind(
    "ratio",
    {
        "type": ["string", "number"],
        "pattern": f"^(?:{_PERCENT.pattern}|{_SHARE.pattern})$",
        "minimum": 0,
        "maximum": 1,
    },
    ratio,
    "must be a ratio such as 99.9% or 0.999",
)
URL = Kind(
    "url",
    {"type": "string", "pattern": r"^https?://[^\s#\\]+$"},
    url,
    "must be an absolute http:// or https:// URL without user, password or #fragment",
)
TIMESTAMP = Kind(
    "timestamp",
    {"type": "string"},
    timestamp,
    "must be a time with its zone, such as 2026-12-01T22:00:00Z",
)

Duration = Annotated[float, DURATION]
Ratio = Annotated[float, RATIO]
Url = Annotated[str, URL]
Timestamp = Annotated[float, TIMESTAMP]

KINDS = {kind.name: kind for kind in (DURATION, RATIO, URL, TIMESTAMP)}
