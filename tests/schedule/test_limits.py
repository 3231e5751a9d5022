"""Rate limits: of a service and of a host, exact in every window, further attempts included."""

from __future__ import annotations

import pytest

from exporter.config.declarations import RateLimit
from exporter.model import Reason
from tests.clocks import Stage, gaps, most_in_window, reasons, target

MINUTE, HOUR = 60.0, 3600.0


@pytest.mark.parametrize("reason", [Reason.OK, Reason.SERVER_ERROR])
@pytest.mark.parametrize(
    ("limit", "window"),
    [
        (RateLimit(requests_per_minute=7), MINUTE),
        (RateLimit(requests_per_hour=100), HOUR),
        (RateLimit(requests_per_minute=7, requests_per_hour=100), HOUR),
    ],
    ids=["minute", "hour", "both"],
)
async def test_a_service_never_gets_more_requests_than_its_limit(
    limit: RateLimit, window: float, reason: Reason
) -> None:
    async with Stage() as stage:
        stage.prober.script = reasons(then=reason)
        stage.put(target(interval=5.0, retries=3, rate_limit=limit))

        await stage.advance(2 * HOUR)

        ticks = stage.prober.ticks()
        allowed = limit.requests_per_hour if window == HOUR else limit.requests_per_minute
        assert most_in_window(ticks, window) == allowed
        if limit.requests_per_minute:
            assert most_in_window(ticks, MINUTE) <= limit.requests_per_minute


async def test_two_services_of_one_host_together_stay_within_its_limit() -> None:
    limit = RateLimit(requests_per_minute=10)
    async with Stage() as stage:
        pair = [target(i, host="one.example", interval=5.0, rate_limit=limit) for i in "ab"]
        stage.put(*pair)

        await stage.advance(1800)

        assert most_in_window([at for _, at in stage.prober.starts], MINUTE) == 10
        assert stage.prober.ticks("a")
        assert stage.prober.ticks("b")


async def test_services_of_different_hosts_do_not_share_a_limit() -> None:
    limit = RateLimit(requests_per_minute=10)
    async with Stage() as stage:
        stage.put(*(target(name, interval=6.0, rate_limit=limit) for name in "ab"))

        await stage.advance(600)

        assert len(stage.prober.ticks("a")) >= 98
        assert len(stage.prober.ticks("b")) >= 98


async def test_the_largest_limit_of_its_services_is_the_hosts() -> None:
    async with Stage() as stage:
        small, large = RateLimit(requests_per_minute=2), RateLimit(requests_per_minute=12)
        stage.put(
            target("small", host="one.example", interval=5.0, rate_limit=small),
            target("large", host="one.example", interval=5.0, rate_limit=large),
        )

        await stage.advance(1800)

        assert most_in_window([at for _, at in stage.prober.starts], MINUTE) == 12
        assert most_in_window(stage.prober.ticks("small"), MINUTE) == 2


async def test_a_limit_that_changes_counts_what_was_sent_under_the_former_one() -> None:
    async with Stage() as stage:
        for number in range(40):  # as reloads and PATCHes do, each with another limit
            minute = 10 - number % 2
            stage.put(target(interval=5.0, rate_limit=RateLimit(requests_per_minute=minute)))
            await stage.advance(15)

        assert most_in_window(stage.prober.ticks(), MINUTE) == 10


async def test_a_slot_without_budget_is_skipped_and_leaves_no_result() -> None:
    limit = RateLimit(requests_per_hour=10)
    async with Stage() as stage:
        stage.put(target(rate_limit=limit))

        await stage.advance(HOUR)

        assert len(stage.prober.starts) == len(stage.results) == 10
        assert stage.scheduler.in_flight == 0


async def test_no_burst_follows_when_the_budget_returns() -> None:
    limit = RateLimit(requests_per_hour=10)
    async with Stage() as stage:
        stage.put(target(rate_limit=limit))

        await stage.advance(2 * HOUR + 60)

        assert min(gaps(stage.prober.ticks())) > 14


async def test_a_probe_waits_for_budget_that_comes_within_its_interval() -> None:
    limit = RateLimit(requests_per_minute=1)
    async with Stage() as stage:
        stage.put(target(interval=40.0, rate_limit=limit))

        await stage.advance(600)

        assert gaps(stage.prober.ticks())[:3] == pytest.approx([60] * 3, abs=0.1)


async def test_an_attempt_without_budget_is_not_made() -> None:
    limit = RateLimit(requests_per_minute=2)
    async with Stage() as stage:
        stage.prober.script = reasons(then=Reason.SERVER_ERROR)
        stage.put(target(retries=3, rate_limit=limit))

        await stage.advance(14)

        assert [result.attempts for result in stage.results] == [2]


async def test_a_changed_limit_holds_from_then_on() -> None:
    async with Stage() as stage:
        stage.put(target(interval=1.0))
        await stage.advance(120)
        stage.prober.starts.clear()

        stage.put(target(interval=1.0, rate_limit=RateLimit(requests_per_minute=5)))
        await stage.advance(300)

        assert most_in_window(stage.prober.ticks(), MINUTE) == 5
