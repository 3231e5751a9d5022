"""Our own network dies and returns: what it hid is held, and judged soon after the return."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from exporter.config import Target
from exporter.config.declarations import RateLimit
from exporter.model import Outcome, Reason, Result, Verdict, is_offline
from exporter.results import Tally
from exporter.schedule import Canaries, CanaryPlan
from exporter.schedule.canaries import OFFLINE_INTERVAL_SECONDS, SETTLE_SECONDS
from exporter.schedule.entries import share
from tests.api.managed import running
from tests.clocks import ScriptedProber, Stage, outcome, target
from tests.fakes import make_endpoint
from tests.mischief import close
from tests.patience import patient
from tests.vendor import Vendor, answer

HOUR = 3600.0
DOWN_AFTER = 3
SERVICES = [f"api-{number}" for number in range(20)]


class World(Stage):
    """A scheduler, a canary and the tallies of what was seen; the network can be cut."""

    def __init__(self) -> None:
        self.connected = True
        self.answers: dict[str, Reason] = {}
        self.tallies: dict[str, Tally] = {}
        self.returned: list[float] = []
        super().__init__()
        self.prober.script = self._service
        self.canaries.on_return(self.scheduler.recover)
        self.canaries.on_return(lambda: self.returned.append(self.clock.tick()))

    def asked_network(self) -> Canaries:
        self.canary = ScriptedProber(self.clock)
        self.canary.script = lambda number: self._seen(Reason.OK)
        plan = CanaryPlan(name="c", endpoint=make_endpoint("https://c.example/"), interval=60.0)
        self.canaries = Canaries((plan,), self.canary, self.clock)
        return self.canaries

    def _seen(self, reason: Reason) -> Outcome:
        return outcome(reason if self.connected else Reason.DNS)

    def _service(self, number: int) -> Outcome:
        return self._seen(self.answers.get(self.prober.starts[number - 1][0], Reason.OK))

    def record(self, target: Target, result: Result) -> None:
        super().record(target, result)
        self.tallies.setdefault(result.service, Tally()).add(result, target)


@asynccontextmanager
async def world(*services: str, interval: float = HOUR, **more: Any) -> AsyncIterator[World]:
    """Run *services* and the canary on a clock of their own."""
    async with World() as made:
        asking = asyncio.create_task(made.canaries.run())
        made.put(*(target(name, interval=interval, retries=0, **more) for name in services))
        await made.advance(5)
        yield made
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def cut(made: World, seconds: float) -> None:
    """Have no network for *seconds*, until the canary has noticed its return."""
    made.connected = False
    await made.advance(seconds)
    made.connected = True
    before = len(made.returned)
    await made.advance(OFFLINE_INTERVAL_SECONDS + 0.5)
    assert len(made.returned) == before + 1


def left_until(made: World, seconds: float) -> float:
    """Return how long it is until *seconds* after the canary's answer."""
    return made.returned[-1] + seconds - made.clock.tick()


async def test_a_service_that_is_really_down_is_known_within_30_seconds_of_the_return() -> None:
    async with world(*SERVICES) as made:
        made.answers = dict.fromkeys(SERVICES[:10], Reason.SERVER_ERROR)
        await cut(made, 4 * HOUR)
        hidden = [made.tallies[name] for name in SERVICES]
        assert made.prober.starts[-1][1] < made.returned[-1] + SETTLE_SECONDS + 20
        await made.advance(left_until(made, 30))

        assert {tally.in_a_row >= DOWN_AFTER for tally in hidden[:10]} == {True}
        assert {tally.held for tally in hidden} == {0}
        for tally in hidden[10:]:
            assert tally.last is not None
            assert tally.last.success
            assert tally.in_a_row == 0


async def test_nothing_counts_while_the_network_is_down() -> None:
    async with world(*SERVICES) as made:
        made.connected = False
        await made.advance(3 * HOUR)

        assert {
            made.tallies[name].held + 1 - len(made.prober.ticks(name)) for name in SERVICES
        } == {0}
        assert {tally.held for tally in made.tallies.values()} <= {2, 3}
        assert {tally.in_a_row for tally in made.tallies.values()} == {0}
        assert {tally.changes for tally in made.tallies.values()} == {0}


async def test_the_probes_after_the_return_are_spread_and_begin_once_names_have_settled() -> None:
    async with world(*SERVICES) as made:
        await cut(made, 2 * HOUR)
        await made.advance(left_until(made, 30))

        after = [at - made.returned[-1] for _, at in made.prober.starts[-len(SERVICES) :]]
        wanted = sorted(SETTLE_SECONDS + 20 * share(name) for name in SERVICES)
        assert after == pytest.approx(wanted, abs=0.3)


async def test_what_was_not_hidden_is_not_probed_again() -> None:
    async with world("api", interval=24 * HOUR) as made:
        await cut(made, 60)
        await made.advance(left_until(made, 60))

        assert len(made.prober.starts) == 1


async def test_a_short_interval_keeps_its_own_pace() -> None:
    async with world("api", interval=1.0) as made:
        await cut(made, 60)
        begun = len(made.prober.starts)
        await made.advance(30)

        assert len(made.prober.starts) - begun <= 31


async def test_a_probe_that_began_in_the_outage_and_ends_after_it_is_held_and_made_again() -> None:
    async with world("api", interval=HOUR) as made:
        made.prober.takes = lambda name: 0.0 if made.connected else 40.0
        made.answers = {"api": Reason.TIMEOUT}
        made.connected = False
        while not made.prober.running["api"]:
            await made.advance(1)
        await made.advance(20)
        made.connected = True
        await made.advance(60)

        first, hidden, judged = made.results
        assert (hidden.reason, hidden.verdict) == (Reason.TIMEOUT, Verdict.NETWORK)
        assert (judged.reason, judged.verdict) == (Reason.TIMEOUT, Verdict.PROVIDER)
        # It was under way when the network returned, and was made again as soon as it had ended.
        assert hidden.at + 40 - 1 < judged.at < hidden.at + 40 + 20
        assert first.success
        assert (made.tallies["api"].in_a_row, made.tallies["api"].held) == (2, 0)


async def test_failures_before_names_have_settled_are_ours() -> None:
    async with world("api", interval=1.0) as made:
        made.answers = {"api": Reason.DNS}
        await cut(made, 60)
        await made.advance(10)

        back = made.returned[-1] - made.clock.tick() + made.clock.now()
        verdicts = {
            (result.at >= back + SETTLE_SECONDS, result.verdict)
            for result in made.results
            if result.at > back - 30
        }
        assert verdicts == {(False, Verdict.NETWORK), (True, Verdict.PROVIDER)}


async def test_the_rate_limit_holds_after_the_return() -> None:
    limit = RateLimit(requests_per_hour=2)
    async with world("api", interval=20 * 60.0, rate_limit=limit) as made:
        await cut(made, HOUR + 60)
        await made.advance(HOUR)

        ticks = made.prober.ticks()
        assert all(
            later - earlier >= HOUR for earlier, later in zip(ticks, ticks[2:], strict=False)
        )


async def test_the_return_is_noticed_within_15_seconds_whatever_the_interval_of_the_canary() -> (
    None
):
    async with world("api", interval=1.0) as made:
        for seconds in (100.0, 103.3, 107.7):
            made.connected = False
            await made.advance(seconds)
            assert not made.canaries.online
            made.connected = True
            await made.advance(15)
            assert made.canaries.online


async def test_doubt_does_not_ask_the_canaries_without_a_pause_while_they_are_silent() -> None:
    async with world(*SERVICES, interval=1.0) as made:
        made.connected = False
        await made.advance(30)
        begun = len(made.canary.starts)
        await made.advance(140)

        assert len(made.canary.starts) - begun == pytest.approx(10, abs=1)


async def test_other_canaries_are_a_new_beginning() -> None:
    async with world("api", interval=HOUR) as made:
        made.connected = False
        await made.advance(2 * HOUR)
        begun = len(made.prober.starts)
        made.connected = True

        made.canaries.replace(())
        await made.advance(30)

        assert len(made.prober.starts) == begun + 1
        assert made.tallies["api"].held == 0


async def test_the_application_connects_the_canaries_to_the_scheduler(vendor: Vendor) -> None:
    name = min((f"api-{number}" for number in range(100)), key=share)
    vendor.on("/canary", close)
    vendor.on("/api", close)
    url, check = vendor.url(), "allow_private_addresses: true, timeout: 1s"
    config = (
        f"canaries: [{{url: '{url}canary', interval: 1s, {check}}}]\n"
        f"services: [{{id: {name}, base_url: '{url}',"
        f" health_check: {{endpoint: /api, interval: 1h, retries: 0, {check}}}}}]\n"
    )
    async with running(config) as client, patient(20):
        tally = client.app.results.of(name)
        while tally.last is None:
            await asyncio.sleep(0.05)
        assert is_offline(tally.last.reason, tally.last.verdict)
        for path in ("/canary", "/api"):
            vendor.on(path, answer())
        while not tally.last.success:
            await asyncio.sleep(0.05)

        assert tally.attempts == 2
