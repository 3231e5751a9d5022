"""Further attempts within a probe, the slow pace of a rejected key, and whose fault it was."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.config.declarations import RetryPolicy
from exporter.model import FACTS, OFFLINE, Reason, Verdict
from exporter.secret import Secret
from tests.clocks import Stage, gaps, outcome, reasons, target
from tests.fakes import make_endpoint, settle

RETRIED = [reason for reason in Reason if FACTS[reason].retry]
NOT_RETRIED = [reason for reason in Reason if not FACTS[reason].retry]


async def first_probe(stage: Stage, **changes: Any) -> None:
    """Run the scheduler until the first probe of a target with *changes* is over."""
    stage.put(target(**{"retries": 2} | changes))
    await stage.advance(14)


@pytest.mark.parametrize("reason", RETRIED)
async def test_a_failure_of_the_provider_is_tried_again(reason: Reason) -> None:
    async with Stage() as stage:
        stage.prober.script = reasons(reason, reason)

        await first_probe(stage)

        assert stage.reasons == [Reason.OK]
        assert stage.results[0].attempts == 3


@pytest.mark.parametrize("reason", NOT_RETRIED)
async def test_what_another_attempt_would_not_mend_is_not_tried_again(reason: Reason) -> None:
    async with Stage() as stage:
        stage.prober.script = reasons(then=reason)

        await first_probe(stage)

        assert stage.reasons == [reason]
        assert len(stage.prober.starts) == stage.results[0].attempts == 1


@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_there_are_no_more_attempts_than_allowed(retries: int) -> None:
    async with Stage() as stage:
        stage.prober.script = reasons(then=Reason.SERVER_ERROR)

        await first_probe(stage, retries=retries)

        assert len(stage.prober.starts) == stage.results[0].attempts == retries + 1
        assert stage.reasons == [Reason.SERVER_ERROR]


@pytest.mark.parametrize(
    ("jitter", "expected"), [(0.0, [0, 0, 0]), (0.5, [0.5, 1, 2]), (0.999, [1, 2, 4])]
)
async def test_the_delay_is_a_random_share_of_a_bound_that_doubles(
    jitter: float, expected: list[float]
) -> None:
    async with Stage(jitter=jitter) as stage:
        stage.prober.script = reasons(then=Reason.OVERLOADED)

        await first_probe(stage, retries=3)

        assert gaps(stage.prober.ticks()) == pytest.approx(expected, abs=0.02)


async def test_the_bound_follows_the_retry_policy() -> None:
    policy = RetryPolicy(base_delay=0.2, backoff_multiplier=3)
    async with Stage(jitter=1.0) as stage:
        stage.prober.script = reasons(then=Reason.TIMEOUT)

        await first_probe(stage, retries=3, retry_policy=policy)

        assert gaps(stage.prober.ticks()) == pytest.approx([0.2, 0.6, 1.8], abs=0.001)


@pytest.mark.parametrize("asked", [0.0, 0.25, 7.0])
async def test_retry_after_is_honoured_to_the_letter(asked: float) -> None:
    async with Stage() as stage:
        stage.prober.script = lambda number: outcome(Reason.OVERLOADED, retry_after=asked)

        await first_probe(stage, retries=1)

        assert gaps(stage.prober.ticks()) == pytest.approx([asked], abs=0.001)


@pytest.mark.parametrize("asked", [29.0, 3600.0, float("inf")])
async def test_retry_after_beyond_the_interval_means_no_further_attempt(asked: float) -> None:
    async with Stage() as stage:
        stage.prober.script = lambda number: outcome(Reason.OVERLOADED, retry_after=asked)

        await first_probe(stage)

        assert len(stage.prober.starts) == 1
        assert stage.reasons == [Reason.OVERLOADED]


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
async def test_all_attempts_of_a_probe_end_within_its_interval(jitter: float) -> None:
    async with Stage(jitter=jitter) as stage:
        stage.prober.script = reasons(then=Reason.TIMEOUT)
        stage.prober.takes = lambda service: stage.prober.timeouts[-1]
        endpoint = make_endpoint("https://a.example/", shown="api", timeout=8.0)
        stage.put(target(endpoint=endpoint, retries=10))

        await stage.advance(40)
        stage.prober.starts.clear()
        stage.results.clear()
        await stage.advance(300)

        at = [result.at for result in stage.results]
        assert gaps(at) == pytest.approx([30] * (len(at) - 1), abs=0.02)
        assert all(result.attempts >= 3 for result in stage.results)


async def test_the_last_attempt_gets_only_the_time_that_is_left() -> None:
    async with Stage(jitter=0.0) as stage:
        stage.prober.script = reasons(then=Reason.TIMEOUT)
        stage.prober.takes = lambda service: 13.0
        endpoint = make_endpoint("https://a.example/", shown="api", timeout=13.0)

        stage.put(target(endpoint=endpoint, retries=1, interval=24.0))
        await stage.advance(14)

        assert stage.prober.timeouts == pytest.approx([13, 11], abs=0.01)


async def test_a_rejected_key_is_tried_once_in_five_minutes() -> None:
    async with Stage() as stage:
        stage.prober.script = reasons(then=Reason.AUTH_INVALID)
        stage.put(target())

        await stage.advance(3600)

        assert 12 <= len(stage.prober.starts) <= 13
        assert all(gap == pytest.approx(300, abs=0.3) for gap in gaps(stage.prober.ticks()))


async def test_an_interval_above_five_minutes_is_not_shortened_by_a_rejected_key() -> None:
    async with Stage() as stage:
        stage.prober.script = reasons(then=Reason.AUTH_EXPIRED)
        stage.put(target(interval=900.0))

        await stage.advance(3600)

        assert all(gap == pytest.approx(900, abs=0.3) for gap in gaps(stage.prober.ticks()))


@pytest.mark.parametrize("service", ["api", "openai", "stripe", "github", "slack", "twilio"])
async def test_a_key_that_is_accepted_again_returns_to_the_normal_pace_at_once(
    service: str,
) -> None:
    async with Stage() as stage:
        stage.prober.script = reasons(Reason.AUTH_INVALID)
        stage.put(target(service))

        await stage.advance(450)

        first, second, third, *_ = stage.prober.ticks(service)
        assert second - first == pytest.approx(300, abs=0.3)
        assert 14.9 <= third - second <= 45.1
        assert gaps(stage.prober.ticks(service))[2:5] == pytest.approx([30] * 3, abs=0.02)


CHANGES = {
    "key": {"key": Secret("another-key")},
    "address": {"endpoint": make_endpoint("https://api.example/v2", shown="api")},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
async def test_a_rejected_service_whose_key_or_address_changed_is_probed_at_once(
    changes: dict[str, Any],
) -> None:
    async with Stage() as stage:
        stage.prober.script = reasons(Reason.AUTH_INVALID)
        stage.put(target(key=Secret("first-key")))
        await stage.advance(60)

        stage.put(target(**{"key": Secret("first-key")} | changes))
        await stage.advance(0.3)
        at_once = len(stage.prober.starts)
        await stage.advance(120)

        assert at_once == 2
        assert 5 <= len(stage.prober.starts) <= 6


async def test_a_key_changed_during_a_probe_is_probed_right_after_it_and_not_slowed() -> None:
    async with Stage() as stage:
        stage.prober.takes = lambda service: 5.0
        stage.prober.script = reasons(Reason.AUTH_INVALID)
        stage.put(target(key=Secret("first-key")))
        await stage.advance(2.5)

        stage.put(target(key=Secret("second-key")))
        await stage.advance(10)
        right_after = gaps(stage.prober.ticks())
        await stage.advance(100)

        assert right_after == pytest.approx([5], abs=0.3)
        assert stage.prober.most_at_once == {"api": 1}
        assert 5 <= len(stage.prober.starts) <= 6


async def test_a_changed_key_of_a_healthy_service_is_probed_at_once() -> None:
    async with Stage() as stage:
        stage.put(target(interval=3600.0))
        await stage.advance(60)

        stage.put(target(interval=3600.0, key=Secret("a-key")))
        await stage.advance(0.3)

        assert len(stage.prober.starts) == 2


@pytest.mark.parametrize("reason", sorted(OFFLINE))
@pytest.mark.parametrize(
    ("online", "verdict"), [(True, Verdict.PROVIDER), (False, Verdict.NETWORK)]
)
async def test_who_is_to_blame_for_silence_depends_on_our_own_network(
    reason: Reason, online: bool, verdict: Verdict
) -> None:
    async with Stage() as stage:
        stage.network.online = online
        stage.prober.script = reasons(then=reason)

        await first_probe(stage, retries=0)

        assert stage.results[0].verdict is verdict


async def test_a_silent_probe_is_recorded_only_after_the_network_was_checked_anew() -> None:
    async with Stage() as stage:
        stage.network.answered.clear()
        stage.prober.script = reasons(then=Reason.CONNECT)
        await first_probe(stage, retries=0)
        before = list(stage.results)

        stage.network.answered.set()
        await settle()

        assert before == []
        assert stage.reasons == [Reason.CONNECT]
        assert stage.network.asked == stage.prober.ticks()


async def test_a_probe_that_waits_for_the_network_check_holds_no_slot() -> None:
    async with Stage() as stage:
        stage.network.answered.clear()
        stage.prober.script = reasons(then=Reason.CONNECT)
        stage.put(*(target(f"service-{i}", host="one.example") for i in range(300)))

        await stage.advance(20)

        assert len(stage.prober.starts) == 300
        assert stage.scheduler.in_flight == 0
        stage.network.answered.set()


@pytest.mark.parametrize("reason", sorted(set(Reason) - OFFLINE))
async def test_an_answer_proves_that_the_network_works(reason: Reason) -> None:
    async with Stage() as stage:
        stage.network.online = False
        stage.prober.script = reasons(then=reason)

        await first_probe(stage, retries=0)

        assert stage.network.asked == []
        assert stage.results[0].verdict is FACTS[reason].verdict
