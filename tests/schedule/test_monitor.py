"""What asks by itself stops and starts again: no burst, no limit forgotten."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from exporter.config.declarations import RateLimit
from exporter.schedule import Monitor
from tests.clocks import FOREVER, Stage, target
from tests.fakes import settle
from tests.patience import within


class Beside:
    """A loop beside the scheduler."""

    def __init__(self) -> None:
        self.running = self.started = 0

    async def run(self) -> None:
        self.running, self.started = self.running + 1, self.started + 1
        try:
            await asyncio.Event().wait()
        finally:
            self.running -= 1


class Monitored(Stage):
    """A stage whose scheduler is run by a monitor."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.beside = Beside()
        self.monitor = Monitor(self.scheduler, self.beside.run)

    async def run(self) -> None:
        await self.monitor.run()

    async def stopped(self) -> None:
        """Stop, and let what is under way end."""
        stopping = asyncio.create_task(self.monitor.stop())
        await self.advance(6)
        await within(1, stopping)


@pytest.fixture
async def stage() -> AsyncIterator[Monitored]:
    async with Monitored() as stage:
        yield stage


async def test_a_stopped_monitor_asks_nothing(stage: Monitored) -> None:
    stage.put(*(target(f"service-{i}") for i in range(50)))
    await stage.advance(10)
    running = stage.beside.running

    await stage.stopped()
    before = len(stage.prober.starts)
    await stage.advance(3600)

    assert (before, len(stage.prober.starts)) == (50, 50)
    assert (running, stage.beside.running) == (1, 0)
    assert not stage.monitor.is_on


async def test_what_became_due_meanwhile_is_probed_once_and_spread_as_at_a_start(
    stage: Monitored,
) -> None:
    stage.put(*(target(f"service-{i}") for i in range(1000)))
    await stage.advance(12)
    await stage.stopped()
    await stage.advance(7200)
    before, lags = len(stage.prober.starts), list(stage.lags)

    stage.monitor.start()
    await stage.advance(10.5)

    again = stage.prober.starts[before:]
    assert len({service for service, _ in again}) == len(again) == 1000
    assert max(Counter(int(at) for _, at in again).values()) <= 150
    assert max(stage.lags[len(lags) :]) < 1
    assert (stage.beside.running, stage.beside.started) == (1, 2)


async def test_it_goes_on_at_the_interval_and_never_twice(stage: Monitored) -> None:
    stage.put(target())
    await stage.advance(100)
    for _ in range(3):
        await stage.stopped()
        stage.monitor.start()
    before = len(stage.prober.starts)

    await stage.advance(600)

    assert 19 <= len(stage.prober.starts) - before <= 22
    assert stage.prober.most_at_once == {"api": 1}


async def test_a_rate_limit_holds_across_a_stop(stage: Monitored) -> None:
    stage.put(target(rate_limit=RateLimit(requests_per_minute=2), interval=10.0))
    for _ in range(5):
        await stage.advance(3)
        await stage.stopped()
        stage.monitor.start()

    assert len(stage.prober.starts) <= 2


async def test_a_start_while_it_stops_asks_again(stage: Monitored) -> None:
    stage.prober.takes = lambda service: 4.0
    stage.put(target())
    await stage.advance(2.5)

    stopping = asyncio.create_task(stage.monitor.stop())
    await settle()
    stage.monitor.start()
    await stage.advance(60)

    assert stopping.done()
    assert len(stage.prober.starts) >= 2


async def test_it_may_be_off_from_the_start_and_ends_then_too(stage: Monitored) -> None:
    await stage.stopped()

    stage.monitor.end()
    await within(1, stage.task)

    assert stage.prober.starts == []


async def test_the_end_comes_within_five_seconds_whatever_hangs(stage: Monitored) -> None:
    stage.prober.takes = lambda service: FOREVER
    stage.put(target())
    await stage.advance(2.5)

    stage.monitor.end()
    await stage.advance(5.5)

    assert stage.task.done()
    assert stage.beside.running == 0
