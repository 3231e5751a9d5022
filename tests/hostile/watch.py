"""Who held an event loop, and for how long: its own process, or the rest of the machine."""

from __future__ import annotations

import asyncio
import time

TICK_SECONDS = 0.005


class Watch:
    """Looks at the running loop every few milliseconds.

    `lag` is the longest time for which our own process held the loop: what passed between two
    ticks, as far as the process was running meanwhile, in whichever thread. The rest of such a
    time is the machine's, which has others to serve: `waited` says how much of it there was.
    """

    def __init__(self) -> None:
        self.lag = 0.0
        self._foreign: list[tuple[float, float]] = []

    async def run(self) -> None:
        while True:
            begun, ran = time.monotonic(), time.process_time()
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            gap = max(0.0, now - begun - TICK_SECONDS)
            own = min(gap, time.process_time() - ran)
            self.lag = max(self.lag, own)
            self._foreign.append((now, gap - own))

    def begin(self) -> None:
        """Forget what was."""
        self.lag = 0.0
        self._foreign.clear()

    def waited(self, since: float, until: float) -> float:
        """Return the seconds between two `time.monotonic` for which the machine served others."""
        return sum(seconds for at, seconds in self._foreign if since <= at <= until)
