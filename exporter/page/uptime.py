"""How much of the time a service worked, by its probes of the last day, week, month and quarter.

Pure. What our own network or the exporter is to blame for is not counted: see `Bucket`. A day and a
month begin where their charts begin, so that both count the same probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from exporter.page.chart import DAY, MONTH, Scale
from exporter.results.past import Count

_DAY_SECONDS = 86_400.0
LENGTHS = tuple(_DAY_SECONDS * days for days in (1, 7, 30, 90))
"""Seconds back from now."""


class Uptime(NamedTuple):
    """One length of time: *since* is a Unix time where less of it is kept, else 0."""

    length: float
    ok: int
    bad: int
    since: float

    @property
    def percent(self) -> str:
        """The part that worked, rounded down: with a failure it is never 100 %."""
        hundredths = self.ok * 10_000 // (self.ok + self.bad)
        return f"{hundredths / 100:.2f} %"


def begins(now: float) -> tuple[float, ...]:
    """Return since when each of `LENGTHS` is counted at the Unix time *now*: the last part of the
    chart's scale has *now* in it.
    """
    return tuple(_scale(length).begin(now) for length in LENGTHS)


def _scale(length: float) -> Scale:
    parts = DAY if length == _DAY_SECONDS else MONTH
    return parts._replace(bins=int(length // parts.width))


def uptimes(counted: Sequence[Count], now: float) -> tuple[Uptime, ...]:
    """Return what was *counted* since each of `begins`, as far back as anything is kept."""
    result, oldest = [], counted[-1][2]
    if oldest is None:
        return ()
    for length, begin, (ok, bad, _) in zip(LENGTHS, begins(now), counted, strict=True):
        whole = oldest <= begin
        if ok + bad:
            result.append(Uptime(length, ok, bad, 0.0 if whole else oldest))
        if not whole:  # a longer time has the same results
            break
    return tuple(result)
