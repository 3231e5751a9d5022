"""Our own shortages: counted each time, logged once a minute and kind."""

from __future__ import annotations

import logging
from collections.abc import Callable

from exporter.clock import Clock
from exporter.log import event
from exporter.model import Shortage

_log = logging.getLogger(__name__)
QUIET_SECONDS = 60.0
"""Between two lines about one kind: thousands of probes may lack the same."""


class Shortages:
    """Counts attempts that show nothing of the provider, and logs why."""

    def __init__(self, clock: Clock, count: Callable[[Shortage], object]) -> None:
        self._clock, self._count = clock, count
        self._logged_at: dict[Shortage, float] = {}
        self._unlogged: dict[Shortage, int] = {}

    def note(self, shortage: Shortage, detail: str) -> None:
        """Take in an attempt that failed, or was not measured, for *shortage*."""
        self._count(shortage)
        now, attempts = self._clock.tick(), self._unlogged.get(shortage, 0) + 1
        if now - self._logged_at.get(shortage, float("-inf")) < QUIET_SECONDS:
            self._unlogged[shortage] = attempts
            return
        self._logged_at[shortage], self._unlogged[shortage] = now, 0
        what = "a shortage of our own spoils probes: nothing is held against the providers"
        event(_log, what, level=logging.WARNING, lacks=shortage, detail=detail, attempts=attempts)
