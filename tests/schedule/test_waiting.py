"""A provider asks us to wait: the next probe comes when it may, and not before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.model import MAX_WAIT_SECONDS, Outcome, Reason, Result, Verdict
from exporter.results import Results
from exporter.schedule import Scheduler
from exporter.schedule.entries import share
from exporter.secret import Secret
from tests.api.managed import running
from tests.clocks import QuickClock, Stage, gaps, outcome, target
from tests.fakes import make_endpoint
from tests.vendor import Vendor, answer

LIMITED = outcome(Reason.RATE_LIMITED, retry_after=600.0)


def limited(answer: Outcome = LIMITED, times: int = 1) -> Any:
    """Return a script of *answer*, a number of times, and of successes after it."""
    return lambda number: answer if number <= times else outcome()


@pytest.mark.parametrize("reason", [Reason.RATE_LIMITED, Reason.QUOTA_EXHAUSTED])
async def test_the_next_probe_comes_when_the_provider_wants_it(reason: Reason) -> None:
    async with Stage() as stage:
        stage.prober.script = limited(replace(LIMITED, reason=reason))
        stage.put(target())

        await stage.advance(900)

        waited, *others = gaps(stage.prober.ticks())
        assert 600 <= waited <= 600.3
        assert 14.9 <= others[0] <= 45.1
        assert others[1:4] == pytest.approx([30] * 3, abs=0.02)


async def test_the_result_carries_until_when() -> None:
    async with Stage() as stage:
        stage.prober.script = limited()
        stage.put(target())

        await stage.advance(700)

        first, second, *_ = stage.results
        assert first.retry_at == pytest.approx(first.at + 0.1 + 600)
        assert second.retry_at is None


async def test_a_wait_shorter_than_the_interval_changes_nothing() -> None:
    async with Stage() as stage:
        stage.prober.script = limited(replace(LIMITED, retry_after=10.0), times=10**6)
        stage.put(target())

        await stage.advance(900)

        assert gaps(stage.prober.ticks())[1:] == pytest.approx([30] * 28, abs=0.02)


@pytest.mark.parametrize(
    "answer",
    [
        outcome(Reason.RATE_LIMITED),
        outcome(Reason.OVERLOADED, retry_after=25.0),
        outcome(Reason.OK, retry_after=600.0),
    ],
    ids=["no time given", "a failure", "a success"],
)
async def test_others_keep_their_pace(answer: Outcome) -> None:
    async with Stage() as stage:
        stage.prober.script = lambda number: answer
        stage.put(target(retries=0))

        await stage.advance(300)

        assert len(stage.prober.starts) >= 10
        assert {result.retry_at for result in stage.results} == {None}


async def test_nobody_is_left_alone_for_longer_than_a_day() -> None:
    async with Stage() as stage:
        stage.prober.script = limited(replace(LIMITED, retry_after=1e9))
        stage.put(target())

        await stage.advance(MAX_WAIT_SECONDS + 60)

        assert gaps(stage.prober.ticks())[0] == pytest.approx(MAX_WAIT_SECONDS, abs=0.3)


CHANGES = {
    "key": {"key": Secret("another-key")},
    "address": {"endpoint": make_endpoint("https://api.example/v2", shown="api")},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
async def test_another_key_or_address_need_not_wait(changes: dict[str, Any]) -> None:
    async with Stage() as stage:
        stage.prober.script = limited()
        stage.put(target(key=Secret("first-key")))
        await stage.advance(60)

        stage.put(target(**{"key": Secret("first-key")} | changes))
        await stage.advance(0.3)
        at_once = len(stage.prober.starts)
        await stage.advance(120)

        assert at_once == 2
        assert 5 <= len(stage.prober.starts) <= 6


async def test_another_interval_does_not_end_the_wait() -> None:
    async with Stage() as stage:
        stage.prober.script = limited()
        stage.put(target())
        await stage.advance(60)

        stage.put(target(interval=20.0))
        await stage.advance(600)

        assert gaps(stage.prober.ticks())[0] == pytest.approx(600, abs=0.3)


async def test_the_wait_survives_a_restart_and_ends_with_the_key() -> None:
    clock, results = QuickClock(), Results()
    first, other = target(key=Secret("first-key")), target(key=Secret("other-key"))
    seen = Result(service="api", at=clock.now() - 100, outcome=LIMITED, verdict=Verdict.QUOTA)
    results.of("api").add(seen, first)
    kept = Results()
    kept.of("api").restore(results.of("api").dump())

    left = (seen.retry_at or 0.0) - clock.now()
    assert kept.wait_left(first, clock.now()) == results.wait_left(first, clock.now()) == left
    assert results.wait_left(other, clock.now()) == 0
    assert await first_probe_after(clock, kept) == pytest.approx(500.1, abs=0.3)


async def first_probe_after(clock: QuickClock, results: Results) -> float:
    """Return after how many seconds a scheduler that begins now first probes."""
    begun = clock.tick()
    async with RestartedStage(clock, results) as stage:
        stage.put(target(key=Secret("first-key")))
        await stage.advance(1000)
        return stage.prober.starts[0][1] - begun


class RestartedStage(Stage):
    """A scheduler that begins with what an earlier one has seen."""

    def __init__(self, clock: QuickClock, results: Results) -> None:
        super().__init__(clock)
        self.scheduler = Scheduler(
            self.prober,
            clock,
            self.record,
            self.network,
            wait_left=lambda target: results.wait_left(target, clock.now()),
        )


async def test_an_application_that_restarts_goes_on_waiting(vendor: Vendor, tmp_path: Path) -> None:
    limited, other = sorted((f"api-{number}" for number in range(2)), key=share)
    vendor.on("/limited", answer(429, headers=[("Retry-After", "3600")]))
    vendor.on("/other", answer())
    check = {"interval": "1h", "retries": 0, "allow_private_addresses": True}
    services = [
        {"id": id_, "base_url": vendor.url(), "health_check": {"endpoint": path, **check}}
        for id_, path in ((limited, "/limited"), (other, "/other"))
    ]
    config = json.dumps({"services": services})

    for count in (1, 2):
        async with running(config, data=tmp_path / "data"):
            # In this order, and by then both would have been probed again.
            await vendor.until(lambda seen, n=count: paths(seen).count("/other") == n)

    assert paths(vendor).count("/limited") == 1


def paths(vendor: Vendor) -> list[str]:
    return [seen.path for seen in vendor.seen]
