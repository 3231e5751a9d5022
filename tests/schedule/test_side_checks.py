"""Requests about quotas: for the right targets, on their interval, handed on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from exporter.config import SideRequest, Target
from exporter.model import Outcome
from exporter.schedule import Polling, SideChecks
from tests.clocks import QuickClock, ScriptedProber, gaps, outcome
from tests.fakes import make_endpoint, service_target

Quotas = Mapping[tuple[str, str], float]
LEFT = {("credits", "usd"): 12.5}


def target(name: str, interval: float = 900.0, path: str = "quota") -> Target:
    endpoint = make_endpoint(f"https://{name}.example/{path}", shown=f"{name} {path}")
    return service_target(name, quota=SideRequest(endpoint=endpoint, interval=interval))


class Bank:
    """A quota polling with everything around it scripted."""

    def __init__(self) -> None:
        self.clock = QuickClock()
        self.prober = ScriptedProber(self.clock)
        self.prober.script = lambda number: outcome(quotas=LEFT)
        self.polling = Polling(self.clock)
        self.told: list[tuple[Target, Quotas]] = []
        self.quotas = SideChecks(
            "quota", lambda target: target.quota, self.prober, self.polling, self.record
        )

    def record(self, target: Target, outcome: Outcome) -> None:
        self.told.append((target, outcome.quotas))

    async def advance(self, seconds: float) -> None:
        running = asyncio.create_task(self.polling.run())
        await self.clock.advance(seconds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_quota_is_asked_on_its_interval_and_handed_on() -> None:
    bank, asked = Bank(), target("a")
    bank.quotas.set_targets([asked, service_target("without")])

    await bank.advance(3000)

    assert bank.told == [(asked, LEFT)] * 4
    assert gaps(bank.prober.ticks("a quota")) == pytest.approx([900] * 3, abs=0.3)


async def test_disabled_and_removed_targets_are_asked_no_more() -> None:
    bank = Bank()
    bank.quotas.set_targets([target("a"), target("b"), target("c")])
    await bank.advance(10)
    bank.prober.starts.clear()

    bank.quotas.set_targets([replace(target("a"), enabled=False), target("c")])
    await bank.advance(1000)

    assert {name for name, _ in bank.prober.starts} == {"c quota"}


async def test_a_changed_target_keeps_its_place_and_is_asked_the_new_way() -> None:
    bank = Bank()
    bank.quotas.set_targets([target("a")])
    await bank.advance(500)

    bank.quotas.set_targets([target("a", path="v2")])
    await bank.advance(500)

    (first, at), (second, later) = bank.prober.starts
    assert (first, second) == ("a quota", "a v2")
    assert later - at == pytest.approx(900, abs=0.3)


async def test_jobs_of_others_are_left_alone() -> None:
    bank = Bank()

    async def job() -> None:
        """Do nothing."""

    bank.polling.put("status page x", 300.0, job)

    bank.quotas.set_targets([target("a")])
    bank.quotas.set_targets([])

    assert bank.polling.names() == {"status page x"}
