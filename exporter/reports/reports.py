"""Gathers what a report is made of, from the results, the store and the incident log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exporter.clock import Clock
from exporter.config import Target
from exporter.incidents import Incident, IncidentLog, Query
from exporter.model import OURS
from exporter.providers import Preset, Promise
from exporter.registry import Registry
from exporter.reports import rules
from exporter.reports.document import Json, document
from exporter.reports.facts import Facts, failed_request, page_story, tail
from exporter.results import Failures, Persistence, Results
from exporter.results.minutes import MINUTE_SECONDS

AT_ONCE = 2
"""Reports that are made at once: each may read 400 days in a thread."""
MOST_INCIDENTS = MOST_FAILURES = 1000
"""No request reached the vendor, or nobody knows: in its report such a failure only misleads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The parts of the program that a report is read from."""

    registry: Registry
    results: Results
    persistence: Persistence
    incidents: IncidentLog
    clock: Clock
    failures: Failures
    presets: Callable[[], Mapping[str, Preset]]
    canaries: Callable[[], int]
    """How many canaries there are."""
    redact: Callable[[str], str] = str
    """Takes known secrets out of a text: an incident may quote what somebody typed."""
    version: str = ""


class Reports:
    """Makes the report of a service for a time."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def report(self, service: str, start: int, end: int) -> Json:
        """Return the `document` of *service* from the minute *start* until *end*.

        Raises:
            UnknownServiceError: there is no such service.
            StoreError: what is kept cannot be read.
        """
        target = self._sources.registry.get(service)
        async with self._slots:
            facts = await self._facts(target, start, end)
            return await asyncio.to_thread(_document, facts, self._sources.redact)

    async def _facts(self, target: Target, start: int, end: int) -> Facts:
        sources = self._sources
        now, preset = sources.clock.now(), sources.presets().get(target.provider)
        promise = preset.sla if preset is not None else None
        known = int(now // MINUTE_SECONDS)
        first, last = _widened(promise, start, end)
        begin, until = float(start * MINUTE_SECONDS), float(end * MINUTE_SECONDS)
        if end == known:
            until = now  # what is under way began a moment ago: it has no whole minute yet
        kept = await sources.persistence.minutes(target.id, first, min(last, known))
        latest = sources.results.of(target.id).last
        incidents = await self._incidents(target.id, begin, until)
        newest = await sources.failures.newest(target.id, MOST_FAILURES, until)
        failed = [one for one in reversed(newest) if one.at >= begin and one.verdict not in OURS]
        facts = Facts(
            target=target,
            promise=promise,
            start=start,
            end=end,
            now=now,
            kept=kept,
            incidents=incidents,
            failures=[failed_request(one) for one in failed],
            page_story=page_story(incidents),
            canaries=sources.canaries(),
            version=sources.version,
        )
        return tail(facts, None if latest is None else latest.at)

    async def _incidents(self, service: str, start: float, end: float) -> list[Incident]:
        """Return the incidents of *service* that began in that time or before and ended in it."""
        newest = Query(service=service, limit=MOST_INCIDENTS, before=(end, ""))
        found = await self._sources.incidents.find(newest)
        return [
            one for one in reversed(found) if one.resolved_at is None or one.resolved_at > start
        ]


def _document(facts: Facts, redact: Callable[[str], str]) -> Json:
    found: Json = _redacted(document(facts), redact)
    return found


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_redacted(one, redact) for one in value]
    if isinstance(value, dict):
        return {name: _redacted(one, redact) for name, one in value.items()}
    return value


def _widened(promise: Promise | None, start: int, end: int) -> tuple[int, int]:
    """Return the minutes that are needed to judge the whole periods of the vendor's rule too."""
    if promise is None or promise.period is None:
        return start, end
    found = rules.periods(promise.period, start, max(end, start + 1))
    return found[0].start, found[-1].end
