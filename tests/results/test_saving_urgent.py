"""What fails is saved within a second, however much fails at once."""

from __future__ import annotations

import asyncio

import pytest

from exporter.model import Outcome, Reason, Result, Verdict
from exporter.registry import Registry
from exporter.results import History, Persistence, Results, Tally
from exporter.results.persistence import SLICE_SERVICES, URGENT_SAVE_SECONDS
from exporter.store import Store
from tests.fakes import FakeClock, service_target

COUNT = 4 * SLICE_SERVICES


class _Noting(Results):
    """Notes in which turn of the loop each service is looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.turn, self.turns = 0, set[int]()

    def of(self, service: str) -> Tally:
        self.turns.add(self.turn)
        return super().of(service)

    async def count(self) -> None:
        while True:
            self.turn += 1
            await asyncio.sleep(0)


async def test_an_outage_of_many_is_saved_in_slices() -> None:
    clock, registry, results = FakeClock(), Registry(), _Noting()
    store = Store.in_memory(clock)
    persistence = Persistence(store, results, History(), registry, clock)
    for i in range(COUNT):
        target = service_target(f"s{i}")
        registry.put(target)
        outcome = Outcome(reason=Reason.TIMEOUT)
        seen = Result(service=target.id, at=1.0, outcome=outcome, verdict=Verdict.PROVIDER)
        results.of(target.id).add(seen, target)
        persistence.schedule_save(target.id)
    results.turns.clear()
    tasks = [asyncio.create_task(results.count()), asyncio.create_task(persistence.run())]

    async with asyncio.timeout(20):
        while len(store.states()) < COUNT:
            await clock.advance(URGENT_SAVE_SECONDS)
            await asyncio.sleep(0.01)

    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(results.turns) >= COUNT // SLICE_SERVICES


@pytest.mark.parametrize("again", [False, True], ids=["removed", "and added again"])
async def test_a_service_that_was_removed_after_it_failed_harms_nothing(again: bool) -> None:
    clock, registry, results = FakeClock(), Registry(), Results()
    store = Store.in_memory(clock)
    persistence = Persistence(store, results, History(), registry, clock)
    registry.subscribe(results.follow)
    for name in "ab":
        target = service_target(name)
        registry.put(target)
        outcome = Outcome(reason=Reason.TIMEOUT)
        seen = Result(service=name, at=1.0, outcome=outcome, verdict=Verdict.PROVIDER)
        results.of(name).add(seen, target)
        persistence.schedule_save(name)
    saving = asyncio.create_task(persistence.run())

    registry.remove("a")  # as two reloads within a second do, or a service that is renamed and back
    if again:
        registry.put(service_target("a"))
    async with asyncio.timeout(20):
        while not (saving.done() or store.states()):
            await clock.advance(URGENT_SAVE_SECONDS)
            await asyncio.sleep(0.01)

    assert not saving.done()
    assert list(store.states()) == ["b"]
    saving.cancel()
    await asyncio.gather(saving, return_exceptions=True)
