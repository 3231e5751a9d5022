"""The state of every service for the pages, those that need attention first.

Results are read when a page is drawn, in short slices of work: what changes only by time (a result
that becomes stale, a maintenance window) needs no notification, and without an open page nothing
is read. Only changes of the registry are subscribed to, because they invalidate the sorted list.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from exporter.clock import Clock
from exporter.config import Target
from exporter.incidents import IncidentLog
from exporter.models import ModelState, troubles_of, unchecked_of
from exporter.notifying import EntryState
from exporter.page.summary import ServiceSummary, summary_of, unobserved_since
from exporter.page.wording import FAILING, MAX_NAMED, Failing, Overview, ShownState, short
from exporter.registry import Registry, RegistryChange
from exporter.results import Failures, Persistence, Results, kind_of, provider_of
from exporter.statuspages import Lead, PageRecord, State

SLICE_SECONDS = 0.001
"""Seconds of work after which other tasks of the event loop get to run."""
MAX_LOOP_SHARE = 0.05
"""The largest part of the event loop's time that refreshing open pages may take, 0 to 1."""
_MAX_FRESH_SECONDS = 1.0
_MOST_TAGS = 20
"""Tags to group by that are offered: those that most services have."""
DISPLAY_ORDER = (
    ShownState.DOWN,
    ShownState.DEGRADED,
    ShownState.UNKNOWN,
    ShownState.MAINTENANCE,
    ShownState.HEALTHY,
    ShownState.OFF,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything that the pages read."""

    registry: Registry
    results: Results
    persistence: Persistence
    failures: Failures
    incidents: IncidentLog
    clock: Clock
    status_page_state: Callable[[Target], State | None]
    """The state that the provider's own status page reports; None if it has none."""
    offline_since: Callable[[], float | None]
    """The Unix time since which our own network is down, as the canaries show; None if it works."""
    lead: Callable[[Target], Lead | None] = lambda target: None
    """What that page says of a failure of ours, and who was first."""
    page_record: Callable[[Target], PageRecord | None] = lambda target: None
    """What is known of that page; None if it cannot be read by a program."""
    rotated_at: Callable[[str], float | None]
    """The Unix time at which the key in use was rotated in; None for the key of the file."""
    refused_at: Callable[[], float | None]
    """The Unix time since which reloads are refused; None if the last one was accepted."""
    enabled: Callable[[], bool]
    """Whether the page is served at all."""
    accepts_changes: bool
    """Whether there is an admin token."""
    models: Callable[[str], Sequence[ModelState]] = lambda service: ()
    """The models of a service that are asked."""
    notifying: Callable[[], Sequence[EntryState]] = tuple
    """How the places fare that the exporter itself tells."""
    viewers: int
    """The most event streams that may be open at the same time."""
    public_page: bool = False
    """Whether there is a page for outsiders, on which a note may be shown."""


class LoopShare:
    """A stopwatch for work on the event loop; it lets other tasks run after each slice of work.

    Pause it around every wait, so that `spent` counts work only:

        share.pause()
        incidents = await log.find(query)
        share.resume()
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.spent = 0.0
        """Seconds of work up to the last pause."""
        self.resume()

    def resume(self) -> None:
        """Start a new slice, after waiting for something."""
        self._slice_began = self._clock.tick()

    def pause(self) -> None:
        """Count the work of this slice, before waiting for something."""
        self.spent += self._clock.tick() - self._slice_began

    async def yield_if_due(self) -> None:
        """Let other tasks run if this slice has lasted `SLICE_SECONDS`."""
        if self._clock.tick() - self._slice_began >= SLICE_SECONDS:
            self.pause()
            await asyncio.sleep(0)
            self.resume()


class Board:
    """The summaries of all services, in the order in which they are displayed."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.summaries: dict[str, ServiceSummary] = {}
        self.order: list[ServiceSummary] = []
        self.warned: list[ServiceSummary] = []
        """Those with at least one caution."""
        self.choices: dict[str, list[str]] = {}
        """The values that can be chosen for each filter, and the tags to group by."""
        self._counts = dict.fromkeys(DISPLAY_ORDER, 0)
        self._causes = Counter[tuple[str, str]]()
        self._troubled: list[ServiceSummary] = []
        self._without_result = self._hidden = 0
        self._sorted_targets: list[Target] | None = None
        self._lock = asyncio.Lock()
        self._refreshed_at, self._fresh_seconds = float("-inf"), 0.0
        sources.registry.subscribe(self._on_registry_change)

    def _on_registry_change(self, change: RegistryChange) -> None:
        self._sorted_targets, self._refreshed_at = None, float("-inf")

    def forget(self) -> None:
        """Drop every summary and with it the results; the next refresh builds all of them."""
        self.summaries, self.order, self.warned = {}, [], []
        self._refreshed_at = float("-inf")

    async def refresh(self, share: LoopShare) -> None:
        """Bring every summary up to date, unless that was done just now.

        How long summaries count as fresh grows with the work of a refresh, up to a second.
        """
        clock = self._sources.clock
        share.pause()
        async with self._lock:
            share.resume()
            if clock.tick() - self._refreshed_at < self._fresh_seconds:
                return
            before = share.spent
            # Set before the work: a registry change during it resets this, and must win.
            self._refreshed_at = clock.tick()
            await self._rebuild(share)
            share.pause()
            share.resume()
            work_seconds = share.spent - before
            self._fresh_seconds = min(_MAX_FRESH_SECONDS, work_seconds / MAX_LOOP_SHARE)

    async def _rebuild(self, share: LoopShare) -> None:
        groups: dict[ShownState, list[ServiceSummary]] = {state: [] for state in DISPLAY_ORDER}
        summaries, warned, without_result, hidden = {}, [], 0, 0
        causes = Counter[tuple[str, str]]()
        for target in self._targets_by_name():
            summary = summaries[target.id] = self._summary(target)
            groups[summary.state].append(summary)
            if summary.cautions:
                warned.append(summary)
            last = summary.last
            if last is not None and summary.state in FAILING:
                provider = short(provider_of(target))
                causes[kind_of(last.reason, last.verdict, provider)] += 1
            if summary.state is ShownState.UNKNOWN:
                without_result += last is None
                hidden += summary.is_unobserved
            await share.yield_if_due()
        for state in FAILING:
            groups[state].sort(key=lambda summary: summary.since)
        if hidden:
            groups[ShownState.UNKNOWN].sort(key=lambda summary: not summary.failed_before)
        troubled = [one for one in warned if one.troubles and one.state is ShownState.HEALTHY]
        if troubled:  # no outage of the service, but the first of what is none
            for rows in (groups[ShownState.HEALTHY], warned):
                rows.sort(key=lambda summary: not summary.troubles)
        # Assigned only now, without a wait between them: other pages read while this one works.
        self.order = [summary for state in DISPLAY_ORDER for summary in groups[state]]
        self.summaries, self.warned = summaries, warned
        self._counts = {state: len(group) for state, group in groups.items()}
        self._causes = causes
        self._without_result, self._hidden = without_result, hidden
        self._troubled = troubled

    def _targets_by_name(self) -> list[Target]:
        if self._sorted_targets is None:
            targets = list(self._sources.registry)
            self._sorted_targets = sorted(targets, key=lambda t: (t.name.casefold(), t.id))
            self.choices = {
                name: sorted({getattr(target, name) for target in targets})
                for name in ("environment", "provider", "type")
            }
            tags = Counter(name for target in targets for name, _ in target.tags)
            self.choices["tag"] = sorted(name for name, _ in tags.most_common(_MOST_TAGS))
        return self._sorted_targets

    def _summary(self, target: Target) -> ServiceSummary:
        """Return the summary of *target*: the present object unless it is out of date."""
        sources = self._sources
        tally, now = sources.results.of(target.id), sources.clock.now()
        in_maintenance = bool(target.maintenance) and target.in_maintenance(now)
        status_page_state = sources.status_page_state(target)
        hidden_since = unobserved_since(target, tally, sources.offline_since())
        models = sources.models(target.id) if target.models else ()
        troubles = troubles_of(models)
        unchecked = unchecked_of(models)
        known = self.summaries.get(target.id)
        if (
            known is not None
            and known.target is target
            and known.last is tally.last
            and known.stale is tally.stale
            and known.in_maintenance is in_maintenance
            and known.status_page_state is status_page_state
            and known.unobserved_since == hidden_since
            and known.troubles == troubles
            and known.unchecked == unchecked
        ):
            return known
        found = summary_of(target, tally, status_page_state, now, hidden_since)
        words = (*troubles, *unchecked, *found.cautions)
        return replace(found, cautions=words, troubles=troubles, unchecked=unchecked)

    def overview(self) -> Overview:
        """Return what the sentence at the top of the page is made of."""
        failing = [
            Failing(name=summary.target.name, fault=summary.fault, since=summary.since)
            for summary in self._named_failing()
        ]
        return Overview(
            now=self._sources.clock.now(),
            counts=self._counts,
            causes=self._causes,
            failing=failing,
            models=[
                f"{short(summary.target.name)}: {', '.join(map(short, summary.troubles))}"
                for summary in self._troubled
            ],
            hidden=self._hidden,
            without_result=self._without_result,
            offline_since=self._sources.offline_since(),
        )

    def _named_failing(self) -> Iterator[ServiceSummary]:
        # The failing services are the first of the order.
        for summary in self.order[:MAX_NAMED]:
            if summary.state in FAILING:
                yield summary
