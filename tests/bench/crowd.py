"""Crowds: until 10,000 services are served, what they keep in memory, and their page.

The exporters are run at the same time, each on a core of its own, which a round later is the
other's; while one starts or sends its page, the other rests.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import percentile
from tests.bench.subjects import (
    SUBJECT,
    TARGET,
    Bench,
    Exporter,
    Serving,
    memory_bytes,
    page_of,
    turns,
)
from tests.programs import fleet, nginx

IDLE, IDLE_INTERVAL = 10_000, "10s"
BUSY, BUSY_INTERVAL, BUSY_SECONDS = 2_000, "2s", 8.0
PATIENCE_SECONDS = 300.0


@dataclass(slots=True)
class _Running:
    exporter: Exporter
    serving: Serving
    seen: Path
    other_core: int


def run(bench: Bench) -> None:
    """Measure both crowds of all exporters."""
    with nginx(bench.folder, core=TARGET) as (http, _, _):
        empty = _empty(bench)
        for number in range(bench.rounds):
            _idle(bench, number, fleet(http.rstrip("/"), IDLE, IDLE_INTERVAL), empty)
            _busy(bench, number, fleet(http.rstrip("/"), BUSY, BUSY_INTERVAL), empty)


@contextlib.contextmanager
def _all(
    bench: Bench, number: int, services: str, *, watched: bool = False
) -> Iterator[list[_Running]]:
    """Run every exporter, in the turn of the round *number*; by `subject.py` if *watched*."""
    found = []
    with contextlib.ExitStack() as stack:
        for place, name in enumerate(turns([one.name for one in bench.exporters], number)):
            exporter, seen = bench.exporter(name), bench.folder / f"{name}.json"
            core, other = (SUBJECT, TARGET) if place % 2 == 0 else (TARGET, SUBJECT)
            serving = stack.enter_context(
                exporter.serving(bench.folder, services, core=core, seen=seen if watched else None)
            )
            found.append(_Running(exporter, serving, seen, other))
        yield found


def _empty(bench: Bench) -> dict[str, int]:
    """Return the memory of each exporter without services; its page was asked for."""
    with _all(bench, 0, "services: []") as running:
        for one in running:
            page_of(one.serving)
        return {one.exporter.name: memory_bytes(one.serving.pid) for one in running}


def _idle(bench: Bench, number: int, services: str, empty: dict[str, int]) -> None:
    """Every service has been probed since the last page, then no more."""
    add, pages = bench.results.add, {}
    with _all(bench, number, services, watched=True) as running:
        for one in running:
            name, serving = one.exporter.name, one.serving
            add("serve of 10,000, ready after", name, serving.ready_seconds)
            add("serve of 10,000, CPU until ready", name, serving.ready_cpu_seconds)
        for one in running:
            _wait_for(one.seen.with_suffix(f".{IDLE}"))
            os.kill(one.serving.pid, signal.SIGUSR1)
        for one in running:
            name, begun = one.exporter.name, time.monotonic()
            seconds, compressed = _page(one, compressed=True)
            pages[name] = (begun, time.monotonic())
            memory = memory_bytes(one.serving.pid) - empty[name]
            add("memory of a service, 10,000 idle", name, memory / IDLE / 1024)
            add("page of 10,000, time to its last byte", name, seconds * 1000)
            add("page of 10,000, compressed", name, compressed / 1e6)
            add("page of 10,000, size", name, _page(one, compressed=False)[1] / 1e6)
    for one in running:
        lags = json.loads(one.seen.read_text())["lag"]
        begun, ended = pages[one.exporter.name]
        meanwhile = [late * 1000 for due, late in lags if begun <= due <= ended]
        add(
            "page of 10,000, loop lag p99 meanwhile", one.exporter.name, percentile(meanwhile, 0.99)
        )


def _busy(bench: Bench, number: int, services: str, empty: dict[str, int]) -> None:
    with _all(bench, number, services) as running:
        time.sleep(BUSY_SECONDS)
        for one in running:
            page_of(one.serving)
            memory = memory_bytes(one.serving.pid) - empty[one.exporter.name]
            row = "memory of a service, 2,000 every 2 s"
            bench.results.add(row, one.exporter.name, memory / BUSY / 1024)


def _wait_for(mark: Path) -> None:
    """Return when `subject.py` has seen so many services, and remove its mark."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not mark.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"not every service was probed: {mark}")
        time.sleep(0.05)
    mark.unlink()


def _page(one: _Running, *, compressed: bool) -> tuple[float, int]:
    """Return the seconds until the last byte of the page, and the bytes that came."""
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{time_total} %{size_download}"]
    accepts = ["-H", "Accept-Encoding: gzip"] if compressed else []
    done = subprocess.run(
        ["taskset", "-c", str(one.other_core), *command, *accepts, f"{one.serving.base}/metrics"],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, size = done.stdout.split()
    return float(seconds), int(size)
