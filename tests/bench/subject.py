"""The exporter as it is, writing down what only it can see: each probe, and how late its loop is.

    python -P tests/bench/subject.py OUT serve --config FILE ...

Everything behind OUT is what `service-registry` takes. OUT is written when the process is told to
stop: reading it from /metrics would put a parser beside the server whose delay is judged. Imports
nothing of `tests`: it is run with the exporter of another commit too.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LAG_SECONDS = 0.001
"""Between two looks at the loop."""
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


def on_start(start: Callable[[], None]) -> None:
    """Let *start* be called on the event loop when it begins to probe."""
    kind = scheduler()
    run = kind.run

    async def running(self: Any, *given: Any) -> None:
        start()
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

    def _look(self) -> None:
        passed, now = int.from_bytes(os.read(self._timer, 8), sys.byteorder), time.monotonic()
        for _ in range(passed):  # each that was missed waited too
            self.rows.append((self._due, now - self._due))
            self._due += LAG_SECONDS


def main(out: str, *arguments: str) -> int:
    """Run the command; write probes as (service, Unix time, seconds), and the lag."""
    probes: list[tuple[str, float, float]] = []
    lag = Lag()
    on_results(
        lambda target, result: probes.append((target.id, result.at, result.outcome.duration))
    )
    on_start(lag.start)
    code: int = importlib.import_module("exporter.cli").main(list(arguments))
    Path(out).write_text(json.dumps({"probes": probes, "lag": lag.rows}))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
