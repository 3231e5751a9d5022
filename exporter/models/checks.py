"""When a model is asked: on its interval and on doubt, never in vain, never beyond a budget."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from exporter.clock import Clock
from exporter.config import Budget, Configuration, Target
from exporter.log import event
from exporter.model import OFFLINE, Outcome, Reason, Result, Verdict, verdict_of
from exporter.models.keeping import dump
from exporter.models.known import Key, ModelStates
from exporter.models.needs import Asker, Figures, Network
from exporter.models.spending import Ledger, Scope, Spending, cost_of, cost_of_check
from exporter.models.states import ModelResult, ModelState, Skip, verdict_is_ours
from exporter.models.wording import REFUSED
from exporter.readings import value_date
from exporter.registry import RegistryChange
from exporter.retirement import Notice, Retirement
from exporter.streams import Usage, protocol

_log = logging.getLogger(__name__)
MOST_AT_ONCE = 8
"""Streams under way: each is one connection, and may take a minute."""
DOUBT_SECONDS = 60.0
"""After a failure of the service's own check a model is asked at once, but not more often."""


_Read = tuple[int, Mapping[str, int]]
"""What the checks of a model have cost, and what was spent of its accounts."""


class CheckRefusedError(RuntimeError):
    """A check that a person asked for is not sent; its text says why."""

    def __init__(self, skip: Skip) -> None:
        super().__init__(REFUSED[skip])
        self.skip = skip


@dataclass(slots=True)
class _Running:
    task: asyncio.Task[None]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    asked_at: float = float("-inf")
    """The tick of the last check."""
    is_doubted: bool = False
    """Whether the service's own check failed since it last succeeded."""


class ModelChecks:
    """Asks every model of the registry; one instance for a process."""

    def __init__(
        self,
        prober: Asker,
        ledger: Ledger,
        states: ModelStates,
        clock: Clock,
        *,
        last: Callable[[str], Result | None],
        network: Network,
        spread: Callable[[str], float],
        remembers: bool,
        figures: Figures | None = None,
        announced: Callable[[Target, str, Reason, Retirement | None], None] = lambda *seen: None,
    ) -> None:
        """*last* returns a service's newest result, *spread* a number from 0 to 1 for a name.

        *remembers*: what an earlier process spent is in the ledger. Without that the first check
        waits for a whole interval, so that a process that is started again and again spends
        nothing. *figures*: where what was seen is kept, None if it ends with the process.
        *announced* is called with what each answer says of the end of its model.
        """
        self._prober, self._spending = prober, Spending(ledger)
        self.states, self._clock, self._network = states, clock, network
        self._last, self._spread, self._remembers = last, spread, remembers
        self._announced = announced
        self._together = Budget()
        self._running: dict[tuple[str, str], _Running] = {}
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._figures, self._changed = figures, asyncio.Event()
        self._is_on = False
        self.enabled = True

    # -- what is asked -----------------------------------------------------------------------

    def follow_configuration(self, configuration: Configuration) -> None:
        """Take over the budget of all together, and whether anything is probed."""
        if (together := configuration.budgets.model_checks) != self._together:
            self._together = together
            for state in self.states:
                state.left = None
            self._changed.set()
        self.enabled = configuration.monitoring.enabled

    def restore(self) -> None:
        """Let the models that are loaded next continue from what an earlier process saw."""
        if self._figures is not None:
            self.states.continue_from(self._figures.all())

    def follow(self, change: RegistryChange) -> None:
        """Ask the models that there are now."""
        for target in change.removed:
            self.states.drop(target.id)
        for target in change.current:
            self.states.put(target)
        self._changed.set()
        self._adjust()

    def doubt(self, target: Target, result: Result) -> None:
        """Ask the models of *target* soon: its own check ended with *result*.

        While it fails, and once when it is well again of those that failed meanwhile: they would
        look broken for a whole interval otherwise.
        """
        if not result.success and result.verdict is not Verdict.PROVIDER:
            return
        for model in target.models:
            running = self._running.get((target.id, model.id))
            if running is None or (result.success and not running.is_doubted):
                continue
            running.is_doubted = not result.success
            state = self.states.get(target.id, model.id)
            if not result.success or (state is not None and state.failing_since is not None):
                running.wake.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        self._is_on = True
        try:
            self._adjust()
            self.states.forget_kept()
            while True:
                self._changed.clear()
                await self._forget_removed()
                for state in [one for one in self.states if one.left is None]:
                    await self._refresh(state)
                await self._changed.wait()
        finally:
            self._is_on = False
            ended = [one.task for one in self._running.values()]
            self._running.clear()
            for task in ended:
                task.cancel()
            await asyncio.gather(*ended, return_exceptions=True)

    async def _forget_removed(self) -> None:
        """Drop the figures of models that are gone: one of the same name begins anew."""
        if self._figures is None:
            return
        try:
            await asyncio.to_thread(self._figures.keep_only, self.states.keys)
        except OSError:
            _log.warning("figures of removed models could not be dropped")

    def _saving(self, state: ModelState) -> Callable[[], None]:
        """Return what keeps the present figures of *state*, for a thread; it never raises."""
        key = (state.target.id, state.model.id)
        if self._figures is None or self.states.get(*key) is not state:
            return _nothing
        return partial(_save, self._figures, key, dump(state))

    def _adjust(self) -> None:
        """Have a task for each model, and for no other."""
        if not self._is_on:
            return
        wanted = {(state.target.id, state.model.id) for state in self.states}
        for key in [key for key in self._running if key not in wanted]:
            self._running.pop(key).task.cancel()
        for key in wanted - self._running.keys():
            self._running[key] = _Running(asyncio.create_task(self._repeat(key)))

    async def _repeat(self, key: tuple[str, str]) -> None:
        running, share = self._running[key], 1.0
        if self._remembers:
            share = self._spread(" ".join(key))
        while (state := self.states.get(*key)) is not None:
            cause = await self._rest(running, share * state.model.interval)
            share = 1.0
            running.asked_at = self._clock.tick()
            if self.enabled and (state := self.states.get(*key)) is not None:
                await self._contained(state, cause)

    async def _contained(self, state: ModelState, cause: str) -> None:
        try:
            await self.check(state, cause)
        except CheckRefusedError:
            return  # counted: the metrics show why
        except Exception:
            _log.exception("bug in a check of a model")

    async def _rest(self, running: _Running, seconds: float) -> str:
        """Return why the next check is made: after *seconds*, or sooner on doubt."""
        end = self._clock.tick() + seconds
        while (left := end - self._clock.tick()) > 0:
            if not running.wake.is_set():
                waiting = asyncio.ensure_future(running.wake.wait())
                sleeping = asyncio.ensure_future(self._clock.sleep(left))
                try:
                    await asyncio.wait({waiting, sleeping}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
                    sleeping.cancel()
                    await asyncio.gather(waiting, sleeping, return_exceptions=True)
                continue
            wait = running.asked_at + DOUBT_SECONDS - self._clock.tick()
            if wait <= 0:
                running.wake.clear()
                return "doubt"
            await self._clock.sleep(min(wait, left))
        running.wake.clear()
        return "interval"

    def now(self) -> float:
        """Return the Unix time by the clock of the checks."""
        return self._clock.now()

    # -- one check ---------------------------------------------------------------------------

    async def check(self, state: ModelState, cause: str) -> ModelResult:
        """Ask the model of *state* now and count what came.

        Raises:
            CheckRefusedError: it is not sent; counted as skipped.
        """
        if (skip := self._in_vain(state, cause)) is not None:
            raise await self._skipped(state, skip)
        async with self._slots:
            return await self._ask(state, cause)

    def _take(self, state: ModelState, result: ModelResult) -> None:
        before, model = state.last, state.model.id
        state.add(result)
        self._announced(state.target, model, result.reason, _announcement(result, model))
        if before is None or before.reason is not result.reason:
            event(
                _log,
                "model state changed",
                service=state.target.id,
                model=model,
                reason=result.reason,
                verdict=result.verdict,
                detail=result.outcome.detail,
            )

    async def _ask(self, state: ModelState, cause: str) -> ModelResult:
        """Send one request, with what it may cost reserved before and settled after it."""
        model, at, tick = state.model, self._clock.now(), self._clock.tick()
        reservation = await self._reserve(state, at)
        units, saving = cost_of(model, Usage()), _nothing
        try:
            seen = await self._prober.ask(model.endpoint, protocol(model.protocol))
            units = cost_of_check(model, seen)
            result = ModelResult(
                at=at,
                outcome=seen.outcome,
                reading=seen.reading,
                verdict=await self._verdict(seen.outcome, tick),
                spent=units,
                cause=cause,
            )
            self._take(state, result)
            saving = self._saving(state)
        finally:
            settling = partial(self._settle, state, reservation, units, saving)
            self._learn(state, await asyncio.shield(asyncio.to_thread(settling)))
        return result

    def _in_vain(self, state: ModelState, cause: str) -> Skip | None:
        now = self._clock.now()
        if now < state.wait_until:
            return Skip.ASKED_TO_WAIT
        if cause == "person":
            return None
        if state.target.in_maintenance(now):
            return Skip.MAINTENANCE
        last = self._last(state.target.id)
        if (
            last is not None
            and not last.success
            and (last.verdict is Verdict.NETWORK or verdict_is_ours(last.reason))
        ):
            return Skip.CANNOT_WORK
        return None

    async def _reserve(self, state: ModelState, at: float) -> int:
        try:
            about = (state.target.id, state.model, self._together)
            got = await asyncio.to_thread(self._spending.reserve, *about, at, state.spent_last(at))
        except OSError:
            raise await self._skipped(state, Skip.NO_LEDGER) from None
        if isinstance(got, Scope):
            await self._refresh(state)
            raise await self._skipped(state, Skip(got.value))
        return got

    def _settle(
        self, state: ModelState, reservation: int, units: int, saving: Callable[[], None]
    ) -> _Read | None:
        """Settle, save the figures in the same write, and read: each turn and write costs time."""
        self._spending.settle(reservation, units, saving)
        return self._read(state)

    def _read(self, state: ModelState) -> _Read | None:
        try:
            about = (state.target.id, state.model, self._together)
            return self._spending.read(*about, self._clock.now())
        except OSError:
            _log.warning("what checks of models have cost cannot be read")
            return None

    async def _refresh(self, state: ModelState) -> None:
        """Read anew what was spent; what is left follows from it, by the time of who asks."""
        self._learn(state, await asyncio.to_thread(self._read, state))

    def _learn(self, state: ModelState, read: _Read | None) -> None:
        if read is not None:
            state.spent, accounts = read
            self._spending.learn(accounts, self._clock.now())
            state.left = partial(self._left, state)

    def _left(self, state: ModelState) -> float | None:
        now = self._clock.now()
        return self._spending.remaining(state.target.id, state.model, self._together, now)

    async def _verdict(self, outcome: Outcome, since: float) -> Verdict:
        """Return whose fault it is: a failure without an answer may be that of our network."""
        online = outcome.reason not in OFFLINE or await self._network.confirm(since)
        return verdict_of(outcome.reason, online=online, shortage=outcome.shortage)

    async def _skipped(self, state: ModelState, skip: Skip) -> CheckRefusedError:
        state.skip(skip, self._clock.now())
        await asyncio.to_thread(self._saving(state))
        return CheckRefusedError(skip)


def _nothing() -> None:
    """Save nothing: there is no place for figures, or they are of a model that is gone."""


def _save(figures: Figures, key: Key, dumped: Mapping[str, Any]) -> None:
    try:
        figures.save(key, dumped)
    except (OSError, ValueError):  # what was spent must be kept; the next check tries again
        _log.warning("the figures of a model could not be saved")


def _announcement(seen: ModelResult, model: str) -> Retirement | None:
    """Return what an answer of *model* says of its end, in its headers or in its stream."""
    found, at = seen.outcome.retirement, value_date(seen.reading.retires)
    if at is None:
        return found
    notices = {model: Notice(sunset_at=at), **(found.notices if found is not None else {})}
    return Retirement(notices=notices)
