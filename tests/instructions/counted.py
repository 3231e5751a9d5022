"""What is counted, run under valgrind: `python -m tests.instructions.counted MARKS URL CONFIG`.

MARKS is `marks.c` as a shared library; URL is a server that answers every path, and CONFIG has
services that probe it. Time is virtual: as soon as a probe has ended it is time for the next, so
that the number of wake-ups between two probes does not depend on the speed of the machine.
"""

from __future__ import annotations

import asyncio
import ctypes
import dataclasses
import gc
import json
import re
import sys
from pathlib import Path

import pycurl
import uvloop

from exporter.app import App, Options
from exporter.config import Target, read_files
from exporter.model import Result
from tests.bench.subject import on_results
from tests.instructions.checks import Checking

PHASES = 5
"""Of each of the four workloads; what counts is the median."""
PROBES = 40
"""In one phase."""
REQUESTS = 40
"""Bare requests in one phase."""
WARM_PROBES = 80
CHECKS = 20
"""Checks of a model in one phase."""
UNITS = 20
"""Rounds of the plain workload in one phase."""


class VirtualClock:
    """A clock that moves on when nothing is under way."""

    def __init__(self) -> None:
        self._tick = 1000.0
        self._ended: asyncio.Future[None] | None = None
        self.app: App | None = None

    def now(self) -> float:
        return 1_800_000_000.0 + self._tick

    def tick(self) -> float:
        return self._tick

    async def sleep(self, seconds: float) -> None:
        assert self.app is not None
        await _settled()
        while self.app.scheduler.in_flight:
            self._ended = asyncio.get_running_loop().create_future()
            await self._ended
            await _settled()
        self._tick += seconds

    def note_end(self) -> None:
        """Wake the sleeper: a probe has ended."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)


async def _settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


class Counting:
    """Ends a phase after so many probes."""

    def __init__(self, marks: ctypes.CDLL, clock: VirtualClock) -> None:
        self._marks, self._clock = marks, clock
        self._seen, self._number = 0, 0
        self._enough = asyncio.Event()
        self._wanted = WARM_PROBES

    def note(self, target: Target, result: Result) -> None:
        """Count a probe; a failed one would be other work."""
        assert result.success, result
        self._seen += 1
        if self._seen == self._wanted:
            self._enough.set()
        elif self._number and not (self._wanted - self._seen) % PROBES:
            self._marks.end_phase(f"probe {self._number}".encode())
            self._number += 1
        self._clock.note_end()

    async def count(self) -> None:
        """Let it get warm, then count `PHASES` phases."""
        await self._enough.wait()
        self._enough.clear()
        # A full pass of the cycle collector is rare: one in a phase would be all that is seen.
        gc.collect()
        gc.freeze()
        self._wanted = self._seen + (PHASES + 2) * PROBES  # before the first and after the last
        self._marks.start()
        self._number = 1
        await self._enough.wait()
        self._number = 0
        self._marks.end_phase(b"rest")


async def probes(marks: ctypes.CDLL, config: Path) -> None:
    """Count the instructions of probes, as `serve` makes them, but for its server."""
    clock = VirtualClock()
    counting = Counting(marks, clock)
    on_results(counting.note)
    source = Options(source=lambda: read_files([config], {}), environment={}, port=0)
    clock.app = app = App(source, clock=clock)
    app.prepare()
    probing = asyncio.create_task(app.scheduler.run())
    await counting.count()
    app.scheduler.stop()
    await probing
    await app.close()


def requests(marks: ctypes.CDLL, url: str) -> None:
    """Count the instructions of the same request by libcurl alone."""
    curl = pycurl.Curl()
    for phase in range(PHASES + 1):
        for _ in range(REQUESTS):
            parts: list[bytes] = []
            curl.setopt(pycurl.URL, f"{url}/s0")
            curl.setopt(pycurl.FORBID_REUSE, 1)
            curl.setopt(pycurl.FRESH_CONNECT, 1)
            curl.setopt(pycurl.HEADERFUNCTION, parts.append)
            curl.setopt(pycurl.WRITEFUNCTION, parts.append)
            curl.perform()
            curl.reset()
        marks.end_phase(f"request {phase}".encode() if phase else b"rest")


async def checks(marks: ctypes.CDLL, folder: Path) -> None:
    """Count the instructions of checks of a model, without those of the engine."""
    checking = Checking(folder)
    for phase in range(PHASES + 1):
        for _ in range(CHECKS):
            await checking.check()
        marks.end_phase(f"check {phase}".encode() if phase else b"rest")
    checking.close()


@dataclasses.dataclass(slots=True)
class _Tally:
    name: str
    seen: int = 0

    def add(self, number: int) -> int:
        self.seen += number
        return self.seen


async def _next(number: int) -> int:
    return number + 1


async def plain(rounds: int) -> int:
    """Do what our code does most, without any of it: coroutines, calls, JSON, headers, patterns.

    The mixture was chosen so that two builds of Python (3.11.7 of its own, 3.11.2 of Debian), which
    spend up to a sixth less on some of these, differ in it as they do in a probe.
    """
    found, loop = 0, asyncio.get_running_loop()
    for _ in range(rounds):
        for number in range(10):
            future = loop.create_future()
            loop.call_soon(future.set_result, number)
            found += await future + await _next(number)
        found += sum(await asyncio.gather(*[_next(number) for number in range(5)]))
        for tally in [_Tally(f"tally{number}") for number in range(30)]:
            for number in range(5):
                found += tally.add(number)
        table = {f"key{number}": [number, str(number), float(number)] for number in range(20)}
        found += len(json.loads(json.dumps(table)))
        heads = [line.partition(b": ") for line in [b"Content-Type: application/json"] * 20]
        found += len({name.decode().lower(): value for name, _, value in heads})
        found += len(re.findall(r"row\d+", "row1 row2 xx row3" * 5))
    return found


def main(library: str, url: str, config: str) -> None:
    """Count all four."""
    marks = ctypes.CDLL(library)
    uvloop.run(probes(marks, Path(config)))
    requests(marks, url)
    uvloop.run(checks(marks, Path(config).with_name("models")))
    for phase in range(PHASES + 1):
        uvloop.run(plain(UNITS))
        marks.end_phase(f"plain {phase}".encode() if phase else b"rest")


if __name__ == "__main__":
    main(*sys.argv[1:4])
