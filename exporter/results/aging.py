"""What changes by the passing of time alone: results grow stale, maintenance begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from exporter.clock import Clock, Steps, in_slices
from exporter.registry import Registry
from exporter.results.tally import Results

if TYPE_CHECKING:
    from exporter.config import Target

PERIOD_SECONDS = 1.0
SLICE_SERVICES = 256
"""Services that are looked at before the loop runs again: a fifth of a millisecond."""


class AgingDisplay(Protocol):
    """Where services are shown; implemented by `metrics`."""

    def refresh(self, target: Target) -> None:
        """Look at *target* again: its last result is stale now."""

    def set_maintenance(self, target: Target, active: bool) -> None:
        """Note whether a maintenance window of *target* is open."""


class Aging:
    """Looks at every service once a second, a few at a time."""

    def __init__(
        self, registry: Registry, results: Results, clock: Clock, display: AgingDisplay
    ) -> None:
        self._registry, self._results, self._clock = registry, results, clock
        self._display = display
        self._steps = Steps(clock)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._clock.sleep(PERIOD_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Show anew what has changed by itself."""
        now, tick = self._clock.now(), self._clock.tick()
        if self._steps.made_one():
            for service in self._results.forget_paces():
                if service in self._registry:
                    self._display.refresh(self._registry.get(service))
        async for target in in_slices(self._registry, SLICE_SERVICES):
            if target.id in self._registry and self._registry.get(target.id) is target:
                self._look(target, tick, now)

    def _look(self, target: Target, tick: float, now: float) -> None:
        if self._results.grown_stale(target, tick, now):
            self._display.refresh(target)
        if target.maintenance:
            self._display.set_maintenance(target, target.in_maintenance(now))
