"""Some alerts folded as one write: what each key has is read once, and each incident kept once.

An alert that cannot be folded, or a change that the storage refuses, is set aside: it costs its
own key and nothing of its neighbours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from math import inf
from typing import Protocol

from exporter.incidents import fold
from exporter.incidents.alerts import key_of
from exporter.incidents.model import Alert, Entry, ImpossibleChangeError, Incident
from exporter.incidents.spells import IncidentChange
from exporter.incidents.states import Report
from exporter.incidents.telling import news

MOST_OF_KEY = 20
"""Incidents of a key that are read at once: its newest ones, or those around a time."""


class EpisodeStorage(Protocol):
    """Where incidents are kept; implemented by `store`."""

    def attempt(self) -> AbstractContextManager[object]:
        """Make several calls a part of a write that fails alone.

        Raises:
            ImpossibleChangeError: the part contradicts what is kept; nothing of it is.
        """

    def put(
        self, incident: Incident, entries: Sequence[Entry], absorbed: Sequence[str] = ()
    ) -> None:
        """Keep *incident* in place of its former version and of those that it has *absorbed*.

        *entries* come after those that it has.
        """

    def by_key(self, key: str, limit: int) -> list[Incident]:
        """Return incidents of *key*: the one not resolved first, then the newest first."""

    def around(self, key: str, start: float, end: float, limit: int) -> list[Incident]:
        """Return incidents of *key* that lasted from *start* to *end* or a part, newest first."""


class Batch:
    """Alerts that came together."""

    def __init__(self, storage: EpisodeStorage, report: Report) -> None:
        self._storage, self._report = storage, report
        self._known: dict[str, dict[str, Incident]] = {}
        self._newest: dict[str, float] = {}
        """By key: before this, more incidents may be kept than are known."""
        self._before: dict[str, dict[str, Incident]] = {}
        self._made: dict[str, dict[str, IncidentChange]] = {}
        self.aside: list[tuple[str, str]] = []
        """Keys of what could not be folded, and why."""

    def fold(self, alerts: Iterable[Alert]) -> None:
        """Fold *alerts*, one after the other."""
        for alert in alerts:
            key = key_of(alert.labels)
            known = self._near(key, alert)
            try:
                changes = fold.fold(known, alert, self._report)
            except Exception as error:  # one odd alert costs its own key alone
                self.aside.append((key, type(error).__name__))
                continue
            for change in changes:
                self._note(key, change)

    def miss(self, incidents: Iterable[Incident], listed: Collection[str]) -> None:
        """Note of *incidents* which alerts a complete poll does not list."""
        for incident in incidents:
            try:
                changes = fold.missing(incident, listed, (), self._report)
            except Exception as error:
                self.aside.append((incident.key, type(error).__name__))
                continue
            self._known.setdefault(incident.key, {})[incident.id] = incident
            self._before.setdefault(incident.key, {})[incident.id] = incident
            for change in changes:
                self._note(incident.key, change)

    def _near(self, key: str, alert: Alert) -> list[Incident]:
        """Return the incidents that *alert* may touch, one open first, then the newest."""
        known = self._known.get(key)
        if known is None:
            found = self._storage.by_key(key, MOST_OF_KEY)
            known = self._remember(key, found)
            full = len(found) == MOST_OF_KEY
            self._newest[key] = min(one.started_at for one in found) if full else -inf
        start = alert.starts_at - self._report.grace
        if start <= self._newest[key]:
            end = min(self._newest[key], (alert.ends_at or inf) + self._report.grace)
            self._remember(key, self._storage.around(key, start, end, MOST_OF_KEY))
        return sorted(
            known.values(), key=lambda one: (one.resolved_at is None, one.started_at), reverse=True
        )

    def _remember(self, key: str, found: Iterable[Incident]) -> dict[str, Incident]:
        known, before = self._known.setdefault(key, {}), self._before.setdefault(key, {})
        gone = {id_ for change in self._made.get(key, {}).values() for id_ in change.absorbed}
        for one in found:
            if one.id not in before and one.id not in gone:
                known[one.id] = before[one.id] = one
        return known

    def _note(self, key: str, change: IncidentChange) -> None:
        """Have *change* written, after what was to be written of the same incidents."""
        made, known = self._made.setdefault(key, {}), self._known[key]
        entries, absorbed = change.entries, change.absorbed
        for id_ in (change.incident.id, *change.absorbed):
            known.pop(id_, None)
            if (former := made.pop(id_, None)) is not None:
                entries, absorbed = former.entries + entries, former.absorbed + absorbed
        known[change.incident.id] = change.incident
        absorbed = tuple(id_ for id_ in dict.fromkeys(absorbed) if id_ != change.incident.id)
        made[change.incident.id] = IncidentChange(
            incident=change.incident, entries=entries, absorbed=absorbed
        )

    def write(self) -> list[IncidentChange]:
        """Keep the changes and return them. Call it within one write of the storage."""
        written = []
        for key, made in self._made.items():
            changes = [self._complete(key, change) for change in made.values()]
            # What has ended first: of a key one incident can be open.
            changes.sort(key=lambda change: change.incident.resolved_at is None)
            try:
                with self._storage.attempt():
                    for change in changes:
                        self._storage.put(change.incident, change.entries, change.absorbed)
            except ImpossibleChangeError as error:
                self.aside.append((key, str(error)))
                continue
            written += changes
        return written

    def _complete(self, key: str, change: IncidentChange) -> IncidentChange:
        """Return *change* with what is kept from people and what has reached them by now."""
        former, after = self._before[key].get(change.incident.id), change.incident
        report = self._report
        was = former.suppressed if former is not None else ""
        entries = (
            *change.entries,
            *fold.suppression(was, after, report.source, report.now),
            *news(former, after, report.now),
        )
        return IncidentChange(incident=after, entries=entries, absorbed=change.absorbed)
