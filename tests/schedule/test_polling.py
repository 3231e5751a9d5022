"""Slow side jobs: on their interval, oldest first, few at a time, faults contained."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from exporter.schedule.polling import MAX_JOBS, Polling
from tests.clocks import QuickClock, gaps


class Jobs:
    """A running `Polling` whose jobs note when they ran."""

    def __init__(self) -> None:
        self.clock = QuickClock()
        self.polling = Polling(self.clock)
        self.ran: list[tuple[str, float]] = []
        self.takes = 0.0
        self.running = self.most = 0
        self.bugs: set[str] = set()

    def put(self, name: str, interval: float = 300.0) -> None:
        async def job() -> None:
            self.ran.append((name, self.clock.tick()))
            self.running += 1
            self.most = max(self.most, self.running)
            if self.takes:
                await self.clock.sleep(self.takes)
            self.running -= 1
            if name in self.bugs:
                raise RuntimeError("bug")

        self.polling.put(name, interval, job)

    def ticks(self, name: str) -> list[float]:
        return [at for who, at in self.ran if who == name]


@pytest.fixture
async def jobs() -> AsyncIterator[Jobs]:
    made = Jobs()
    running = asyncio.create_task(made.polling.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_job_runs_on_its_interval(jobs: Jobs) -> None:
    jobs.put("a", 300.0)

    await jobs.clock.advance(3600)

    assert 12 <= len(jobs.ran) <= 13
    assert all(300 <= gap <= 300.3 for gap in gaps(jobs.ticks("a")))


async def test_the_first_runs_are_no_burst(jobs: Jobs) -> None:
    for number in range(50):
        jobs.put(f"job {number}")

    await jobs.clock.advance(9.8)

    times = [at for _, at in jobs.ran]
    assert 48 <= len(times) <= 50
    assert times[-1] - times[0] > 9


async def test_few_run_at_a_time(jobs: Jobs) -> None:
    jobs.takes = 10.0
    for number in range(20):
        jobs.put(f"job {number}")

    await jobs.clock.advance(200)

    assert jobs.most == MAX_JOBS
    assert len({name for name, _ in jobs.ran}) == 20


async def test_no_job_starves_when_all_are_late(jobs: Jobs) -> None:
    jobs.takes = 10.0
    for number in range(20):
        jobs.put(f"job {number}", interval=10.0)

    await jobs.clock.advance(600)

    runs = [len(jobs.ticks(f"job {number}")) for number in range(20)]
    assert max(runs) - min(runs) <= 2


async def test_a_known_name_keeps_its_place_and_gets_the_new_job(jobs: Jobs) -> None:
    jobs.put("a")
    await jobs.clock.advance(200)

    jobs.put("a")
    await jobs.clock.advance(200)

    assert gaps(jobs.ticks("a")) == pytest.approx([300], abs=0.3)


async def test_a_dropped_job_runs_no_more(jobs: Jobs) -> None:
    jobs.put("a")
    jobs.put("b")
    await jobs.clock.advance(10)

    jobs.polling.drop("a")
    jobs.polling.drop("never known")
    await jobs.clock.advance(600)

    assert len(jobs.ticks("a")) == 1
    assert len(jobs.ticks("b")) >= 2
    assert jobs.polling.names() == {"b"}


async def test_a_fault_in_a_job_stops_neither_it_nor_others(jobs: Jobs) -> None:
    jobs.bugs = {"a"}
    jobs.put("a")
    jobs.put("b")

    await jobs.clock.advance(950)

    assert len(jobs.ticks("a")) == len(jobs.ticks("b")) == 4


async def test_a_hastened_job_runs_so_long_after_its_last_run(jobs: Jobs) -> None:
    jobs.put("a", 300.0)
    await jobs.clock.advance(20)

    jobs.polling.hasten("a", 60.0)
    await jobs.clock.advance(100)
    jobs.polling.hasten("a", 15.0)
    await jobs.clock.advance(1)
    jobs.polling.hasten("a", 900.0)
    await jobs.clock.advance(300)

    first, second, third, fourth = jobs.ticks("a")
    assert 60 <= second - first <= 60.3
    assert 120 <= third - first <= 120.5
    assert 300 <= fourth - third <= 300.3


async def test_a_faster_interval_holds_from_the_next_run_on(jobs: Jobs) -> None:
    jobs.put("a", 300.0)
    await jobs.clock.advance(20)

    jobs.put("a", 60.0)
    await jobs.clock.advance(500)

    assert [round(gap) for gap in gaps(jobs.ticks("a"))] == [300, 60, 60, 60]
