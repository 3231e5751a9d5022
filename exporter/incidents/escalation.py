"""Escalation rules of the user's own program: a condition, and an action to run once.

An action runs at least once for each incident that meets its condition, also after a restart. One
that fails is tried again with growing pauses and never harms the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from exporter.clock import Clock
from exporter.incidents.log import IncidentLog
from exporter.incidents.model import EntryKind, Incident, IncidentStatus, Query
from exporter.incidents.spells import IncidentChange
from exporter.incidents.storage import IncidentStorage

_log = logging.getLogger(__name__)
Condition = Callable[[Incident], bool | Awaitable[bool]]
Action = Callable[[Incident], Awaitable[object]]
_AT_ONCE = 500
_PAUSES = (1.0, 5.0, 30.0, 60.0, 300.0, 900.0)


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    condition: Condition
    action: Action


class Escalations:
    """The rules, and the runs under way."""

    def __init__(
        self,
        log: IncidentLog,
        storage: IncidentStorage,
        clock: Clock,
        observe: Callable[[str, str], None],
    ) -> None:
        self._incidents, self._storage, self._clock, self._observe = log, storage, clock, observe
        self._rules: dict[str, _Rule] = {}
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._again: set[tuple[str, str]] = set()
        """What changed while its rule ran: the rule looks once more."""
        log.subscribe(self._changed)

    def add(self, name: str, condition: Condition, action: Action) -> None:
        """Run *action* once for each open incident for which *condition* holds.

        Raises:
            ValueError: there is a rule of that name.
        """
        if name in self._rules:
            raise ValueError(f"there is an escalation rule {name!r} already")
        self._rules[name] = _Rule(name, condition, action)
        with contextlib.suppress(RuntimeError):  # before there is a loop; `resume` looks then
            asking = asyncio.get_running_loop().create_task(self.resume())
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)

    async def resume(self) -> None:
        """Run what is due for incidents that were open before the rules were added."""
        query = Query(status=IncidentStatus.OPEN, limit=_AT_ONCE)
        while found := await self._incidents.find(query):
            for incident in found:
                self._consider(incident)
            query = replace(query, before=(found[-1].started_at, found[-1].id))

    async def close(self) -> None:
        """Cancel what runs; it runs again after a restart."""
        running = [*self._asking, *self._running.values()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _changed(self, changes: Sequence[IncidentChange]) -> None:
        for change in changes:
            if change.entries:
                self._consider(change.incident)

    def _consider(self, incident: Incident) -> None:
        if incident.status is not IncidentStatus.OPEN:
            return
        for rule in self._rules.values():
            if (incident.id, rule.name) in self._running:
                self._again.add((incident.id, rule.name))
            else:
                self._start(rule, incident.id)

    def _start(self, rule: _Rule, id_: str) -> None:
        task = asyncio.get_running_loop().create_task(self._run(rule, id_))
        self._running[id_, rule.name] = task
        task.add_done_callback(lambda done: self._ended(rule, id_, done))

    def _ended(self, rule: _Rule, id_: str, task: asyncio.Task[None]) -> None:
        del self._running[id_, rule.name]
        again = (id_, rule.name) in self._again
        self._again.discard((id_, rule.name))
        if task.cancelled():
            return
        if (error := task.exception()) is not None:  # the disk: a restart runs it
            _log.error("escalation rule %s could not be kept", rule.name, exc_info=error)
        elif again:
            self._start(rule, id_)

    async def _run(self, rule: _Rule, id_: str) -> None:
        if rule.name in await asyncio.to_thread(self._storage.actions_done, id_):
            return
        for attempt, pause in enumerate((*_PAUSES, 0.0), 1):
            incident = await self._incidents.get(id_)
            try:
                if not await _holds(rule.condition, incident):
                    return
                await rule.action(incident)
            except Exception:
                self._observe(rule.name, "error")
                _log.exception("escalation rule %s failed, attempt %d", rule.name, attempt)
                await self._clock.sleep(pause)
                continue
            self._observe(rule.name, "ok")
            await self._done(rule, id_, f"escalation rule {rule.name} ran")
            return
        self._observe(rule.name, "gave_up")
        await self._done(rule, id_, f"escalation rule {rule.name} failed {attempt} times: given up")

    async def _done(self, rule: _Rule, id_: str, note: str) -> None:
        await asyncio.to_thread(self._storage.action_done, id_, rule.name)
        await self._incidents.record(id_, EntryKind.ACTION, rule.name, note)


async def _holds(condition: Condition, incident: Incident) -> bool:
    found = condition(incident)
    return bool(await found) if inspect.isawaitable(found) else bool(found)
