"""Ninety days as bars: how much of each day a service worked. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

DAY_SECONDS = 86_400
DAYS = 90
_STEP, _WIDTH = 4, 3
# Top and height of a bar: a day with failures is taller, so that colour is not needed to see it.
_SHAPES = {"none": (20, 4), "good": (8, 16), "some": (4, 20), "bad": (0, 24)}
_BAD_BELOW = 0.95
Day = tuple[int, int]
"""Good and bad results of a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Days in a row with the same figure: what is drawn, and what it says."""

    kind: str
    path: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """The days of one service that end today."""

    bars: tuple[Bar, ...]
    percent: str
    """How much of the time it worked; "" without a result."""
    label: str
    """The same for those who cannot see it."""


def percent(ok: int, bad: int) -> str:
    """Return the good part, rounded down: with a failure it is never 100 %.

    >>> percent(99_999, 1), percent(5, 0)
    ('99.99 %', '100.00 %')
    """
    return f"{ok * 10_000 // (ok + bad) / 100:.2f} %"


def first_day(now: float) -> int:
    """Return the start of the first day that is shown at the Unix time *now*."""
    return (int(now // DAY_SECONDS) - DAYS + 1) * DAY_SECONDS


def bars(days: Mapping[int, Day], now: float) -> Bars:
    """Return what is drawn of *days*, by their start."""
    first = first_day(now)
    shown = [(start, days.get(start, (0, 0))) for start in _starts(first)]
    result = []
    for (kind, text), group in groupby(enumerate(shown), lambda one: _figure(one[1][1])):
        run = list(group)
        top, height = _SHAPES[kind]
        path = "".join(f"M{n * _STEP} {top}h{_WIDTH}v{height}h-{_WIDTH}z" for n, _ in run)
        label = f"{_span(run[0][1][0], run[-1][1][0])}: {text}"
        result.append(Bar(kind=kind, path=path, label=label))
    ok, bad = (sum(day[part] for _, day in shown) for part in (0, 1))
    whole = percent(ok, bad) if ok + bad else ""
    return Bars(bars=tuple(result), percent=whole, label=_label(whole, shown))


def _starts(first: int) -> Iterable[int]:
    return range(first, first + DAYS * DAY_SECONDS, DAY_SECONDS)


def _figure(day: Day) -> tuple[str, str]:
    ok, bad = day
    if not ok + bad:
        return "none", "no data"
    if not bad:
        return "good", percent(ok, bad)
    return "some" if ok >= _BAD_BELOW * (ok + bad) else "bad", percent(ok, bad)


def _label(whole: str, shown: Iterable[tuple[int, Day]]) -> str:
    with_results = [day for _, day in shown if sum(day)]
    if not with_results:
        return f"no result in the last {DAYS} days"
    failed = sum(1 for _, bad in with_results if bad)
    days = f"{failed} {'day' if failed == 1 else 'days'} with failures"
    return f"worked {whole} of the time in the last {DAYS} days: {days if failed else 'no failure'}"


def _span(first: int, last: int) -> str:
    begin, end = (datetime.fromtimestamp(at, UTC).strftime("%-d %b") for at in (first, last))
    return begin if first == last else f"{begin} to {end}"
