"""The exporter that is attacked, in a process of its own that measures itself.

`python -m tests.hostile.subject`: each line of its input is a round, a JSON object with `config`
(a whole configuration), `services` (ids to probe), `neighbour` (one more, probed again and again)
and `counts` (whether to wait for descriptors that are left). It answers each with a line of what it
saw, after one with its port.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvloop

from exporter.app import App, Options
from exporter.config import read_text
from exporter.log import configure
from exporter.model import Result
from tests.fakes import KEY
from tests.hostile.watch import TICK_SECONDS, Watch

PATIENCE_SECONDS = 8.0
"""For a round: a probe that has not ended by then has not ended in time."""


def memory(field: str) -> float:
    """Return the resident memory (VmRSS), or the most it has been (VmHWM), in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def descriptors() -> int:
    """Return how many are open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class Subject:
    """The exporter, and the rounds that it is put through."""

    def __init__(self) -> None:
        self.text = "{services: []}"
        redaction = configure("logfmt", 10)
        options = Options(
            source=lambda: read_text(self.text, "services.yaml", {"KEY": KEY}),
            environment={"KEY": KEY},
            port=0,
        )
        self.app = App(options, redaction=redaction)
        # Status pages are on loopback here; by default that is refused before anything is sent.
        self.app.pages._allow_private = True
        self.watch = Watch()

    async def round(self, given: dict[str, Any]) -> dict[str, Any]:
        """Probe what *given* names, all at once; return what came of it, and what it cost."""
        self.text = given["config"]
        self.app.loader.load()
        await asyncio.sleep(0.02)
        gc.collect()
        gc.freeze()
        await asyncio.sleep(4 * TICK_SECONDS)  # the collection held the loop, and is over
        before, opened = memory("VmRSS"), descriptors()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        self.watch.begin()
        rows, neighbours = await self._probed(given["services"], given["neighbour"])
        lag, peak = self.watch.lag, memory("VmHWM")
        gc.unfreeze()
        return {
            "rows": rows,
            "neighbours": neighbours,
            "memory": peak - before,
            "resident": peak,
            "lag": lag,
            "left": await self._left(opened) if given["counts"] else 0,
        }

    async def _probed(
        self, services: list[str], neighbour: str
    ) -> tuple[dict[str, Any], list[Any]]:
        """Return a row for each service that ended, and what the neighbour's probes saw."""
        rows: dict[str, Any] = {}
        wanted = [one for one in self.app.registry if one.id in services]
        pages = {asyncio.create_task(self._page(one)): one.id for one in wanted if one.status_page}
        before = {one.id: self._last(one.id) for one in wanted}
        for one in wanted:
            self.app.scheduler.expedite(one.id)
        neighbours: list[Any] = []
        loop = asyncio.get_running_loop()
        end, seen = loop.time() + PATIENCE_SECONDS, self._last(neighbour)
        self.app.scheduler.expedite(neighbour)
        while loop.time() < end and (len(rows) < len(wanted) or not neighbours):
            await asyncio.sleep(TICK_SECONDS)
            for one in wanted:
                result = self._last(one.id)
                if one.id not in rows and result is not None and result is not before[one.id]:
                    rows[one.id] = self._row(result)
            if (result := self._last(neighbour)) is not seen and result is not None:
                seen = result
                neighbours.append(self._row(result))
                self.app.scheduler.expedite(neighbour)
        async for task in _until(end, pages):
            if pages[task] in rows and task.exception() is None:
                rows[pages[task]] |= task.result()
        return rows, neighbours

    def _last(self, service: str) -> Result | None:
        return self.app.results.of(service).last

    def _row(self, result: Result) -> dict[str, Any]:
        outcome = result.outcome
        return {
            "reason": result.reason,
            "verdict": result.verdict,
            "detail": outcome.detail,
            "wait": outcome.asked_wait or 0.0,
            "duration": outcome.duration,
            "phases": sum(outcome.phases),
            **self._times(self.app.clock.now() - result.at),
        }

    def _times(self, seconds: float) -> dict[str, float]:
        """Return when something ended that took so many *seconds*, and what of it was no core."""
        now = time.monotonic()
        waited = self.watch.waited(now - seconds, now)
        starved = self.watch.starved(now - seconds, now)
        return {"ended": now, "seconds": seconds, "waited": waited, "starved": starved}

    async def _page(self, target: Any) -> dict[str, Any]:
        begun = time.monotonic()
        await self.app.pages.poll(target.status_page)
        state = self.app.pages.state(target.status_page)
        return {"state": state, **self._times(time.monotonic() - begun)}

    async def _left(self, opened: int) -> int:
        """Return how many descriptors stay open, of those that the round opened."""
        for _ in range(250):
            left = descriptors() - opened
            # The neighbour may still be probed.
            if left <= 0 and not self.app.transport.in_flight:
                break
            await asyncio.sleep(0.02)
        return max(0, left)


async def _until(end: float, tasks: Any) -> AsyncIterator[asyncio.Task[dict[str, Any]]]:
    """Yield the *tasks* that are done at the time *end*; cancel the others."""
    if tasks:
        loop = asyncio.get_running_loop()
        done, pending = await asyncio.wait(tasks, timeout=max(0.0, end - loop.time()))
        for task in pending:
            task.cancel()
        for task in done:
            yield task


async def main() -> None:
    reader = asyncio.StreamReader(limit=1 << 26)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    subject, stop = Subject(), asyncio.Event()
    started = asyncio.Event()
    running = asyncio.create_task(subject.app.run(stop, lambda app: started.set()))
    watching = asyncio.create_task(subject.watch.run())
    await started.wait()
    print(json.dumps({"port": subject.app.port}), flush=True)
    while line := await reader.readline():
        print(json.dumps(await subject.round(json.loads(line))), flush=True)
    watching.cancel()
    stop.set()
    await running


if __name__ == "__main__":
    uvloop.run(main())
