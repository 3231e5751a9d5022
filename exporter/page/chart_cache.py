"""The charts of services: drawn in a thread, remembered for a minute, those of a month for five."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from exporter.page.board import LoopShare, Sources
from exporter.page.chart import DAY, MONTH, Scale, chart
from exporter.page.summary import ServiceSummary
from exporter.page.templates import fragment
from exporter.results import Bucket

_MAX_REMEMBERED = 100
_MAX_AGE_SECONDS = {DAY: 60.0, MONTH: 300.0}


class DrawnChart(NamedTuple):
    """The region of a chart, and how many rows its table has."""

    html: str
    rows: int


class ChartCache:
    """Draws the chart of a service again when it is old, or the service in another state."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._drawn: dict[tuple[str, Scale], tuple[float, tuple[object, ...], DrawnChart]] = {}

    def forget(self) -> None:
        """Drop every chart."""
        self._drawn.clear()

    async def of(self, summary: ServiceSummary, scale: Scale, share: LoopShare) -> DrawnChart:
        """Return the chart of a service on *scale*."""
        now, target = self._sources.clock.now(), summary.target
        key = (target.id, scale)
        # A row shows a time without its day while that is today: at midnight all is drawn anew.
        as_of = (target, summary.state, int(now // 86_400))
        known = self._drawn.pop(key, None)
        if known is None or known[1] != as_of or not 0 <= now - known[0] < _MAX_AGE_SECONDS[scale]:
            share.pause()
            known = (now, as_of, await self._draw(summary, scale, now))
            share.resume()
        self._drawn[key] = known  # at the end, away from what is dropped
        if len(self._drawn) > _MAX_REMEMBERED:
            del self._drawn[next(iter(self._drawn))]
        return known[2]

    async def _draw(self, summary: ServiceSummary, scale: Scale, now: float) -> DrawnChart:
        kept, target = self._sources.persistence, summary.target
        latency = target.objectives.latency

        def drawn(buckets: Sequence[Bucket]) -> DrawnChart:
            made = chart(buckets, scale, now, latency.threshold if latency else None)
            return DrawnChart(_html(scale, chart=made, now=now), len(made.rows))

        read = kept.day if scale is DAY else kept.month
        # Some milliseconds of work: too long for the event loop.
        return await asyncio.to_thread(drawn, await read(target.id))


def _html(scale: Scale, **fields: object) -> str:
    return fragment("service_times.html", "day" if scale is DAY else "month", **fields)
