"""The minutes of every service by day, when the exporter ran, and since when a service is watched.

Everything before the oldest run that is kept counts as not observed, never as good: so where old
days are removed, the runs of those days go with them. A day that cannot be read is not good either.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from exporter.results.minutes import (
    DAY_MINUTES,
    KEPT_DAYS,
    MINUTE_SECONDS,
    Batch,
    Kept,
    Minute,
    Seen,
    Span,
    overlaid,
)
from exporter.store import sound
from exporter.store.database import Database
from exporter.store.runs import pack, unpack

MOST_DAYS = 1_000_000
"""Days of services that are kept, the newest: 300 MB if all are dead, 4 GB if all flap."""
_LONGEST_HOLD_DAYS = 4
"""Three of the longest intervals, and the day in which the first of them began."""


class MinuteTable:
    """What `results.minutes` gathers, on the disk."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._since = 0.0
        """The Unix time before which `prune` has removed all: a run that goes on begins there."""

    def save(self, batch: Batch) -> None:
        """Write *batch* in one transaction, with the time until which it is complete.

        Raises:
            StoreError: nothing was written.
        """
        begin, now = max(batch.run[0], self._since), batch.run[1]
        days: dict[tuple[str, int], list[Minute]] = {}
        for (service, _), entry in batch.minutes.items():
            for part in _by_day(entry):
                days.setdefault((service, part.minute // DAY_MINUTES), []).append(part)
        with self._database.write() as db:
            for (service, day), entries in days.items():
                self._join(db, service, day, entries)
            for service, minute in batch.begun.items():
                db.execute(_BEGIN_WATCH, (service, minute, service))
            db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?)", (begin, max(begin, now)))

    def _join(self, db: sqlite3.Connection, service: str, day: int, new: list[Minute]) -> None:
        row = db.execute(f"{_DAYS} AND day = ?", (service, day)).fetchone()
        kept = [] if row is None else self._unpacked(service, *row)
        packed = pack(overlaid(kept, new))
        db.execute("INSERT OR REPLACE INTO minutes VALUES (?, ?, ?)", (service, day, packed))

    def _unpacked(self, service: str, day: Any, data: Any) -> list[Minute]:
        try:
            return unpack(data, day)
        except ValueError:
            self._database.damage.report("minutes", service)
            return [Minute(day * DAY_MINUTES, DAY_MINUTES, Seen.DAMAGED)]

    def end_others(self, services: Collection[str], minute: int) -> None:
        """Note that no service but *services* is watched from *minute* on; their evidence stays."""
        with self._database.write() as db:
            found = db.execute("SELECT service FROM watched WHERE until IS NULL").fetchall()
            gone = [(minute, row[0]) for row in found if row[0] not in services]
            end = "UPDATE watched SET until = max(since, ?) WHERE service = ? AND until IS NULL"
            db.executemany(end, gone)

    def read(self, service: str, start: int, end: int) -> Kept:
        """Return what is kept of *service* from the minute *start* until *end*."""
        first, last = start // DAY_MINUTES - _LONGEST_HOLD_DAYS, end // DAY_MINUTES
        with self._database.read() as db:
            rows = db.execute(f"{_DAYS} AND day BETWEEN ? AND ?", (service, first, last)).fetchall()
            runs = db.execute("SELECT since, until FROM runs ORDER BY since").fetchall()
            spans = db.execute(_WATCHED, (service,)).fetchall()
        minutes = [entry for row in rows for entry in self._unpacked(service, *row)]
        return Kept(
            minutes=overlaid((), minutes),
            alive=tuple(_whole_minutes(self._sound("runs", runs))),
            watched=tuple(
                (since, end if until is None else until)
                for since, until in self._sound("watched", spans)
            ),
            since=int(self._since // MINUTE_SECONDS),
        )

    def _sound(self, table: str, rows: Iterable[Sequence[Any]]) -> list[tuple[Any, Any]]:
        test = sound.run if table == "runs" else sound.watched_span
        found = []
        for row in rows:
            if test(row):
                found.append((row[0], row[1]))
            else:
                self._database.damage.report(table, "")
        return found

    def prune(self, before: float, most: int = MOST_DAYS) -> None:
        """Remove the days before the Unix time *before*, and the oldest beyond *most*."""
        day = int(before // (DAY_MINUTES * MINUTE_SECONDS))
        with self._database.write() as db:
            newest = "SELECT day FROM minutes ORDER BY day DESC LIMIT 1 OFFSET ?"
            beyond = db.execute(newest, (most,)).fetchone()
            if beyond is not None and sound.is_count(beyond[0]):
                day = max(day, beyond[0] + 1)
            begin = float(day * DAY_MINUTES * MINUTE_SECONDS)
            self._since = max(self._since, begin)
            db.execute("DELETE FROM minutes WHERE day < ?", (day,))
            db.execute("DELETE FROM runs WHERE until < ?", (begin,))
            db.execute("UPDATE OR REPLACE runs SET since = ? WHERE since < ?", (begin, begin))
            db.execute("DELETE FROM watched WHERE until < ?", (day * DAY_MINUTES,))
            # A run without a whole minute shows nothing; a crash loop makes thousands of them.
            newest = "SELECT max(until) FROM runs"
            short = f"until - since < {MINUTE_SECONDS} AND until < ({newest})"
            db.execute(f"DELETE FROM runs WHERE {short}")  # noqa: S608


_DAYS = "SELECT day, packed FROM minutes WHERE service = ?"
_WATCHED = "SELECT since, until FROM watched WHERE service = ? ORDER BY since"
_BEGIN_WATCH = (
    "INSERT OR IGNORE INTO watched SELECT ?, ?, NULL"
    " WHERE NOT EXISTS (SELECT 1 FROM watched WHERE service = ? AND until IS NULL)"
)


def _by_day(entry: Minute) -> Iterable[Minute]:
    """Yield *entry*; one without probes may be long and is cut at midnight."""
    if entry.probes:
        yield entry
        return
    minute, end = entry.minute, entry.minute + entry.hold
    minute = max(minute, end - KEPT_DAYS * DAY_MINUTES)
    while minute < end:
        cut = min(end, (minute // DAY_MINUTES + 1) * DAY_MINUTES)
        yield entry._replace(minute=minute, hold=cut - minute)
        minute = cut


def _whole_minutes(runs: Iterable[tuple[float, float]]) -> Iterable[Span]:
    for since, until in runs:
        first, end = -int(-since // MINUTE_SECONDS), int(until // MINUTE_SECONDS)
        if first < end:
            yield first, end
