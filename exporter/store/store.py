"""What outlives a restart: services and keys given by the API, the audit, what was seen.

Every method is synchronous and waits for the disk: call it in a thread (`asyncio.to_thread`).
One lock makes the store safe for several threads; what has returned is on the disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from exporter.clock import Clock
from exporter.results.history import Bucket
from exporter.store import sound
from exporter.store.database import Database
from exporter.store.entries import AuditEntry
from exporter.store.failures import FailureTable
from exporter.store.history import HistoryTable
from exporter.store.incidents import IncidentTable
from exporter.store.keys import KeyTable
from exporter.store.minutes import MinuteTable
from exporter.store.models import ModelTable
from exporter.store.notifications import NotificationTable
from exporter.store.public import PublicRecords
from exporter.store.spending import SpendTable
from exporter.store.vault import Vault

KEPT_AUDIT = 100_000


class Store(KeyTable):
    """The file `registry.db` in a directory of its own; `open` makes it."""

    def __init__(self, database: Database, clock: Clock, vault: Vault | None) -> None:
        super().__init__(database, clock, vault)
        self.incidents, self.notifications = IncidentTable(database), NotificationTable(database)
        self.model_spend, self.models = SpendTable(database), ModelTable(database)
        self.public = PublicRecords(database)
        self._history = HistoryTable(database)
        self.minutes = MinuteTable(database)
        self.failures = FailureTable(database)

    @classmethod
    def open(
        cls,
        directory: Path,
        clock: Clock,
        vault: Vault | None,
        *,
        count: Callable[[str], None] = lambda table: None,
    ) -> Store:
        """Return the store in *directory*, made if missing.

        A damaged one is moved aside, and what can still be read of it is kept: without it the
        exporter would not start, and nothing at all would be watched. *count* is called with the
        table of each damaged row.

        Raises:
            StoreError: another process uses it, a newer version wrote it, or the disk refuses.
        """
        database = Database(directory, clock.now(), count)
        try:
            return cls(database, clock, vault)
        except BaseException:
            database.close()
            raise

    @classmethod
    def in_memory(cls, clock: Clock) -> Store:
        """Return a store that ends with the process."""
        return cls(Database(None, clock.now()), clock, None)

    def close(self) -> None:
        self._database.close()

    def is_intact(self, longest_seconds: float) -> bool | None:
        """Return whether the file is whole; None if that took too long, or there is no file."""
        return self._database.is_intact(longest_seconds)

    @property
    def moved_aside(self) -> Path | None:
        """Where a damaged database was moved when this one was opened."""
        return self._database.moved_aside

    def atomic(self) -> AbstractContextManager[object]:
        """Make several calls one write: `with store.atomic(): ...`, in one thread."""
        return self._database.write()

    # Services

    def put_service(self, service: str, raw: Mapping[str, Any]) -> None:
        """Keep *raw*, which must be plain JSON without the key.

        Raises:
            ValueError: it is not.
        """
        if raw.get("api_key") is not None:
            raise ValueError("a key is kept with put_key, not in the service")
        text = _json(raw)
        with self._database.write() as db:
            db.execute(
                "INSERT INTO services VALUES (?, ?) ON CONFLICT DO UPDATE SET raw = excluded.raw",
                (service, text),
            )

    def delete_service(self, service: str) -> None:
        """Remove what `put_service` kept; the key, if any, stays until `delete_key`."""
        with self._database.write() as db:
            db.execute("DELETE FROM services WHERE service = ?", (service,))

    def services(self) -> dict[str, dict[str, Any]]:
        """Return what was kept, in the order in which it was first put."""
        with self._database.read() as db:
            rows = db.execute("SELECT service, raw FROM services ORDER BY rowid").fetchall()
        return self._decoded("services", rows, sound.service)

    # Audit

    def audit(self, at: float, who: str, action: str, service: str, fingerprint: str = "") -> None:
        """Note that *who* did *action* to *service*, maybe with the key of *fingerprint*."""
        with self._database.write() as db:
            added = db.execute(
                "INSERT INTO audit (at, who, action, service, fingerprint) VALUES (?, ?, ?, ?, ?)",
                (at, who, action, service, fingerprint),
            ).lastrowid
            db.execute("DELETE FROM audit WHERE id <= ?", ((added or 0) - KEPT_AUDIT,))

    def audit_entries(self, service: str | None = None, limit: int = 100) -> list[AuditEntry]:
        """Return the last *limit* entries, the newest first."""
        where, given = _only(service)
        asked = f"SELECT at, who, action, service, fingerprint FROM audit WHERE {where}"  # noqa: S608
        with self._database.read() as db:
            found = db.execute(f"{asked} ORDER BY id DESC LIMIT ?", (*given, max(0, limit)))
            rows = found.fetchall()
        rows = self._database.damage.without_damaged("audit", rows, sound.audit_entry)
        names = ("at", "who", "action", "service", "fingerprint")
        return [AuditEntry(**dict(zip(names, row, strict=True))) for row in rows]

    # What was seen

    def save_states(self, states: Mapping[str, bytes | Mapping[str, Any]]) -> None:
        """Keep *states*, those that changed are enough; bytes are JSON already."""
        rows = [
            (service, state.decode() if isinstance(state, bytes) else _json(state))
            for service, state in states.items()
        ]
        with self._database.write() as db:
            self._wipe()
            db.executemany("INSERT OR REPLACE INTO states VALUES (?, ?)", rows)

    def states(self) -> dict[str, dict[str, Any]]:
        with self._database.read() as db:
            rows = db.execute("SELECT service, state FROM states").fetchall()
        return self._decoded("states", rows, sound.state)

    def _decoded(
        self, table: str, rows: Iterable[tuple[str, str]], is_sound: sound.Test
    ) -> dict[str, dict[str, Any]]:
        rows = self._database.damage.without_damaged(table, rows, is_sound)
        return {service: sound.json_object(text) or {} for service, text in rows}

    def record_history(self, rows: Iterable[Bucket]) -> None:
        """Keep *rows*, each in place of a former version of it."""
        self._history.record(rows)

    def history(self, service: str | None = None, since: float = 0.0) -> list[Bucket]:
        """Return the quarters that begin at *since* or later, by service and time."""
        return self._history.quarters(service, since)

    def spans(self, service: str, since: float) -> list[Bucket]:
        """Return the four hours each of *service* that begin at *since* or later, by time."""
        return self._history.spans(service, since)

    def counted(self, service: str, since: float, until: float) -> tuple[int, int, float | None]:
        """Return good and bad results of the quarters that begin in that time, and when the first
        of them began.
        """
        return self._history.counted(service, since, until)

    def newest(self) -> float | None:
        """Return the Unix time at which the last quarter of the history began; None without one."""
        return self._history.newest()

    def prune_history(self, before: float) -> None:
        """Drop what began before *before*, and the oldest beyond a bound; see `HistoryTable`."""
        self._history.prune(before, self._clock.now())

    def keep_only(self, services: Collection[str]) -> None:
        """Drop states and history of all but *services*; the registry knows which exist."""
        with self._database.write() as db:
            for table in ("states", "history", "history_spans"):
                found = db.execute(f"SELECT DISTINCT service FROM {table}").fetchall()  # noqa: S608
                gone = [row for row in found if row[0] not in services]
                db.executemany(f"DELETE FROM {table} WHERE service = ?", gone)  # noqa: S608


def _only(service: str | None) -> tuple[str, tuple[str, ...]]:
    return ("TRUE", ()) if service is None else ("service = ?", (service,))


def _json(raw: Mapping[str, Any]) -> str:
    try:
        return json.dumps(raw, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):
        raise ValueError("not plain JSON") from None


def open_store(
    directory: Path | None,
    clock: Clock,
    environment: Mapping[str, str],
    count: Callable[[str], None] = lambda table: None,
) -> Store:
    """Return the store in *directory*, or one that ends with the process; *count*: see `open`.

    Raises:
        StoreError: see `Store.open`.
    """
    if directory is None:
        return Store.in_memory(clock)
    return Store.open(directory, clock, Vault.from_environment(environment), count=count)
