"""Many services on one core: late or failed probes, memory, and the time of a scrape."""

from __future__ import annotations

import re
import time
import urllib.request
from pathlib import Path

from tests.programs import exporter, fleet, nginx, resident_bytes

_BUCKET = re.compile(r'exporter_probe_schedule_lag_seconds_bucket\{le="([^"]+)"\} (\S+)')


def schedule(folder: Path, count: int, interval: str, seconds: float) -> dict[str, float]:
    """Return how many probes of *count* services failed or began late within *seconds*."""
    with nginx(folder, core=0) as (http, _, _):
        config = fleet(http.rstrip("/"), count, interval)
        with exporter(folder, config, core=1) as (_, base):
            time.sleep(seconds)
            text = urllib.request.urlopen(base + "/metrics").read().decode()
    results = [line for line in text.splitlines() if line.startswith("probe_results_total{")]
    good = sum(int(line.rsplit(" ", 1)[1]) for line in results if 'reason="ok"' in line)
    every = sum(int(line.rsplit(" ", 1)[1]) for line in results)
    lag = {float(bound): float(n) for bound, n in _BUCKET.findall(text)}
    started = lag[float("inf")]
    return {
        "probes": every,
        "failed": every - good,
        "late_over_100ms": started - lag[0.1],
        "lag_p99": min(bound for bound, n in lag.items() if n >= 0.99 * started),
    }


def memory(folder: Path, count: int = 10_000) -> dict[str, float]:
    """Return KiB a service over the idle process, and milliseconds of one scrape.

    Every service has been probed once, and the page was asked for.
    """
    with nginx(folder, core=0) as (http, _, _):
        base_url = http.rstrip("/")
        with exporter(folder, "services: []", core=1) as (pid, base):
            urllib.request.urlopen(base + "/metrics").read()
            idle = resident_bytes(pid)
        with exporter(folder, fleet(base_url, count, "20s"), core=1) as (pid, base):
            time.sleep(45)
            request = urllib.request.Request(base + "/metrics", headers={"Accept-Encoding": "gzip"})
            begun = time.perf_counter()
            size = len(urllib.request.urlopen(request).read())
            scrape = time.perf_counter() - begun
            used = resident_bytes(pid)
    return {
        "kib_per_service": (used - idle) / count / 1024,
        "scrape_ms": scrape * 1000,
        "gzip_mb": size / 1e6,
    }
