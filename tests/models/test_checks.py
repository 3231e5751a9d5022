"""When a model is asked: in time, on doubt, never in vain, never twice for one reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from exporter.config import Budget, Configuration, Target, make_target, read_text
from exporter.model import Outcome, Reason, Result, Verdict
from exporter.models import CheckRefusedError, ModelChecks, ModelStates, Skip
from exporter.probers import Endpoint
from exporter.probers.streaming import Streamed
from exporter.registry import RegistryChange
from exporter.store import Store, StoreError
from exporter.streams import Reading, StreamProtocol, Usage
from tests.fakes import FakeClock, settle

CONFIG = """
budgets: {model_checks: {day: %s}}
services:
  - id: shop
    provider: openai
    api_key: sk-0123456789012345678901234567890123456789
    models:
      - {id: gpt-4o, price: {input: 1, output: 2}, interval: 10m}
"""


def streamed(reason: Reason = Reason.OK, *, first: float | None = 0.5, **outcome: Any) -> Streamed:
    usage = Usage(input=10, output=4) if reason is Reason.OK else Usage()
    return Streamed(
        outcome=Outcome(reason=reason, **outcome),
        reading=Reading(
            first_text=first,
            last_text=first,
            usage=usage,
            events=int(bool(first)),
            ended=reason is Reason.OK,
        ),
    )


class Asker:
    """Answers what it is told to; notes when it was asked."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.asked: list[float] = []
        self.answer: Callable[[], Streamed] = streamed

    async def ask(self, endpoint: Endpoint, protocol: StreamProtocol) -> Streamed:
        self.asked.append(self._clock.tick())
        return self.answer()


class Network:
    def __init__(self) -> None:
        self.works = True

    async def confirm(self, since: float) -> bool:
        return self.works


class Rig:
    """The checks, and everything around them in the hands of a test."""

    def __init__(self, day: float = 1.0, *, remembers: bool = True, spread: float = 0.5) -> None:
        self.clock, self.network, self.states = FakeClock(), Network(), ModelStates()
        self.asker = Asker(self.clock)
        self.store = Store.in_memory(self.clock)
        self.last: Result | None = None
        self.configuration: Configuration = read_text(CONFIG % day, "x.yaml", {})
        (declared,) = self.configuration.services
        self.target: Target = make_target(declared, {})
        self.checks = ModelChecks(
            self.asker,
            self.store.model_spend,
            self.states,
            self.clock,
            last=lambda service: self.last,
            network=self.network,
            spread=lambda name: spread,
            remembers=remembers,
            figures=self.store.models,
        )
        self.checks.follow_configuration(self.configuration)
        self.checks.follow(RegistryChange(added=(self.target,)))

    async def __aenter__(self) -> Rig:
        # One thread: what is asked of it later is done after all that waits for it now.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        self._task = asyncio.create_task(self.checks.run())
        await self.pass_(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.store.close()

    async def pass_(self, seconds: float) -> None:
        """Let *seconds* pass; what waits for a thread is waited for, before and after."""
        await self._settle()
        await self.clock.advance(seconds)
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(20):
            await asyncio.to_thread(lambda: None)
            await settle()

    @property
    def state(self) -> Any:
        (state,) = self.states
        return state

    def seen(self, reason: Reason, verdict: Verdict) -> Result:
        """Return a result of the service's own check, as its newest."""
        outcome = Outcome(reason=reason)
        self.last = Result(service="shop", at=0.0, outcome=outcome, verdict=verdict)
        return self.last


async def test_a_model_is_asked_on_its_interval_from_a_place_of_its_own() -> None:
    async with Rig(spread=0.5) as rig:
        begun = rig.clock.tick()
        for _ in range(4):
            await rig.pass_(300)

        assert [at - begun for at in rig.asker.asked] == [300, 900]
        assert rig.state.reasons[Reason.OK] == 2
        assert rig.state.spent == 2 * (10 * 1_000_000 + 4 * 2_000_000)


async def test_without_a_memory_the_first_check_waits_for_a_whole_interval() -> None:
    """Or a process that is started again and again would spend without counting."""
    async with Rig(remembers=False, spread=0.0) as rig:
        await rig.pass_(599)
        assert rig.asker.asked == []
        await rig.pass_(2)
        assert len(rig.asker.asked) == 1


async def test_on_doubt_it_is_asked_at_once_and_at_most_once_a_minute() -> None:
    async with Rig(spread=1.0) as rig:
        begun = rig.clock.tick()
        for _ in range(7):
            rig.checks.doubt(rig.target, rig.seen(Reason.SERVER_ERROR, Verdict.PROVIDER))
            await rig.pass_(15)

        assert [at - begun for at in rig.asker.asked] == [0, 60]
        assert rig.state.last.cause == "doubt"


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        (Reason.OK, Verdict.OK),
        (Reason.AUTH_INVALID, Verdict.CREDENTIAL),
        (Reason.QUOTA_EXHAUSTED, Verdict.QUOTA),
        (Reason.CONNECT, Verdict.NETWORK),
    ],
)
async def test_what_a_check_could_not_change_is_no_doubt(reason: Reason, verdict: Verdict) -> None:
    async with Rig(spread=1.0) as rig:
        rig.checks.doubt(rig.target, rig.seen(reason, verdict))
        await rig.pass_(1)

        assert rig.asker.asked == []


@pytest.mark.parametrize(
    ("reason", "verdict", "skipped"),
    [
        (Reason.AUTH_INVALID, Verdict.CREDENTIAL, True),
        (Reason.QUOTA_EXHAUSTED, Verdict.QUOTA, True),
        (Reason.TIMEOUT, Verdict.NETWORK, True),
        (Reason.INTERNAL, Verdict.MONITORING, True),
        (Reason.PERMISSION, Verdict.CREDENTIAL, False),  # of the list, maybe not of the model
        (Reason.BAD_BODY, Verdict.PROVIDER, False),
        (Reason.CLIENT_ERROR, Verdict.REQUEST, False),
    ],
)
async def test_a_check_that_cannot_succeed_is_skipped_and_seen(
    reason: Reason, verdict: Verdict, skipped: bool
) -> None:
    async with Rig() as rig:
        rig.seen(reason, verdict)
        await rig.pass_(300)

        assert rig.state.skipped[Skip.CANNOT_WORK] == skipped
        assert len(rig.asker.asked) == (not skipped)


async def test_beyond_the_budget_nothing_is_sent() -> None:
    async with Rig(day=0.000001) as rig:
        await rig.pass_(300)

        assert rig.asker.asked == []
        assert rig.state.skipped[Skip.BUDGET_ALL] == 1
        with pytest.raises(CheckRefusedError, match=r"budgets\.model_checks"):
            await rig.checks.check(rig.state, "person")


async def test_what_cannot_be_counted_is_not_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise StoreError("the disk is full")

    async with Rig() as rig:
        monkeypatch.setattr(type(rig.store.model_spend), "reserve", refuse)
        await rig.pass_(300)

        assert rig.asker.asked == []
        assert rig.state.skipped[Skip.NO_LEDGER] == 1


async def test_what_was_spent_and_the_figures_are_one_write() -> None:
    async with Rig() as rig:
        done: list[str] = []
        with rig.store._database.read() as db:
            db.set_trace_callback(done.append)
        await rig.pass_(300)

        assert len(rig.asker.asked) == 1
        assert sum(one == "COMMIT" for one in done) == 2  # the reservation is the other


@pytest.mark.parametrize("error", [StoreError("the table is damaged"), ValueError("too large")])
async def test_what_was_spent_is_kept_where_the_figures_cannot_be(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    async with Rig() as rig:
        monkeypatch.setattr(type(rig.store.models), "save", refuse)
        await rig.pass_(300)

        cost = 10 * 1_000_000 + 4 * 2_000_000
        assert (rig.state.spent, rig.state.reasons[Reason.OK]) == (cost, 1)
        assert rig.store.model_spend.settle_open() == 0


async def test_a_wait_that_is_asked_for_is_kept_by_people_too() -> None:
    async with Rig() as rig:
        rig.asker.answer = lambda: streamed(Reason.RATE_LIMITED, first=None, retry_after=3600.0)
        await rig.pass_(300)
        await rig.pass_(600)

        assert len(rig.asker.asked) == 1
        assert rig.state.skipped[Skip.ASKED_TO_WAIT] == 1
        with pytest.raises(CheckRefusedError, match="asked to wait"):
            await rig.checks.check(rig.state, "person")


@pytest.mark.parametrize(
    ("answer", "cost"),
    [
        (streamed(Reason.AUTH_INVALID, first=None), 0),
        (streamed(Reason.CONNECT, first=None), 0),
        (streamed(Reason.TIMEOUT, first=None), 1),
        (streamed(Reason.PROTOCOL), 1),
        (streamed(Reason.RATE_LIMITED, first=0.1, status=200), 1),  # the stream had begun
        (streamed(Reason.RATE_LIMITED, first=0.1, status=429), 0),  # the body of a refusal
    ],
)
async def test_what_was_refused_before_the_model_began_costs_nothing(
    answer: Streamed, cost: int
) -> None:
    async with Rig() as rig:
        rig.asker.answer = lambda: answer
        await rig.pass_(300)

        assert rig.state.spent == cost * rig.state.model.reserve


async def test_the_count_of_a_stream_that_broke_off_is_not_the_bill() -> None:
    """Anthropic counts one token at the beginning, Gemini those until now in each event."""
    cut = streamed(Reason.PROTOCOL, status=200)
    cut.reading.usage = Usage(input=10, output=1)
    async with Rig() as rig:
        rig.asker.answer = lambda: cut
        await rig.pass_(300)

        assert rig.state.spent == rig.state.model.reserve


async def test_a_vendor_that_takes_more_than_it_may_is_not_asked_beyond_the_budget() -> None:
    many = streamed()
    many.reading.usage = Usage(input=10, output=977)  # for a limit of 16
    async with Rig(day=0.005) as rig:
        rig.asker.answer = lambda: many
        for _ in range(6):
            await rig.pass_(600)
        spent, asked = rig.state.spent, len(rig.asker.asked)
        await rig.pass_(86_400 - rig.clock.now() % 86_400 + 1)
        await rig.pass_(600)

        assert asked == 2
        assert spent == 2 * (10 + 2 * 977) * 1_000_000
        assert rig.state.skipped[Skip.BUDGET_ALL]
        assert len(rig.asker.asked) == 3, "on the next day it is tried anew"


async def test_our_own_network_is_no_failure_of_the_model() -> None:
    async with Rig() as rig:
        rig.network.works = False
        rig.asker.answer = lambda: streamed(Reason.CONNECT, first=None)
        await rig.pass_(300)

        assert rig.state.last.verdict is Verdict.NETWORK
        assert rig.state.failures == 0


async def test_failures_in_a_row_are_counted_and_end() -> None:
    async with Rig() as rig:
        rig.asker.answer = lambda: streamed(Reason.TIMEOUT, first=None)
        for _ in range(2):
            await rig.pass_(600)
        assert (rig.state.failures, rig.state.is_down) == (2, True)

        rig.asker.answer = streamed
        await rig.pass_(600)
        assert (rig.state.failures, rig.state.is_down) == (0, False)


async def test_a_model_that_is_gone_is_not_asked_any_more() -> None:
    async with Rig() as rig:
        rig.checks.follow(RegistryChange(removed=(rig.target,)))
        await rig.pass_(3600)

        assert rig.asker.asked == []
        assert list(rig.states) == []


async def test_a_bug_ends_no_checks() -> None:
    def broken() -> Streamed:
        raise ZeroDivisionError

    async with Rig() as rig:
        rig.asker.answer = broken
        await rig.pass_(300)
        rig.asker.answer = streamed
        await rig.pass_(600)

        assert rig.state.reasons[Reason.OK] == 1
        assert rig.state.spent > rig.state.model.reserve  # what the broken one may have cost


async def test_what_is_left_is_that_of_the_day_of_who_looks() -> None:
    async with Rig(day=0.001) as rig:
        await rig.pass_(600)
        spent = rig.state.remaining
        to_midnight = 86_400 - rig.clock.now() % 86_400
        rig.checks.enabled = False  # nothing is asked any more
        await rig.pass_(to_midnight - 1)
        before = rig.state.remaining
        await rig.pass_(1)

        assert len(rig.asker.asked) == 1
        assert (before, rig.state.remaining) == (spent, 1.0)
        assert spent is not None
        assert spent < 1


async def test_a_new_budget_is_shown_without_a_check() -> None:
    async with Rig(day=1.0) as rig:
        await rig.pass_(600)
        before = rig.state.remaining
        rig.checks.follow_configuration(read_text(CONFIG % 0.5, "x.yaml", {}))
        await rig.pass_(1)

        assert len(rig.asker.asked) == 1
        assert 1 - rig.state.remaining == pytest.approx(2 * (1 - before))


def test_a_budget_is_taken_from_the_configuration() -> None:
    rig = Rig(day=2.5)

    assert rig.checks._together == Budget(day=2.5)
