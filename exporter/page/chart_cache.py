"""The pictures of a service's past, and the figures beside them: remembered for a minute.

All of one service is read as of one moment and drawn together: a bar that was drawn before a
failure would contradict a figure that was counted after it.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from exporter.page.board import LoopShare, Sources
from exporter.page.chart import DAY, MONTH, chart
from exporter.page.drawing import Strip, strip
from exporter.page.summary import ServiceSummary
from exporter.page.templates import fragment
from exporter.page.uptime import Uptime, begins, uptimes

_MAX_REMEMBERED = 100
_MAX_AGE_SECONDS, _MIN_AGE_SECONDS = 60.0, 5.0
"""However often a service is probed, its past is not drawn more often while its state stays."""


class DrawnPast(NamedTuple):
    """What a service's page shows of its past."""

    strip: Strip
    uptimes: tuple[Uptime, ...]
    day: str
    """The region of a chart, as HTML; `month` too."""
    month: str
    quarters: int
    """How many rows the table of the day has."""


class _Known(NamedTuple):
    """What was drawn, when, of what, and after how many failures."""

    at: float
    as_of: tuple[object, ...]
    failures: int
    past: DrawnPast

    def is_old(self, now: float, failures: int) -> bool:
        most = _MAX_AGE_SECONDS if failures == self.failures else _MIN_AGE_SECONDS
        return not 0 <= now - self.at < most


class ChartCache:
    """Draws the past of a service again when it is old, or the service in another state."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._drawn: dict[str, _Known] = {}

    def forget(self) -> None:
        """Drop every picture."""
        self._drawn.clear()

    async def of(self, summary: ServiceSummary, share: LoopShare) -> DrawnPast:
        """Return the past of a service: at most a minute old, drawn anew in another state.

        After a further failure it is five seconds old at most: the error budget has that at once.
        """
        now, target = self._sources.clock.now(), summary.target
        # A row shows a time without its day while that is today: at midnight all is drawn anew.
        as_of = (target, summary.state, int(now // 86_400))
        failures = self._sources.results.of(target.id).failures
        known = self._drawn.pop(target.id, None)
        if known is None or known.as_of != as_of or known.is_old(now, failures):
            share.pause()
            known = _Known(now, as_of, failures, await self._draw(summary))
            share.resume()
        self._drawn[target.id] = known  # at the end, away from what is dropped
        if len(self._drawn) > _MAX_REMEMBERED:
            del self._drawn[next(iter(self._drawn))]
        return known.past

    async def _draw(self, summary: ServiceSummary) -> DrawnPast:
        latency = summary.target.objectives.latency
        threshold = latency.threshold if latency else None
        past = self._sources.persistence.past(summary.target.id)
        now, day, month = past.now, await past.day(), await past.month()
        counted = await past.counted(begins(now))

        def drawn() -> DrawnPast:
            charts = [chart(day, DAY, now, threshold), chart(month, MONTH, now, threshold)]
            return DrawnPast(
                strip=strip(day, now),
                uptimes=uptimes(counted, now),
                day=fragment("service_times.html", "day", chart=charts[0], now=now),
                month=fragment("service_times.html", "month", chart=charts[1], now=now),
                quarters=len(charts[0].rows),
            )

        # Some milliseconds of work: too long for the event loop.
        return await asyncio.to_thread(drawn)
