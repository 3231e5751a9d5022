"""Measured duration against the server's own, quiet and while 10,000 services are scraped."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.bench.peer import blackbox, drive
from tests.programs import fleet, free_port, running

DELAY = 0.05
SECONDS = 10
WARM = 4
Log = dict[str, list[tuple[float, float]]]


@contextlib.contextmanager
def delay_server() -> Iterator[str]:
    """Run the server of known delay on core 0."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.delay", str(port), str(DELAY)]
    with running(command, 0, f"http://127.0.0.1:{port}/log"):
        yield f"http://127.0.0.1:{port}"


def ours(folder: Path, rate: int, *, idle: int = 0, more: str = "") -> dict[str, float]:
    """Return error percentiles in milliseconds at *rate* probes a second, beside services *more*.

    With *idle* further services (probed once in a long while) a page of them all is asked for
    every second, compressed as Prometheus wants it.
    """
    port = free_port()
    config, out = folder / f"{port}.yaml", folder / f"{port}.json"
    with delay_server() as url:
        config.write_text(fleet(url, rate, "1s") + _idle(idle, url) + more)
        base = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "tests.bench.subject", str(config), str(port), str(out)]
        with running(command, 1, base + "/-/ready"):
            time.sleep(WARM)
            begun = time.time()
            if idle:
                _scrape(base, SECONDS)
            else:
                time.sleep(SECONDS)
        log = _log(url)
    seen = [row for row in json.loads(out.read_text()) if row[1] > begun]
    errors = [
        (duration - true) * 1000
        for service, at, duration in seen
        if (true := _match(log, service, at)) is not None
    ]
    return _percentiles(errors)


def _scrape(base: str, seconds: float) -> None:
    """Ask for the page once a second and throw it away, by a program that costs nothing."""
    end = time.monotonic() + seconds
    command = ["curl", "-s", "-o", "/dev/null", "-H", "Accept-Encoding: gzip", base + "/metrics"]
    while time.monotonic() < end:
        begun = time.monotonic()
        subprocess.run(["taskset", "-c", "0", *command], check=True)
        time.sleep(max(0.0, 1 - (time.monotonic() - begun)))


def theirs(folder: Path, ca: Path, rate: int) -> dict[str, float]:
    """Return the same of blackbox_exporter; its pages come in the order of the server's log."""
    with delay_server() as url, blackbox(folder, ca) as (_, base):
        pages = asyncio.run(drive(base, "plain", url + "/", rate, SECONDS))
        rows = json.loads(urllib.request.urlopen(url + "/log").read())
    # Which page belongs to which row is not told; sorted against sorted bounds the error below.
    true = sorted(seconds for _, _, seconds in rows)
    said = sorted(page["probe_duration_seconds"] for page in pages)
    return _percentiles([(a - b) * 1000 for a, b in zip(said, true, strict=False)])


def _idle(count: int, url: str) -> str:
    return "".join(
        f"- {{id: idle{i}, base_url: '{url}', health_check: {{interval: 1h, endpoint: /i{i}}}}}\n"
        for i in range(count)
    )


def _log(url: str) -> Log:
    log: Log = {}
    for path, at, seconds in json.loads(urllib.request.urlopen(url + "/log").read()):
        log.setdefault(path, []).append((at, seconds))
    return log


def _match(log: Log, service: str, at: float) -> float | None:
    """Return the server's time for the request that began at *at*."""
    rows = log.get(service, [])
    place = bisect.bisect_left(rows, (at - 0.01,))
    if place < len(rows) and rows[place][0] - at < 0.3:
        return rows[place][1]
    return None


def _percentiles(errors: list[float]) -> dict[str, float]:
    errors = sorted(errors)
    at = [errors[min(len(errors) - 1, int(len(errors) * q))] for q in (0.5, 0.99, 0.999)]
    return {"p50": at[0], "p99": at[1], "p99.9": at[2], "max": errors[-1], "count": len(errors)}
