"""Where incidents are kept, as the log needs it; implemented by `store`."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Protocol

from exporter.incidents.batch import EpisodeStorage
from exporter.incidents.model import Counts, Incident, Query, Stats


class IncidentStorage(EpisodeStorage, Protocol):
    """Where incidents are kept; implemented by `store`."""

    def atomic(self) -> AbstractContextManager[object]:
        """Make several calls one write."""

    def open_after(self, key: str, limit: int) -> list[Incident]:
        """Return incidents that are not resolved, by key, of those after *key*."""

    def get(self, id_: str) -> Incident:
        """Return one with its timeline; raise `UnknownIncidentError` if there is none."""

    def unresolved(self, limit: int) -> list[Incident]:
        """Return those that are not resolved, the oldest first; if too many, the worst of them."""

    def manual(self, since: float) -> list[Incident]:
        """Return the manual ones that are not resolved, or were after *since*, with timelines."""

    def find(self, query: Query) -> list[Incident]:
        """Return what *query* asks for with timelines, the newest first."""

    def stats(self) -> Stats:
        """Return the sums."""

    def counts(self, settled: float) -> Counts:
        """Return the figures of the metrics; times to resolve of what ended before *settled*."""

    def note_contact(self, what: str, at: float) -> None:
        """Remember that *what* came, or was asked, at the Unix time *at*."""

    def last_contact(self, what: str) -> float | None:
        """Return when that was last; None if never."""

    def actions_done(self, id_: str) -> Collection[str]:
        """Return the names of the escalation rules that ran for an incident."""

    def action_done(self, id_: str, rule: str) -> None:
        """Remember that one ran."""
