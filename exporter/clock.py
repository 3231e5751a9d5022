"""Time as a dependency that is passed in, so that tests can replace it.

No other module imports `time`. Code that only measures itself inside the event loop, such as
the curl engine, uses the loop's own `time()`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Protocol, TypeVar

from exporter.log import event

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
DOUBT_SECONDS = 300.0
"""For so long a wall clock that jumped has to go on steadily before it is believed."""
STEP_SECONDS = 1.0
"""What differs by less is no jump: a clock that is set right in small steps is followed at once."""


class Clock(Protocol):
    """Wall time, monotonic time and waiting; all values are in seconds."""

    def now(self) -> float:
        """Return the wall time as a Unix timestamp."""

    def tick(self) -> float:
        """Return a monotonic time; only the difference of two of them has a meaning."""

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*."""


class SteadyWall:
    """Wall time that does not follow a jump of the machine's clock until it lasts.

    A clock that jumps and comes back would end maintenance, expire keys and delete history. Within
    five minutes of a jump the time is counted on from the last one that was believed; if the new
    one goes on steadily for so long, it is right and the former one was wrong. May be called from
    any thread.
    """

    def __init__(self, wall: Callable[[], float], elapsed: Callable[[], float]) -> None:
        """*wall* returns Unix times; *elapsed* a monotonic time, also in seconds."""
        self._wall, self._elapsed = wall, elapsed
        self._believed = wall() - elapsed()
        self._doubted: tuple[float, float] | None = None
        """Another difference between the two clocks, and since when it is there."""

    def now(self) -> float:
        """Return the Unix time."""
        elapsed = self._elapsed()
        seen = self._wall() - elapsed
        if abs(seen - self._believed) < STEP_SECONDS:
            self._believed, self._doubted = seen, None
            return elapsed + seen
        doubted = self._doubted
        if doubted is None or abs(seen - doubted[0]) >= STEP_SECONDS:
            self._doubted = (seen, elapsed)
            self._report("the clock of this machine jumped; its time is not used yet", seen)
        elif elapsed - doubted[1] >= DOUBT_SECONDS:
            self._report("the clock of this machine stayed where it jumped; its time is used", seen)
            self._believed, self._doubted = seen, None
        return elapsed + self._believed

    def _report(self, what: str, seen: float) -> None:
        event(_log, what, level=logging.WARNING, seconds=round(seen - self._believed, 1))


class Steps:
    """Notices when the wall time of a clock makes a step: when all that was measured by it is void.

    The two clocks of the machine run at the same pace, so their difference stays the same.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._difference = clock.now() - clock.tick()

    def made_one(self) -> bool:
        """Return whether there was a step since the last call."""
        before, self._difference = self._difference, self._clock.now() - self._clock.tick()
        return abs(self._difference - before) >= STEP_SECONDS


class SystemClock:
    """The machine's clocks."""

    def __init__(self) -> None:
        self._wall = SteadyWall(time.time, _elapsed)

    def now(self) -> float:
        return self._wall.now()

    def tick(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _elapsed() -> float:
    """Return a monotonic time that goes on while the machine sleeps, where there is one."""
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return time.monotonic()


async def in_slices(items: Iterable[_T], size: int) -> AsyncIterator[_T]:
    """Yield *items* as they are now; let the event loop run after every *size* of them.

    Other tasks may change the source of the items meanwhile: check whether an item still counts.

        async for target in in_slices(registry, 64):
            ...
    """
    for number, item in enumerate(tuple(items), 1):
        yield item
        if not number % size:
            await asyncio.sleep(0)
