"""Half of 10,000 services fail at once: the loop goes on, memory stays small."""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
from collections.abc import Iterator

import pytest

from tests.notifying.stage import ALL, START, Stage, alert

FAILING = 5000
LONGEST_HOLD = 25
"""At most, in pieces of work of about a millisecond: machines differ, and so do their hours."""


def piece_of_work() -> float:
    """Return the CPU seconds that this machine takes now for texts as messages are made of."""
    begun = time.thread_time()
    json.dumps([{"labels": {"service": f"api-{n}", "severity": "high"}} for n in range(1000)])
    return time.thread_time() - begun


@pytest.fixture
def _no_collection() -> Iterator[None]:
    """Leave the collector out: the exporter freezes at its start what a test run still holds."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collection")
@pytest.mark.parametrize("severity", ["critical", "medium"])
async def test_thousands_of_alerts_never_hold_the_loop_for_long(severity: str) -> None:
    """*critical*: a group for each service; *medium*: one group of all of them."""
    many = [
        alert(service=f"api-{n}", provider="custom", severity=severity, at=START - 1000)
        for n in range(FAILING)
    ]
    holds = list[float]()

    async def watch() -> None:
        last = time.thread_time()  # what this thread computed, however busy the machine is
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            holds.append(now - last)
            last = now

    stage = Stage(ALL)
    stage.notifier.follow(stage.configuration)
    watching = asyncio.create_task(watch())
    for alerts in (many, many, []):
        await stage.notifier.take(alerts, stage.clock.now())
        stage.clock._to(stage.clock.tick() + 15)
    watching.cancel()

    assert max(holds) < LONGEST_HOLD * statistics.median(piece_of_work() for _ in range(21))
