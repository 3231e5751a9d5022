"""Failed results with their evidence: the last of each service, first and last of each incident.

What fails is saved within a second, as the counters are. What the disk refuses waits in memory, so
much of it as is bounded. The newest are read from there and from the store alike.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from exporter.clock import Clock
from exporter.incidents import Incident
from exporter.log import event
from exporter.model import Result
from exporter.registry import Registry, RegistryChange
from exporter.results.writing import result_of, text_of

_log = logging.getLogger(__name__)
KEPT_FAILURES = 50
"""Of each service; besides them those that begin and end an incident."""
SAVE_SECONDS = 1.0
MOST_SERVICES = 20
"""Of a provider, that are looked at for its incident."""
MOST_UNSAVED = 2_000
"""Failures that wait for a disk that refuses, of all services: the newest, about 5 MB."""


class Moment(NamedTuple):
    """When a failure was; Unix times."""

    at: float
    spell: float
    """When the first failure since the last success was; `at` where this is the first."""
    until: float
    """So long it counts as the state of the service, if nothing else is seen: three intervals."""


class Row(NamedTuple):
    """A failure as it is kept."""

    service: str
    moment: Moment
    text: str
    """The result as JSON."""


class FailureStorage(Protocol):
    """Where failures are kept; implemented by `store`."""

    def put(self, rows: Sequence[Row]) -> None:
        """Keep *rows*, and drop what is beyond the bounds."""

    def drop(self, services: Collection[str]) -> None:
        """Forget the failures of *services*."""

    def keep_only(self, services: Collection[str]) -> None:
        """Forget the failures of all others."""

    def texts(self, service: str, before: float, limit: int) -> list[str]:
        """Return those of *service* before the Unix time *before*, the newest first."""

    def moments(self, service: str) -> list[Moment]:
        """Return when they were, the oldest first."""

    def texts_at(self, service: str, times: Collection[float]) -> dict[float, str]:
        """Return those that were at *times*."""


class Ends(NamedTuple):
    """The failures at both ends of an incident; None where none is kept."""

    first: Result | None = None
    last: Result | None = None


def ends_of(
    moments: Sequence[Moment], began: float, ended: float | None
) -> tuple[float | None, float | None]:
    """Return when the first and the last failure of an incident were, of *moments* by time.

    An alert fires some failures after the first one: if one still counts when it *began*, the first
    is that with which its spell began. *ended* is None while the incident is open.

    >>> spell = [Moment(100, 100, 280), Moment(160, 100, 340), Moment(220, 100, 400)]
    >>> ends_of(spell, 225, None), ends_of(spell, 500, None)
    ((100, 220), (None, None))
    """
    end = float("inf") if ended is None else ended
    before = next((one for one in reversed(moments) if one.at <= min(began, end)), None)
    if before is not None and before.until < began:
        before = None
    within = [one.at for one in moments if began < one.at <= end]
    first = within[0] if within else None
    if before is not None:
        # The beginning of a spell may be lost: then the oldest that is left of it.
        first = next(one.at for one in moments if one.spell == before.spell)
    last = within[-1] if within else before and before.at
    return first, last


class Failures:
    """Takes in failed results and gives them back."""

    def __init__(self, storage: FailureStorage, registry: Registry, clock: Clock) -> None:
        self._storage, self._registry, self._clock = storage, registry, clock
        self._unsaved: dict[tuple[str, float], Row] = {}
        self._gone: set[str] = set()
        self._known: frozenset[str] | None = None
        self._refused = False

    def add(self, result: Result, *, spell: float, until: float) -> None:
        """Keep the failed *result*; *spell* and *until* as in `Moment`."""
        moment = Moment(result.at, spell, until)
        self._unsaved[result.service, result.at] = Row(result.service, moment, text_of(result))
        if len(self._unsaved) > MOST_UNSAVED:
            del self._unsaved[next(iter(self._unsaved))]

    def follow(self, change: RegistryChange) -> None:
        """Forget the failures of what is removed."""
        for target in change.removed:
            self._gone.add(target.id)
            for key in [key for key in self._unsaved if key[0] == target.id]:
                del self._unsaved[key]

    async def run(self) -> None:
        """Save every second until cancelled."""
        while True:
            await self._clock.sleep(SAVE_SECONDS)
            await self.save()

    async def save(self) -> None:
        """Write what is not yet on the disk; what it refuses is tried again the next time."""
        rows, gone = tuple(self._unsaved.values()), frozenset(self._gone)
        known = (
            frozenset(target.id for target in self._registry) if gone or not self._known else None
        )
        if not (rows or gone or known):
            return
        try:
            await asyncio.to_thread(self._write, rows, gone, known)
        except OSError as error:
            if not self._refused:
                event(_log, "failures not saved", level=logging.ERROR, why=str(error))
            self._refused = True
            return
        self._refused, self._known = False, known or self._known
        self._gone -= gone
        for row in rows:
            key = (row.service, row.moment.at)
            if self._unsaved.get(key) is row:
                del self._unsaved[key]

    def _write(
        self, rows: Sequence[Row], gone: Collection[str], known: Collection[str] | None
    ) -> None:
        if gone:
            self._storage.drop(gone)
        if known:
            self._storage.keep_only(known)
        if rows:
            self._storage.put(rows)

    # -- reading -----------------------------------------------------------------------------

    async def newest(
        self, service: str, limit: int = KEPT_FAILURES, before: float = float("inf")
    ) -> list[Result]:
        """Return at most *limit* failures of *service* before a Unix time, the newest first."""
        stored: list[str] = []
        if service not in self._gone:
            stored = await asyncio.to_thread(self._storage.texts, service, before, limit)
        found = {one.at: one for one in _read(service, stored)}
        waiting = (row.text for row in self._of(service) if row.moment.at < before)
        found |= {one.at: one for one in _read(service, waiting)}
        return [found[at] for at in sorted(found, reverse=True)][:limit]

    async def of_incident(self, incident: Incident) -> Ends:
        """Return the first and the last failure of *incident*; see `ends_of`.

        Of one about a provider, those of its services, of which the first few are looked at.
        """
        services = [incident.service]
        if not incident.service and incident.provider:
            about = (incident.provider, incident.environment)
            same = (t.id for t in self._registry if (t.provider, t.environment) == about)
            services = list(islice(same, MOST_SERVICES))
        found = [
            await self.ends(service, incident.started_at, incident.resolved_at)
            for service in services
        ]
        firsts = [one.first for one in found if one.first is not None]
        lasts = [one.last for one in found if one.last is not None]
        return Ends(
            min(firsts, key=lambda one: one.at, default=None),
            max(lasts, key=lambda one: one.at, default=None),
        )

    async def ends(self, service: str, began: float, ended: float | None) -> Ends:
        """Return the first and the last failure of an incident of *service*; see `ends_of`."""
        if not service or service in self._gone:
            return Ends()
        kept = await asyncio.to_thread(self._storage.moments, service)
        waiting = {row.moment: row.text for row in self._of(service)}
        times = ends_of(sorted({*kept, *waiting}), began, ended)
        wanted = {at for at in times if at is not None}
        if not wanted:
            return Ends()
        texts = await asyncio.to_thread(self._storage.texts_at, service, wanted)
        texts |= {moment.at: text for moment, text in waiting.items()}
        results: Mapping[float, Result] = {
            at: result for at in wanted for result in _read(service, [texts.get(at, "")])
        }
        first, last = times
        return Ends(results.get(first or 0.0), results.get(last or 0.0))

    def _of(self, service: str) -> list[Row]:
        return [row for row in self._unsaved.values() if row.service == service]


def _read(service: str, texts: Iterable[str]) -> Iterable[Result]:
    return (result for text in texts if (result := result_of(service, text)) is not None)
