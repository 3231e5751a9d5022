"""900 clients that never read and 2,000 that never ask, at once: Prometheus notices nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.patience import Stopwatch, within
from tests.serving.flood import IDLE, SLOW_READERS
from tests.test_process import Process, serving

SERVICES = 400
MAX_GROWTH_MIB = 30
MAX_RATIO, MAX_SECONDS = 10, 0.1
"""Of a scrape in the flood: so many times what it takes without, or so long, whichever is more.

What the exporter and this test waited for a core is no part of it: the crowd wants one too, and so
does whatever else the machine does. What the exporter does meanwhile counts.
"""
SCRAPE = {"Accept-Encoding": "gzip", "Connection": "close"}


def _memory(process: Process, field: str) -> float:
    """Return the resident memory (VmRSS), or the most it has been (VmHWM), in MiB."""
    text = Path(f"/proc/{process.process.pid}/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


@contextlib.asynccontextmanager
async def flooded(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the crowd, as soon as all of it has come."""
    crowd = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.serving.flood",
        str(port),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert crowd.stdout is not None
    try:
        assert await within(30, crowd.stdout.readline()) == b"all are there\n"
        yield crowd
    finally:
        crowd.kill()
        await crowd.communicate()


async def scraped(process: Process) -> float:
    """Return the seconds that a scrape on a new connection takes where a core is free."""
    watch = Stopwatch(process.process.pid)
    page = await process.get("/metrics", headers=SCRAPE)
    assert page.rstrip().splitlines()[-1].startswith("exporter_")
    return watch.read().given


@pytest.mark.slow
async def test_a_scrape_gets_through_a_crowd_of_slow_and_idle_clients(tmp_path: Path) -> None:
    config = tmp_path / "services.yaml"
    config.write_text(
        "defaults: {health_check: {interval: 1h, timeout: 1s, allow_private_addresses: true}}\n"
        "services:\n"
        + "".join(f"  - {{id: s{n}, base_url: 'http://127.0.0.1:1'}}\n" for n in range(SERVICES))
    )
    async with serving(config) as process:
        for path in ("/", "/api/health", "/metrics"):
            await asyncio.gather(*(process.get(path, headers=SCRAPE) for _ in range(10)))
        unloaded = statistics.median([await scraped(process) for _ in range(9)])
        before = _memory(process, "VmRSS")

        async with flooded(int(process.base.rpartition(":")[2])) as crowd:
            begun, times = time.perf_counter(), []
            while time.perf_counter() - begun < 8 or len(times) < 20:
                times.append(await scraped(process))
                await asyncio.sleep(0.1)
            assert crowd.returncode is None
            grown = _memory(process, "VmHWM") - before
        cut = sum(
            [
                await process.sample(f'exporter_connections_cut_total{{why="{why}"}}') or 0
                for why in ("made_room", "too_much_unread", "idle", "slow_reader")
            ]
        )

    assert statistics.median(times) <= max(MAX_SECONDS, MAX_RATIO * unloaded)
    assert statistics.quantiles(times, n=10)[-1] <= 10 * max(MAX_SECONDS, MAX_RATIO * unloaded)
    assert grown <= MAX_GROWTH_MIB
    assert cut >= (SLOW_READERS + IDLE) / 2
