"""The tables, as steps from each version to the next; a step that was released never changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from exporter.store.errors import StoreError

Step = tuple[str, ...]

STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE services (service TEXT PRIMARY KEY, raw TEXT NOT NULL)",
        "CREATE TABLE keys (service TEXT PRIMARY KEY, token BLOB NOT NULL, at REAL NOT NULL)",
        "CREATE TABLE former_keys (service TEXT PRIMARY KEY, token BLOB NOT NULL,"
        " until REAL NOT NULL)",
        "CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL,"
        " who TEXT NOT NULL, action TEXT NOT NULL, service TEXT NOT NULL,"
        " fingerprint TEXT NOT NULL)",
        "CREATE INDEX audit_by_service ON audit (service, id)",
    ),
    (
        "CREATE TABLE states (service TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE history (service TEXT NOT NULL, start INTEGER NOT NULL, ok INTEGER NOT NULL,"
        " bad INTEGER NOT NULL, worst TEXT NOT NULL, latency_sum REAL NOT NULL,"
        " latency_max REAL NOT NULL, PRIMARY KEY (service, start)) WITHOUT ROWID",
        "CREATE INDEX history_by_start ON history (start)",
    ),
)


def version(db: sqlite3.Connection) -> int:
    """Return how many steps were made."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def refuse_newer(db: sqlite3.Connection, steps: Sequence[Step] = STEPS) -> None:
    """Raise `StoreError` if a newer version of the program made the tables."""
    if (found := version(db)) > len(steps):
        what = f"was written by a newer version (schema {found}, this one knows {len(steps)})"
        raise StoreError(f"the store {what}; upgrade, or give it a new directory")


def migrate(db: sqlite3.Connection, steps: Sequence[Step] = STEPS) -> None:
    """Make the missing *steps*, all of them or none."""
    refuse_newer(db, steps)
    if (found := version(db)) == len(steps):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for statement in (s for step in steps[found:] for s in step):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(steps)}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
