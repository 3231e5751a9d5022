"""Sums over incidents: of those in the database, and of those that are no longer kept."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from exporter.incidents.model import ACKNOWLEDGE_BUCKETS, RESOLVE_BUCKETS, Counts, Row, Times

# A thousand in one transaction: others wait for it some milliseconds.
_OLD = (
    "incidents.id IN (SELECT id FROM incidents WHERE resolved_at IS NOT NULL AND resolved_at < ?"
    " ORDER BY resolved_at LIMIT 1000)"
)


def sums(db: sqlite3.Connection, where: str, values: tuple[Any, ...], settled: float) -> Counts:
    """Return the sums of the incidents that match *where*: all that only ever grow.

    Times to resolve are those of incidents that ended before the Unix time *settled*.
    """
    total = db.execute(
        "SELECT service, environment, provider, each.value, count(*)"  # noqa: S608, names of our own
        f" FROM incidents, json_each(reached) AS each WHERE {where} GROUP BY 1, 2, 3, 4",
        values,
    ).fetchall()
    ended = _times(
        db,
        "resolved_at - started_at",
        RESOLVE_BUCKETS,
        f"{where} AND resolved_at <= ?",
        (*values, settled),
    )
    acknowledged = _times(
        db,
        "acknowledged_at - started_at",
        ACKNOWLEDGE_BUCKETS,
        f"{where} AND acknowledged_at IS NOT NULL",
        values,
    )
    return Counts(
        total={((s, e, p), severity): n for s, e, p, severity, n in total},
        resolve=ended,
        acknowledge=acknowledged,
    )


def _times(
    db: sqlite3.Connection,
    seconds: str,
    bounds: Sequence[float],
    where: str,
    values: tuple[Any, ...],
) -> dict[Row, Times]:
    within = ", ".join(f"sum({seconds} <= {bound})" for bound in bounds)
    query = (
        f"SELECT service, environment, provider, count(*), sum({seconds}), {within}"  # noqa: S608
        f" FROM incidents WHERE {where} GROUP BY 1, 2, 3"
    )
    return {
        (row[0], row[1], row[2]): Times(buckets=tuple(row[5:]), count=row[3], sum=row[4])
        for row in db.execute(query, values)
    }


def past_sums(db: sqlite3.Connection) -> Counts:
    """Return the sums of the incidents that are no longer kept."""
    total: dict[tuple[Row, str], int] = {}
    times: dict[str, dict[Row, Times]] = {"resolve": {}, "acknowledge": {}}
    rows = db.execute("SELECT service, environment, provider, what, value FROM past_sums")
    for service, environment, provider, what, value in rows:
        row, found = (service, environment, provider), json.loads(value)
        if what in times:
            found["buckets"] = tuple(found["buckets"])
            times[what][row] = Times(**found)
        else:
            total[row, what] = found
    return Counts(total=total, resolve=times["resolve"], acknowledge=times["acknowledge"])


def remove_old(db: sqlite3.Connection, before: float) -> int:
    """Remove incidents that ended before *before* and keep their sums; return how many.

    Call it within one write: the sums and the rows change together.
    """
    old = sums(db, _OLD, (before,), settled=before)
    _keep(db, past_sums(db).plus(old))
    ids = db.execute(f"SELECT id FROM incidents WHERE {_OLD}", (before,)).fetchall()  # noqa: S608
    for table, column in (("timeline", "incident"), ("actions", "incident"), ("incidents", "id")):
        db.executemany(f"DELETE FROM {table} WHERE {column} = ?", ids)  # noqa: S608
    return len(ids)


def _keep(db: sqlite3.Connection, counts: Counts) -> None:
    values: list[tuple[str, str, str, str, str]] = [
        (*row, severity, json.dumps(number)) for (row, severity), number in counts.total.items()
    ]
    for what, times in (("resolve", counts.resolve), ("acknowledge", counts.acknowledge)):
        values += [(*row, what, json.dumps(asdict(sum_))) for row, sum_ in times.items()]
    db.executemany("INSERT OR REPLACE INTO past_sums VALUES (?, ?, ?, ?, ?)", values)
