"""Measured duration against the server's own, quiet and while 10,000 services are scraped."""

from __future__ import annotations

import asyncio
import bisect
import json
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.bench.delay import delay_server
from tests.bench.figures import percentile
from tests.bench.peer import blackbox, drive
from tests.bench.subjects import DRIVER, TARGET, Bench, Exporter
from tests.bench.table import BLACKBOX
from tests.programs import fleet

DELAY_SECONDS = 0.05
WARM_SECONDS = 1.0
SECONDS = {100: 3.0, 500: 2.0}
"""How long a rate is kept up."""
IDLE = 10_000
SCRAPED = "error p99, 500/s, 10,000 scraped"
Log = dict[str, list[tuple[float, float]]]


def run(bench: Bench) -> None:
    """Measure every subject in turn, at both rates, and the exporters while they are scraped."""
    for rate in SECONDS:
        row = f"error p99, {rate}/s"
        for name in bench.alternating(BLACKBOX):
            if name == BLACKBOX:
                errors = _blackbox(bench.folder, rate)
            else:
                errors = errors_of(bench.exporter(name), bench.folder, rate)
            bench.results.add(row, name, percentile(errors, 0.99))
    for name in bench.alternating():
        errors = errors_of(bench.exporter(name), bench.folder, 500, idle=IDLE)
        bench.results.add(SCRAPED, name, percentile(errors, 0.99))
    # It has nothing that could be scraped: what it has without is what is compared with.
    bench.results.add(SCRAPED, BLACKBOX, *bench.results.rows["error p99, 500/s"][BLACKBOX])


def errors_of(
    exporter: Exporter, folder: Path, rate: int, *, idle: int = 0, more: str = ""
) -> list[float]:
    """Return the errors in milliseconds at *rate* probes a second, beside the services *more*.

    With *idle* further services (probed once in a long while) a page of them all is asked for
    every second, compressed as Prometheus wants it.
    """
    seen = folder / "seen.json"
    with delay_server(DELAY_SECONDS, TARGET) as url:
        services = fleet(url, rate, "1s") + _idle(idle, url) + more
        with exporter.serving(folder, services, seen=seen) as serving:
            time.sleep(WARM_SECONDS)
            begun = time.time()
            if idle:
                _scrape(serving.base, SECONDS[rate])
            else:
                time.sleep(SECONDS[rate])
        log = _log(url)
    probes = [row for row in json.loads(seen.read_text())["probes"] if row[1] > begun]
    return [
        (duration - true) * 1000
        for service, at, duration in probes
        if (true := match(log, service, at)) is not None
    ]


def _scrape(base: str, seconds: float) -> None:
    """Ask for the page once a second and throw it away, by a program that costs nothing."""
    end = time.monotonic() + seconds
    command = ["curl", "-s", "-o", "/dev/null", "-H", "Accept-Encoding: gzip", base + "/metrics"]
    while time.monotonic() < end:
        begun = time.monotonic()
        subprocess.run(["taskset", "-c", str(DRIVER), *command], check=True)
        time.sleep(max(0.0, 1 - (time.monotonic() - begun)))


def _blackbox(folder: Path, rate: int) -> list[float]:
    """Return the same of blackbox_exporter; each probe asks for a path of its own."""
    with delay_server(DELAY_SECONDS, TARGET) as url, blackbox(folder) as (_, base):
        asyncio.run(drive(base, "plain", url + "/warm", rate, WARM_SECONDS))
        pages = asyncio.run(drive(base, "plain", url + "/", rate, SECONDS[rate]))
        log = _log(url)
    return [
        (page["probe_duration_seconds"] - log[name][0][1]) * 1000
        for name, page in pages.items()
        if name in log
    ]


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


def match(log: Log, service: str, at: float) -> float | None:
    """Return the server's time for the request that began at *at*."""
    rows = log.get(service, [])
    place = bisect.bisect_left(rows, (at - 0.01,))
    if place < len(rows) and rows[place][0] - at < 0.3:
        return rows[place][1]
    return None
