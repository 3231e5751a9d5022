"""All services at a glance, the worst first: looked at while somebody looks, in short slices.

The board asks, nobody tells it: what changes by time alone is seen like everything else, and
without a viewer it costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.config import Target
from exporter.incidents import IncidentLog
from exporter.model import Result, Verdict
from exporter.page.cautions import cautions
from exporter.page.wording import FAILING, Failing, Overview, ShownState, fault
from exporter.registry import Registry, RegistryChange
from exporter.results import Persistence, Results, Tally, current_advice, current_verdict, status_of
from exporter.statuspages import State

SLICE_SECONDS = 0.001
"""Seconds of work at a time; then everything else has its turn."""
SHARE = 0.05
"""The part of the loop's time that looking may take."""
_RANKS = (
    ShownState.DOWN,
    ShownState.DEGRADED,
    ShownState.UNKNOWN,
    ShownState.MAINTENANCE,
    ShownState.HEALTHY,
    ShownState.OFF,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the page shows: the same objects that the API shows."""

    registry: Registry
    results: Results
    persistence: Persistence
    incidents: IncidentLog
    clock: Clock
    status_page: Callable[[Target], State | None]
    """What the provider's own status page says."""
    online: Callable[[], bool]
    rotated_at: Callable[[str], float | None]
    """When the key that is in use was rotated in; None for that of the file."""
    refused_at: Callable[[], float | None]
    """Since when a newer configuration is refused."""
    enabled: Callable[[], bool]
    """Whether the page is served at all."""
    accepts_changes: bool
    """Whether there is an admin token."""
    viewers: int
    """Streams at once."""


class LoopShare:
    """Work that gives way: measures what it spends and lets others run in between."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.spent = 0.0
        self.resume()

    def resume(self) -> None:
        """Work again, after waiting for something."""
        self._begun = self._clock.tick()

    def rest(self) -> None:
        """Stop, before waiting for something."""
        self.spent += self._clock.tick() - self._begun

    async def give_way(self) -> None:
        """Let others run if a slice is over."""
        if self._clock.tick() - self._begun >= SLICE_SECONDS:
            self.rest()
            await asyncio.sleep(0)
            self.resume()


@dataclass(frozen=True, slots=True)
class ServiceSummary:
    """One service as of one look; replaced, never changed."""

    target: Target
    last: Result | None
    stale: bool
    verdict: Verdict | None
    """Whose fault it is now; None while nothing is known."""
    advice: str
    maintained: bool
    says: State | None
    state: ShownState
    fault: str
    since: float
    cautions: tuple[str, ...]

    def fits(self, words: tuple[str, ...]) -> bool:
        """Return whether every one of *words*, in lower case, stands somewhere in it."""
        t = self.target
        told = (t.name, t.id, t.provider, t.environment, t.type, t.team, t.host, self.fault)
        return all(word in "\n".join(told).lower() for word in words)


class Board:
    """The services in the order in which they want attention."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.summaries: dict[str, ServiceSummary] = {}
        self.order: list[ServiceSummary] = []
        self.warned: list[ServiceSummary] = []
        self.choices: dict[str, list[str]] = {}
        """The values that a filter can have."""
        self._counts = dict.fromkeys(_RANKS, 0)
        self._waiting = 0
        self._offline_since: float | None = None
        self._names: list[Target] | None = None
        self._lock = asyncio.Lock()
        self._looked, self._fresh = float("-inf"), 0.0
        sources.registry.subscribe(self._changed)

    def _changed(self, change: RegistryChange) -> None:
        self._names, self._looked = None, float("-inf")

    def forget(self) -> None:
        """Let go of every result; the next look begins anew."""
        self.summaries, self.order, self.warned = {}, [], []
        self._looked = float("-inf")

    async def look(self, share: LoopShare) -> None:
        """Look at every service, unless that was done just now."""
        clock = self._sources.clock
        share.rest()
        async with self._lock:
            share.resume()
            if clock.tick() - self._looked < self._fresh:
                return
            before = share.spent
            self._looked = clock.tick()
            await self._look(share)
            share.rest()
            share.resume()
            self._fresh = min(1.0, (share.spent - before) / SHARE)

    async def _look(self, share: LoopShare) -> None:
        names = self._named()
        groups: dict[ShownState, list[ServiceSummary]] = {state: [] for state in _RANKS}
        summaries, warned, waiting, offline = {}, [], 0, list[float]()
        for target in names:
            summary = summaries[target.id] = self._summary(target)
            groups[summary.state].append(summary)
            if summary.cautions:
                warned.append(summary)
            if summary.state is ShownState.UNKNOWN:
                waiting += summary.last is None
                if summary.last is not None and summary.last.verdict is Verdict.NETWORK:
                    offline.append(summary.since)
            await share.give_way()
        for state in FAILING:
            groups[state].sort(key=lambda summary: summary.since)
        self.order = [summary for state in _RANKS for summary in groups[state]]
        self.summaries, self.warned = summaries, warned
        self._counts = {state: len(group) for state, group in groups.items()}
        self._waiting, self._offline_since = waiting, min(offline, default=None)

    def _named(self) -> list[Target]:
        if self._names is None:
            targets = list(self._sources.registry)
            self._names = sorted(targets, key=lambda t: (t.name.casefold(), t.id))
            self.choices = {
                name: sorted({getattr(target, name) for target in targets})
                for name in ("environment", "provider", "type")
            }
        return self._names

    def _summary(self, target: Target) -> ServiceSummary:
        """Return the summary of before if nothing is new."""
        sources = self._sources
        tally, now = sources.results.of(target.id), sources.clock.now()
        maintained = bool(target.maintenance) and target.in_maintenance(now)
        says = sources.status_page(target)
        known = self.summaries.get(target.id)
        if (
            known is not None
            and known.target is target
            and known.last is tally.last
            and known.stale is tally.stale
            and known.maintained is maintained
            and known.says is says
        ):
            return known
        return summary_of(target, tally, says, now)

    def overview(self) -> Overview:
        """Return what the sentence is made of."""
        failing = [
            Failing(name=summary.target.name, fault=summary.fault, since=summary.since)
            for summary in self._failing()
        ]
        offline = self._offline_since if not self._sources.online() else None
        return Overview(
            now=self._sources.clock.now(),
            counts=self._counts,
            failing=failing,
            waiting=self._waiting,
            offline_since=offline,
        )

    def _failing(self) -> Iterator[ServiceSummary]:
        for summary in self.order[:8]:
            if summary.state in FAILING:
                yield summary


def summary_of(target: Target, tally: Tally, says: State | None, now: float) -> ServiceSummary:
    """Return what a service looks like now."""
    maintained = target.in_maintenance(now)
    state, words, since = _seen(target, tally)
    if maintained and state is not ShownState.OFF:
        window = next(w for w in target.maintenance if w.start <= now < w.end)
        state, since = ShownState.MAINTENANCE, window.start
        words = "planned maintenance" + (f"; now: {words}" if words != "works" else "")
    return ServiceSummary(
        target=target,
        last=tally.last,
        stale=tally.stale,
        verdict=current_verdict(target, tally),
        advice=current_advice(target, tally),
        maintained=maintained,
        says=says,
        state=state,
        fault=words,
        since=since,
        cautions=cautions(target, tally, says, now),
    )


def _seen(target: Target, tally: Tally) -> tuple[ShownState, str, float]:
    last = tally.last
    if not target.enabled:
        return ShownState.OFF, "switched off", 0.0
    if target.endpoint is None:
        return ShownState.OFF, target.unprobed or "nothing to probe", 0.0
    if last is None:
        return ShownState.UNKNOWN, "no result yet", 0.0
    if tally.stale:
        return ShownState.UNKNOWN, "no result", last.at
    return ShownState(str(status_of(target, tally))), fault(last.reason, last.verdict), tally.since
