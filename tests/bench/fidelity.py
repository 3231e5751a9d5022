"""Measured duration against the server's own, quiet and while 10,000 services are scraped."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import json
import re
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from tests.bench.peer import blackbox, drive
from tests.programs import exporter, fleet, free_port, running

DELAY = 0.05
SECONDS = 8
_SAMPLE = re.compile(
    r'^(probe_duration_seconds|probe_last_run_timestamp_seconds)\{service="(s\d+)",[^}]*\} (\S+)$',
    re.MULTILINE,
)
Log = dict[str, list[tuple[float, float]]]


@contextlib.contextmanager
def delay_server() -> Iterator[str]:
    """Run the server of known delay on core 0."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.delay", str(port), str(DELAY)]
    with running(command, 0, f"http://127.0.0.1:{port}/log"):
        yield f"http://127.0.0.1:{port}"


def ours(folder: Path, rate: int, *, idle: int = 0, scrape_pause: float = 0.25) -> dict[str, float]:
    """Return error percentiles in milliseconds at *rate* probes a second.

    With *idle* further services (probed once in a long while) every scrape is a long one.
    """
    with delay_server() as url:
        config = fleet(url, rate, "1s") + _idle(idle, url)
        with exporter(folder, config, core=1) as (_, base):
            seen = asyncio.run(_watch(base, 4 + SECONDS, scrape_pause))
            log = _log(url)
    errors = []
    for service, at, duration in seen:
        if (true := _match(log, service, at)) is not None:
            errors.append((duration - true) * 1000)
    return _percentiles(errors)


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


async def _watch(base: str, seconds: float, pause: float) -> list[tuple[str, float, float]]:
    """Scrape again and again; return (service, start, duration) of every probe that was seen."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    found: dict[tuple[str, float], float] = {}
    async with aiohttp.ClientSession() as session:
        while loop.time() < end:
            async with session.get(base + "/metrics") as answer:
                text = await answer.text()
            values: dict[str, dict[str, float]] = {}
            for name, service, value in _SAMPLE.findall(text):
                values.setdefault(service, {})[name] = float(value)
            for service, pair in values.items():
                if len(pair) == 2:
                    at = pair["probe_last_run_timestamp_seconds"]
                    found[service, at] = pair["probe_duration_seconds"]
            await asyncio.sleep(pause)
    return [(service, at, duration) for (service, at), duration in found.items()]


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
