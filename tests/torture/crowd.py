"""A crowd of scrapers and of open pages before a real process that goes on probing all the time."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from tests.programs import fleet, nginx, resident_bytes
from tests.test_process import Process, serving

TITLE = "200 scrapers and 500 open pages before 5,000 services"
MAX_GROWTH_MIB, MAX_LATE_SECONDS = 160, 5
LEAST_PROBES = 0.95
"""Of those that were due until a second, and what 99 % are late, before the end."""
_BUCKET = re.compile(r'^(exporter_\w+_seconds)_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)
LAG, LOOP = "exporter_probe_schedule_lag_seconds", "exporter_event_loop_lag_seconds"


@dataclass(slots=True)
class Snapshot:
    """What the exporter says of itself at a time."""

    at: float
    good: float
    bad: float
    buckets: dict[str, dict[float, float]]
    resident: int


async def results(running: Process, prefix: str = "") -> Counter[str]:
    """Return the results by reason of the services whose ids begin with *prefix*."""
    found: Counter[str] = Counter()
    for line in (await running.get("/metrics")).splitlines():
        if line.startswith(f'probe_results_total{{service="{prefix}'):
            reason, value = line.partition('reason="')[2].partition('"')[0], line.rpartition(" ")[2]
            found[reason] += int(float(value))
    return +found


async def _snapshot(running: Process) -> Snapshot:
    text, counted = await running.get("/metrics"), await results(running)
    buckets: dict[str, dict[float, float]] = {}
    for family, bound, value in _BUCKET.findall(text):
        buckets.setdefault(family, {})[float(bound)] = float(value)
    return Snapshot(
        at=asyncio.get_running_loop().time(),
        good=counted["ok"],
        bad=counted.total() - counted["ok"],
        buckets=buckets,
        resident=resident_bytes(running.process.pid),
    )


def _quantile(before: Snapshot, after: Snapshot, family: str, share: float) -> float:
    """Return the bound in seconds under which *share* of what came between the two is."""
    old, new = before.buckets[family], after.buckets[family]
    total = new[float("inf")] - old[float("inf")]
    return min(bound for bound in new if new[bound] - old[bound] >= share * total)


async def _crowd(running: Process, *numbers: int) -> dict[str, Any]:
    port = running.base.rpartition(":")[2]
    clients = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.torture.crowd_clients",
        port,
        *map(str, numbers),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await clients.communicate()
    assert clients.returncode == 0
    found: dict[str, Any] = json.loads(out)
    return found


async def crowd(
    folder: Path, services: int, scrapers: int, viewers: int, seconds: int, *, interval: int = 10
) -> dict[str, str | float]:
    """Return what *scrapers* and *viewers* at once got and cost within *seconds*.

    *interval* is the seconds between two probes of a service.

    Raises:
        AssertionError: an answer was not whole, a probe failed or was left out, or memory grew.
    """
    config = folder / "services.yaml"
    with nginx(folder) as (http, _, _):
        config.write_text(fleet(http.rstrip("/"), services, f"{interval}s"))
        async with serving(config, log_level="warning") as running:
            assert running.process.returncode is None, running.log.decode()
            async with asyncio.timeout(120):
                while not await _all_probed(running, services):
                    await asyncio.sleep(1)  # a page of thousands costs what is to be measured
            start = await _snapshot(running)
            alone = await _crowd(running, services, 1, 0, seconds)
            quiet = await _snapshot(running)
            seen = await _crowd(running, services, scrapers, viewers, seconds)
            end = await _snapshot(running)
    late = _quantile(quiet, end, LAG, 0.99) + 1
    due = services / interval * (end.at - quiet.at - late)
    probes = end.good + end.bad - quiet.good - quiet.bad
    scrapes = seen["scrapes"]
    figures: dict[str, str | float] = {
        "scrapes, whole": scrapes.get("whole", 0),
        "refused (503)": scrapes.get("refused", 0),
        "cut while they were sent": scrapes.get("cut", 0),
        "closed without an answer": scrapes.get("closed", 0),
        "broken": scrapes.get("broken", 0),
        "pages open to the end": seen["views"].get("open", 0),
        "events": seen["events"],
        "seconds of a scrape, alone": round(alone["median"], 3),
        "in the crowd": round(seen["median"], 3),
        "probes made of those due": round(probes / due, 3),
        "failed": end.bad,
        "begun late, p99 seconds, alone": _quantile(start, quiet, LAG, 0.99),
        "p99 in the crowd": _quantile(quiet, end, LAG, 0.99),
        "event loop late, p99 seconds, alone": _quantile(start, quiet, LOOP, 0.99),
        "event loop p99 in the crowd": _quantile(quiet, end, LOOP, 0.99),
        "memory grown, MiB": round((end.resident - quiet.resident) / 2**20, 1),
    }
    _judge(figures, viewers, seen["why"])
    return figures


def _judge(figures: dict[str, str | float], viewers: int, why: list[str]) -> None:
    number = {name: float(value) for name, value in figures.items()}
    answered = number["scrapes, whole"] + number["refused (503)"]
    assert number["broken"] == 0, why
    assert number["closed without an answer"] == 0
    assert answered > 0
    assert number["cut while they were sent"] <= 0.05 * answered, figures
    assert number["pages open to the end"] >= 0.98 * viewers, figures
    assert number["events"] >= viewers
    assert number["failed"] == 0
    assert number["probes made of those due"] >= LEAST_PROBES, figures
    assert number["p99 in the crowd"] <= MAX_LATE_SECONDS, figures
    assert number["memory grown, MiB"] <= MAX_GROWTH_MIB, figures


async def _all_probed(running: Process, services: int) -> bool:
    text = await running.get("/metrics")
    return text.count("\nprobe_success{") == services


def run() -> dict[str, str | float]:
    """Return the figures of 200 scrapers and 500 open pages before 5,000 services."""
    with tempfile.TemporaryDirectory() as folder:
        return uvloop.run(crowd(Path(folder), 5000, 200, 500, 15, interval=60))
