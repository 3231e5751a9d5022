"""Rows that cannot be read: reported once, counted, set aside. The sound ones beside them stay.

Set aside (moved to the table `damaged`) is what would be in the way of a new row of its key. Keys,
the audit and the history are left where they are: a key may be readable again with its secret key.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from exporter.log import event
from exporter.store.sound import TABLES, Test

_log = logging.getLogger(__name__)
_MOST_REPORTED = 1000
KEPT_DAMAGED = 10_000
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._#-]{0,70}")


class Damage:
    """Reports each damaged row once; *count* is called with its table."""

    def __init__(self, count: Callable[[str], None] = lambda table: None) -> None:
        self._count = count
        self._reported: set[tuple[str, str]] = set()
        self.found: set[str] = set()
        """The tables of which rows are damaged."""

    def report(self, table: str, key: object) -> None:
        """Log and count the row of *key*, never with its content."""
        # What is misread may have run into the next column: only a plain name is shown.
        shown = key if isinstance(key, str) and _PLAIN.fullmatch(key) else "(damaged too)"
        known = (table, repr(key))
        if known in self._reported:
            return
        if len(self._reported) < _MOST_REPORTED:
            self._reported.add(known)
            event(_log, "a stored row is unreadable", level=logging.ERROR, table=table, key=shown)
        self.found.add(table)
        self._count(table)

    def without_damaged(
        self, table: str, rows: Iterable[tuple[Any, ...]], is_sound: Test
    ) -> list[tuple[Any, ...]]:
        """Return those of *rows* that are sound; the others are reported by their first column."""
        found = []
        for row in rows:
            if is_sound(row):
                found.append(row)
            else:
                self.report(table, row[0])
        return found

    def sift(self, db: sqlite3.Connection, now: float) -> None:
        """Set aside every damaged row of the tables that are read as a whole."""
        for table, (keys, columns, is_sound) in TABLES.items():
            names = ", ".join((*keys, *columns))
            # Without an index: that would show only what it can find by its order.
            rows = db.execute(f"SELECT {names} FROM {table} NOT INDEXED")  # noqa: S608
            bad = [row[: len(keys)] for row in rows if not is_sound(row[len(keys) :])]
            for key in bad:
                self.report(table, key[0])
                _set_aside(db, table, keys, key, now)
        newest = "SELECT max(id) FROM damaged"
        db.execute(f"DELETE FROM damaged WHERE id <= ({newest}) - ?", (KEPT_DAMAGED,))  # noqa: S608


def _set_aside(
    db: sqlite3.Connection, table: str, names: Sequence[str], key: Sequence[Any], now: float
) -> None:
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    whole = " || ', ' || ".join(f"quote({name})" for name in columns)
    # As bytes, and so by looking at every row: a text that is not UTF-8 can be named in no other
    # way, and one that was changed is not at its place in the order.
    where = " AND ".join(f"CAST({name} AS BLOB) IS ?" for name in names)
    given = [_bytes(value) for value in key]
    db.execute(
        f"INSERT INTO damaged (at, origin, row) SELECT ?, ?, {whole} FROM {table} WHERE {where}",  # noqa: S608
        (now, table, *given),
    )
    db.execute(f"DELETE FROM {table} WHERE {where}", given)  # noqa: S608


def _bytes(value: Any) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode(errors="surrogateescape")
