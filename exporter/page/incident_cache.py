"""The incidents as the page needs them: asked of the log again only after it has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeVar

from exporter.incidents import Incident, IncidentChange, IncidentLog, Query, Stats

_KEPT = 200
_NEWEST = 5
T = TypeVar("T")


class IncidentCache:
    """Remembers answers of the log until something is said or done."""

    def __init__(self, log: IncidentLog) -> None:
        self._log, self._lock = log, asyncio.Lock()
        self._known: dict[Hashable, Any] = {}
        self._changes = 0
        self.unresolved: list[Incident] = []
        """The oldest first, as of the last `look`."""
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
        log.subscribe(self._changed)

    def _changed(self, changes: Sequence[IncidentChange]) -> None:
        self._changes += 1
        self._known.clear()

    async def look(self) -> None:
        """Learn what is open, and the sums."""
        self.unresolved = await self._once("unresolved", self._log.unresolved)
        self.stats = await self._once("stats", self._log.stats)

    async def find(self, query: Query) -> list[Incident]:
        """Return what *query* asks for, the newest first."""
        return await self._once(query, lambda: self._log.find(query))

    async def of(self, service: str) -> list[Incident]:
        """Return the newest incidents of *service*."""
        return await self.find(Query(service=service, limit=_NEWEST))

    async def get(self, id_: str) -> Incident:
        """Return one with its timeline.

        Raises:
            UnknownIncidentError: there is none of that id.
        """
        return await self._once(("one", id_), lambda: self._log.get(id_))

    async def _once(self, what: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        async with self._lock:
            if what in self._known:
                found: T = self._known[what]
                return found
            before = self._changes
            answer = await ask()
            if before == self._changes:  # else it may be of before the change
                self._known[what] = answer
                if len(self._known) > _KEPT:
                    del self._known[next(iter(self._known))]
            return answer
