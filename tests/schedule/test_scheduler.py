"""When probes begin: on the interval, spread, in the same place, never twice at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from exporter.config.declarations import RateLimit
from exporter.model import Reason
from exporter.schedule.entries import share
from exporter.schedule.scheduler import MAX_PROBES_PER_HOST, QUANTUM_SECONDS
from tests.clocks import FOREVER, QuickClock, Stage, gaps, outcome, target
from tests.fakes import settle
from tests.patience import within


async def test_a_day_at_30_seconds_has_2880_probes_and_no_drift() -> None:
    async with Stage() as stage:
        stage.put(target())

        await stage.advance(86_400)

        ticks = stage.prober.ticks()
        assert abs(len(ticks) - 2880) <= 1
        assert len(stage.results) == len(ticks)
        # At most one wake-up late, on the last day's probe as on the first.
        phase = share("api") * 30
        late = [(1_800_000_000 - 1000 + at - phase) % 30 for at in ticks[1:]]
        assert max(min(x, 30 - x) for x in late) < 0.01


async def test_the_second_round_of_1000_services_is_spread_over_the_interval() -> None:
    async with Stage() as stage:
        stage.put(*(target(f"service-{i}", host="one.example") for i in range(1000)))

        await stage.advance(45)
        first = len(stage.prober.starts)
        await stage.advance(30)

        per_second = Counter(int(at) for _, at in stage.prober.starts[first:])
        assert sum(per_second.values()) == 1000
        assert max(per_second.values()) <= 60
        assert min(per_second.values()) >= 12


async def test_the_first_round_of_1000_services_is_no_burst() -> None:
    async with Stage() as stage:
        stage.put(*(target(f"service-{i}") for i in range(1000)))

        await stage.advance(10.5)

        assert {service for service, _ in stage.prober.starts} == {
            f"service-{i}" for i in range(1000)
        }
        assert max(Counter(int(at) for _, at in stage.prober.starts).values()) <= 150


async def test_a_service_has_the_same_phase_after_a_restart() -> None:
    phases = []
    for start in (1_800_000_000.0, 1_800_003_217.3):
        async with Stage(QuickClock(start)) as stage:
            stage.put(target())
            await stage.advance(300)
            ticks = stage.prober.ticks()
            phases.append((start - 1000 + ticks[-1]) % 30)

    assert phases[0] == pytest.approx(phases[1], abs=0.01)
    assert phases[0] == pytest.approx(share("api") * 30, abs=0.01)


def test_the_share_of_a_service_is_stable_and_between_0_and_1() -> None:
    shares = [share(f"service-{i}") for i in range(1000)]

    assert all(0 <= found < 1 for found in shares)
    assert sum(shares) / 1000 == pytest.approx(0.5, abs=0.05)
    assert share("openai") == share("openai")


async def test_a_slow_prober_is_never_run_twice_at_once_and_missed_slots_are_skipped() -> None:
    async with Stage() as stage:
        stage.prober.takes = lambda service: 70.0
        stage.put(target())

        await stage.advance(900)

        assert stage.prober.most_at_once == {"api": 1}
        assert all(gap == pytest.approx(90, abs=0.1) for gap in gaps(stage.prober.ticks())[1:])


async def test_slots_missed_in_a_hang_are_not_made_up_for() -> None:
    async with Stage() as stage:
        stage.prober.takes = lambda service: 600.0 if len(stage.prober.starts) == 1 else 0.0
        stage.put(target())

        await stage.advance(600 + 300)

        assert abs(len(stage.prober.starts) - 11) <= 1
        assert min(gaps(stage.prober.ticks())) > 14


async def test_one_hanging_service_does_not_delay_another() -> None:
    async with Stage() as stage:
        stage.prober.takes = lambda service: FOREVER if service == "hung" else 0.0
        stage.put(target("hung"), target("fine"))

        await stage.advance(300)

        assert len(stage.prober.ticks("hung")) == 1
        assert len(stage.prober.ticks("fine")) >= 10


async def test_a_hanging_host_with_very_many_services_does_not_delay_another_host() -> None:
    async with Stage() as stage:
        stage.prober.takes = lambda service: 0.0 if service == "fine" else FOREVER
        stage.put(*(target(f"hung-{i}", host="hung.example") for i in range(2100)))
        await stage.advance(30)

        stage.put(target("fine"))
        await stage.advance(60)

        assert len(stage.prober.ticks("fine")) >= 2
        assert len(stage.prober.starts) - len(stage.prober.ticks("fine")) == 256


async def test_a_dropped_service_records_nothing_of_the_probe_under_way() -> None:
    async with Stage() as stage:
        stage.prober.takes = lambda service: 5.0
        stage.put(target())
        await stage.advance(2.5)

        stage.scheduler.drop("api")
        await stage.advance(300)

        assert len(stage.prober.starts) == 1
        assert stage.results == []


async def test_a_service_dropped_and_put_again_is_not_probed_twice_at_once() -> None:
    async with Stage() as stage:
        stage.prober.takes = lambda service: 20.0
        stage.put(target())
        await stage.advance(2.5)

        stage.scheduler.drop("api")
        stage.put(target())
        await stage.advance(300)

        assert stage.prober.most_at_once == {"api": 1}
        assert len(stage.prober.starts) >= 9
        assert len(stage.results) == len(stage.prober.starts) - 1


async def test_an_unchanged_interval_keeps_its_place() -> None:
    async with Stage() as stage:
        stage.put(target())
        await stage.advance(100)

        for number in range(10):
            stage.put(target(name=f"name {number}"))
            await stage.advance(7)
        await stage.advance(100)

        assert all(gap == pytest.approx(30, abs=0.02) for gap in gaps(stage.prober.ticks())[1:])


async def test_a_changed_interval_takes_effect_within_the_new_interval() -> None:
    async with Stage() as stage:
        stage.put(target(interval=3600.0))
        await stage.advance(60)
        before = len(stage.prober.starts)

        stage.put(target(interval=10.0))
        await stage.advance(100)

        assert 9 <= len(stage.prober.starts) - before <= 11


@pytest.mark.parametrize(
    "changes", [{"enabled": False}, {"endpoint": None}], ids=["disabled", "unprobed"]
)
async def test_a_target_that_is_not_to_be_probed_is_not(changes: dict[str, Any]) -> None:
    async with Stage() as stage:
        stage.put(target(), replace(target("other"), **changes))
        await stage.advance(100)
        stage.put(replace(target(), **changes))
        before = len(stage.prober.starts)
        await stage.advance(100)

        assert {service for service, _ in stage.prober.starts} == {"api"}
        assert len(stage.prober.starts) == before


async def test_an_exception_in_the_prober_is_internal_and_probing_goes_on() -> None:
    async with Stage() as stage:
        stage.prober.script = lambda number: RuntimeError("bug") if number == 1 else outcome()
        stage.put(target())

        await stage.advance(100)

        assert stage.reasons[:2] == [Reason.INTERNAL, Reason.OK]
        assert "bug" not in stage.results[0].outcome.detail


async def test_an_exception_in_record_stops_neither_the_loop_nor_the_service() -> None:
    async with Stage() as stage:
        stage.bug = RuntimeError("bug")
        stage.put(target(), target("other"))

        await stage.advance(100)

        assert len(stage.prober.ticks("api")) >= 3
        assert len(stage.prober.ticks("other")) >= 3
        assert not stage.task.done()


async def test_stop_lets_probes_under_way_finish_within_the_grace() -> None:
    async with Stage() as stage:
        stage.prober.takes = lambda service: 4.0
        stage.put(target())
        await stage.advance(2.5)

        stage.scheduler.stop()
        await stage.advance(4.5)

        assert stage.task.done()
        assert stage.reasons == [Reason.OK]


async def test_stop_cancels_what_outlasts_the_grace_and_records_none_of_it() -> None:
    async with Stage() as stage:
        stage.prober.takes = lambda service: 4.0 if service == "quick" else FOREVER
        stage.put(target("quick"), target("hung"))
        await stage.advance(2.5)

        stage.scheduler.stop()
        await stage.advance(4.9)
        before = stage.task.done()
        await stage.advance(1)

        assert (before, stage.task.done()) == (False, True)
        assert [result.service for result in stage.results] == ["quick"]
        assert stage.prober.running == {"quick": 0, "hung": 0}
        assert stage.scheduler.in_flight == 0


async def test_stop_without_anything_under_way_ends_at_the_next_look() -> None:
    async with Stage() as stage:
        stage.scheduler.stop()

        await stage.advance(0.3)

        assert stage.task.done()
        await within(1, stage.task)


async def test_no_probe_begins_after_stop() -> None:
    async with Stage() as stage:
        stage.put(*(target(f"service-{i}") for i in range(50)))
        await stage.advance(0.5)
        before = len(stage.prober.starts)

        stage.scheduler.stop()
        await stage.advance(60)

        assert 0 < before < 50
        assert len(stage.prober.starts) == before


async def test_stop_neither_sends_what_waits_for_a_slot_nor_waits_for_it() -> None:
    async with Stage() as stage:
        stage.prober.takes = lambda service: 4.0
        count = MAX_PROBES_PER_HOST + 50
        stage.put(*(target(f"service-{i}", host="one.example") for i in range(count)))
        await stage.advance(3.5)
        assert len(stage.prober.starts) == MAX_PROBES_PER_HOST

        stage.scheduler.stop()
        await stage.advance(4.5)

        assert stage.task.done()
        assert len(stage.prober.starts) == len(stage.results) == MAX_PROBES_PER_HOST


async def test_stop_does_not_wait_for_a_probe_that_waits_for_its_rate_limit() -> None:
    async with Stage() as stage:
        stage.put(target(rate_limit=RateLimit(requests_per_minute=1)))
        await stage.advance(2.5)
        await stage.advance(stage.prober.ticks()[0] + 55 - stage.clock.tick())

        stage.scheduler.stop()
        await stage.advance(0.3)

        assert stage.task.done()
        assert len(stage.prober.starts) == 1


async def test_the_lag_of_every_start_is_observed_and_small() -> None:
    stage = Stage()
    stage.put(*(target(f"service-{i}") for i in range(100)))
    async with stage:
        await stage.advance(300)

        assert len(stage.lags) == len(stage.prober.starts)
        assert min(stage.lags) >= 0
        assert max(stage.lags) <= QUANTUM_SECONDS + 0.001


async def test_the_lag_shows_that_the_loop_was_late() -> None:
    async with Stage() as stage:
        stage.put(target())
        await stage.advance(40)
        stage.lags.clear()

        stage.clock.jump(100)  # the machine was asleep
        await stage.advance(1)

        assert len(stage.lags) == 1
        assert stage.lags[0] > 60


async def test_in_flight_counts_requests_under_way() -> None:
    async with Stage() as stage:
        stage.prober.takes = lambda service: 3.0
        stage.put(target("a"), target("b"))
        await stage.advance(2.2)
        during = stage.scheduler.in_flight

        await stage.advance(4)

        assert (during, stage.scheduler.in_flight) == (2, 0)


async def test_a_cancelled_run_leaves_no_task_behind() -> None:
    async with Stage() as stage:
        stage.prober.takes = lambda service: FOREVER
        stage.put(target())
        await stage.advance(2.5)

        stage.task.cancel()
        await settle()

        assert stage.prober.running == {"api": 0}
        assert asyncio.all_tasks() == {asyncio.current_task()}
