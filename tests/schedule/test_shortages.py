"""A shortage of our own: the loop that was held, what was due meanwhile, who is told."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest

from exporter.model import Outcome, Reason, Shortage, Verdict
from exporter.probers import Endpoint
from exporter.results.tally import Results
from exporter.schedule import Canaries, CanaryPlan, Heart
from exporter.schedule.scheduler import RECOVERY_SECONDS
from exporter.schedule.shortages import QUIET_SECONDS
from tests.clocks import Stage, outcome, reasons, target
from tests.fakes import make_endpoint


class Holding:
    """Makes the loop stand for *held* seconds while the first attempt is under way."""

    def __init__(self, stage: Stage, held: float, *then: Reason) -> None:
        self.stage, self.held, self.then = stage, held, then
        stage.prober.script = self

    def __call__(self, number: int) -> Outcome:
        if number == 1:
            self.stage.clock.jump(self.held)
        return outcome(self.then[number - 1] if number <= len(self.then) else Reason.OK)


def probed(timeout: float, **changes: Any) -> Any:
    endpoint = make_endpoint("https://api.example/api", shown="api", timeout=timeout)
    return target(endpoint=endpoint, **changes)


OFFLINE = [Reason.TIMEOUT, Reason.CONNECT, Reason.TLS, Reason.DNS, Reason.PROTOCOL]


@pytest.mark.parametrize("reason", OFFLINE)
async def test_a_failure_while_the_loop_was_held_is_ours(reason: Reason) -> None:
    async with Stage() as stage:
        Holding(stage, 3.0, reason)
        stage.put(probed(5.0))
        await stage.advance(5)

        (result,) = stage.results
        assert (result.reason, result.verdict) == (Reason.INTERNAL, Verdict.MONITORING)
        assert result.outcome.shortage is Shortage.LOOP
        assert result.outcome.detail == "the exporter itself was held for 2.8 s of it"
        assert stage.network.asked == []


@pytest.mark.parametrize(
    ("held", "limit", "ours"),
    [
        (0.9, 10.0, False),
        (1.3, 10.0, True),
        (0.4, 2.0, False),
        (0.8, 2.0, True),
        (0.05, 0.1, False),
    ],
)
async def test_it_takes_a_second_or_a_quarter_of_the_time_limit(
    held: float, limit: float, ours: bool
) -> None:
    async with Stage() as stage:
        Holding(stage, held, Reason.TIMEOUT)
        stage.put(probed(limit))
        await stage.advance(5)

        assert stage.reasons == [Reason.INTERNAL if ours else Reason.TIMEOUT]


@pytest.mark.parametrize("reason", [Reason.SERVER_ERROR, Reason.AUTH_INVALID])
async def test_an_answer_is_believed_although_the_loop_was_held(reason: Reason) -> None:
    async with Stage() as stage:
        Holding(stage, 3.0, reason)
        stage.put(probed(5.0))
        await stage.advance(5)

        assert stage.reasons == [reason]
        assert stage.results[0].outcome.measured is False


async def test_the_duration_of_a_held_probe_is_in_no_latency() -> None:
    async with Stage() as stage:
        Holding(stage, 3.0)
        made = probed(5.0)
        stage.put(made)
        await stage.advance(40)

        tally = Results().of("api")
        for result in stage.results:
            tally.add(result, made)

    assert [one.outcome.measured for one in stage.results] == [False, True]
    assert (sum(tally.buckets), tally.events[0], tally.reasons[0]) == (1, 2, 2)
    assert tally.latency_sum == 0.1


async def test_a_held_attempt_is_made_again_within_the_probe() -> None:
    async with Stage() as stage:
        Holding(stage, 3.0, Reason.TIMEOUT)
        stage.put(probed(5.0, retries=1))
        await stage.advance(9)

        assert stage.reasons == [Reason.OK]
        assert stage.results[0].attempts == 2
        assert stage.results[0].outcome.measured


async def test_a_failure_after_the_hold_is_the_providers() -> None:
    async with Stage() as stage:
        Holding(stage, 3.0, Reason.TIMEOUT, Reason.TIMEOUT)
        stage.put(probed(5.0))
        await stage.advance(40)

        assert stage.reasons == [Reason.INTERNAL, Reason.TIMEOUT]
        assert stage.results[1].verdict is Verdict.PROVIDER


async def test_an_earlier_hold_makes_a_later_one_no_shorter() -> None:
    async with Stage() as stage:
        stage.put(probed(5.0))
        stage.clock.jump(50)
        await stage.advance(40)

        def held_again(number: int) -> Outcome:
            stage.clock.jump(2.0)
            return outcome(Reason.TIMEOUT)

        stage.prober.script = held_again
        stage.results.clear()
        while not stage.results:
            await stage.advance(1)

        assert stage.reasons == [Reason.INTERNAL]


async def test_a_process_that_was_stopped_does_not_probe_all_at_once() -> None:
    async with Stage() as stage:
        stage.put(*(target(f"s{i}") for i in range(200)))
        await stage.advance(40)
        stage.prober.starts.clear()
        stage.results.clear()

        stage.clock.jump(60)
        continued = stage.clock.tick()
        await stage.advance(RECOVERY_SECONDS + 1)

        starts = Counter(int(at - continued) for _, at in stage.prober.starts)
        assert len({service for service, _ in stage.prober.starts}) == 200
        # spread over 20 s, beside those that are due by their grid
        assert max(starts.values()) < 40
        assert set(stage.reasons) == {Reason.OK}


async def test_a_stop_counts_once_for_what_was_under_way() -> None:
    async with Stage() as stage:
        stage.prober.script = reasons(Reason.OK, Reason.TIMEOUT)
        stage.put(probed(5.0))
        await stage.advance(20)
        stage.prober.takes = lambda service: 5.0
        while len(stage.prober.starts) < 2:
            await stage.advance(1)

        stage.clock.jump(60)
        await stage.advance(1)

        assert stage.reasons == [Reason.OK, Reason.INTERNAL]


async def test_what_ends_after_the_stop_of_the_scheduler_is_not_taken_for_held() -> None:
    async with Stage() as stage:
        stage.put(probed(10.0))
        stage.prober.takes = lambda service: 4.0
        stage.prober.script = lambda number: outcome(Reason.TIMEOUT)
        while not stage.prober.starts:
            await stage.advance(0.5)

        stage.scheduler.stop()
        await stage.advance(4.5)

        assert stage.reasons == [Reason.TIMEOUT]


def lacking(shortage: Shortage, reason: Reason = Reason.INTERNAL) -> Outcome:
    return outcome(reason, shortage=shortage, detail=f"no {shortage}")


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (lacking(Shortage.DESCRIPTORS), Verdict.MONITORING),
        (lacking(Shortage.RESOLVER, Reason.DNS), Verdict.NETWORK),
        (lacking(Shortage.FIREWALL, Reason.CONNECT), Verdict.NETWORK),
    ],
)
async def test_a_shortage_is_not_the_providers_although_the_canaries_answer(
    seen: Outcome, verdict: Verdict
) -> None:
    async with Stage() as stage:
        stage.prober.script = lambda number: seen
        made = probed(5.0)
        stage.put(made)
        await stage.advance(100)
        tally = Results().of("api")
        for result in stage.results:
            tally.add(result, made)

    assert len(stage.results) >= 3
    assert {result.verdict for result in stage.results} == {verdict}
    assert stage.network.asked == []
    assert (tally.in_a_row, tally.held, tally.changes) == (0, 0, 0)
    assert (tally.events, tally.bad) == ([0, 0], [0, 0])


async def test_a_shortage_that_is_over_a_moment_later_costs_one_attempt() -> None:
    async with Stage() as stage:
        stage.prober.script = lambda n: lacking(Shortage.DESCRIPTORS) if n == 1 else outcome()
        stage.put(probed(5.0, retries=2))
        await stage.advance(9)

        assert (stage.reasons, stage.results[0].attempts) == ([Reason.OK], 2)


async def test_shortages_are_counted_each_and_logged_once_a_minute_and_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Stage() as stage:
        kinds = (Shortage.DESCRIPTORS, Shortage.MEMORY)
        stage.prober.script = lambda number: lacking(kinds[number % 2])
        stage.put(*(target(f"s{i}") for i in range(50)))
        with caplog.at_level(logging.WARNING):
            await stage.advance(QUIET_SECONDS)
            first = [record for record in caplog.records if "shortage" in record.message]
            await stage.advance(QUIET_SECONDS)

    lines = [vars(one)["fields"] for one in caplog.records if "shortage" in one.message]
    assert len(first) == 2
    assert len(lines) == 4
    assert len(stage.shortages) == len(stage.prober.starts) >= 150
    assert lines[2]["attempts"] > 10


class OneAnswer:
    """A canary that answers with what it is given, after *held* seconds without a loop."""

    def __init__(self, clock: Any) -> None:
        self.clock, self.held, self.seen = clock, 0.0, outcome()

    async def probe(self, endpoint: Endpoint) -> Outcome:
        self.clock.jump(self.held)
        return self.seen


@pytest.mark.parametrize(
    ("held", "seen", "online"),
    [
        (0.0, outcome(Reason.TIMEOUT), False),
        (3.0, outcome(Reason.TIMEOUT), True),
        (0.0, lacking(Shortage.DESCRIPTORS), True),
        (0.0, lacking(Shortage.RESOLVER, Reason.DNS), False),
    ],
)
async def test_a_canary_that_we_could_not_ask_says_nothing_about_our_network(
    held: float, seen: Outcome, online: bool
) -> None:
    stage = Stage()
    heart, asked = Heart(stage.clock), OneAnswer(stage.clock)
    plan = CanaryPlan(name="c", endpoint=make_endpoint("https://c.example/"), interval=30.0)
    canaries = Canaries((plan,), asked, stage.clock, heart)
    assert await canaries.confirm(stage.clock.tick())

    stage.clock.jump(30)
    asked.held, asked.seen = held, seen
    heart.beat(0.01)

    assert await canaries.confirm(stage.clock.tick()) is online
    assert canaries.states == {"c": online}
