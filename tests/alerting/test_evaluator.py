"""The evaluator at the size of a large fleet: in slices, and cheap where nothing happens."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Sequence

from exporter.alerting import Evaluator, OwnWatch, Views
from exporter.alerting.own import LAG_BOUNDS
from exporter.config import Target
from exporter.config.declarations import Alerts
from exporter.config.thresholds import thresholds_of
from exporter.incidents.model import Alert
from exporter.metrics.own import Delays
from exporter.model import Reason, Result, verdict_of
from exporter.registry import Registry
from exporter.results import Results
from tests.clocks import QuickClock, target
from tests.fleet import seen

MANY = 4000


class Fleet:
    """Many services, the first *failing* of which fail."""

    def __init__(self, count: int, failing: int) -> None:
        self.clock, self.registry, self.results = QuickClock(), Registry(), Results()
        self.failing = failing
        rows = thresholds_of(Alerts(), 30.0)
        self.registry.replace(target(f"s{i}", thresholds=rows, team="t") for i in range(count))
        own = OwnWatch(lambda: False, lambda: "a:9642", lags=Delays("lag", "", LAG_BOUNDS).counts)
        self.evaluator = Evaluator(
            self.registry, self.results, self.clock, Views(canaries=dict), own=own
        )

    def probe(self) -> None:
        for i, one in enumerate(self.registry):
            self._probe(one, Reason.SERVER_ERROR if i < self.failing else Reason.OK)

    def _probe(self, one: Target, reason: Reason) -> None:
        result = Result(
            service=one.id,
            at=self.clock.now(),
            outcome=seen(reason, status=500),
            verdict=verdict_of(reason),
        )
        self.results.of(one.id).add(result, one)

    async def rounds(self, count: int) -> Sequence[Alert]:
        """Probe and evaluate so many times."""
        alerts: Sequence[Alert] = ()
        for _ in range(count):
            self.probe()
            alerts = await self.evaluator.evaluate()
            await self.clock.advance(30)
        return alerts


async def test_an_evaluation_lets_the_loop_run_in_between() -> None:
    fleet = Fleet(MANY, MANY // 2)
    await fleet.rounds(5)
    fleet.probe()
    stretches: list[float] = []
    watching = asyncio.create_task(_watch(stretches))
    await asyncio.sleep(0)

    alerts = await fleet.evaluator.evaluate()

    watching.cancel()
    assert len(alerts) == MANY  # high and critical of each that fails
    # Of the processor's own time, so that nothing else on the machine counts.
    assert max(stretches) < max(0.020, sum(stretches) / 5)
    assert len(stretches) > 5


async def _watch(stretches: list[float]) -> None:
    last = time.thread_time()
    while True:
        await asyncio.sleep(0)
        now = time.thread_time()
        stretches.append(now - last)
        last = now


async def test_what_is_well_costs_little() -> None:
    well, ill = Fleet(MANY, 0), Fleet(MANY, MANY)
    costs = []
    for fleet in (well, ill):
        await fleet.rounds(5)
        fleet.probe()
        began = time.thread_time()
        await fleet.evaluator.evaluate()
        costs.append(time.thread_time() - began)

    assert costs[0] < costs[1] / 4


async def test_a_service_that_is_well_takes_little_memory() -> None:
    fleet = Fleet(MANY, 0)
    fleet.probe()
    await Fleet(10, 0).rounds(1)  # what is made once
    tracemalloc.start()
    try:
        await fleet.evaluator.evaluate()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert used / MANY < 600


async def test_a_service_that_is_removed_leaves_nothing() -> None:
    fleet = Fleet(20, 20)
    await fleet.rounds(5)
    fleet.registry.replace(())

    left = await fleet.evaluator.evaluate()
    assert {alert.labels["alertname"] for alert in left} == {"MonitoringNetworkDown"}
    await fleet.rounds(10)
    assert await fleet.evaluator.evaluate() == []
    assert not fleet.evaluator._memories
    assert not fleet.evaluator._actives
