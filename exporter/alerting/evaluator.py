"""The alerts that fire now, judged by the table from what the exporter itself has seen.

An evaluation looks at every service and lets the loop run in between. A service of which nothing
could be said costs a few comparisons.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from exporter.alerting.facts import Memory, NetworkFacts, ProviderFacts, ServiceFacts
from exporter.alerting.inhibition import Inhibitor
from exporter.alerting.models import MODEL_RULES, ModelWatch
from exporter.alerting.network import NetworkWatch, Round
from exporter.alerting.own import OwnWatch
from exporter.alerting.rule import Rule
from exporter.alerting.states import Actives, Finding, Remembered, found_by, labels_of
from exporter.alerting.table import (
    NETWORK_RULES,
    OWN_RULES,
    PROVIDER_RULES,
    REPORTED,
    SERVICE_RULES,
)
from exporter.clock import Clock
from exporter.config import Target
from exporter.incidents.alerts import fingerprint
from exporter.incidents.model import Alert, Row
from exporter.model import Result
from exporter.models import ModelState
from exporter.registry import Registry
from exporter.results import Results, Tally
from exporter.statuspages import PageRecord, State

_log = logging.getLogger(__name__)
SLICE_SECONDS = 0.001
"""Spent on an evaluation before the loop runs again."""
_CHECKED_EVERY = 2
"""Services between two looks at the time."""
_RESUMED_SECONDS = 300.0
_UNKNOWN_SECONDS = 600.0
"""For so long what fired before a restart waits for the first results of a group of services."""
_Place = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """What is asked of other rooms."""

    canaries: Callable[[], Mapping[str, bool]]
    """Whether each canary answers; none before its first check."""
    page: Callable[[Target], State | None] = lambda target: None
    """The state of the provider's status page."""
    page_record: Callable[[Target], PageRecord | None] = lambda target: None
    """What is known of that page."""
    models: Callable[[], Iterable[ModelState]] = tuple
    """What was seen of each model."""
    acknowledged: Callable[[], Mapping[Row, bool]] = dict
    """By service with an open incident: whether its outage is acknowledged."""


@dataclass(slots=True)
class Past:
    """What is known from before a restart."""

    alerts: Mapping[str, Remembered] = field(default_factory=dict)
    """By fingerprint, what fired."""
    services: frozenset[tuple[str, str]] = frozenset()
    """Services and environments that these are about."""
    environments: frozenset[str] = frozenset()
    """Those of what is about a provider, or our network there."""
    since: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """When a service was first found to be down while our network worked, as Unix times."""


class Evaluator:
    """Judges the services of a registry; an object for one span of time."""

    def __init__(
        self,
        registry: Registry,
        results: Results,
        clock: Clock,
        views: Views,
        *,
        own: OwnWatch,
        past: Past | None = None,
    ) -> None:
        self._registry, self._results, self._clock = registry, results, clock
        self._views, self._own, self._past = views, own, past or Past()
        self._network, self._models = NetworkWatch(views.canaries), ModelWatch(views.models)
        self._began = clock.tick()
        self._memories: dict[str, Memory] = {}
        self._actives: dict[_Place, Actives] = {}
        """By what they are about; only of what has any."""
        self._before: dict[str, Result | None] = {}
        """The last result from before the restart, of services that had incidents then."""
        self._awaited: set[str] = set()
        """Those of them that have not been probed since."""
        self._broken: set[str] = set()
        """Services in whose judgement there is a bug."""
        self._fresh = True
        self._turn = 0.0

    async def evaluate(self) -> list[Alert]:
        """Return every alert that fires now, with what holds it back."""
        now, tick = self._clock.now(), self._clock.tick()
        self._turn = asyncio.get_running_loop().time()
        seen = Round()
        worth: list[ServiceFacts] = []
        for number, target in enumerate(tuple(self._registry), 1):
            if target.id in self._registry:
                with self._apart(target):
                    self._survey(target, seen, worth, now, tick)
            if not number % _CHECKED_EVERY:
                await self._pause()
        self._forget_removed()
        if self._fresh:
            self._remember_groups()
        network = self._network.look(seen, tick)
        acknowledged = self._views.acknowledged()
        for number, facts in enumerate(worth, 1):
            if facts.target.id in self._registry:
                with self._apart(facts.target):
                    self._judge_service(facts, acknowledged)
            if not number % _CHECKED_EVERY:
                await self._pause()
        self._judge_models(now, tick)
        self._judge_groups(seen, network, now, tick)
        return await self._firing()

    @contextlib.contextmanager
    def _apart(self, target: Target) -> Iterator[None]:
        """Let a bug in judging *target* cost no other service its alerts; log it once."""
        try:
            yield
        except Exception:
            if target.id not in self._broken:
                self._broken.add(target.id)
                _log.exception("bug in judging %s", target.id)

    async def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - self._turn >= SLICE_SECONDS:
            await asyncio.sleep(0)
            self._turn = loop.time()

    # -- services --------------------------------------------------------------------------

    def _survey(
        self,
        target: Target,
        seen: Round,
        worth: list[ServiceFacts],
        now: float,
        tick: float,
    ) -> None:
        """Count a service in *seen*, and add it to *worth* if it is worth a judgement."""
        facts = self._look(target, now, tick)
        seen.add(facts)
        if target.has_page:
            self._read_page(seen, target)
        if not self._is_calm(facts):
            worth.append(facts)

    def _look(self, target: Target, now: float, tick: float) -> ServiceFacts:
        tally, memory = self._results.of(target.id), self._memories.get(target.id)
        if memory is None:
            memory = self._memories[target.id] = Memory(target, tally, tick)
            if self._fresh:
                self._remember(target, tally, memory, tick)
        memory.take(target, tally, now, tick)
        if target.id in self._awaited:
            self._await(target, tally, memory, tick)
        maintenance = bool(target.maintenance) and target.in_maintenance(now)
        return ServiceFacts(target, tally, memory, now, tick, maintenance)

    def _remember(self, target: Target, tally: Tally, memory: Memory, tick: float) -> None:
        """Go on with what fired before a restart, until something is known of it."""
        past, name = self._past, (target.id, target.environment)
        if name not in past.services and target.environment not in past.environments:
            return
        self._before[target.id] = tally.last
        self._awaited.add(target.id)
        memory.since = self._told_since(target, tick)
        if name not in past.services:
            return
        facts = ServiceFacts(target, tally, memory, 0.0, tick, maintenance=False)
        for rule in SERVICE_RULES:
            rows = memory.rows.of(rule.kind) if rule.kind is not None else ()
            levels = [(row.severity, row.escalation) for row in rows] or [(rule.severity, "")]
            for severity, level in levels:
                self._resume((target.id,), rule, labels_of(rule, facts, severity, level))

    def _told_since(self, target: Target, tick: float) -> float | None:
        """Return the tick since which people could be told that it is down; None if unknown."""
        since = self._past.since.get((target.id, target.environment))
        for window in sorted(target.maintenance, key=lambda window: window.start):
            if since is not None and window.start <= since < window.end:
                since = window.end
        now = self._clock.now()
        return None if since is None or since > now else tick - (now - since)

    def _await(self, target: Target, tally: Tally, memory: Memory, tick: float) -> None:
        """Note whether something was seen of a service since a restart."""
        probed = target.enabled and target.endpoint is not None
        if tally.last is not self._before[target.id] or tally.stale or not probed:
            self._awaited.discard(target.id)
        else:
            memory.failing_at = tick

    def _remember_groups(self) -> None:
        self._fresh = False
        environments = {target.environment for target in self._registry}
        providers = {(target.environment, target.provider) for target in self._registry}
        networks = [NetworkFacts(environment=name, down=False) for name in ("", *environments)]
        groups = [ProviderFacts(environment=where, provider=name) for where, name in providers]
        if not self._past.alerts:
            return
        for facts in networks:
            place = "environment" if facts.environment else "network"
            self._resume_all(place, NETWORK_RULES, facts)
        for group in groups:
            self._resume_all("provider", PROVIDER_RULES, group)
        now, tick = self._clock.now(), self._clock.tick()
        for model in self._models.look(lambda service: (False, False), now, tick):
            self._resume_all("model", MODEL_RULES, model)

    def _resume_all(self, kind: str, rules: Sequence[Rule[Any]], facts: Any) -> None:
        for rule in rules:
            labels = labels_of(rule, facts, rule.severity or facts.severity)
            self._resume((kind, *facts.labels.values()), rule, labels)

    def _resume(self, place: _Place, rule: Rule[Any], labels: dict[str, str]) -> None:
        print_ = fingerprint({name: value for name, value in labels.items() if value})
        if (was := self._past.alerts.get(print_)) is not None:
            self._actives.setdefault(place, Actives()).remember(rule, labels, was)

    def _is_calm(self, facts: ServiceFacts) -> bool:
        """Return whether no rule of a service can find anything, nor did the last time."""
        tally, target, memory = facts.tally, facts.target, facts.memory
        certificate = tally.certificate
        return (
            tally.in_a_row == 0
            and tally.last is not None
            and tally.last.success
            and not tally.limits
            and not tally.quotas
            and tally.key_expiry is None
            and tally.radar is None
            and not target.uses.facts
            and (certificate is None or certificate.expiry - facts.now > memory.rows.certificate)
            and target.key_configured is not False
            and memory.latency is None
            and memory.since is None
            and not facts.maintenance
            and not memory.changes.increase(facts.tick)
            and not memory.limited.increase(facts.tick)
            and (target.id,) not in self._actives
            and (facts.watched or not target.enabled)
        )

    def _judge_service(self, facts: ServiceFacts, acknowledged: Mapping[Row, bool]) -> None:
        target = facts.target
        row = (target.id, target.environment, target.provider)
        facts.acknowledged = bool(acknowledged) and acknowledged.get(row, False)
        self._count_outage(facts)
        findings = [finding for rule in SERVICE_RULES for finding in found_by(rule, facts)]
        self._step(
            (target.id,), findings, facts.now, facts.tick, known=target.id not in self._awaited
        )

    def _count_outage(self, facts: ServiceFacts) -> None:
        """Keep since when somebody could be told: `service:service_down:since_timestamp_seconds`.

        An outage that pauses for less than five minutes goes on.
        """
        memory, failures, tick = facts.memory, facts.failures, facts.tick
        if failures:
            memory.failing_at = tick
        if tick - memory.failing_at > _RESUMED_SECONDS:
            memory.since = None
        if memory.since is None and facts.down and self._could_tell(facts):
            memory.since = tick
        if memory.since is not None and failures != 0:
            facts.unresolved = tick - memory.since

    def _could_tell(self, facts: ServiceFacts) -> bool:
        environment = facts.target.environment
        hidden = self._network.offline or self._network.is_suspected(environment, facts.tick)
        return not (hidden or facts.maintenance)

    def _forget_removed(self) -> None:
        if len(self._memories) > len(self._registry):
            for id_ in [id_ for id_ in self._memories if id_ not in self._registry]:
                del self._memories[id_]
                self._actives.pop((id_,), None)
                self._awaited.discard(id_)

    # -- models --------------------------------------------------------------------------------

    def _judge_models(self, now: float, tick: float) -> None:
        """Judge every model; what fired before a restart waits for a check while one lasts."""
        gone = {place for place in self._actives if place[0] == "model" and len(place) > 1}
        for facts in self._models.look(self._of_service, now, tick):
            place = ("model", *facts.labels.values())
            gone.discard(place)
            state = facts.state
            known = state.last is not None or tick - self._began > state.stale_after
            with self._apart(state.target):
                findings = [one for rule in MODEL_RULES for one in found_by(rule, facts)]
                self._step(place, findings, now, tick, known=known)
        for place in gone:
            self._step(place, [], now, tick, known=True)

    def _of_service(self, id_: str) -> tuple[bool, bool]:
        """Return whether the check of a service fails, and whether it succeeded last."""
        if (memory := self._memories.get(id_)) is None:
            return False, False
        tally = self._results.of(id_)
        now, tick = self._clock.now(), self._clock.tick()
        facts = ServiceFacts(memory.target, tally, memory, now, tick, maintenance=False)
        return bool(facts.failures), tally.last is not None and tally.last.success

    # -- groups of services, and the exporter ----------------------------------------------------

    def _read_page(self, seen: Round, target: Target) -> None:
        state, place = self._views.page(target), (target.environment, target.provider)
        if state in REPORTED:
            seen.pages.setdefault(place, set()).add(state)
        elif state is State.OPERATIONAL:
            seen.green.add(place)
            record = self._views.page_record(target)
            if record is not None and record.open:
                seen.with_incident.add(place)

    def _judge_groups(self, seen: Round, network: Sequence[Any], now: float, tick: float) -> None:
        passed = tick - self._began
        known = not self._awaited or passed > _UNKNOWN_SECONDS
        answered = bool(self._views.canaries()) or passed > _RESUMED_SECONDS
        whole, *parts = network
        self._judge("network", NETWORK_RULES, [whole], now, tick, known=answered)
        self._judge("environment", NETWORK_RULES, parts, now, tick, known=known)
        self._judge("provider", PROVIDER_RULES, seen.providers(), now, tick, known=known)
        self._judge("own", OWN_RULES, self._own.look(tick), now, tick, known=True)

    def _judge(
        self,
        kind: str,
        rules: Sequence[Rule[Any]],
        about: Iterable[Any],
        now: float,
        tick: float,
        *,
        known: bool,
    ) -> None:
        places = {place for place in self._actives if place[0] == kind and len(place) > 1}
        for facts in about:
            place = (kind, *facts.labels.values())
            places.discard(place)
            findings = [finding for rule in rules for finding in found_by(rule, facts)]
            self._step(place, findings, now, tick, known=known)
        for place in places:
            self._step(place, [], now, tick, known=known)

    def _step(
        self, place: _Place, findings: list[Finding], now: float, tick: float, *, known: bool
    ) -> None:
        actives = self._actives.get(place)
        if actives is None:
            if not findings:
                return
            actives = self._actives[place] = Actives()
        actives.step(findings, now, tick, known=tick - self._began if known else -1.0)
        if not actives.by_key:
            del self._actives[place]

    # -- what fires ------------------------------------------------------------------------

    async def _firing(self) -> list[Alert]:
        inhibitor, found = Inhibitor(), []
        for number, actives in enumerate(tuple(self._actives.values()), 1):
            for active in actives.firing:
                inhibitor.add(active.labels, active.fingerprint)
                found.append(active)
            if not number % _CHECKED_EVERY:
                await self._pause()
        alerts: dict[str, Alert] = {}
        for number, active in enumerate(found, 1):
            # Two rules may find the same: the first one speaks.
            if active.fingerprint not in alerts:
                alerts[active.fingerprint] = active.alert(inhibitor.holder(active.labels))
            if not number % _CHECKED_EVERY:
                await self._pause()
        return list(alerts.values())
