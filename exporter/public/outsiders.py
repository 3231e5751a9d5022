"""What outsiders may see, made from the same objects as the page for colleagues.

A page and a feed are made anew every ten seconds at most, for all who ask meanwhile together: what
is open to the whole world must cost the same whoever asks how often.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from exporter.clock import Clock
from exporter.config import Maintenance, Monitoring, Target
from exporter.incidents import Incident, IncidentLog, Query
from exporter.public import bars, incidents
from exporter.public.badges import UNKNOWN_SERVICE, Badge, state_badge, uptime_badge
from exporter.public.drawing import Page, Row, Window, drawn_feed, drawn_page
from exporter.public.states import headline, state_of
from exporter.registry import Registry, RegistryChange
from exporter.results import Results

FRESH_SECONDS = 10.0
MOST_SERVICES = 300
"""Services on the page, by name; of more, how many are left out is said."""
_PAST_SECONDS = 14 * 86_400.0
_MOST_PAST = 50
_AT_ONCE, _MOST_READ = 200, 1000
_AHEAD_SECONDS = 30 * 86_400.0


class Records(Protocol):
    """Daily figures, and the installation's name; implemented by `store`. Waits for the disk."""

    def days(self, service: str, since: float) -> list[tuple[int, int, int]]:
        """Return (start, good, bad) of each day with results since *since*."""

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
        self._days: dict[str, tuple[float, dict[int, bars.Day]]] = {}
        self._made: tuple[Rendered, Rendered] | None = None
        self._made_at = float("-inf")
        sources.registry.subscribe(self._follow)

    def _follow(self, change: RegistryChange) -> None:
        """Make all of it anew: what is public may have changed."""
        self._made_at = float("-inf")
        for target in (*change.changed, *change.removed):
            self._days.pop(target.id, None)

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
        tally = self._sources.results.of(service)
        return state_badge(target.name, state_of(target, tally, self._sources.clock.now()))

    async def uptime(self, service: str, days: int) -> Badge:
        """Return the badge with how *service* did in the last *days*, today included."""
        target = self._target(service)
        if target is None:
            return UNKNOWN_SERVICE
        await self._read_days([target])
        first = bars.first_day(self._sources.clock.now()) + (bars.DAYS - days) * bars.DAY_SECONDS
        counted = [day for start, day in self._days[service][1].items() if start >= first]
        ok, bad = (sum(day[part] for day in counted) for part in (0, 1))
        return uptime_badge(target.name, ok, bad, days)

    async def _read_days(self, targets: Iterable[Target]) -> None:
        """Have the days of *targets* at most ten seconds old; only the last two are read again."""
        tick, first = self._sources.clock.tick(), bars.first_day(self._sources.clock.now())
        last_two = first + (bars.DAYS - 2) * bars.DAY_SECONDS
        wanted = []
        for target in targets:
            known = self._days.get(target.id)
            if known is None:
                wanted.append((target.id, first))
            elif tick - known[0] >= FRESH_SECONDS:
                wanted.append((target.id, max(first, min(last_two, max(known[1], default=first)))))
        read = self._sources.records.days
        found = await asyncio.to_thread(lambda: [(id_, read(id_, at)) for id_, at in wanted])
        for id_, rows in found:
            days = {start: day for start, day in self._kept(id_) if start >= first}
            days |= {start: (ok, bad) for start, ok, bad in rows}
            self._days[id_] = (tick, days)

    def _kept(self, id_: str) -> Iterable[tuple[int, bars.Day]]:
        return self._days[id_][1].items() if id_ in self._days else ()

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
        sources, now = self._sources, self._sources.clock.now()
        settings = sources.monitoring()
        chosen = sorted(self.targets(), key=lambda target: (target.name.casefold(), target.id))
        await self._read_days(chosen[:MOST_SERVICES])
        rows = [self._row(target, now) for target in chosen[:MOST_SERVICES]]
        every = [(t.name, state_of(t, sources.results.of(t.id), now)) for t in chosen]
        sentence, worst = headline(every)
        unresolved = list(reversed(await sources.incidents.unresolved()))
        return Page(
            settings=settings.public_page,
            address=settings.page_url or "",
            now=now,
            sentence=sentence,
            worst=worst,
            rows=rows,
            left_out=len(chosen) - len(rows),
            open=incidents.shown(unresolved, chosen),
            past=incidents.shown(await self._past(chosen, now), chosen)[:_MOST_PAST],
            windows=sorted(_windows(chosen, now), key=lambda window: window.start),
        )

    def _row(self, target: Target, now: float) -> Row:
        return Row(
            name=target.name,
            environment=target.environment,
            state=state_of(target, self._sources.results.of(target.id), now),
            bars=bars.bars(self._days[target.id][1], now),
        )

    async def _past(self, chosen: Sequence[Target], now: float) -> list[Incident]:
        """Return resolved incidents of the last two weeks that may be shown, the newest first."""
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
