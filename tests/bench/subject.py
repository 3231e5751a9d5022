"""The exporter as it is, writing down what only it can see: each probe, and how late its loop is.

    python -P tests/bench/subject.py OUT.json serve --config FILE ...

Everything behind OUT.json is what `service-registry` takes. It is written when the process is told
to stop: reading it from /metrics would put a parser beside the server whose delay is judged. The
first probe of the 10,000th service makes an empty file OUT.10000; SIGUSR1 ends all probing, nothing
else, and begins to watch the loop. Imports nothing of `tests`: it is run with the exporter of
another commit too.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import json
import os
import signal
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

LAG_SECONDS = 0.001
"""Between two looks at the loop."""
CROWD = 10_000
CLOCK_MONOTONIC = 1


def scheduler() -> Any:
    """Return the class; its module moved after 05279ac, the usual baseline."""
    try:
        return importlib.import_module("exporter.schedule.scheduler").Scheduler
    except ModuleNotFoundError:
        return importlib.import_module("exporter.scheduler").Scheduler


def on_results(note: Callable[[Any, Any], None]) -> None:
    """Let every scheduler made from now on call *note* with each target and result."""
    kind = scheduler()
    build = kind.__init__

    def built(self: Any, prober: Any, clock: Any, record: Any, *more: Any, **named: Any) -> None:
        def both(target: Any, result: Any) -> None:
            record(target, result)
            note(target, result)

        build(self, prober, clock, both, *more, **named)

    kind.__init__ = built


def on_start(start: Callable[[Any], None]) -> None:
    """Let *start* be called on the event loop with the scheduler that begins to probe."""
    kind = scheduler()
    run = kind.run

    async def running(self: Any, *given: Any) -> None:
        start(self)
        await run(self, *given)

    kind.run = running


class Lag:
    """How late the event loop came to a timer of the kernel, as (time due, seconds late).

    A timer of the loop itself is a millisecond wide, as much as what is looked for. Times are those
    of `time.monotonic`.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[float, float]] = []
        self._due = 0.0
        self._timer = -1

    def start(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._timer = libc.timerfd_create(CLOCK_MONOTONIC, os.O_NONBLOCK)
        step = int(LAG_SECONDS * 1e9)
        first = time.monotonic_ns() + step
        self._due = first / 1e9
        times = (ctypes.c_int64 * 4)(0, step, *divmod(first, 10**9))
        if libc.timerfd_settime(self._timer, 1, times, None):  # 1: the first is a time, no duration
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        asyncio.get_running_loop().add_reader(self._timer, self._look)

    def stop(self) -> None:
        """Look no more."""
        asyncio.get_running_loop().remove_reader(self._timer)
        os.close(self._timer)

    def _look(self) -> None:
        passed, now = int.from_bytes(os.read(self._timer, 8), sys.byteorder), time.monotonic()
        for _ in range(passed):  # each that was missed waited too
            self.rows.append((self._due, now - self._due))
            self._due += LAG_SECONDS


class Probes:
    """What was measured, as columns: of a crowd they must not be what is in memory."""

    def __init__(self, out: Path, crowd: int = CROWD) -> None:
        self._services: list[str] = []
        self._at, self._seconds = array("d"), array("d")
        self._mark, self._crowd = out.with_suffix(f".{crowd}"), crowd
        self.services: set[str] = set()

    def note(self, target: Any, result: Any) -> None:
        self._services.append(target.id)
        self._at.append(result.at)
        self._seconds.append(result.outcome.duration)
        if target.id not in self.services:
            self.services.add(target.id)
            if len(self.services) == self._crowd:
                self._mark.touch()

    @property
    def rows(self) -> list[tuple[str, float, float]]:
        """The probes as (service, Unix time, seconds)."""
        return list(zip(self._services, self._at, self._seconds, strict=True))


def main(out: str, *arguments: str) -> int:
    """Run the command, and write what was seen."""
    probes, lag = Probes(Path(out)), Lag()

    def rest(scheduler: Any) -> None:
        for service in probes.services:
            scheduler.drop(service)
        lag.start()

    def start(scheduler: Any) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, rest, scheduler)

    on_results(probes.note)
    on_start(start)
    try:
        code: int = importlib.import_module("exporter.cli").main(list(arguments))
        return code
    finally:
        Path(out).write_text(json.dumps({"probes": probes.rows, "lag": lag.rows}))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
