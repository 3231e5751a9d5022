"""What was seen of one service, read as of one moment: what is saved, and what is not saved yet.

A picture and the figure beside it are read from the same `Past`, so they count the same probes: the
last ones too, and none that failed on our own side (see `Bucket`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Protocol

from exporter.results.history import (
    DAY_SECONDS,
    MONTH_SECONDS,
    SPAN_SECONDS,
    Bucket,
    in_spans,
)

Count = tuple[int, int, float | None]
"""Good and bad results, and the Unix time at which the first quarter of an hour with some began."""


class KeptHistory(Protocol):
    """Where quarters of an hour and spans are kept; implemented by `store`. Waits for the disk."""

    def history(self, service: str | None = None, since: float = 0.0) -> list[Bucket]:
        """Return the buckets that begin at the Unix time *since* or later."""

    def spans(self, service: str, since: float) -> list[Bucket]:
        """Return the four hours each that begin at *since* or later, without the last hours."""

    def counted(self, service: str, since: float, until: float) -> Count:
        """Return the results of the quarters that begin at *since* or later, but before *until*."""


class Past:
    """The past of *service* at the Unix time *now*; *fresh* are its buckets in memory."""

    def __init__(
        self, kept: KeptHistory, service: str, fresh: Sequence[Bucket], now: float
    ) -> None:
        self._kept, self._service, self.now = kept, service, now
        self._fresh = {row.start: row for row in fresh}

    async def day(self) -> list[Bucket]:
        """Return the quarters of an hour that began in the last 24 h, the oldest first."""
        return await asyncio.to_thread(self._quarters, self.now - DAY_SECONDS)

    async def month(self) -> list[Bucket]:
        """Return the last 30 days in spans of four hours, the oldest first."""
        return await asyncio.to_thread(self._month)

    async def counted(self, begins: Sequence[float]) -> list[Count]:
        """Return what is counted since each of *begins*, Unix times."""
        return await asyncio.to_thread(lambda: [self._counted(begin) for begin in begins])

    def _quarters(self, after: float) -> list[Bucket]:
        kept = self._kept.history(self._service, after)
        rows = {row.start: row for row in kept} | self._fresh
        return [rows[start] for start in sorted(rows) if start > after]

    def _month(self) -> list[Bucket]:
        begun = (self.now - MONTH_SECONDS) // SPAN_SECONDS * SPAN_SECONDS
        spans = self._kept.spans(self._service, begun)
        rest = spans[-1].start + SPAN_SECONDS if spans else begun
        return spans + in_spans(self._quarters(rest - 1))

    def _counted(self, begin: float) -> Count:
        # The sum of what memory does not touch is the disk's work: a quarter of a year has 8,640
        # rows. From the first bucket in memory on, a row here replaces one there.
        fresh_since = min(self._fresh, default=math.inf)
        ok, bad, first = self._kept.counted(self._service, begin, fresh_since)
        if self._fresh:
            for row in self._quarters(max(begin, fresh_since) - 1):
                ok, bad = ok + row.ok, bad + row.bad
                first = row.start if first is None else first
        return ok, bad, first
