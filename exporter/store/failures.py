"""Failed results in the database: the newest of each service, and both ends of each incident."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence

from exporter.results.failures import KEPT_FAILURES, Moment, Row, ends_of
from exporter.store import sound
from exporter.store.database import Database

MOST_ROWS = 100_000
"""Of all services together: about 120 MB on a disk, of which the oldest go first."""
MOST_IN_MEMORY = 5_000
"""Of all services without a directory: about 8 MB."""
MOST_OF_INCIDENTS = 200
"""Of one service, beside the newest: those that begin or end an incident."""
_TRIM_AFTER = 1_000
"""Rows between two looks at how many there are in all."""


class FailureTable:
    """The failures of every service."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._most = MOST_IN_MEMORY if database.directory is None else MOST_ROWS
        self._added: Counter[str] = Counter()
        """Rows of each service since it was last pruned by this process."""
        self._untrimmed = _TRIM_AFTER

    def put(self, rows: Sequence[Row]) -> None:
        """Keep *rows*, and drop what is beyond the bounds.

        Raises:
            StoreError: nothing was written.
        """
        given = [(row.service, *row.moment, row.text) for row in rows]
        counts = Counter(row.service for row in rows)
        with self._database.write() as db:
            db.executemany("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?)", given)
            full = [
                service
                for service, number in counts.items()
                if self._added[service] + number > KEPT_FAILURES or service not in self._added
            ]
            for service in full:
                _prune(db, service)
            trim = self._untrimmed + len(given) > _TRIM_AFTER
            if trim:
                self._trim(db)
        self._added.update(counts)
        for service in full:
            self._added[service] = 0
        self._untrimmed = 0 if trim else self._untrimmed + len(given)

    def _trim(self, db: sqlite3.Connection) -> None:
        newest = "SELECT at FROM failures ORDER BY at DESC LIMIT 1 OFFSET ?"
        beyond = db.execute(newest, (self._most,)).fetchone()
        if beyond is not None:
            db.execute("DELETE FROM failures WHERE at <= ?", beyond)

    def drop(self, services: Collection[str]) -> None:
        """Forget the failures of *services*."""
        with self._database.write() as db:
            gone = [(service,) for service in services]
            db.executemany("DELETE FROM failures WHERE service = ?", gone)
        for service in services:
            self._added.pop(service, None)

    def keep_only(self, services: Collection[str]) -> None:
        """Forget the failures of all others."""
        with self._database.write() as db:
            found = db.execute("SELECT DISTINCT service FROM failures").fetchall()
            gone = [row for row in found if row[0] not in services]
            db.executemany("DELETE FROM failures WHERE service = ?", gone)

    def texts(self, service: str, before: float, limit: int) -> list[str]:
        """Return those of *service* before the Unix time *before*, the newest first."""
        asked = f"{_SELECT} WHERE service = ? AND at < ? ORDER BY at DESC LIMIT ?"
        with self._database.read() as db:
            rows = db.execute(asked, (service, before, limit)).fetchall()
        return [row[4] for row in self._sound(rows)]

    def moments(self, service: str) -> list[Moment]:
        """Return when they were, the oldest first."""
        with self._database.read() as db:
            return _moments(db, service)

    def texts_at(self, service: str, times: Collection[float]) -> dict[float, str]:
        """Return those that were at *times*."""
        with self._database.read() as db:
            rows = [
                row
                for at in times
                for row in db.execute(f"{_SELECT} WHERE service = ? AND at = ?", (service, at))
            ]
        return {row[1]: row[4] for row in self._sound(rows)}

    def _sound(
        self, rows: Sequence[tuple[object, ...]]
    ) -> list[tuple[str, float, float, float, str]]:
        found = []
        for row in rows:
            if sound.failure(row):
                found.append(row)
            else:
                self._database.damage.report("failures", row[0])
        return found  # type: ignore[return-value]


_SELECT = "SELECT service, at, spell, until, text FROM failures"


def _moments(db: sqlite3.Connection, service: str) -> list[Moment]:
    asked = "SELECT at, spell, until FROM failures WHERE service = ? ORDER BY at"
    rows = db.execute(asked, (service,)).fetchall()
    return [Moment(*row) for row in rows if all(map(sound.is_time, row))]


def _prune(db: sqlite3.Connection, service: str) -> None:
    """Drop the failures of *service* that are neither new nor at an end of an incident."""
    moments = _moments(db, service)
    old = moments[:-KEPT_FAILURES]
    if not old:
        return
    kept = {moments[-1].spell}  # an alert that is yet to come may belong to it
    asked = (
        "SELECT started_at, resolved_at FROM incidents WHERE service = ? AND started_at <= ?"
        " AND coalesce(resolved_at, ?) >= ?"
    )
    within = (service, max(one.until for one in old), float(2**53), old[0].spell)
    for began, ended in db.execute(asked, within):
        if sound.is_time(began) and (ended is None or sound.is_time(ended)):
            kept.update(at for at in ends_of(moments, began, ended) if at is not None)
    wanted = {one.at for one in old if one.at in kept}
    wanted = set(sorted(wanted)[-MOST_OF_INCIDENTS:])
    gone = [(service, one.at) for one in old if one.at not in wanted]
    db.executemany("DELETE FROM failures WHERE service = ? AND at = ?", gone)
