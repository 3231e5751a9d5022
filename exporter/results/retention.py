"""How long is kept what the exporter remembers, as `monitoring` says.

Prometheus keeps its own samples for as long as its flag says; objectives look back over that, so a
Prometheus that keeps less than was asked for is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from exporter.clock import Clock, Steps
from exporter.config import Configuration, Monitoring
from exporter.log import event
from exporter.results.history import DAY_SECONDS
from exporter.results.minutes import KEPT_DAYS

_log = logging.getLogger(__name__)
PERIOD_SECONDS = 3600.0


class OldHistory(Protocol):
    """Where the history is kept; implemented by `store`."""

    def newest(self) -> float | None:
        """Return the Unix time at which the last bucket began; None if there is none."""

    def prune_history(self, before: float) -> None:
        """Drop the buckets that began before the Unix time *before*."""


class OldMinutes(Protocol):
    """Where minutes are kept; implemented by `store`."""

    def prune(self, before: float) -> None:
        """Drop the days before the Unix time *before*."""


class OldIncidents(Protocol):
    """Where incidents are kept; implemented by `store`."""

    def prune(self, before: float) -> int:
        """Remove some incidents that ended before the Unix time *before*; return how many."""


class Retention:
    """Removes what is too old, once an hour; *retention_of_prometheus* returns seconds."""

    def __init__(
        self,
        history: OldHistory,
        incidents: OldIncidents,
        retention_of_prometheus: Callable[[], Awaitable[float | None]],
        clock: Clock,
        *,
        volatile: bool = False,
        minutes: OldMinutes | None = None,
    ) -> None:
        """*volatile*: the history is in memory, so only a day of it is kept."""
        self._history, self._incidents = history, incidents
        self._retention_of_prometheus, self._clock = retention_of_prometheus, clock
        self._volatile, self._minutes = volatile, minutes
        self._monitoring = Monitoring()
        self._reported: float | None = None
        self._steps = Steps(clock)
        self._quiet_since: float | None = None
        """The tick of the last step of the clock; None before the first look."""

    def follow(self, configuration: Configuration) -> None:
        """Keep as long as *configuration* says."""
        self._monitoring = configuration.monitoring

    async def run(self) -> None:
        """Remove what is too old, and compare with Prometheus, until cancelled."""
        while True:
            try:
                await self.prune()
                await self.compare()
            except OSError as error:  # the disk: the next round tries again
                event(_log, "not pruned", level=logging.ERROR, why=type(error).__name__)
            await self._clock.sleep(PERIOD_SECONDS)

    async def _trusts_the_clock(self) -> bool:
        """Return whether nothing would be removed that a clock which is set back makes young again.

        At the start the newest row shows whether the time goes on where it was; otherwise, and
        after each step, the clock has to go on steadily for a day.
        """
        if self._steps.made_one():
            self._quiet_since = self._clock.tick()
        elif self._quiet_since is None:
            newest = await asyncio.to_thread(self._history.newest)
            goes_on = newest is None or abs(self._clock.now() - newest) < DAY_SECONDS
            self._quiet_since = self._clock.tick() - (DAY_SECONDS if goes_on else 0.0)
        return self._clock.tick() - self._quiet_since >= DAY_SECONDS

    async def prune(self) -> None:
        """Remove what is too old now."""
        if not await self._trusts_the_clock():
            return
        now = self._clock.now()
        days = 1 if self._volatile else self._monitoring.metrics_retention_days
        await asyncio.to_thread(self._history.prune_history, now - days * DAY_SECONDS)
        if self._minutes is not None:
            days = 1 if self._volatile else KEPT_DAYS
            await asyncio.to_thread(self._minutes.prune, now - days * DAY_SECONDS)
        before = now - self._monitoring.incident_retention_days * DAY_SECONDS
        # Some at a time: what people and Alertmanager write has its turn in between.
        while await asyncio.to_thread(self._incidents.prune, before):
            pass

    async def compare(self) -> None:
        """Log it if Prometheus keeps its samples for less time than it should."""
        kept = await self._retention_of_prometheus()
        if kept is None or kept == self._reported:
            return
        self._reported = kept
        days = self._monitoring.metrics_retention_days
        if kept < days * DAY_SECONDS:
            event(
                _log,
                "Prometheus keeps less than metrics_retention_days",
                level=logging.WARNING,
                wanted=f"--storage.tsdb.retention.time={days}d",
                days=round(kept / DAY_SECONDS, 1),
            )
