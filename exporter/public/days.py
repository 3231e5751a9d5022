"""The daily figures of services, read again from the disk every ten seconds at most."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from exporter.clock import Clock
from exporter.public.bars import DAY_SECONDS, DAYS, Day, first_day

FRESH_SECONDS = 10.0
_MOST_SERVICES = 600
"""Services whose days are remembered: those of the page, and of as many badges."""


class DayRecords(Protocol):
    """Where daily figures are kept; implemented by `store`. Waits for the disk."""

    def days(self, service: str, since: float) -> list[tuple[int, int, int]]:
        """Return (start, good, bad) of each day with results since *since*."""


class DayCache:
    """Days by their start, of the services that were asked for last."""

    def __init__(self, records: DayRecords, clock: Clock) -> None:
        self._records, self._clock = records, clock
        self._known: dict[str, tuple[float, Mapping[int, Day]]] = {}
        """By service: the tick at which it was read, and its days."""

    async def of(self, services: Sequence[str], now: float) -> dict[str, Mapping[int, Day]]:
        """Return the last ninety days of each of *services*; *now* is a Unix time."""
        tick, first = self._clock.tick(), first_day(now)
        found, wanted = dict[str, Mapping[int, Day]](), list[tuple[str, int]]()
        for service in services:
            at, known = self._known.get(service, (float("-inf"), {}))
            if tick - at < FRESH_SECONDS:
                found[service] = known
            else:
                wanted.append((service, _begin(known, first)))
        read = self._records.days
        rows = await asyncio.to_thread(lambda: [(one, read(one, at)) for one, at in wanted])
        for service, fresh in rows:
            _, before = self._known.pop(service, (0.0, {}))
            days = {start: day for start, day in before.items() if start >= first}
            found[service] = days | {start: (ok, bad) for start, ok, bad in fresh}
            self._known[service] = tick, found[service]
        while len(self._known) > _MOST_SERVICES:
            del self._known[next(iter(self._known))]
        return found

    def forget(self, services: Iterable[str]) -> None:
        """Drop what is known of *services*."""
        for service in services:
            self._known.pop(service, None)


def _begin(known: Mapping[int, Day], first: int) -> int:
    """Return from when on to read: what is known of days before yesterday does not change."""
    yesterday = first + (DAYS - 2) * DAY_SECONDS
    return max(first, min(yesterday, max(known, default=first)))
