"""Time, as something that is handed in. The only module that reads a clock or sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Protocol, TypeVar

_T = TypeVar("_T")


class Clock(Protocol):
    """What the rest of the program knows about time; all values are in seconds."""

    def now(self) -> float:
        """Return the wall time as a Unix timestamp."""

    def tick(self) -> float:
        """Return a monotonic reading; only differences mean anything."""

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
    """Yield *items* as they are now; the loop runs after every *size* of them.

    What runs then may change what the items came from: look again whether one still counts.
    """
    for number, item in enumerate(tuple(items), 1):
        yield item
        if not number % size:
            await asyncio.sleep(0)
