"""CPU per probe on fresh connections, open loop, beside blackbox_exporter at the same rate."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tests.bench.peer import blackbox, drive
from tests.bench.subjects import TARGET, Bench, Exporter, Serving, cpu_seconds, page_of
from tests.bench.table import BLACKBOX
from tests.programs import fleet, nginx

RATES = {"HTTP": 300, "HTTPS": 150}
"""Open loop: a rate that every subject keeps up with on half a core."""
WARM_SECONDS = 1.0
SECONDS = 2.0


def run(bench: Bench) -> None:
    """Measure every subject in turn, over HTTP and over HTTPS."""
    with nginx(bench.folder, core=TARGET) as (http, https, ca):
        for kind, url in (("HTTP", http), ("HTTPS", https)):
            for name in bench.alternating(BLACKBOX):
                if name == BLACKBOX:
                    found = _blackbox(bench.folder, url, ca, RATES[kind])
                else:
                    trusted = ca if kind == "HTTPS" else None
                    services = fleet(url.rstrip("/"), RATES[kind], "1s", trusted)
                    found = _exporter(bench.exporter(name), bench.folder, services)
                bench.results.add(f"CPU of a probe, {kind}", name, found)


def _exporter(exporter: Exporter, folder: Path, services: str) -> float:
    """Return CPU milliseconds per probe of the whole exporter, metrics and bookkeeping included."""
    with exporter.serving(folder, services) as serving:
        time.sleep(WARM_SECONDS)
        probes, cpu = _probes(serving), cpu_seconds(serving.pid)
        time.sleep(SECONDS)
        spent = cpu_seconds(serving.pid) - cpu
        return spent / (_probes(serving) - probes) * 1000


def _blackbox(folder: Path, url: str, ca: Path, rate: int) -> float:
    """Return CPU milliseconds per probe of blackbox_exporter."""
    module = "tls" if url.startswith("https") else "plain"
    with blackbox(folder, ca) as (pid, base):
        asyncio.run(drive(base, module, url, rate, WARM_SECONDS))
        cpu = cpu_seconds(pid)
        pages = asyncio.run(drive(base, module, url, rate, SECONDS))
        good = sum(page.get("probe_success", 0) for page in pages.values())
        return (cpu_seconds(pid) - cpu) / good * 1000


def _probes(serving: Serving) -> int:
    lines = page_of(serving).splitlines()
    counts = (line for line in lines if line.startswith("probe_results_total{"))
    return sum(int(line.rsplit(" ", 1)[1]) for line in counts if 'reason="ok"' in line)
