"""CPU per probe on fresh connections, against blackbox_exporter at the same rate, alternating."""

from __future__ import annotations

import asyncio
import statistics
import time
import urllib.request
from pathlib import Path

from tests.bench.peer import blackbox, drive
from tests.programs import cpu_seconds, exporter, fleet, nginx

RATE = 300
SECONDS = 6.0


def ours(folder: Path, url: str, ca: Path | None) -> float:
    """Return CPU milliseconds per probe of the whole exporter, metrics and bookkeeping included."""
    with exporter(folder, fleet(url.rstrip("/"), RATE, "1s", ca), core=1) as (pid, base):
        time.sleep(4.5)
        probes, cpu = _probes(base), cpu_seconds(pid)
        time.sleep(SECONDS)
        spent = cpu_seconds(pid) - cpu
        done = _probes(base) - probes
        return spent / done * 1000


def theirs(folder: Path, url: str, ca: Path) -> float:
    """Return CPU milliseconds per probe of blackbox_exporter."""
    module = "tls" if url.startswith("https") else "plain"
    with blackbox(folder, ca) as (pid, base):
        asyncio.run(drive(base, module, url, RATE, 2.0))
        cpu = cpu_seconds(pid)
        pages = asyncio.run(drive(base, module, url, RATE, SECONDS))
        good = sum(page.get("probe_success", 0) for page in pages)
        return (cpu_seconds(pid) - cpu) / good * 1000


def _probes(base: str) -> int:
    text = urllib.request.urlopen(base + "/metrics").read().decode()
    counts = (line for line in text.splitlines() if line.startswith("probe_results_total{"))
    good = sum(int(line.rsplit(" ", 1)[1]) for line in counts if 'reason="ok"' in line)
    return good


def measure(folder: Path, rounds: int = 3) -> dict[str, float]:
    """Return the medians and ratios, http and https."""
    found: dict[str, float] = {}
    with nginx(folder, core=0) as (http, https, ca):
        for name, url in (("http", http), ("https", https)):
            pairs = [
                (ours(folder, url, ca if name == "https" else None), theirs(folder, url, ca))
                for _ in range(rounds)
            ]
            mine, blackboxes = (statistics.median(side) for side in zip(*pairs, strict=True))
            found[f"{name}_ms"], found[f"{name}_blackbox_ms"] = mine, blackboxes
            found[f"{name}_ratio"] = mine / blackboxes
    return found
