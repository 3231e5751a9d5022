"""The wall clock may jump: what is measured and what expires goes by the time that passes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.clock import DOUBT_SECONDS, SteadyWall, Steps
from exporter.config import Maintenance
from exporter.incidents import people
from exporter.incidents.alerts import made
from exporter.incidents.delivery import _Delta, _Message
from exporter.incidents.fold import fold
from exporter.incidents.model import Source
from exporter.incidents.states import Report
from exporter.model import Limit, Outcome, Reason, Result, Verdict
from exporter.results import Bucket, History, Results, Retention
from exporter.results.history import WIDTH_SECONDS
from exporter.results.runway import Runways
from exporter.secret import Secret
from exporter.store import Store, Vault
from tests.clocks import QuickClock, Stage, gaps, target
from tests.fakes import service_target
from tests.results.test_aging import Stage as AgingStage

HOUR, DAY, YEARS = 3600.0, 86_400.0, -50 * 365 * 86_400.0
JUMPS = st.one_of(st.sampled_from([YEARS, -HOUR, HOUR, DAY]), st.floats(YEARS, DAY))


class JumpyClock(QuickClock):
    """A clock whose wall time is set at will; it is believed at once."""

    shift = 0.0

    def now(self) -> float:
        return super().now() + self.shift


class DoubtfulClock(JumpyClock):
    """The same, read as `SystemClock` reads the machine's."""

    def __init__(self) -> None:
        super().__init__()
        self._steady = SteadyWall(super().now, self.tick)

    def now(self) -> float:
        return self._steady.now()


# -- which time is believed ------------------------------------------------------------------


@given(
    jumps=st.lists(st.tuples(st.floats(2.0, DOUBT_SECONDS - 2), JUMPS), max_size=8),
    steps=st.lists(st.floats(0.5, 60.0), min_size=1, max_size=5),
)
@settings(max_examples=200, deadline=None)
def test_a_jump_that_does_not_last_is_not_seen(
    jumps: list[tuple[float, float]], steps: list[float]
) -> None:
    clock = DoubtfulClock()
    begun, tick = clock.now(), clock.tick()

    for seconds, shift in jumps:
        clock.shift, left = shift, seconds
        for step in steps:
            clock.jump(min(step, left))
            left = max(0.0, left - step)
            assert clock.now() - begun == pytest.approx(clock.tick() - tick, abs=10.0)
        clock.shift = 0.0
        clock.now()

    assert clock.now() - begun == pytest.approx(clock.tick() - tick, abs=1e-3)


@pytest.mark.parametrize("jump", [YEARS, -HOUR, HOUR, DAY])
def test_a_jump_that_lasts_is_believed_and_logged(
    jump: float, caplog: pytest.LogCaptureFixture
) -> None:
    clock = DoubtfulClock()
    begun = clock.now()
    clock.shift = jump

    with caplog.at_level(logging.WARNING):
        clock.now()
        clock.jump(DOUBT_SECONDS - 1)
        before = clock.now()
        clock.jump(2)
        after = clock.now()

    assert before - begun == pytest.approx(DOUBT_SECONDS - 1)
    assert after - begun == pytest.approx(DOUBT_SECONDS + 1 + jump)
    assert [message[:36] for message in caplog.messages] == [
        "the clock of this machine jumped; it",
        "the clock of this machine stayed whe",
    ]


def test_a_clock_that_is_set_in_small_steps_is_followed() -> None:
    clock, seen = DoubtfulClock(), list[float]()
    steps = Steps(clock)

    for _ in range(100):
        clock.shift += 0.5
        seen.append(clock.now())

    assert gaps(seen) == pytest.approx([0.5] * 99)
    assert steps.made_one()  # of 50 s in all


# -- what is scheduled -----------------------------------------------------------------------


@given(jumps=st.lists(JUMPS, min_size=1, max_size=6), interval=st.sampled_from([10.0, 30.0, 60.0]))
@settings(max_examples=25, deadline=None)
async def test_no_probe_is_missed_doubled_or_moved(jumps: list[float], interval: float) -> None:
    clock = JumpyClock()
    async with Stage(clock=clock) as stage:
        stage.put(target(interval=interval))
        await stage.advance(2 * interval)
        for jump in jumps:
            clock.shift = jump
            await stage.advance(3.3 * interval)

        found = gaps(stage.prober.ticks())[1:]

    assert found == pytest.approx([interval] * len(found), abs=0.3)
    assert len(found) >= 3 * len(jumps) - 1


@pytest.mark.parametrize("jump", [YEARS, -HOUR, HOUR, DAY])
async def test_silence_is_found_in_time_and_only_then(jump: float) -> None:
    service = service_target("a", interval=10.0)
    clock, stage = JumpyClock(), AgingStage(service)
    stage.clock = clock
    stage.aging = type(stage.aging)(stage.registry, stage.results, clock, stage.shown)
    for number in range(10):
        clock.shift = jump if number % 2 else 0.0
        outcome = Outcome(reason=Reason.OK, duration=0.1)
        stage.results.of("a").add(
            Result(service="a", at=clock.now(), outcome=outcome, verdict=Verdict.OK), service
        )
        await stage.aging.look()
        await clock.advance(10.0)

    spoken = list(stage.shown.stale)
    found = []
    for shift in (0.0, jump, 0.0, jump):
        clock.shift = shift
        await stage.aging.look()
        found.append(list(stage.shown.stale))
        await clock.advance(10.5)

    assert spoken == []
    assert found == [[], [], ["a"], ["a"]]


@pytest.mark.parametrize("jump", [YEARS, -HOUR, DAY])
def test_a_wait_is_never_longer_than_what_was_asked_for(jump: float) -> None:
    results, service = Results(), service_target("a")
    outcome = Outcome(reason=Reason.RATE_LIMITED, retry_after=60.0)
    results.of("a").add(
        Result(service="a", at=1000.0, outcome=outcome, verdict=Verdict.QUOTA), service
    )

    assert 0.0 <= results.wait_left(service, 1010.0 + jump) <= 60.0


# -- what expires ----------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [YEARS, -HOUR, HOUR, DAY])
async def test_maintenance_goes_on_while_the_clock_is_wrong(jump: float) -> None:
    clock = DoubtfulClock()
    window = Maintenance(start=clock.now() - 60, end=clock.now() + 600)
    open_, closed = service_target("a", maintenance=(window,)), service_target("b")
    later = replace(window, start=clock.now() + DAY, end=clock.now() + DAY + 600)
    closed = replace(closed, maintenance=(later,))

    clock.shift = jump
    seen = []
    for _ in range(4):
        seen.append((open_.in_maintenance(clock.now()), closed.in_maintenance(clock.now())))
        clock.jump(60)
    clock.shift = 0.0

    assert seen == [(True, False)] * 4
    assert open_.in_maintenance(clock.now())


@pytest.fixture
def jumpy() -> JumpyClock:
    return JumpyClock()


@pytest.fixture
def store(tmp_path: Path, jumpy: JumpyClock) -> Iterator[Store]:
    opened = Store.open(tmp_path / "data", jumpy, Vault(Fernet.generate_key().decode()))
    yield opened
    opened.close()


@pytest.mark.parametrize("jump", [YEARS, DAY, 50 * DAY])
def test_a_former_key_is_kept_for_a_day_and_no_longer(
    store: Store, jumpy: JumpyClock, jump: float
) -> None:
    for name in "ab":
        store.put_key(name, Secret("sk-former"), at=jumpy.now())
        store.put_key(name, Secret("sk-present"), at=jumpy.now())

    jumpy.shift = jump
    jumpy.jump(DAY - 60)
    store.save_states({})
    kept = store.rollback("a")
    jumpy.jump(61)
    store.save_states({})

    assert kept == Secret("sk-former")
    assert store.rollback("b") is None


class Shelf:
    """Notes what is pruned of a history that goes up to *newest*."""

    def __init__(self, newest: float | None) -> None:
        self._newest, self.pruned = newest, list[float]()

    def newest(self) -> float | None:
        return self._newest

    def prune_history(self, before: float) -> None:
        self.pruned.append(before)

    def prune(self, before: float) -> int:
        return 0

    async def retention(self) -> float | None:
        return None


def retention(shelf: Shelf, clock: QuickClock) -> Retention:
    return Retention(shelf, shelf, shelf.retention, clock, volatile=True)


@pytest.mark.parametrize("jump", [HOUR, DAY, -YEARS])
async def test_a_clock_that_is_ahead_for_hours_deletes_no_history(
    jumpy: JumpyClock, jump: float
) -> None:
    shelf = Shelf(jumpy.now())
    keeping = retention(shelf, jumpy)
    await keeping.prune()
    for shift in (jump, jump, 0.0, 0.0):
        jumpy.shift = shift
        jumpy.jump(HOUR)
        await keeping.prune()

    wrong = len(shelf.pruned)
    jumpy.jump(DAY)
    await keeping.prune()

    assert wrong == 1
    assert shelf.pruned[1:] == [jumpy.now() - DAY]


async def test_at_the_start_the_history_says_whether_the_clock_is_right(jumpy: JumpyClock) -> None:
    shelf = Shelf(jumpy.now() - 40 * DAY)
    keeping = retention(shelf, jumpy)

    await keeping.prune()
    at_once = list(shelf.pruned)
    jumpy.jump(DAY)
    await keeping.prune()

    assert at_once == []
    assert shelf.pruned == [jumpy.now() - DAY]


def probed(history: History, at: float) -> None:
    outcome = Outcome(reason=Reason.OK, duration=0.1)
    history.add(Result(service="a", at=at, outcome=outcome, verdict=Verdict.OK))


@given(jumps=st.lists(JUMPS.filter(lambda jump: abs(jump) > WIDTH_SECONDS), max_size=5))
@settings(max_examples=100, deadline=None)
def test_no_result_of_the_right_time_is_lost_from_the_history(jumps: list[float]) -> None:
    history, kept = History(), dict[int, Bucket]()
    now, count = 1_800_000_000.0, 0

    for jump in (*jumps, 0.0):
        for shift in (jump, 0.0):
            for _ in range(5):
                probed(history, now + shift)
                count += not shift
                for row in history.drain():
                    former = kept.get(row.start)
                    if former is None or row.ok >= former.ok:  # as the store does
                        kept[row.start] = row

    assert kept[int(now)].ok == count


def test_what_is_not_written_yet_outlives_a_jump_and_is_bounded() -> None:
    history = History()
    probed(history, 1_800_000_000.0)

    probed(history, 1_800_000_000.0 + 2 * DAY)
    both = len(history)
    for number in range(200):
        probed(history, 1_800_000_000.0 + 2 * DAY + number * WIDTH_SECONDS)

    assert both == 2
    assert len(history) == 96


async def test_the_pace_of_a_limit_is_not_measured_across_a_step() -> None:
    clock, service = JumpyClock(), service_target("a")
    stage = AgingStage(service)
    stage.aging = type(stage.aging)(stage.registry, stage.results, clock, stage.shown)
    tally = stage.results.of("a")
    for left in (100, 90, 80):
        tally.take_limits({"requests": Limit(remaining=left)}, clock.now())
        await clock.advance(30.0)

    clock.shift = DAY
    await stage.aging.look()
    for left in (70, 60, 50):
        tally.take_limits({"requests": Limit(remaining=left)}, clock.now())
        await clock.advance(30.0)

    assert isinstance(tally.runways, Runways)
    assert tally.runways.limits["requests"] - clock.now() == pytest.approx(120.0)


# -- incidents -------------------------------------------------------------------------------


def report(now: float) -> Report:
    return Report(source=Source.WEBHOOK, now=now, new_id=lambda: "i")


def test_what_a_person_ended_under_a_wrong_clock_opens_again() -> None:
    labels = {"alertname": "A", "service": "s", "severity": "high"}
    opened = fold([], made(labels, {}, 1000.0), report(1000.0))[0].incident
    ended = people.resolved(opened, "me", "", 1100.0 + DAY)
    assert ended is not None

    same = fold([ended.incident], made(labels, {}, 1000.0), report(1200.0))
    anew = fold([ended.incident], made(labels, {}, 1300.0), report(1300.0))

    assert same == []
    assert [change.incident.resolved_at for change in anew] == [None]


def test_a_message_is_not_taken_for_delivered_since_the_clock_jumped() -> None:
    message = _Message(unsure=False)

    message.learn(_Delta(failed=True, sure=True), 1000.0, 0.0, crowd=1, exact=False)
    message.learn(_Delta(sent=True, sure=True), 1000.0 + DAY, 10.0, crowd=1, exact=False)
    early = message.delivered
    message.learn(_Delta(sent=True, sure=True), 1010.0, 100.0, crowd=1, exact=False)

    assert (early, message.delivered) == (False, True)
