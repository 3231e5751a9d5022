"""The tables, as steps from each version to the next; a step that was released never changes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from exporter.store.errors import StoreError

Step = tuple[str, ...]
SCHEMA_COLUMNS = "type, name, tbl_name, rootpage, sql"

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
    (
        "CREATE TABLE incidents (id TEXT PRIMARY KEY, key TEXT NOT NULL, alertname TEXT NOT NULL,"
        " service TEXT NOT NULL, environment TEXT NOT NULL, provider TEXT NOT NULL,"
        " team TEXT NOT NULL, category TEXT NOT NULL, slo TEXT NOT NULL, severity TEXT NOT NULL,"
        " reached TEXT NOT NULL, summary TEXT NOT NULL, description TEXT NOT NULL,"
        " runbook_url TEXT NOT NULL, started_at REAL NOT NULL, acknowledged_at REAL,"
        " acknowledged_by TEXT NOT NULL, resolved_at REAL, resolved_by TEXT NOT NULL,"
        " by_person INTEGER NOT NULL, reopened INTEGER NOT NULL, manual INTEGER NOT NULL,"
        " receivers TEXT NOT NULL, alerts TEXT NOT NULL)",
        "CREATE UNIQUE INDEX one_unresolved ON incidents (key) WHERE resolved_at IS NULL",
        "CREATE INDEX incidents_by_key ON incidents (key, started_at)",
        "CREATE INDEX incidents_by_start ON incidents (started_at, id)",
        "CREATE TABLE timeline (id INTEGER PRIMARY KEY, incident TEXT NOT NULL REFERENCES"
        " incidents (id), at REAL NOT NULL, kind TEXT NOT NULL, by TEXT NOT NULL,"
        " note TEXT NOT NULL)",
        "CREATE INDEX timeline_by_incident ON timeline (incident, at, id)",
        "CREATE TABLE actions (incident TEXT NOT NULL REFERENCES incidents (id),"
        " rule TEXT NOT NULL, PRIMARY KEY (incident, rule)) WITHOUT ROWID",
        "CREATE TABLE heard (what TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID",
    ),
    (
        "CREATE TABLE past_sums (service TEXT NOT NULL, environment TEXT NOT NULL,"
        " provider TEXT NOT NULL, what TEXT NOT NULL, value TEXT NOT NULL,"
        " PRIMARY KEY (service, environment, provider, what)) WITHOUT ROWID",
        "CREATE INDEX incidents_by_end ON incidents (resolved_at)",
    ),
    (
        "ALTER TABLE incidents ADD COLUMN past TEXT NOT NULL DEFAULT '[]'",
        "CREATE TABLE absorbed (id TEXT PRIMARY KEY, incident TEXT NOT NULL REFERENCES"
        " incidents (id)) WITHOUT ROWID",
        "CREATE INDEX absorbed_by_incident ON absorbed (incident)",
        "ALTER TABLE incidents ADD COLUMN settled INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX incidents_to_settle ON incidents (resolved_at) WHERE settled = 0",
        "CREATE INDEX incidents_open ON incidents (started_at, id) WHERE resolved_at IS NULL",
        "CREATE INDEX incidents_manual ON incidents (started_at, id) WHERE manual",
        "DROP INDEX incidents_by_end",
        "CREATE INDEX incidents_ended ON incidents (resolved_at) WHERE resolved_at IS NOT NULL",
        "CREATE INDEX incidents_by_service ON incidents (service, started_at, id)",
        "CREATE TABLE incident_sums (service TEXT NOT NULL, environment TEXT NOT NULL,"
        " provider TEXT NOT NULL, value TEXT NOT NULL,"
        " PRIMARY KEY (service, environment, provider)) WITHOUT ROWID",
        "CREATE TABLE incident_counted (id TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE incidents_to_count (id TEXT PRIMARY KEY) WITHOUT ROWID",
        "INSERT INTO incidents_to_count SELECT id FROM incidents",
    ),
    (
        "CREATE TABLE damaged (id INTEGER PRIMARY KEY, at REAL NOT NULL, origin TEXT NOT NULL,"
        " row TEXT NOT NULL)",
    ),
    (
        "CREATE TABLE notifications (entry TEXT NOT NULL, group_key TEXT NOT NULL,"
        " id TEXT NOT NULL, at REAL NOT NULL, alerts TEXT NOT NULL, unsure TEXT NOT NULL,"
        " PRIMARY KEY (entry, group_key)) WITHOUT ROWID",
        "CREATE TABLE told (entry TEXT NOT NULL, fingerprint TEXT NOT NULL, alert TEXT NOT NULL,"
        " at REAL NOT NULL, sent_at REAL NOT NULL, ended_at REAL,"
        " PRIMARY KEY (entry, fingerprint)) WITHOUT ROWID",
    ),
    (
        "CREATE TABLE model_spend (account TEXT PRIMARY KEY, units INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE model_reservations (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " units INTEGER NOT NULL, accounts TEXT NOT NULL, total TEXT NOT NULL)",
    ),
    (
        "ALTER TABLE history ADD COLUMN levels BLOB NOT NULL DEFAULT x''",
        "CREATE TABLE history_spans (service TEXT NOT NULL, start INTEGER NOT NULL,"
        " ok INTEGER NOT NULL, bad INTEGER NOT NULL, worst TEXT NOT NULL,"
        " latency_sum REAL NOT NULL, latency_max REAL NOT NULL, levels BLOB NOT NULL,"
        " PRIMARY KEY (service, start)) WITHOUT ROWID",
        "CREATE INDEX history_spans_by_start ON history_spans (start)",
    ),
    (
        "CREATE TABLE minutes (service TEXT NOT NULL, day INTEGER NOT NULL, packed BLOB NOT NULL,"
        " PRIMARY KEY (service, day)) WITHOUT ROWID",
        "CREATE INDEX minutes_by_day ON minutes (day)",
        "CREATE TABLE runs (since REAL PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID",
        "CREATE TABLE watched (service TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER,"
        " PRIMARY KEY (service, since)) WITHOUT ROWID",
    ),
    (
        "CREATE TABLE failures (service TEXT NOT NULL, at REAL NOT NULL, spell REAL NOT NULL,"
        " until REAL NOT NULL, text TEXT NOT NULL, PRIMARY KEY (service, at)) WITHOUT ROWID",
        "CREATE INDEX failures_by_time ON failures (at)",
    ),
    (
        "CREATE TABLE model_states (service TEXT NOT NULL, model TEXT NOT NULL,"
        " state TEXT NOT NULL, PRIMARY KEY (service, model)) WITHOUT ROWID",
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


def mend_version(db: sqlite3.Connection) -> None:
    """Put the number of steps right where a flipped bit in the file's header changed it.

    Since the sixth step the number is in `meta` too, also in what a newer version wrote; which of
    our own steps were made shows in the tables that there are.
    """
    found, made = version(db), _made(db)
    if found == made or not made:
        return
    noted = db.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    if noted is not None and str(noted[0]).isdecimal() and int(noted[0]) > len(STEPS):
        return  # a newer version's
    db.execute(f"PRAGMA user_version = {made}")


def note_schema(db: sqlite3.Connection) -> None:
    """Write version and schema a second time: for `mend_version`, and to salvage a damaged file."""
    asked = f"SELECT {SCHEMA_COLUMNS} FROM sqlite_schema ORDER BY rowid"  # noqa: S608
    rows = db.execute(asked).fetchall()
    for note in (("schema", str(version(db))), ("tables", json.dumps(rows))):
        if db.execute("SELECT 1 FROM meta WHERE (name, value) = (?, ?)", note).fetchone() is None:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", note)


def has_sound_schema(db: sqlite3.Connection) -> bool:
    """Return whether tables and indexes are those that the steps so far make, to the letter."""
    asked = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"
    right = sqlite3.connect(":memory:", isolation_level=None)
    try:
        if made := version(db):
            migrate(right, STEPS[:made])
        return right.execute(asked).fetchall() == db.execute(asked).fetchall()
    finally:
        right.close()


def _made(db: sqlite3.Connection) -> int:
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for number, step in enumerate(STEPS):
        wanted = (s.split()[2] for s in step if s.startswith("CREATE TABLE"))
        if not tables.issuperset(wanted):
            return number
    return len(STEPS)


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
