"""A real process whose wall clock is set by hand, by libfaketime: probes and durations go on."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.test_process import Process, eventually, service, serving, write
from tests.vendor import Vendor, answer

pytestmark = pytest.mark.slow

COUNT = 'probe_results_total{service="api",environment="production",provider="custom",reason="ok"}'
LAG = "exporter_probe_schedule_lag_seconds"
DAY, YEARS = 86_400, -50 * 365 * 86_400


def library() -> Path:
    """Return libfaketime; tests/tools.sh installs it."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    assert found, "libfaketime is missing: run tests/tools.sh"
    return found[0]


@pytest.fixture
def set_clock(tmp_path: Path) -> Callable[[int], None]:
    """Set the wall clock of the process by so many seconds from the right time."""

    def change(seconds: int) -> None:
        fresh = tmp_path / "fresh"
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(tmp_path / "offset")  # at once: half a number is another time

    change(0)
    return change


def faked(tmp_path: Path) -> dict[str, str]:
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "offset"),
        "FAKETIME_NO_CACHE": "1",
        # Jumps are of the wall clock alone: the monotonic clock of a kernel never makes one.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def samples(page: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


async def count(running: Process) -> float:
    return await running.sample(COUNT) or 0.0


async def test_probes_keep_their_pace_whatever_the_wall_clock_says(
    tmp_path: Path, vendor: Vendor, set_clock: Callable[[int], None]
) -> None:
    assert sys.platform == "linux"
    vendor.on("/", answer())
    config = write(tmp_path / "services.yaml", vendor, service(vendor, "api"))
    data = ("--data-dir", str(tmp_path / "data"))

    async with serving(config, *data, env=os.environ | faked(tmp_path)) as running:
        await eventually(lambda: running.sample(COUNT))
        for jump in (YEARS, 0, DAY, 0):
            set_clock(jump)
            before = await count(running)

            async def went_on(before: float = before) -> bool:
                return await count(running) >= before + 3

            await eventually(went_on)
        page = await running.get("/metrics")
        told = running.log.decode()

    assert "jumped; its time is not used yet" in told
    values = samples(page)
    durations = {name: v for name, v in values.items() if "duration_seconds" in name}
    assert durations
    assert all(0 <= value < 10 for value in durations.values()), durations
    assert values[f"{LAG}_sum"] < 2 * values[f"{LAG}_count"]
    at = next(v for name, v in values.items() if name.startswith("probe_last_run_timestamp"))
    assert abs(at - time.time()) < 60
