"""The exporter's own time on the disk: how a report knows when it did not run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from exporter.model import Outcome, Reason, Result, Verdict
from exporter.registry import Registry
from exporter.results import Batch, History, Minutes, Persistence, Results
from exporter.store import Store, StoreError
from tests.fakes import FakeClock, service_target
from tests.patience import patient

M = 30_000_000
"""The minute at which the clock begins."""


class Failing:
    """A table that refuses while it is told to."""

    def __init__(self, store: Store) -> None:
        self._table, self.refuses = store.minutes, False
        self.end_others, self.read = store.minutes.end_others, store.minutes.read

    def save(self, batch: Batch) -> None:
        if self.refuses:
            raise StoreError("the disk is full")
        self._table.save(batch)


@dataclass
class Stage:
    clock: FakeClock
    minutes: Minutes
    table: Failing
    persistence: Persistence

    def fail(self) -> None:
        """Record a failed probe that begins now."""
        outcome = Outcome(reason=Reason.TIMEOUT)
        at = self.clock.now()
        result = Result(service="api", at=at, outcome=outcome, verdict=Verdict.PROVIDER)
        self.minutes.add(service_target("api"), result, counted=True, before=None)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    clock = FakeClock(M * 60.0)
    store = Store.in_memory(clock)
    minutes, table, registry = Minutes(), Failing(store), Registry()
    persistence = Persistence(
        store, Results(), History(), registry, clock, minutes=(minutes, table)
    )
    task = asyncio.create_task(persistence.run())
    yield Stage(clock, minutes, table, persistence)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def settled(stage: Stage, seconds: float) -> None:
    """Let *seconds* pass, and the threads that write."""
    for _ in range(int(seconds)):
        await stage.clock.advance(1.0)
        await asyncio.sleep(0.002)


async def until(stage: Stage, minute: int) -> tuple[tuple[int, int], ...]:
    """Return the runs that are on the disk once one of them ends with *minute* after `M`."""
    async with patient(20):
        while True:
            alive = stage.table.read("api", M, M + 60).alive
            if alive and alive[-1][1] >= M + minute:
                return alive
            await settled(stage, 1)


async def test_a_kill_leaves_the_time_until_the_last_save(stage: Stage) -> None:
    alive = await until(stage, 2)

    # Nothing is told to end: what is on the disk now is all that a kill leaves.
    assert alive == ((M, M + 2),)


async def test_a_report_of_a_running_exporter_knows_the_time_until_now(stage: Stage) -> None:
    await until(stage, 1)
    await stage.clock.advance(10_000)  # no save has come through yet

    alive = (await stage.persistence.minutes("api", M, M + 400)).alive
    assert max(end for _, end in alive) == int(stage.clock.now() // 60)


async def test_a_step_of_the_clock_begins_a_new_run(stage: Stage) -> None:
    await until(stage, 1)
    stage.clock._now += 3600.0

    alive = await until(stage, 62)

    assert len(alive) == 2
    assert alive[0][1] <= M + 3
    assert alive[1][0] >= M + 61


async def test_what_a_disk_refused_is_there_once_it_takes_it(stage: Stage) -> None:
    stage.table.refuses = True
    stage.fail()
    await settled(stage, 40)
    assert stage.table.read("api", M, M + 9) == stage.table.read("none", M, M + 9)

    stage.table.refuses = False
    await until(stage, 1)

    kept = stage.table.read("api", M, M + 9)
    assert [entry.minute for entry in kept.minutes] == [M]
    assert kept.alive[0][0] == M


async def test_without_a_place_for_minutes_there_are_none() -> None:
    clock = FakeClock()
    store = Store.in_memory(clock)
    persistence = Persistence(store, Results(), History(), Registry(), clock)
    await persistence.save()

    assert (await persistence.minutes("api", 0, 9)).alive == ()
