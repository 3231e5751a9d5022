"""Is it us? Canaries asked on a schedule and on doubt."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from exporter.model import FACTS, Outcome, Reason, Verdict
from exporter.schedule import Canaries, CanaryPlan
from tests.clocks import QuickClock, ScriptedProber, outcome
from tests.fakes import make_endpoint, settle


def plan(name: str, interval: float = 15.0) -> CanaryPlan:
    endpoint = make_endpoint(f"https://{name}.example/", shown=name)
    return CanaryPlan(name=name, endpoint=endpoint, interval=interval)


class Sky:
    """Canaries whose answers are in `down`."""

    def __init__(self, *plans: CanaryPlan) -> None:
        self.clock = QuickClock()
        self.prober = ScriptedProber(self.clock)
        self.down: dict[str, Reason | Exception] = {}
        self.prober.script = self._answer
        self.canaries = Canaries(plans, self.prober, self.clock)

    def _answer(self, number: int) -> Outcome | Exception:
        name = self.prober.starts[number - 1][0]
        found = self.down.get(name, Reason.OK)
        return found if isinstance(found, Exception) else outcome(found)

    async def confirm(self) -> bool:
        return await self.canaries.confirm(self.clock.tick())


A, B = plan("a"), plan("b")


async def test_without_canaries_the_network_is_believed_to_work() -> None:
    sky = Sky()

    assert await sky.confirm()
    assert sky.canaries.online
    assert sky.canaries.states == {}


@pytest.mark.parametrize(("down", "online"), [("", True), ("a", True), ("b", True), ("ab", False)])
async def test_one_canary_that_answers_is_enough(down: str, online: bool) -> None:
    sky = Sky(A, B)
    sky.down = dict.fromkeys(down, Reason.TIMEOUT)

    assert await sky.confirm() is online
    assert sky.canaries.states == {"a": "a" not in down, "b": "b" not in down}


@pytest.mark.parametrize("reason", Reason)
async def test_only_the_expected_answer_counts(reason: Reason) -> None:
    sky = Sky(A)
    sky.down = {"a": reason}

    assert await sky.confirm() == (FACTS[reason].verdict is Verdict.OK)


async def test_an_outage_began_with_the_first_check_that_no_canary_answered() -> None:
    sky = Sky(A)
    await sky.confirm()
    assert sky.canaries.offline_since is None

    await sky.clock.advance(15)
    sky.down, began = {"a": Reason.CONNECT}, sky.clock.now()
    for _ in range(3):
        await sky.confirm()
        assert sky.canaries.offline_since == began
        await sky.clock.advance(15)
    sky.down = {}
    await sky.confirm()
    assert sky.canaries.offline_since is None


async def test_a_bug_in_a_check_is_no_answer_and_spoils_no_other() -> None:
    sky = Sky(A, B)
    sky.down = {"a": RuntimeError("bug")}

    assert await sky.confirm()
    assert sky.canaries.states == {"a": False, "b": True}


async def test_a_check_from_before_the_doubt_is_not_enough() -> None:
    sky = Sky(A)
    await sky.confirm()
    sky.down = {"a": Reason.CONNECT}
    await sky.clock.advance(1)

    assert not await sky.confirm()


async def test_a_check_from_after_the_doubt_is_not_repeated() -> None:
    sky = Sky(A)
    began = sky.clock.tick()
    await sky.clock.advance(1)
    await sky.confirm()

    await sky.canaries.confirm(began)

    assert len(sky.prober.starts) == 1


async def test_a_thousand_doubts_at_once_ask_once() -> None:
    sky = Sky(A)
    sky.prober.takes = lambda name: 0.05
    doubts = [asyncio.create_task(sky.confirm()) for _ in range(1000)]

    await sky.clock.advance(1)

    assert all(await asyncio.gather(*doubts))
    assert len(sky.prober.starts) == 1


async def test_plans_replaced_during_a_check_are_asked_before_anybody_is_blamed() -> None:
    sky = Sky(A)
    sky.prober.takes = lambda name: 1.0
    sky.down = {"b": Reason.TIMEOUT}
    doubt = asyncio.create_task(sky.confirm())
    await settle()

    sky.canaries.replace((B,))
    await sky.clock.advance(3)

    assert doubt.result() is False
    assert sky.canaries.states == {"b": False}


async def test_equal_plans_keep_what_is_known_and_others_do_not() -> None:
    sky = Sky(A)
    await sky.confirm()

    sky.canaries.replace((replace(A),))
    kept = dict(sky.canaries.states)
    sky.canaries.replace((A, B))

    assert kept == {"a": True}
    assert sky.canaries.states == {}
    assert sky.canaries.online


async def test_canaries_are_asked_at_the_shortest_interval() -> None:
    sky = Sky(plan("a", 15.0), plan("b", 60.0))
    running = asyncio.create_task(sky.canaries.run())

    await sky.clock.advance(300)
    running.cancel()

    assert 20 <= len(sky.prober.ticks("a")) <= 21
    assert sky.prober.ticks("a") == sky.prober.ticks("b")


async def test_an_outage_and_its_end_are_logged_once_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    sky = Sky(A)

    for reason in (Reason.OK, Reason.DNS, Reason.DNS, Reason.OK, Reason.OK):
        sky.down = {"a": reason}
        await sky.confirm()
        await sky.clock.advance(15)

    messages = [
        (r.levelname, r.message) for r in caplog.records if r.name == "exporter.schedule.canaries"
    ]
    assert messages == [
        ("WARNING", "no canary answers: network is down"),
        ("INFO", "network is back"),
    ]
