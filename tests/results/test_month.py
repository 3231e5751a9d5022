"""A month of a service: spans of the store, and the quarters that are in none yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.model import Outcome, Reason, Result, Verdict
from exporter.registry import Registry
from exporter.results import History, Persistence, Results
from exporter.results.history import SPAN_SECONDS
from exporter.store import Store
from tests.fakes import FakeClock, service_target

NOW = 1_800_000_000 // SPAN_SECONDS * SPAN_SECONDS


class Kept:
    """One exporter's results over a store that another one may open after it."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        registry, self.history = Registry(), History()
        registry.replace([service_target("a")])
        self.clock, self.store = clock, store
        self.persistence = Persistence(store, Results(), self.history, registry, clock)

    def saw(self, at: float, took: float = 0.25) -> None:
        outcome = Outcome(reason=Reason.OK, duration=took)
        self.history.add(Result(service="a", at=at, outcome=outcome, verdict=Verdict.OK))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    made = Store.open(tmp_path, clock, None)
    yield made
    made.close()


async def test_a_month_has_every_result_once(store: Store, clock: FakeClock) -> None:
    kept = Kept(store, clock)
    for number in range(32 * 24 * 4 + 5):
        kept.clock._now = at = NOW + 900 * number
        kept.saw(at)
        if not number % 16:
            await kept.persistence.save()
            store.prune_history(at - 100 * 86_400)

    month = await kept.persistence.past("a").month()

    assert [span.start for span in month] == [
        month[0].start + SPAN_SECONDS * number for number in range(len(month))
    ]
    assert 0 <= clock.now() - 30 * 86_400 - month[0].start < SPAN_SECONDS
    assert [span.ok for span in month] == [16] * (len(month) - 1) + [5]
    assert month[-1].percentile(0.5) == pytest.approx(0.25, rel=0.03)


async def test_before_anything_is_joined_a_month_is_made_of_quarters(
    store: Store, clock: FakeClock
) -> None:
    kept = Kept(store, clock)
    kept.saw(NOW - 30)
    await kept.persistence.save()
    kept.saw(NOW, took=0.75)

    month = await kept.persistence.past("a").month()

    assert [(NOW - span.start, span.ok) for span in month] == [(SPAN_SECONDS, 1), (0, 1)]
    assert store.spans("a", 0.0) == []


async def test_a_quarter_goes_on_after_the_process_was_killed(
    store: Store, clock: FakeClock
) -> None:
    first = Kept(store, clock)
    for number in range(5):
        first.saw(NOW + number, took=3.0)
    await first.persistence.save()

    clock._now = NOW + 60
    second = Kept(store, clock)
    second.persistence.restore()
    second.saw(NOW + 60)
    await second.persistence.save()

    (quarter,) = store.history("a")
    assert (quarter.ok, len(quarter.levels)) == (6, 6)
    assert quarter.percentile(0.5) == pytest.approx(3.0, rel=0.03)
