"""Incidents and their timelines in the database; one that is not resolved for each key."""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from typing import Any

from exporter.incidents.model import (
    SEVERITIES,
    Counts,
    Entry,
    EntryKind,
    ImpossibleChangeError,
    Incident,
    Query,
    Stats,
    UnknownIncidentError,
)
from exporter.store import sound
from exporter.store.database import Database
from exporter.store.errors import ContradictionError
from exporter.store.sums import AT_ONCE, Sums, adopt

_COLUMNS = sound.INCIDENT_COLUMNS
_JSON = ("reached", "receivers", "alerts", "past")
_STATUS = {
    "open": "resolved_at IS NULL AND acknowledged_at IS NULL",
    "acknowledged": "resolved_at IS NULL AND acknowledged_at IS NOT NULL",
    "resolved": "resolved_at IS NOT NULL",
}
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM incidents"  # noqa: S608, names of our own
_PUT = (
    f"INSERT INTO incidents ({', '.join(_COLUMNS)})"  # noqa: S608
    f" VALUES ({', '.join('?' * len(_COLUMNS))})"
    " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name != "id")
)


_COUNTED = {"incidents", "incident_sums", "incident_counted"}
MOST_INCIDENTS = 100_000
"""Incidents that are kept beside those that are open: about 200 MB."""


MOST_ENTRIES = 400
"""Entries of one timeline that no person wrote, the newest, where an alert comes and goes."""
_SHORTEN = (
    "DELETE FROM timeline WHERE id IN (SELECT id FROM timeline WHERE incident = ? AND kind IN"
    " ('resolved', 'reopened', 'suppressed', 'unsuppressed', 'notified', 'failing') AND note = ''"
    " ORDER BY at DESC, id DESC LIMIT -1 OFFSET ?)"
)


class IncidentTable:
    """Every incident ever."""

    def __init__(self, database: Database) -> None:
        self._database, self._sums = database, Sums()
        with database.write() as db:
            while self._adopt(db):
                pass
            if database.damage.found & _COUNTED:
                self._sums.recount(db, self._incidents(db.execute(_SELECT).fetchall()))

    def _adopt(self, db: sqlite3.Connection) -> bool:
        """Count some incidents that an older version kept; return whether there were any."""
        for row in db.execute("SELECT * FROM past_sums").fetchall():
            adopt(db, row)
        db.execute("DELETE FROM past_sums")
        waiting = "SELECT id FROM incidents_to_count LIMIT ?"
        rows = db.execute(f"{_SELECT} WHERE id IN ({waiting})", (AT_ONCE,)).fetchall()
        for incident in self._incidents(rows):
            self._sums.note(db, incident)
        db.executemany("DELETE FROM incidents_to_count WHERE id = ?", [(row[0],) for row in rows])
        return bool(rows)

    def atomic(self) -> AbstractContextManager[object]:
        return self._database.write()

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        try:
            with self._database.attempt():
                yield
        except ContradictionError as error:
            raise ImpossibleChangeError(str(error)) from None
        except (OverflowError, TypeError, ValueError, sqlite3.ProgrammingError) as error:
            raise ImpossibleChangeError(type(error).__name__) from None

    def put(
        self, incident: Incident, entries: Sequence[Entry], absorbed: Sequence[str] = ()
    ) -> None:
        with self._database.write() as db:
            counted = set[str]()
            for id_ in absorbed:
                counted |= self._sums.forget(db, id_)
                _absorb(db, id_, incident.id)
            self._sums.note(db, incident, counted)
            db.execute(_PUT, _row(incident))
            db.executemany(
                "INSERT INTO timeline (incident, at, kind, by, note) VALUES (?, ?, ?, ?, ?)",
                [(incident.id, e.at, e.kind, e.by, e.note) for e in entries],
            )
            if incident.reopened > MOST_ENTRIES // 4:
                db.execute(_SHORTEN, (incident.id, MOST_ENTRIES))

    def by_key(self, key: str, limit: int) -> list[Incident]:
        open_ = f"{_SELECT} WHERE key = ? AND resolved_at IS NULL"
        newest = f"{_SELECT} WHERE key = ? ORDER BY started_at DESC LIMIT ?"
        with self._database.read() as db:
            rows = [*db.execute(open_, (key,)), *db.execute(newest, (key, limit))]
        return list({one.id: one for one in self._incidents(rows)}.values())

    def around(self, key: str, start: float, end: float, limit: int) -> list[Incident]:
        asked = f"{_SELECT} WHERE key = ? AND started_at <= ? ORDER BY started_at DESC LIMIT ?"
        with self._database.read() as db:
            found = self._incidents(db.execute(asked, (key, end, limit)))
        return [one for one in found if one.resolved_at is None or one.resolved_at >= start]

    def open_after(self, key: str, limit: int) -> list[Incident]:
        where = "resolved_at IS NULL AND key > ? ORDER BY key LIMIT ?"
        with self._database.read() as db:
            return self._incidents(db.execute(f"{_SELECT} WHERE {where}", (key, limit)))

    def get(self, id_: str) -> Incident:
        with self._database.read() as db:
            row = db.execute(f"{_SELECT} WHERE id = ?", (id_,)).fetchone()
            if row is None:
                part_of = "(SELECT incident FROM absorbed WHERE id = ?)"
                row = db.execute(f"{_SELECT} WHERE id = {part_of}", (id_,)).fetchone()
            found = self._incidents([row] if row is not None else [])
            if not found:
                raise UnknownIncidentError("there is no such incident")
            return self._with_timelines(db, found)[0]

    def unresolved(self, limit: int) -> list[Incident]:
        worst = " ".join(f"WHEN '{name}' THEN {n}" for n, name in enumerate(SEVERITIES))
        order = f"CASE severity {worst} END, started_at DESC LIMIT ?"
        with self._database.read() as db:
            rows = db.execute(f"{_SELECT} WHERE resolved_at IS NULL ORDER BY {order}", (limit,))
            found = sorted(self._incidents(rows), key=lambda one: (one.started_at, one.id))
            return self._with_timelines(db, found)

    def manual(self, since: float) -> list[Incident]:
        where = "manual AND (resolved_at IS NULL OR resolved_at > ?) ORDER BY started_at, id"
        with self._database.read() as db:
            rows = db.execute(f"{_SELECT} WHERE {where}", (since,))
            return self._with_timelines(db, self._incidents(rows))

    def find(self, query: Query) -> list[Incident]:
        where, given = ["TRUE"], list[Any]()
        for name in ("severity", "service", "environment"):
            if value := getattr(query, name):
                where.append(f"{name} = ?")
                given.append(value)
        if query.status:
            where.append(_STATUS.get(query.status, "FALSE"))
        if query.before is not None:
            where.append("(started_at, id) < (?, ?)")
            given += query.before
        asked = f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY started_at DESC, id DESC LIMIT ?"
        with self._database.read() as db:
            rows = db.execute(asked, (*given, min(max(0, query.limit), 2**31)))
            return self._with_timelines(db, self._incidents(rows))

    def _incidents(self, rows: Iterable[Sequence[Any]]) -> list[Incident]:
        found = []
        for row in rows:
            try:
                found.append(sound.incident_of(row))
            except ValueError:
                self._database.damage.report("incidents", row[0])
        return found

    def _with_timelines(self, db: sqlite3.Connection, incidents: list[Incident]) -> list[Incident]:
        entries = defaultdict[str, list[Entry]](list)
        ids = [incident.id for incident in incidents]
        for begin in range(0, len(ids), 500):
            part = ids[begin : begin + 500]
            marks = ", ".join("?" * len(part))
            asked = f"SELECT incident, at, kind, by, note FROM timeline WHERE incident IN ({marks})"  # noqa: S608
            for row in db.execute(f"{asked} ORDER BY at, id", part):
                if not sound.timeline_entry(row):
                    self._database.damage.report("timeline", row[0])
                    continue
                incident, at, kind, by, note = row
                entries[incident].append(Entry(at=at, kind=EntryKind(kind), by=by, note=note))
        return [replace(one, timeline=tuple(entries[one.id])) for one in incidents]

    def stats(self) -> Stats:
        with self._database.read() as db:
            return self._sums.stats(db)

    def counts(self, settled: float) -> Counts:
        with self._database.write() as db:
            while self._sums.settle(db, settled) == AT_ONCE:
                pass
            if self._sums.kept(db) > MOST_INCIDENTS:
                self.prune(-math.inf, MOST_INCIDENTS)
        with self._database.read() as db:
            return self._sums.counts(db)

    def prune(self, before: float, most: int = MOST_INCIDENTS) -> int:
        """Remove up to a thousand incidents, the oldest that have ended; return how many.

        Those that ended before *before*, and as many as there are beyond *most*. Their sums are
        kept: a counter never falls, Prometheus would take that for a restart.
        """
        with self._database.write() as db:
            beyond = self._sums.kept(db) - most
            ended = "SELECT id, resolved_at FROM incidents WHERE resolved_at IS NOT NULL"
            oldest = db.execute(f"{ended} ORDER BY resolved_at LIMIT {AT_ONCE}").fetchall()
            gone = [(id_,) for n, (id_, end) in enumerate(oldest) if end < before or n < beyond]
            if gone:
                last = oldest[len(gone) - 1][1]
                while self._sums.settle(db, last) == AT_ONCE:
                    pass
            for (id_,) in gone:
                self._sums.forget(db, id_)
            for table in ("timeline", "actions", "absorbed"):
                db.executemany(f"DELETE FROM {table} WHERE incident = ?", gone)  # noqa: S608
            db.executemany("DELETE FROM incidents WHERE id = ?", gone)
            return len(gone)

    def note_contact(self, what: str, at: float) -> None:
        with self._database.write() as db:
            db.execute("INSERT OR REPLACE INTO heard VALUES (?, ?)", (what, at))

    def last_contact(self, what: str) -> float | None:
        with self._database.read() as db:
            row = db.execute("SELECT at FROM heard WHERE what = ?", (what,)).fetchone()
        return float(row[0]) if row is not None and sound.is_time(row[0]) else None

    def actions_done(self, id_: str) -> Collection[str]:
        with self._database.read() as db:
            rows = db.execute("SELECT rule FROM actions WHERE incident = ?", (id_,)).fetchall()
        return frozenset(row[0] for row in rows)

    def action_done(self, id_: str, rule: str) -> None:
        with self._database.write() as db:
            db.execute("INSERT OR IGNORE INTO actions VALUES (?, ?)", (id_, rule))


def _absorb(db: sqlite3.Connection, id_: str, into: str) -> None:
    """Make the incident *id_* a part of *into*, which may not be kept yet.

    Its timeline goes over, and its id still leads there.
    """
    db.execute("PRAGMA defer_foreign_keys = ON")
    moved = "kind = CASE kind WHEN 'opened' THEN 'reopened' ELSE kind END"
    db.execute(f"UPDATE timeline SET incident = ?, {moved} WHERE incident = ?", (into, id_))  # noqa: S608
    db.execute("UPDATE OR IGNORE actions SET incident = ? WHERE incident = ?", (into, id_))
    db.execute("DELETE FROM actions WHERE incident = ?", (id_,))
    db.execute("UPDATE absorbed SET incident = ? WHERE incident = ?", (into, id_))
    if db.execute("DELETE FROM incidents WHERE id = ?", (id_,)).rowcount:
        db.execute("INSERT OR REPLACE INTO absorbed VALUES (?, ?)", (id_, into))


def _row(incident: Incident) -> tuple[Any, ...]:
    values = {name: getattr(incident, name) for name in _COLUMNS}
    values["alerts"] = [asdict(state) for state in incident.alerts]
    for name in _JSON:
        values[name] = json.dumps(values[name])
    return tuple(values.values())
