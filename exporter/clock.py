"""Time, as something that is handed in. The only module that reads a clock or sleeps."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


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
