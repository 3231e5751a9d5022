"""A scrape of 1,000 services by a newer Prometheus, with start times switched on and off.

`python -m tests.bench.scrape [PROMETHEUS]`, by default build/tools/prometheus-new. It is built in
minutes, with 2 GB of memory:

    GOBIN=/a/folder go install -tags remove_all_sd \\
        github.com/prometheus/prometheus/cmd/prometheus@v0.316.0

Start times are looked for to the end of a family: without any the flag makes a scrape cost the
square of the services. A scrape with it may cost a few times one without, at any number.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.programs import exporter, fleet, free_port, running

BINARY = Path("build/tools/prometheus-new")
FLAG = "created-timestamp-zero-ingestion"
FEW, MANY = 250, 1000
MOST_TIMES, MOST_GROWTH = 4.0, 1.6
"""With the flag against without it; and how much more than FEW a service of MANY may cost."""
_SCRAPES = 3
_PATIENCE_SECONDS = 240.0


def measure(folder: Path, binary: Path) -> dict[str, float]:
    """Return milliseconds of a scrape, and the ratios that are promised."""
    found: dict[str, float] = {}
    for compact in (False, True):
        name = "compact " if compact else ""
        for count in (FEW, MANY):
            services = fleet("http://127.0.0.1:9", count, "1h")
            more = ("--metrics.compact",) if compact else ()
            with exporter(folder, services, *more) as (_, base):
                for flag in ("", FLAG):
                    kind = f"{name}{count}{' starts' if flag else ''}_ms"
                    found[kind] = 1000 * _scrape(folder, binary, base, flag)
        starts = found[f"{name}{MANY} starts_ms"]
        found[f"{name}starts_ratio"] = starts / found[f"{name}{MANY}_ms"]
        found[f"{name}growth"] = starts / found[f"{name}{FEW} starts_ms"] * FEW / MANY
    return found


def _scrape(folder: Path, binary: Path, base: str, flag: str) -> float:
    """Return the median of the seconds of some scrapes by a Prometheus of its own."""
    port = free_port()
    place = folder / f"prometheus-{port}"
    place.mkdir()
    scrape = {"job_name": "a", "static_configs": [{"targets": [base.split("//")[1]]}]}
    config = {
        "global": {"scrape_interval": "3s", "scrape_timeout": "3s"},
        "scrape_configs": [scrape],
    }
    (place / "prometheus.yml").write_text(json.dumps(config))
    command = [
        str(binary),
        f"--config.file={place}/prometheus.yml",
        f"--storage.tsdb.path={place}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--enable-feature=exemplar-storage{',' + flag if flag else ''}",
        "--log.level=error",
    ]
    with running(command, None, f"http://127.0.0.1:{port}/-/ready"):
        return statistics.median(_durations(f"http://127.0.0.1:{port}"))


def _durations(prometheus: str) -> list[float]:
    """Return how long each scrape took, up to `_SCRAPES` of them."""
    durations: dict[str, float] = {}
    until = time.monotonic() + _PATIENCE_SECONDS
    while len(durations) < _SCRAPES and time.monotonic() < until:
        time.sleep(0.2)
        (target,) = _targets(prometheus) or ({},)
        if target.get("health") == "up":
            durations[target["lastScrape"]] = target["lastScrapeDuration"]
        elif target.get("lastError"):
            raise RuntimeError(f"the scrape failed: {target['lastError']}")
    return list(durations.values()) or [_PATIENCE_SECONDS]


def _targets(prometheus: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{prometheus}/api/v1/targets", timeout=10) as response:
        found: list[dict[str, Any]] = json.load(response)["data"]["activeTargets"]
    return found


def main(binary: Path = BINARY) -> int:
    """Print what was measured; return 1 if a promise is missed."""
    if not binary.exists():
        print(f"{binary}: no newer Prometheus is here, nothing is measured; how to build one:")
        print(__doc__)
        return 0
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name), binary)
    most = {"starts_ratio": MOST_TIMES, "growth": MOST_GROWTH}
    missed = 0
    for key, value in found.items():
        limit = most.get(key.rpartition(" ")[2])
        verdict = "" if limit is None else "  ok" if value <= limit else f"  MISSED ({limit})"
        missed += "MISSED" in verdict
        print(f"scrape {key:30} {value:10.2f}{verdict}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
