"""All that asks by itself, probes, canaries and side jobs: it may stop and start again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from exporter.schedule.scheduler import Scheduler

Loop = Callable[[], Coroutine[Any, Any, None]]


class Monitor:
    """Runs the scheduler and the loops beside it while it is on; it is on at first."""

    def __init__(self, scheduler: Scheduler, *beside: Loop) -> None:
        """*beside* are started and cancelled together with the scheduler."""
        self._scheduler, self._beside = scheduler, beside
        self._news, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._ended = self._has_run = False
        self.is_on = True
        """Whether anything is asked, or will be once `run` is called."""

    def start(self) -> None:
        """Ask again: everything is due as at a start of the process, spread, and nothing twice."""
        self.is_on = True
        self._news.set()

    async def stop(self) -> None:
        """Ask no more; return when what is under way has ended, after five seconds at most."""
        self.is_on = False
        self._scheduler.stop()
        await self._idle.wait()

    def end(self) -> None:
        """Make `run` return when what is under way has ended, after five seconds at most."""
        self._ended = True
        self._scheduler.stop()
        self._news.set()

    async def run(self) -> None:
        """Ask while it is on, until `end`."""
        while not self._ended:
            if self.is_on:
                await self._round()
            else:
                self._news.clear()
                await self._news.wait()

    async def _round(self) -> None:
        """Ask until the scheduler is stopped."""
        if self._has_run:
            self._scheduler.restart()
        self._has_run = True
        self._idle.clear()
        probing = asyncio.create_task(self._scheduler.run())
        beside = [asyncio.create_task(loop()) for loop in self._beside]
        try:
            done, _ = await asyncio.wait((probing, *beside), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except asyncio.CancelledError:
            probing.cancel()
            raise
        finally:
            self._scheduler.stop()
            for task in beside:
                task.cancel()
            await asyncio.gather(probing, *beside, return_exceptions=True)
            self._idle.set()
