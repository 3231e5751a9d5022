"""What outsiders may see, made from the same objects as the page for colleagues.

A page and a feed are made anew every ten seconds at most, for all who ask meanwhile together: what
is open to the whole world must cost the same whoever asks how often.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from exporter.clock import Clock, in_slices
from exporter.config import Maintenance, Monitoring, Target
from exporter.incidents import Incident, IncidentLog, Query
from exporter.public import bars, incidents
from exporter.public.badges import UNKNOWN_SERVICE, Badge, state_badge, uptime_badge
from exporter.public.days import FRESH_SECONDS, DayCache, DayRecords
from exporter.public.drawing import Page, Row, Window, drawn_feed, drawn_page
from exporter.public.states import PublicState, headline, state_of
from exporter.registry import Registry, RegistryChange
from exporter.results import Results

MOST_SERVICES = 300
"""Services on the page, by name; of more, how many are left out is said."""
_PAST_SECONDS = 14 * 86_400.0
_MOST_PAST = 50
_AT_ONCE, _MOST_READ = 200, 1000
_SLICE_SERVICES = 64
_AHEAD_SECONDS = 30 * 86_400.0


class Records(DayRecords, Protocol):
    """Daily figures, and the installation's name; implemented by `store`. Waits for the disk."""

    def name(self) -> uuid.UUID:
        """Return a name of this installation that stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything that outsiders' pages are made from."""

    registry: Registry
    results: Results
    incidents: IncidentLog
    records: Records
    clock: Clock
    monitoring: Callable[[], Monitoring]
    """The settings in force."""
    offline_since: Callable[[], float | None]
    """Since when our own network is down, a Unix time."""
    on: bool
    """Whether the page is served; without it there are only badges, of all services."""


class Rendered(NamedTuple):
    """One page or feed as it is sent."""

    body: str
    tag: str


class Outsiders:
    """Badges, page and feed."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._lock = asyncio.Lock()
        self._days = DayCache(sources.records, sources.clock)
        self._made: tuple[Rendered, Rendered] | None = None
        self._made_at = float("-inf")
        sources.registry.subscribe(self._follow)

    def _follow(self, change: RegistryChange) -> None:
        """Make all of it anew: what is public may have changed."""
        self._made_at = float("-inf")
        self._days.forget(target.id for target in change.removed)

    @property
    def on(self) -> bool:
        """Whether the page is served."""
        return self._sources.on

    def targets(self) -> list[Target]:
        """Return the services that outsiders may see: those that are chosen, or else all."""
        every = list(self._sources.registry)
        return [target for target in every if target.public] or every

    def _target(self, service: str) -> Target | None:
        """Return what a badge may be about: on the page if there is one, else any service."""
        registry = self._sources.registry
        target = registry.get(service) if service in registry else None
        if target is None or not self.on or target.public:
            return target
        return None if any(other.public for other in registry) else target

    # -- badges ------------------------------------------------------------------------------

    def state(self, service: str) -> Badge:
        """Return the badge with what *service* says now."""
        target = self._target(service)
        if target is None:
            return UNKNOWN_SERVICE
        return state_badge(target.name, self._state(target, self._sources.clock.now()))

    def _state(self, target: Target, now: float) -> PublicState:
        tally, offline_since = self._sources.results.of(target.id), self._sources.offline_since()
        return state_of(target, tally, now, offline_since)

    async def uptime(self, service: str, days: int) -> Badge:
        """Return the badge with how *service* did in the last *days*, today included."""
        target = self._target(service)
        if target is None:
            return UNKNOWN_SERVICE
        now = self._sources.clock.now()
        first = bars.first_day(now) + (bars.DAYS - days) * bars.DAY_SECONDS
        known = (await self._days.of([service], now))[service]
        counted = [day for start, day in known.items() if start >= first]
        ok, bad = (sum(day[part] for day in counted) for part in (0, 1))
        return uptime_badge(target.name, ok, bad, days)

    # -- page and feed -----------------------------------------------------------------------

    async def page(self) -> Rendered:
        """Return the page, at most ten seconds old."""
        return (await self._fresh())[0]

    async def feed(self) -> Rendered:
        """Return the Atom feed, at most ten seconds old."""
        return (await self._fresh())[1]

    async def _fresh(self) -> tuple[Rendered, Rendered]:
        async with self._lock:
            tick = self._sources.clock.tick()
            if self._made is None or tick - self._made_at >= FRESH_SECONDS:
                # Set before the work: a change of the registry meanwhile resets it, and must win.
                self._made_at = tick
                content = await self._content()
                name = await asyncio.to_thread(self._sources.records.name)
                self._made = await asyncio.to_thread(_drawn, content, name)
            return self._made

    async def _content(self) -> Page:
        """Return what is shown now; with 10,000 services the loop is not held."""
        sources, now = self._sources, self._sources.clock.now()
        settings = sources.monitoring()
        targets = self.targets()
        chosen = await asyncio.to_thread(sorted, targets, key=_by_name)
        states = {}
        async for target in in_slices(chosen, _SLICE_SERVICES):
            states[target.id] = self._state(target, now)
        listed = chosen[:MOST_SERVICES]
        days = await self._days.of([target.id for target in listed], now)
        unresolved = list(reversed(await sources.incidents.unresolved()))
        past = await self._past(now)

        def content() -> Page:
            sentence, worst = headline([(target.name, states[target.id]) for target in chosen])
            return Page(
                settings=settings.public_page,
                address=settings.page_url or "",
                now=now,
                sentence=sentence,
                worst=worst,
                unseen_since=sources.offline_since()
                if PublicState.UNKNOWN in states.values()
                else None,
                rows=[_row(target, states[target.id], days[target.id], now) for target in listed],
                left_out=len(chosen) - len(listed),
                open=incidents.shown(unresolved, chosen),
                past=incidents.shown(past, chosen, unresolved)[:_MOST_PAST],
                windows=sorted(_windows(chosen, now), key=lambda window: window.start),
            )

        return await asyncio.to_thread(content)

    async def _past(self, now: float) -> list[Incident]:
        """Return resolved incidents of the last two weeks, the newest first."""
        found: list[Incident] = []
        query = Query(status="resolved", limit=_AT_ONCE)
        while len(found) < _MOST_READ:
            page = await self._sources.incidents.find(query)
            found += [one for one in page if one.started_at >= now - _PAST_SECONDS]
            if len(page) < _AT_ONCE or page[-1].started_at < now - _PAST_SECONDS:
                break
            query = Query(
                status="resolved", limit=_AT_ONCE, before=(page[-1].started_at, page[-1].id)
            )
        return found


def _by_name(target: Target) -> tuple[str, str]:
    return target.name.casefold(), target.id


def _row(target: Target, state: PublicState, days: Mapping[int, bars.Day], now: float) -> Row:
    drawn = bars.bars(days, now)
    return Row(name=target.name, environment=target.environment, state=state, bars=drawn)


def _windows(targets: Iterable[Target], now: float) -> Iterator[Window]:
    """Yield the maintenance windows that are open or begin within a month, and what ended lately.

    Their reason is left out: it was written for colleagues.
    """
    by_time: dict[tuple[float, float], list[str]] = {}
    for target in targets:
        for window in target.maintenance:
            if _is_near(window, now):
                by_time.setdefault((window.start, window.end), []).append(target.name)
    for (start, end), names in by_time.items():
        yield Window(names=tuple(names), start=start, end=end)


def _is_near(window: Maintenance, now: float) -> bool:
    return window.end > now - _PAST_SECONDS and window.start < now + _AHEAD_SECONDS


def _drawn(content: Page, name: uuid.UUID) -> tuple[Rendered, Rendered]:
    return rendered(drawn_page(content)), rendered(drawn_feed(content, name))


def rendered(text: str) -> Rendered:
    """Return *text* as it is sent, with a hash of it."""
    return Rendered(text, hashlib.sha256(text.encode()).hexdigest()[:24])
