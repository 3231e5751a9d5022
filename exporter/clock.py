"""Time as a dependency that is passed in, so that tests can replace it.

No other module imports `time`. Code that only measures itself inside the event loop, such as
the curl engine, uses the loop's own `time()`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Protocol, TypeVar

_T = TypeVar("_T")


class Clock(Protocol):
    """Wall time, monotonic time and waiting; all values are in seconds."""

    def now(self) -> float:
        """Return the wall time as a Unix timestamp."""

    def tick(self) -> float:
        """Return a monotonic time; only the difference of two of them has a meaning."""

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        return time.time()

    def tick(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


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
