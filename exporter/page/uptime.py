"""How much of the time a service worked, by its probes of the last day, week, month and quarter.

Pure. What our own network or the exporter is to blame for is not counted: see `Bucket`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from exporter.results.history import WIDTH_SECONDS

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


def uptimes(counted: Sequence[tuple[int, int, float | None]], now: float) -> tuple[Uptime, ...]:
    """Return what *counted* says for each of `LENGTHS`, as far back as anything is kept."""
    result, oldest = [], counted[-1][2]
    if oldest is None:
        return ()
    for length, (ok, bad, _) in zip(LENGTHS, counted, strict=True):
        whole = oldest <= now - length + WIDTH_SECONDS
        if ok + bad:
            result.append(Uptime(length, ok, bad, 0.0 if whole else oldest))
        if not whole:  # a longer time has the same results
            break
    return tuple(result)
