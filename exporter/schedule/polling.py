"""Slow side jobs (status pages, quotas): each on its interval, few at a time, faults contained."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from operator import attrgetter

from exporter.clock import Clock

_log = logging.getLogger(__name__)
Job = Callable[[], Awaitable[None]]
MAX_JOBS = 4
_GAP_SECONDS = 0.2
"""Between the first runs of two jobs."""


@dataclass(slots=True)
class _Entry:
    interval: float
    due: float
    job: Job
    begun: float = float("-inf")
    """The tick of its last run."""


class Polling:
    """Runs jobs by name; their first runs are apart, so that a start makes no burst."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    def put(self, name: str, interval: float, job: Job) -> None:
        """Run *job* every *interval* seconds; a known name keeps its place in time."""
        known = self._entries.get(name)
        if known is not None:
            known.interval, known.job = interval, job
            return
        due = self._clock.tick() + _GAP_SECONDS * len(self._entries)
        self._entries[name] = _Entry(interval, due, job)

    def hasten(self, name: str, seconds: float) -> None:
        """Run the job *name* next when its last run is *seconds* ago, if that is sooner."""
        if (entry := self._entries.get(name)) is not None:
            entry.due = min(entry.due, max(self._clock.tick(), entry.begun + seconds))

    def drop(self, name: str) -> None:
        self._entries.pop(name, None)

    def names(self) -> set[str]:
        """Return the names of all jobs."""
        return set(self._entries)

    async def run(self) -> None:
        """Run due jobs until cancelled."""
        while True:
            now = self._clock.tick()
            waiting = (entry for entry in self._entries.values() if entry.due <= now)
            due = heapq.nsmallest(MAX_JOBS, waiting, key=attrgetter("due"))
            for entry in due:
                entry.begun, entry.due = now, now + entry.interval
            await asyncio.gather(*(self._contained(entry.job) for entry in due))
            await self._clock.sleep(0.0 if due else 0.25)

    async def _contained(self, job: Job) -> None:
        try:
            await job()
        except Exception:
            _log.exception("bug in a side job")
