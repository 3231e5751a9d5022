"""Many services on one core: late or failed probes. Promised of ours alone, with no one beside."""

from __future__ import annotations

import re
import time

from tests.bench.subjects import TARGET, Bench, page_of
from tests.bench.table import OURS
from tests.programs import fleet, nginx

_BUCKET = re.compile(r'exporter_probe_schedule_lag_seconds_bucket\{le="([^"]+)"\} (\S+)')


def run(bench: Bench) -> None:
    """Measure each crowd once: it is long."""
    for count, interval, seconds in ((1000, "30s", 65), (2000, "2s", 30)):
        figures = _schedule(bench, count, interval, seconds)
        for name, value in figures.items():
            bench.results.add(f"{count:,} every {interval[:-1]} s, {name}", OURS, value)


def _schedule(bench: Bench, count: int, interval: str, seconds: float) -> dict[str, float]:
    """Return how many probes of *count* services failed, and how late they began."""
    with nginx(bench.folder, core=TARGET) as (http, _, _):
        services = fleet(http.rstrip("/"), count, interval)
        with bench.exporter(OURS).serving(bench.folder, services) as serving:
            time.sleep(seconds)
            text = page_of(serving)
    results = [line for line in text.splitlines() if line.startswith("probe_results_total{")]
    good = sum(int(line.rsplit(" ", 1)[1]) for line in results if 'reason="ok"' in line)
    every = sum(int(line.rsplit(" ", 1)[1]) for line in results)
    lag = {float(bound): float(n) for bound, n in _BUCKET.findall(text)}
    late = min(bound for bound, n in lag.items() if n >= 0.99 * lag[float("inf")])
    return {"failed": every - good, "lag p99": late}
