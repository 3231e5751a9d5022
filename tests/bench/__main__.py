"""`make bench`: print what is measured; exit 1 if something that is promised is missed."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import commands, cpu, fidelity, models, page, scale

# What DESIGN promises. Ratios are against blackbox_exporter in the same run.
MOST = {
    "commands version_cpu_s": 0.15,
    "commands check_1000_ratio": 0.5,
    "cpu http_ratio": 0.5,
    "cpu https_ratio": 1.0,
    "error at 100/s p99": 1.0,
    "error at 500/s p99": 5.0,
    "error at 500/s while 10,000 services are scraped p99": 5.0,
    "check of a model beside_stream_ms": 2.0,
    "error at 100/s while models are asked p99": 1.0,
    "1,000 services every 30 s failed": 0,
    "1,000 services every 30 s lag_p99": 0.1,
    "2,000 services every 2 s failed": 0,
    "2,000 services every 2 s lag_p99": 0.1,
    "10,000 services kib_per_service": 20,
    "page of 1,000 services first_paint_ms": 300,
    "page of 1,000 services update_ms": 50,
    "page of 1,000 services in groups first_paint_ms": 300,
    "page of 1,000 services in groups update_ms": 50,
}


def measured(folder: Path) -> Iterator[tuple[str, Callable[[], dict[str, float]]]]:
    """Yield each measurement with its name; milliseconds unless the name says otherwise."""
    ca = folder / "ca.pem"
    yield "commands", lambda: commands.measure(folder)
    yield "cpu", lambda: cpu.measure(folder)
    yield "error at 100/s", lambda: fidelity.ours(folder, 100)
    yield "error at 100/s, blackbox_exporter", lambda: fidelity.theirs(folder, ca, 100)
    yield "error at 500/s", lambda: fidelity.ours(folder, 500)
    yield "error at 500/s, blackbox_exporter", lambda: fidelity.theirs(folder, ca, 500)
    yield (
        "error at 500/s while 10,000 services are scraped",
        lambda: fidelity.ours(folder, 500, idle=10_000),
    )
    yield "check of a model", lambda: models.measure(folder)
    yield "error at 100/s while models are asked", lambda: models.beside(folder)
    yield "1,000 services every 30 s", lambda: scale.schedule(folder, 1000, "30s", 65)
    yield "2,000 services every 2 s", lambda: scale.schedule(folder, 2000, "2s", 30)
    yield "10,000 services", lambda: scale.memory(folder)
    yield "page of 1,000 services", lambda: page.measure("/")
    yield "page of 1,000 services in groups", lambda: page.measure("/?group=tag:squad")


def main(wanted: str = "") -> int:
    """Run the measurements whose name starts with *wanted*."""
    os.sched_setaffinity(0, {0})
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, measure in measured(folder):
            if not title.startswith(wanted):
                continue
            for key, value in measure().items():
                most = MOST.get(f"{title} {key}")
                verdict = "" if most is None else "  ok" if value <= most else f"  MISSED ({most})"
                missed += "MISSED" in verdict
                print(f"{title:50} {key:20} {value:10.3f}{verdict}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
