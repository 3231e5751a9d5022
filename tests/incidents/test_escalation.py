"""The user's own rules: each runs once for each incident, whatever fails in between."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from exporter.incidents import EntryKind, Escalations, Incident
from exporter.store import Store, StoreError
from tests.fakes import FakeClock
from tests.incidents.saying import NOW, Listener, alert
from tests.patience import patient

PAUSES = (1, 5, 30, 60, 300, 900)


class Stage(Listener):
    """A log with rules."""

    def __init__(self, clock: FakeClock, store: Store | None = None) -> None:
        super().__init__(store, clock)
        self.observed: Counter[tuple[str, str]] = Counter()
        self.escalations = Escalations(self.log, self.store.incidents, clock, self.observe)
        self.ran: list[tuple[str, str]] = []

    def observe(self, rule: str, result: str) -> None:
        self.observed[rule, result] += 1

    def rule(
        self,
        name: str = "call",
        condition: Callable[[Incident], Any] = lambda one: True,
        failing: int = 0,
    ) -> None:
        left = [failing]

        async def action(incident: Incident) -> None:
            self.ran.append((name, incident.service))
            if left[0]:
                left[0] -= 1
                raise OSError("secret text of a vendor")

        self.escalations.add(name, condition, action)

    async def quiet(self) -> None:
        """Return once no rule does anything but wait for the clock."""
        async with patient(5):
            while True:
                await asyncio.sleep(0.002)
                running = self.escalations._running
                if len(running) == self.clock.sleeping:
                    await asyncio.sleep(0.01)
                    if len(self.escalations._running) == self.clock.sleeping:
                        return


@pytest.fixture
def stage(clock: FakeClock) -> Stage:
    return Stage(clock)


async def test_a_rule_runs_once_for_each_incident(stage: Stage) -> None:
    stage.rule()
    for message in (
        alert(NOW, severity="high"),
        alert(NOW + 9),
        alert(NOW + 9),
        alert(NOW, service="b"),
        alert(NOW, NOW + 50, severity="high"),
        alert(NOW + 9, NOW + 50),
        alert(NOW + 99),
    ):
        await stage.hears(message)
        await stage.quiet()

    assert sorted(stage.ran) == [("call", "b"), ("call", "stripe")]
    assert stage.observed == {("call", "ok"): 2}
    actions = [e for one in await stage.all() for e in one.timeline if e.kind is EntryKind.ACTION]
    assert [(e.by, e.note) for e in actions] == [("call", "escalation rule call ran")] * 2


async def test_a_rule_sees_the_incident_with_its_timeline(stage: Stage) -> None:
    seen: list[Incident] = []

    async def action(incident: Incident) -> None:
        seen.append(incident)

    stage.escalations.add("look", lambda one: one.severity == "critical", action)
    await stage.hears(alert(NOW))
    await stage.quiet()

    assert [e.kind for e in seen[0].timeline] == [EntryKind.OPENED]


async def test_a_rule_that_ran_does_not_run_after_a_restart(stage: Stage) -> None:
    stage.rule()
    await stage.hears(alert(NOW))
    await stage.quiet()

    again = Stage(stage.clock, stage.store)
    again.rule()
    again.rule("other")
    await again.escalations.resume()
    await again.quiet()

    assert again.ran == [("other", "stripe")]


async def test_a_rule_that_was_cut_off_runs_after_a_restart(stage: Stage) -> None:
    stage.rule(failing=3)
    await stage.hears(alert(NOW))
    await stage.quiet()
    await stage.escalations.close()

    again = Stage(stage.clock, stage.store)
    again.rule()
    await again.escalations.resume()
    await again.quiet()

    assert (len(stage.ran), len(again.ran)) == (1, 1)
    assert stage.observed == {("call", "error"): 1}
    assert again.observed == {("call", "ok"): 1}


async def test_a_failing_action_is_tried_again_with_growing_pauses(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.rule(failing=3)
    with caplog.at_level(logging.ERROR):
        await stage.hears(alert(NOW))
        for number, pause in enumerate(PAUSES[:3], 1):
            await stage.quiet()
            await stage.clock.advance(pause - 0.5)
            await stage.quiet()
            assert len(stage.ran) == number
            await stage.clock.advance(0.5)
        await stage.quiet()

    assert len(stage.ran) == 4
    assert stage.observed == {("call", "error"): 3, ("call", "ok"): 1}
    assert caplog.messages == [f"escalation rule call failed, attempt {n}" for n in (1, 2, 3)]


async def test_what_keeps_failing_is_given_up_and_told(stage: Stage) -> None:
    stage.rule(failing=99)
    await stage.hears(alert(NOW))
    for pause in (*PAUSES, 0):
        await stage.quiet()
        await stage.clock.advance(pause)
    await stage.quiet()
    await stage.hears(alert(NOW + 9, alertname="ServiceUnresolved", escalation="1"))
    await stage.quiet()

    assert len(stage.ran) == 7
    assert stage.observed == {("call", "error"): 7, ("call", "gave_up"): 1}
    notes = [e.note for e in (await stage.one()).timeline if e.kind is EntryKind.ACTION]
    assert notes == ["escalation rule call failed 7 times: given up"]


async def test_a_condition_that_becomes_true_later_runs_then(stage: Stage) -> None:
    stage.rule(condition=lambda one: one.severity == "critical")
    await stage.hears(alert(NOW, severity="high"))
    await stage.quiet()
    before = list(stage.ran)
    await stage.hears(alert(NOW + 60))
    await stage.quiet()

    assert (before, stage.ran) == ([], [("call", "stripe")])


async def test_a_change_while_the_condition_is_asked_is_not_missed(stage: Stage) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def condition(incident: Incident) -> bool:
        asked.set()
        await answer.wait()
        return incident.severity == "critical"

    stage.rule(condition=condition)
    await stage.hears(alert(NOW, severity="high"))
    await asked.wait()
    await stage.hears(alert(NOW + 60))
    answer.set()
    await stage.quiet()

    assert stage.ran == [("call", "stripe")]


@pytest.mark.parametrize("holds", [True, False])
async def test_a_condition_may_be_awaited(stage: Stage, holds: bool) -> None:
    async def condition(incident: Incident) -> bool:
        return holds

    stage.rule(condition=condition)
    await stage.hears(alert(NOW))
    await stage.quiet()

    assert len(stage.ran) == holds


async def test_a_failing_condition_is_tried_again(stage: Stage) -> None:
    answers: list[Any] = [ZeroDivisionError(), True]

    def condition(incident: Incident) -> bool:
        if isinstance(answer := answers.pop(0), Exception):
            raise answer
        return bool(answer)

    stage.rule(condition=condition)
    await stage.hears(alert(NOW))
    await stage.quiet()
    await stage.clock.advance(1)
    await stage.quiet()

    assert stage.ran == [("call", "stripe")]
    assert stage.observed == {("call", "error"): 1, ("call", "ok"): 1}


async def test_two_rules_do_not_wait_for_each_other(stage: Stage) -> None:
    stage.rule("bad", failing=99)
    stage.rule("good")
    await stage.hears(alert(NOW))
    await stage.quiet()

    assert sorted(stage.ran) == [("bad", "stripe"), ("good", "stripe")]
    assert stage.observed == {("bad", "error"): 1, ("good", "ok"): 1}


async def test_nothing_runs_for_what_somebody_took_or_is_over(stage: Stage) -> None:
    await stage.hears(alert(NOW, service="taken"), alert(NOW, NOW + 5, service="over"))
    await stage.log.acknowledge((await stage.log.unresolved())[0].id, "anna")
    stage.rule()

    await stage.escalations.resume()
    await stage.hears(
        alert(NOW + 9, service="taken", alertname="ServiceUnresolved", escalation="1")
    )
    await stage.quiet()

    assert stage.ran == []


async def test_a_name_is_given_once(stage: Stage) -> None:
    stage.rule()

    with pytest.raises(ValueError, match="there is an escalation rule 'call' already"):
        stage.rule()


async def test_closing_ends_what_runs_and_what_waits(stage: Stage) -> None:
    cancelled = asyncio.Event()
    begun = asyncio.Event()

    async def hang(incident: Incident) -> None:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()

    stage.escalations.add("hangs", lambda one: True, hang)
    stage.rule(failing=9)
    await stage.hears(alert(NOW))
    await begun.wait()
    await stage.escalations.close()

    assert cancelled.is_set()
    assert stage.escalations._running == {}
    assert ("hangs", "ok") not in stage.observed


async def test_a_run_that_cannot_be_kept_is_logged_and_harms_nothing(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store.in_memory(clock)
    stage = Stage(clock, store)

    class _Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(store.incidents, name)

        def action_done(self, id_: str, rule: str) -> None:
            raise StoreError("disk")

    done = asyncio.Event()

    async def action(incident: Incident) -> None:
        done.set()

    def no_observer(rule: str, result: str) -> None:
        pass

    escalations = Escalations(stage.log, _Failing(), clock, no_observer)  # type: ignore[arg-type]
    escalations.add("call", lambda one: True, action)
    with caplog.at_level(logging.ERROR):
        await stage.hears(alert(NOW))
        await done.wait()
        async with patient(5):
            while escalations._running:
                await asyncio.sleep(0.002)

    assert caplog.messages == ["escalation rule call could not be kept"]
