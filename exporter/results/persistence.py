"""What survives a restart: counters, last states and history, saved every 15 seconds.

What fails is saved within a second: an exporter that forgot how often something has failed would
end its alert, and the next failures would page people again.

Without a directory nothing survives; the day is then kept for the page alone.

The store is asked in a thread. A disk that refuses stops nothing: probing goes on from memory, what
could not be written is tried again, and a metric shows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from exporter.clock import Clock, Steps, in_slices
from exporter.log import event
from exporter.registry import Registry
from exporter.results.history import WIDTH_SECONDS, Bucket, History
from exporter.results.minutes import MINUTE_SECONDS, Batch, Kept, Minutes, overlaid
from exporter.results.past import KeptHistory, Past
from exporter.results.tally import Results

_log = logging.getLogger(__name__)
SAVE_SECONDS = 15.0
URGENT_SAVE_SECONDS = 1.0
SLICE_SERVICES = 32
"""Services that are dumped before the loop runs again: half a millisecond."""


class States(KeptHistory, Protocol):
    """Where states and history are kept; implemented by `store`."""

    def save_states(self, states: Mapping[str, bytes | Mapping[str, Any]]) -> None:
        """Keep the states by service."""

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the states by service."""

    def keep_only(self, services: Collection[str]) -> None:
        """Forget states and history of all others."""

    def record_history(self, rows: list[Bucket]) -> None:
        """Keep *rows*, each in place of a former version of it."""


class KeptMinutes(Protocol):
    """Where minutes are kept; implemented by `store`."""

    def save(self, batch: Batch) -> None:
        """Keep *batch* and the time until which it is complete, all or nothing."""

    def end_others(self, services: Collection[str], minute: int) -> None:
        """Note that only *services* are watched from *minute* on."""

    def read(self, service: str, start: int, end: int) -> Kept:
        """Return what is kept of *service* from the minute *start* until *end*."""


class Persistence:
    """Carries results from one process to the next."""

    def __init__(
        self,
        states: States,
        results: Results,
        history: History,
        registry: Registry,
        clock: Clock,
        *,
        on_saved: Callable[[bool], None] = lambda successful: None,
        volatile: bool = False,
        minutes: tuple[Minutes, KeptMinutes] | None = None,
    ) -> None:
        """*on_saved* is called after each save; *volatile*: nothing is to survive a restart.

        *minutes* are the evidence for reports, and where it is kept; None keeps none.
        """
        self._states, self._results, self._history = states, results, history
        self._registry, self._clock = registry, clock
        self._on_saved, self._volatile = on_saved, volatile
        self._minutes, self._steps = minutes, Steps(clock)
        self._saved: dict[str, float] = {}
        self._known: frozenset[str] | None = None
        self._urgent: set[str] = set()

    def restore(self) -> None:
        """Continue the counters of every service that the store knows, and the present quarter."""
        for service, state in self._states.states().items():
            self._results.of(service).restore(state)
        begun = self._clock.now() // WIDTH_SECONDS * WIDTH_SECONDS
        self._history.restore(self._states.history(since=begun))

    async def run(self) -> None:
        """Save until cancelled: all every 15 seconds, what fails every second."""
        for service in [name for name in self._results.by_service if name not in self._registry]:
            self._results.forget(service)  # a new service of that id begins anew
        if self._minutes is not None:
            self._minutes[0].start_run(self._clock.now())
        while True:
            due = self._clock.tick() + SAVE_SECONDS
            while self._clock.tick() < due:
                await self._clock.sleep(URGENT_SAVE_SECONDS)
                if self._urgent:
                    await self._save_urgent()
            await self.save()

    def schedule_save(self, service: str) -> None:
        """Save the state of *service* within a second."""
        if not self._volatile:
            self._urgent.add(service)

    async def _save_urgent(self) -> None:
        wanted, self._urgent = self._urgent, set()
        states: dict[str, Mapping[str, Any]] = {}
        async for name in in_slices(wanted, SLICE_SERVICES):
            # It may have been removed, or removed and added again, without a result so far.
            if name in self._registry and (tally := self._results.of(name)).last is not None:
                states[name] = tally.dump()
        with contextlib.suppress(OSError):  # the next full save tries again and reports it
            await asyncio.to_thread(self._write, states, [])
            self._note(states)

    async def save(self) -> None:
        """Save what changed since the last time."""
        states = await self._unsaved()
        rows = self._history.drain()
        known = frozenset(target.id for target in self._registry)
        try:
            await asyncio.to_thread(self._write, states, rows)
            await self._save_minutes(known)
            if known != self._known:
                await asyncio.to_thread(self._states.keep_only, known)
        except OSError as error:
            self._history.restore(rows)
            self._on_saved(False)
            event(_log, "results not saved", level=logging.ERROR, why=str(error))
            return
        self._on_saved(True)
        self._known = known
        self._note(states)

    async def _save_minutes(self, known: frozenset[str]) -> None:
        """Save failed and unobserved minutes, and that the exporter has run until now.

        That is how a later report knows when it did not, even after kill -9.
        """
        if self._minutes is None:
            return
        gathered, kept = self._minutes
        if self._steps.made_one():
            gathered.begin_run()
        now = self._clock.now()
        batch = gathered.drain(now)
        try:
            await asyncio.to_thread(kept.save, batch)
            if known != self._known:
                minute = int(now // MINUTE_SECONDS)
                await asyncio.to_thread(kept.end_others, known, minute)
        except BaseException:
            gathered.restore()
            raise
        gathered.written()

    async def _unsaved(self) -> dict[str, Mapping[str, Any]]:
        states: dict[str, Mapping[str, Any]] = {}
        async for target in in_slices(() if self._volatile else self._registry, SLICE_SERVICES):
            tally = self._results.by_service.get(target.id)
            if tally and tally.last is not None and self._saved.get(target.id) != tally.last.at:
                states[target.id] = tally.dump()
        return states

    def _note(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        for service, state in states.items():
            self._saved[service] = state["last"]["at"]

    def past(self, service: str) -> Past:
        """Return what was seen of *service* until now, for pictures and figures that agree."""
        return Past(self._states, service, self._history.of(service), self._clock.now())

    async def minutes(self, service: str, start: int, end: int) -> Kept:
        """Return the entries of *service* from the minute *start* until *end*, as of now."""
        if self._minutes is None:
            return Kept()
        gathered, kept = self._minutes
        run = gathered.run(self._clock.now())
        newer, begun = gathered.unsaved(service), gathered.begun(service)
        found = await asyncio.to_thread(kept.read, service, start, end)
        first, last = -int(-run[0] // MINUTE_SECONDS), int(run[1] // MINUTE_SECONDS)
        fresh = () if begun is None else ((begun, end),)
        return Kept(
            minutes=overlaid(found.minutes, newer),
            alive=(*found.alive, *(((first, last),) if first < last else ())),
            watched=(*found.watched, *fresh),
            since=found.since,
        )

    def _write(self, states: Mapping[str, Mapping[str, Any]], rows: list[Bucket]) -> None:
        self._states.save_states(states)  # also if there are none: it shows whether it can write
        if rows:
            self._states.record_history(rows)
