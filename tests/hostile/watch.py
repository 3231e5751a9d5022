"""Who held an event loop, and for how long: its own process, or the rest of the machine."""

from __future__ import annotations

import asyncio
import os
import time

from tests.patience import seconds_held

TICK_SECONDS = 0.005
_LOOK_SECONDS = 0.05


class Watch:
    """Looks at the running loop every few milliseconds.

    `lag` is the longest time for which our own process held the loop: what passed between two
    ticks, as far as the process was running meanwhile, in whichever thread. The rest of such a
    time is the machine's, which has others to serve: `waited` says how much of it there was, and
    `starved` how much with that of the threads which work beside the loop.
    """

    def __init__(self) -> None:
        self.lag = 0.0
        self._foreign: list[tuple[float, float]] = []
        self._held: list[tuple[float, float]] = []
        self._looked, self._known = time.monotonic(), seconds_held(os.getpid())

    async def run(self) -> None:
        while True:
            begun, ran = time.monotonic(), time.process_time()
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            gap = max(0.0, now - begun - TICK_SECONDS)
            own = min(gap, time.process_time() - ran)
            self.lag = max(self.lag, own)
            self._foreign.append((now, gap - own))
            if now - self._looked >= _LOOK_SECONDS:
                self._look(now)

    def begin(self) -> None:
        """Forget what was."""
        self.lag = 0.0
        self._foreign.clear()
        self._held.clear()

    def waited(self, since: float, until: float) -> float:
        """Return the seconds between two `time.monotonic` for which the machine served others."""
        return sum(gap for at, gap in self._foreign if since <= at and at - gap <= until)

    def starved(self, since: float, until: float) -> float:
        """Return the seconds for which the loop, or a thread that is awaited, had no core."""
        self._look(time.monotonic())
        held = sum(seconds for at, seconds in self._held if since <= at <= until + _LOOK_SECONDS)
        return max(held, self.waited(since, until))

    def _look(self, now: float) -> None:
        """Note for how long our threads had no core since the last look."""
        held = seconds_held(os.getpid())
        self._held.append((now, max(0.0, held - self._known)))
        self._looked, self._known = now, held
