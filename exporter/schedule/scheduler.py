"""When: every target on its interval, spread by a hash, never twice at once, with retries.

Judges nothing and names no metric: it hands each finished probe to `record`.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from exporter.budget import Budget
from exporter.clock import Clock
from exporter.config import Target
from exporter.model import (
    MAX_WAIT_SECONDS,
    OFFLINE,
    REJECTED,
    Outcome,
    Reason,
    Result,
    Shortage,
    is_offline,
    verdict_of,
)
from exporter.probers import Endpoint, Prober
from exporter.registry import RegistryChange
from exporter.schedule.canaries import SETTLE_SECONDS
from exporter.schedule.entries import NEVER, Entry, Host, first_round_seconds, largest, share
from exporter.schedule.heart import HELD_SECONDS, Heart
from exporter.schedule.shortages import Shortages
from exporter.schedule.slots import Slots

_log = logging.getLogger(__name__)
QUANTUM_SECONDS = 0.010
"""Wake-ups are this far apart: each costs a fifth of a probe, and one wake-up starts many. Longer
ones would be seen in the measured durations: what starts together waits for each other."""
MAX_PAUSE_SECONDS = 0.25
MAX_PROBES_PER_HOST = 256
MAX_PROBES = 2048
RECOVERY_SECONDS = 20.0
"""Over which the services that our own network hid are probed again after its return."""


class Network(Protocol):
    """Tells whether our own network works; implemented by `canaries`."""

    async def confirm(self, since: float) -> bool:
        """Return whether our network has worked since the tick *since*."""


@dataclass(slots=True)
class Observer:
    """Callbacks with figures of the scheduler itself; `metrics` takes them."""

    lag: Callable[[float], None] = field(default=lambda seconds: None)
    shortage: Callable[[Shortage], None] = field(default=lambda shortage: None)


class Scheduler:
    """Runs the probes of a set of targets until `stop` is called."""

    def __init__(
        self,
        prober: Prober,
        clock: Clock,
        record: Callable[[Target, Result], None],
        network: Network,
        observer: Observer | None = None,
        *,
        jitter: Callable[[], float] = random.random,
        wait_left: Callable[[Target], float] = lambda target: 0.0,
        heart: Heart | None = None,
    ) -> None:
        """*wait_left* returns for how many seconds a provider wants no probe of a target.

        *heart* is beaten here; others may read it.
        """
        self._prober, self._clock, self._record = prober, clock, record
        self._network, self._jitter, self._wait_left = network, jitter, wait_left
        self._observer = observer or Observer()
        self._heart = heart or Heart(clock)
        self._shortages = Shortages(clock, self._observer.shortage)
        self._entries: dict[str, Entry] = {}
        self._queue: list[tuple[float, str, int]] = []
        self._hosts: dict[str, Host] = {}
        self._slots = Slots(MAX_PROBES)
        self._running: dict[str, tuple[asyncio.Task[None], Entry]] = {}
        """The probes under way, by service."""
        self._recovery = NEVER
        self._stopping = False
        self._epoch = clock.now() - clock.tick()
        """The Unix time of the tick 0 as of the start; a clock that is set moves no probe."""
        self.in_flight = 0

    # -- what is probed ----------------------------------------------------------------------

    def follow(self, change: RegistryChange) -> None:
        """Probe what was added or changed, and no more what was removed."""
        for target in change.removed:
            self.drop(target.id)
        self.put(change.current)

    def put(self, targets: Iterable[Target]) -> None:
        """Add or change *targets*; an unchanged interval keeps its place in time."""
        targets = list(targets)
        spread = first_round_seconds(len(self._entries) + len(targets))
        now = self._clock.tick()
        for target in targets:
            known = self._entries.get(target.id)
            if target.endpoint is None or not target.enabled:
                self.drop(target.id)
            elif known is None:
                self._add(target, now, min(target.interval, spread))
            else:
                self._change(known, target, now)
        self._set_host_limits()

    def drop(self, service: str) -> None:
        """Stop probing *service*; a probe under way ends without being recorded."""
        self._entries.pop(service, None)

    def expedite(self, service: str) -> None:
        """Probe *service* at once, or right after the probe that is under way."""
        entry = self._entries.get(service)
        if entry is not None:
            entry.free()
            entry.again = service in self._running
            self._schedule(entry, self._clock.tick())

    def recover(self) -> None:
        """Probe soon what our own network hid: it is back."""
        self._recovery = self._clock.tick() + SETTLE_SECONDS
        for entry in self._entries.values():
            if entry.hidden:
                self._recover(entry)

    def _recover(self, entry: Entry) -> None:
        """Probe *entry* at its place in the recovery, unless it is due before anyway."""
        due = max(self._clock.tick(), self._recovery + entry.share * RECOVERY_SECONDS)
        if due < entry.due:
            self._schedule(entry, due)

    def _add(self, target: Target, now: float, within: float) -> None:
        limit = target.rate_limit
        budget = Budget(limit.requests_per_minute, limit.requests_per_hour)
        entry = Entry(target, now, budget, share(target.id))
        if (wait := self._wait_left(target)) > 0:
            entry.not_before = now + min(wait, MAX_WAIT_SECONDS)
        self._entries[target.id] = entry
        self._schedule(entry, max(now + entry.share * within, entry.not_before))

    def _change(self, entry: Entry, target: Target, now: float) -> None:
        before = entry.target
        entry.target = target
        if before.rate_limit != target.rate_limit:
            limit = target.rate_limit
            entry.budget = entry.budget.changed(limit.requests_per_minute, limit.requests_per_hour)
        if before.key != target.key or (entry.held_up and before.endpoint != target.endpoint):
            self.expedite(target.id)
        elif before.interval != target.interval:
            due = now + entry.share * target.interval
            self._schedule(entry, max(due, entry.not_before))

    def _set_host_limits(self) -> None:
        """Give every host the largest limit of its services: together they get no more."""
        wanted: dict[str, list[tuple[int | None, int | None]]] = {}
        for entry in self._entries.values():
            limit = entry.target.rate_limit
            pair = (limit.requests_per_minute, limit.requests_per_hour)
            wanted.setdefault(entry.target.host, []).append(pair)
        for name, pairs in wanted.items():
            minute, hour = (largest(side) for side in zip(*pairs, strict=True))
            known = self._hosts.get(name)
            if known is None:
                slots = Slots(MAX_PROBES_PER_HOST)
                self._hosts[name] = Host(Budget(minute, hour), slots, (minute, hour))
            elif known.limits != (minute, hour):
                known.budget, known.limits = known.budget.changed(minute, hour), (minute, hour)
        for name in self._hosts.keys() - wanted.keys():
            del self._hosts[name]

    def _schedule(self, entry: Entry, due: float) -> None:
        entry.generation += 1
        entry.due = due
        heapq.heappush(self._queue, (due, entry.target.id, entry.generation))

    # -- the loop ----------------------------------------------------------------------------

    async def run(self, grace: float = 5.0) -> None:
        """Probe until `stop`; then wait up to *grace* seconds for what has sent a request."""
        self._running = running = {}
        start = asyncio.get_running_loop().create_task  # asyncio's own looks for the loop each time
        try:
            while not self._stopping:
                for entry in self._due():
                    running[entry.target.id] = start(self._probe(entry, entry.due)), entry
                    self._next(entry, entry.due)
                pause = self._pause()
                self._heart.beat(pause)
                await self._clock.sleep(pause)
            self._heart.stop()
            await self._finish(grace)
        finally:
            tasks = [task for task, _ in running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _finish(self, grace: float) -> None:
        """Wait until all have ended, at most *grace* seconds; end those that sent nothing yet."""
        for task, entry in self._running.values():
            if not entry.has_begun:
                task.cancel()
        tasks = [task for task, _ in self._running.values()]
        left = {limit := asyncio.create_task(self._clock.sleep(grace)), *tasks}
        try:
            while limit in left and len(left) > 1:
                _, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            limit.cancel()

    def stop(self) -> None:
        """Start no more probes."""
        self._stopping = True

    def restart(self) -> None:
        """Be ready to `run` again: every service is due as at a start, whatever was due meanwhile.

        Rate limits go on, and the pauses that providers asked for.
        """
        self._stopping = False
        self._queue.clear()
        now, spread = self._clock.tick(), first_round_seconds(len(self._entries))
        for entry in self._entries.values():
            due = now + entry.share * min(entry.target.interval, spread)
            self._schedule(entry, max(due, entry.not_before))

    def _due(self) -> list[Entry]:
        now = self._clock.tick()
        found = []
        while self._queue and self._queue[0][0] <= now:
            _, service, generation = heapq.heappop(self._queue)
            entry = self._entries.get(service)
            # The heap cannot remove: a later schedule of the service makes older items void.
            if entry is None or entry.generation != generation:
                continue
            if service in self._running:
                # Two probes of one service at once would count its failures twice.
                self._next(entry, entry.due)
            elif self._heart.held(entry.due) >= HELD_SECONDS:
                self._spread(entry, now)
            else:
                entry.has_begun = False
                found.append(entry)
        return found

    def _spread(self, entry: Entry, now: float) -> None:
        """Probe soon what was due while the loop was held, but not all of it at once."""
        self._observer.lag(now - entry.due)
        within = min(entry.target.interval, RECOVERY_SECONDS)
        self._schedule(entry, max(now + entry.share * within, entry.not_before))

    def _pause(self) -> float:
        if not self._queue:
            return MAX_PAUSE_SECONDS
        return min(MAX_PAUSE_SECONDS, max(QUANTUM_SECONDS, self._queue[0][0] - self._clock.tick()))

    def _next(self, entry: Entry, last: float) -> None:
        tick = self._clock.tick()
        self._schedule(entry, entry.next_due(last, tick, tick + self._epoch))

    # -- one probe ---------------------------------------------------------------------------

    async def _probe(self, entry: Entry, due: float) -> None:
        target = entry.target
        try:
            result = await self._result(entry, target, due)
            # Dropped or replaced meanwhile: its result belongs to a service that is no more.
            if result is not None and self._entries.get(target.id) is entry:
                self._record(target, result)
                self._settle(entry, target, result, due)
        except Exception:
            _log.exception("bug around a probe")
        finally:
            # Here, and not when the task is done: a callback is one more turn of the loop.
            self._running.pop(target.id, None)
            current = self._entries.get(target.id)
            if current is not None and current.again:
                current.again = False
                self._schedule(current, self._clock.tick())

    def _settle(self, entry: Entry, target: Target, result: Result, due: float) -> None:
        """Slow down as the provider wants it; make up for what our own network hid."""
        reason = result.outcome.reason
        entry.hidden = is_offline(reason, result.verdict)
        now = entry.target
        same = now is target or (now.key == target.key and now.endpoint == target.endpoint)
        slowed = reason in REJECTED and same
        wait = result.outcome.asked_wait if same else None
        not_before = NEVER if wait is None else self._clock.tick() + wait
        if (slowed, not_before) != (entry.slowed, entry.not_before):
            entry.slowed, entry.not_before = slowed, not_before
            self._next(entry, due)
        if entry.hidden and due < self._recovery:
            # It began before our network was back, and nobody knew yet that it would fail.
            self._recover(entry)

    async def _result(self, entry: Entry, target: Target, due: float) -> Result | None:
        """Return what a probe saw, or None if no request could be sent in its interval."""
        host = self._hosts.get(target.host)
        if host is None:
            return None
        deadline = due + target.interval
        # The host's slots first: a probe that waits for a hanging host must not hold a slot of all.
        if not host.slots.take():
            await host.slots.wait()
        try:
            if not self._slots.take():
                await self._slots.wait()
            try:
                started = self._clock.tick()
                self._observer.lag(max(0.0, started - due))
                if host.spend(entry, started) > 0:
                    if not await self._may_send(entry, host, deadline):
                        return None
                    started = self._clock.tick()
                at = self._clock.now()
                self.in_flight += 1
                entry.has_begun = True
                try:
                    outcome, attempts = await self._attempts(entry, host, target, deadline)
                finally:
                    self.in_flight -= 1
            finally:
                self._slots.give_back()
        finally:
            host.slots.give_back()
        # Only these reasons can be our own network's fault; the canaries are asked then.
        doubtful = outcome.reason in OFFLINE and outcome.shortage is None
        online = not doubtful or await self._network.confirm(started)
        return Result(
            service=target.id,
            at=at,
            outcome=outcome,
            verdict=verdict_of(outcome.reason, online=online, shortage=outcome.shortage),
            attempts=attempts,
        )

    async def _may_send(self, entry: Entry, host: Host, deadline: float) -> bool:
        """Wait for the budgets of service and host and spend one request of each."""
        while (wait := host.spend(entry, now := self._clock.tick())) > 0:
            if now + wait > deadline:
                return False
            await self._clock.sleep(wait)
        return True

    async def _attempts(
        self, entry: Entry, host: Host, target: Target, deadline: float
    ) -> tuple[Outcome, int]:
        assert target.endpoint is not None
        endpoint, policy = target.endpoint, target.retry_policy
        attempts = 1
        outcome = await self._once(endpoint)
        while attempts <= target.retries and outcome.may_retry:
            delay = policy.delay(
                attempts, outcome.retry_after, longest=target.interval, jitter=self._jitter
            )
            if delay is None:
                break
            # A further attempt has to end before the next probe begins.
            left = deadline - self._clock.tick() - delay
            if left < min(endpoint.timeout, target.interval / 4):
                break
            await self._clock.sleep(delay)
            if not await self._may_send(entry, host, self._clock.tick()):
                break
            outcome = await self._once(replace(endpoint, timeout=min(endpoint.timeout, left)))
            attempts += 1
        return outcome, attempts

    async def _once(self, endpoint: Endpoint) -> Outcome:
        begun = self._clock.tick()
        try:
            seen = await self._prober.probe(endpoint)
            outcome = self._heart.counted(seen, begun, endpoint.timeout)
            if outcome.shortage is not None:
                self._shortages.note(outcome.shortage, outcome.detail)
            elif not outcome.measured:
                self._shortages.note(Shortage.LOOP, "an answer came, its duration does not count")
            return outcome
        except Exception:
            _log.exception("bug in a prober")
            return Outcome(reason=Reason.INTERNAL, detail="a fault in the exporter; see its log")
