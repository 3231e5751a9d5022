"""Times and numbers in an answer: nine ways to write a time, each a Unix time here."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from exporter.readings.declarations import TimeFormat

_GO_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|us|µs|ns|h|m|s))+")
_SECONDS = re.compile(r"(\d+(?:\.\d+)?) ?(?:sec|second)s?", re.IGNORECASE)
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)")
_GO_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_OFFSET = re.compile(r" ([+-]\d{2}:?\d{2})$")
MAX_TEXT = 64
_YEAR_3000 = 32503680000.0


def instant(text: str, form: TimeFormat, now: float) -> float | None:
    """Return the Unix time in *text*, or None if it cannot be read or is absurd.

    A delay counts from *now*, a Unix time.

    >>> instant("1m30s", "go_duration", 1000.0)
    1090.0
    """
    text = text.strip()
    if not text or len(text) > MAX_TEXT:
        return None
    try:
        at = _instant(text, form, now)
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at is not None and 0 <= at < _YEAR_3000 else None


def _instant(text: str, form: TimeFormat, now: float) -> float | None:
    match form:
        case "go_duration" | "proto_duration":
            if not _GO_DURATION.fullmatch(text):
                return None
            return now + sum(float(n) * _GO_UNITS[u] for n, u in _GO_PART.findall(text))
        case "rfc3339":
            return _utc(datetime.fromisoformat(text))
        case "epoch_s":
            return _epoch_or_delay(float(text), now)
        case "delta_s":
            return now + float(text)
        case "delta_ms":
            return now + float(text) / 1000
        case "datetime_utc":
            # GitHub writes " UTC" or " +0000"; fromisoformat knows an offset without a space only
            return _utc(datetime.fromisoformat(_OFFSET.sub(r"\1", text.removesuffix(" UTC"))))
        case "http_date":
            return _utc(parsedate_to_datetime(text))
        case "auto":
            return _any(text, now)


def _any(text: str, now: float) -> float | None:
    """Try every form; a bare number is a delay when small, else a Unix time in s, ms, us or ns."""
    if re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", text):
        return _epoch_or_delay(float(text), now)
    if _GO_DURATION.fullmatch(text):
        return _instant(text, "go_duration", now)
    if found := _SECONDS.fullmatch(text):
        return now + float(found[1])
    if re.match(r"[A-Za-z]{3}", text):
        return _instant(text, "http_date", now)
    return _instant(text, "datetime_utc", now)


def _epoch_or_delay(value: float, now: float) -> float:
    """Both are in use for the same header names, in milliseconds too (OpenRouter), or finer."""
    for digits, divisor in ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3)):
        if value > digits:
            return value / divisor
    return value if value > 1e8 else now + value


def _utc(at: datetime) -> float:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def number(value: Any) -> float | None:
    """Return *value*, a number or its text, or None if it is neither or absurd."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < 1e18 else None
