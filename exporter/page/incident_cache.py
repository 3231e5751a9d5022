"""The incidents as the page needs them: read from the log again only after one has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

from exporter.incidents import (
    Decider,
    Folded,
    Incident,
    IncidentChange,
    IncidentLog,
    Query,
    Stats,
    differences,
    folded,
)

_MAX_ANSWERS = 200
_NEWEST_OF_SERVICE = 50
"""As many as a timeline of a month can show."""
T = TypeVar("T")


class IncidentCache:
    """Keeps the answers of the incident log until an incident changes."""

    def __init__(self, log: IncidentLog) -> None:
        self._log, self._lock = log, asyncio.Lock()
        self._answers: dict[Hashable, Any] = {}
        self._changes = 0
        self.unresolved: list[Incident] = []
        """The oldest first, as of the last `refresh`; of very many the worst and newest."""
        self.folded: Folded = folded(())
        """Those, by their causes."""
        self.differences: Mapping[str, str] = {}
        """By id: what tells an unresolved one apart from others of the same title."""
        self.stats = Stats(
            total=0,
            open=0,
            acknowledged=0,
            resolved=0,
            mttr_seconds=None,
            mtta_seconds=None,
            by_severity={},
            by_service={},
        )
        log.subscribe(self._on_change)

    def _on_change(self, changes: Sequence[IncidentChange]) -> None:
        self._changes += 1
        self._answers.clear()

    @property
    def decider(self) -> Decider:
        """Who decides what is an incident."""
        return self._log.decider

    async def refresh(self) -> None:
        """Bring `unresolved`, what follows from it, and `stats` up to date."""
        unresolved = await self._cached("unresolved", self._log.unresolved)
        if unresolved is not self.unresolved:
            found = await asyncio.to_thread(folded, unresolved)
            self.differences = await asyncio.to_thread(differences, unresolved)
            self.unresolved, self.folded = unresolved, found
        self.stats = await self._cached("stats", self._log.stats)

    @property
    def unlisted(self) -> int:
        """How many more are not resolved than `unresolved` has."""
        stats = self.stats
        return max(0, stats.open + stats.acknowledged - len(self.unresolved))

    async def find(self, query: Query) -> list[Incident]:
        """Return what *query* asks for, the newest first."""
        return await self._cached(query, lambda: self._log.find(query))

    async def newest_of(self, service: str) -> list[Incident]:
        """Return the newest incidents of *service*, at most fifty."""
        return await self.find(Query(service=service, limit=_NEWEST_OF_SERVICE))

    async def get(self, id_: str) -> Incident:
        """Return one incident with its timeline.

        Raises:
            UnknownIncidentError: no incident has that id.
        """
        return await self._cached(("incident", id_), lambda: self._log.get(id_))

    async def _cached(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        # One question at a time: pages that ask the same wait for one answer.
        async with self._lock:
            if key in self._answers:
                known: T = self._answers[key]
                return known
            before = self._changes
            answer = await ask()
            # An incident that changed meanwhile may be missing from the answer: do not keep it.
            if before == self._changes:
                self._answers[key] = answer
                if len(self._answers) > _MAX_ANSWERS:
                    del self._answers[next(iter(self._answers))]
            return answer
