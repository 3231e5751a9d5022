"""The history of results: quarters of an hour, and the last 31 days joined into four hours each.

With quarters alone a month of a large fleet would be too much to keep and, for one picture, too
much to read. A quarter's response times go when two days are over: its span has them then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from exporter.model import Reason
from exporter.results.history import DAY_SECONDS, SPAN_SECONDS, WIDTH_SECONDS, Bucket, in_spans
from exporter.store import sound
from exporter.store.database import Database

KEPT_BUCKETS = 2_000_000
"""Quarters: 200 MB, two days of 10,000 services or the default 100 days of 200."""
KEPT_SPANS, KEPT_SPANS_IN_MEMORY = 2_000_000, 100_000
"""Four hours each: 370 MB, 31 days of 10,000 services; in memory 20 MB, 31 days of 500."""
_SPAN_AGE_SECONDS = 31 * DAY_SECONDS
_SETTLED_SECONDS = 3600
"""So long after its end nothing comes to a span any more: what could not be saved is saved."""
_LEVELS_SECONDS = 2 * 86_400
_AT_ONCE = 100
"""Services whose spans are joined in one write: others wait for it some milliseconds."""
_FOLDED = "folded"
"""The note in `meta` of the Unix time before which every quarter is in a span."""


class HistoryTable:
    """The tables `history` and `history_spans`; a row of either is a `Bucket`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, rows: Iterable[Bucket]) -> None:
        """Keep the quarters *rows*, each in place of a former version of it."""
        with self._database.write() as db:
            _put(db, "history", rows)

    def quarters(self, service: str | None, since: float) -> list[Bucket]:
        """Return the quarters that begin at *since* or later, by service and time."""
        return self._read("history", service, since)

    def spans(self, service: str, since: float) -> list[Bucket]:
        """Return the spans of *service* that begin at *since* or later, by time.

        The last hours are not among them yet.
        """
        return self._read("history_spans", service, since)

    def _read(self, table: str, service: str | None, since: float) -> list[Bucket]:
        where, given = ("TRUE", ()) if service is None else ("service = ?", (service,))
        asked = f"SELECT {_COLUMNS} FROM {table} WHERE {where} AND start >= ?"  # noqa: S608
        with self._database.read() as db:
            rows = db.execute(f"{asked} ORDER BY service, start", (*given, since)).fetchall()
        rows = self._database.damage.without_damaged(table, rows, sound.bucket)
        return [Bucket._make((*row[:4], Reason(row[4]), *row[5:])) for row in rows]

    def counted(self, service: str, since: float, until: float) -> tuple[int, int, float | None]:
        """Return good and bad results of the quarters that begin at *since* or later, but before
        *until*, and when the first of these quarters began.
        """
        asked = f"SELECT total(ok), total(bad), min(start) FROM history WHERE {sound.COUNTED}"  # noqa: S608
        with self._database.read() as db:
            given = (service, since, until)
            ok, bad, first = db.execute(f"{asked} AND start < ?", given).fetchone()
        return int(ok), int(bad), first

    def newest(self) -> float | None:
        """Return the Unix time at which the last quarter began; None without one."""
        with self._database.read() as db:
            found = db.execute("SELECT max(start) FROM history").fetchone()[0]
        return float(found) if sound.is_time(found) else None

    def prune(self, before: float, now: float) -> None:
        """Drop the quarters that began before *before*, and the oldest beyond `KEPT_BUCKETS`.

        First they are joined into spans, which are kept for 31 days, or until *before* if that
        is less; without a directory, where *before* is a day ago, always for 31 days.
        """
        self._fold(now)
        in_memory = self._database.directory is None
        oldest = now - _SPAN_AGE_SECONDS
        with self._database.write() as db:
            _drop(db, "history", before, KEPT_BUCKETS)
            kept = KEPT_SPANS_IN_MEMORY if in_memory else KEPT_SPANS
            _drop(db, "history_spans", oldest if in_memory else max(before, oldest), kept)

    def _fold(self, now: float) -> None:
        """Join the quarters of every span that is over; one that is killed here is done again."""
        until, oldest = (
            int(at // SPAN_SECONDS) * SPAN_SECONDS
            for at in (now - _SETTLED_SECONDS, now - _SPAN_AGE_SECONDS)
        )
        since = max(self._folded(until), oldest)
        if since >= until:
            return
        with self._database.read() as db:
            found = db.execute("SELECT DISTINCT service FROM history").fetchall()
        services = [name for (name,) in found if sound.is_text(name)]
        for place in range(0, len(services), _AT_ONCE):
            with self._database.write() as db:
                for service in services[place : place + _AT_ONCE]:
                    self._fold_service(db, service, since, until)
        with self._database.write() as db:
            note = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
            db.execute(note, (_FOLDED, str(until)))

    def _folded(self, until: int) -> int:
        with self._database.read() as db:
            found = db.execute("SELECT value FROM meta WHERE name = ?", (_FOLDED,)).fetchone()
        known = int(found[0]) if found is not None and str(found[0]).isdecimal() else 0
        return known if known <= until + SPAN_SECONDS else 0

    def _fold_service(self, db: sqlite3.Connection, service: str, since: int, until: int) -> None:
        rows = self.quarters(service, since)
        _put(db, "history_spans", in_spans(row for row in rows if row.start < until))
        db.execute(
            "UPDATE history SET levels = x'' WHERE service = ? AND start BETWEEN ? AND ?",
            (service, since - _LEVELS_SECONDS, until - _LEVELS_SECONDS - WIDTH_SECONDS),
        )


_COLUMNS = "service, start, ok, bad, worst, latency_sum, latency_max, levels"


def _put(db: sqlite3.Connection, table: str, rows: Iterable[Bucket]) -> None:
    given = sorted((*row[:4], str(row.worst), *row[5:]) for row in rows)
    db.executemany(
        f"INSERT INTO {table} ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"  # noqa: S608
        " SET ok = excluded.ok, bad = excluded.bad, worst = excluded.worst,"
        " latency_sum = excluded.latency_sum, latency_max = excluded.latency_max,"
        " levels = excluded.levels WHERE excluded.ok + excluded.bad > ok + bad"
        " OR excluded.ok + excluded.bad = ok + bad AND length(excluded.levels) >= length(levels)",
        given,
    )


def _drop(db: sqlite3.Connection, table: str, before: float, kept: int) -> None:
    newest = f"SELECT start FROM {table} ORDER BY start DESC LIMIT 1 OFFSET ?"  # noqa: S608
    beyond = db.execute(newest, (kept,)).fetchone()
    db.execute(f"DELETE FROM {table} WHERE start < ?", (before,))  # noqa: S608
    if beyond is not None:
        db.execute(f"DELETE FROM {table} WHERE start <= ?", beyond)  # noqa: S608
