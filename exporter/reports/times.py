"""From when until when: what people write for it, on the command line and in an address."""

from __future__ import annotations

import re

from exporter.reports.facts import LONGEST_DAYS
from exporter.results.minutes import DAY_MINUTES, MINUTE_SECONDS
from exporter.settings.kinds import duration, timestamp

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
HINT = "a day such as 2026-11-01, a time such as 2026-11-01T02:11:00Z, or a span such as 30d ago"


class TimesError(ValueError):
    """The times cannot be used; the message says why and holds no value."""


def minutes_between(start: str, end: str, now: float, usual: float) -> tuple[int, int]:
    """Return the first minute and the one after the last; an empty *end* is now.

    A span such as `30d` counts back from *now*; an empty *start* is *usual* seconds before the
    end. Both are minutes since 1970, rounded down.

    Raises:
        TimesError: a text is of no such form, or the time between them is empty or too long.
    """
    until = _time("to", end, now) if end else now
    since = _time("from", start, now) if start else max(0.0, until - usual)
    first, last = int(since // MINUTE_SECONDS), int(until // MINUTE_SECONDS)
    if first >= last:
        raise TimesError("from must be before to, by a minute at least")
    if last - first > LONGEST_DAYS * DAY_MINUTES:
        raise TimesError(f"a report is about {LONGEST_DAYS} days at most")
    return first, last


def _time(name: str, text: str, now: float) -> float:
    if _MONTH.fullmatch(text):
        text += "-01"
    if _DAY.fullmatch(text):
        text += "T00:00:00Z"
    for read in (timestamp, lambda span: now - duration(span)):
        try:
            found = read(text)
        except ValueError:
            continue
        if 0 <= found < 253_402_300_800:  # the year 10000
            return found
    raise TimesError(f"{name} must be {HINT}")
