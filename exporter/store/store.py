"""What outlives a restart: services and keys given by the API, the audit, what was seen.

Every method is synchronous and waits for the disk: call it in a thread (`asyncio.to_thread`).
One lock makes the store safe for several threads; what has returned is on the disk.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.clock import Clock
from exporter.log import event
from exporter.model import Reason
from exporter.results.history import Bucket
from exporter.secret import Secret
from exporter.store.database import Database
from exporter.store.directory import remove_backups
from exporter.store.errors import VaultError, VaultMissingError
from exporter.store.incidents import IncidentTable
from exporter.store.vault import HOW, VARIABLE, Vault, fingerprint

_log = logging.getLogger(__name__)
ROLLBACK_SECONDS = 86_400.0
KEPT_AUDIT = 100_000
KEPT_BUCKETS = 2_000_000
"""Of the history: 200 MB, two days of 10,000 services or the default 100 days of 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key given by the API; until `rollback_until` the one before it can come back."""

    secret: Secret
    rotated_at: float
    rollback_until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what, when; of a key only its fingerprint."""

    at: float
    who: str
    action: str
    service: str
    fingerprint: str


class Store:
    """The file `registry.db` in a directory of its own; `open` makes it."""

    def __init__(self, database: Database, clock: Clock, vault: Vault | None) -> None:
        self._database, self._clock, self._given_vault = database, clock, vault
        self.incidents = IncidentTable(database)
        with database.write() as db:
            fresh = secrets.token_bytes(32)
            db.execute("INSERT OR IGNORE INTO meta VALUES ('installation', ?)", (fresh,))
            found = db.execute("SELECT value FROM meta WHERE name = 'installation'").fetchone()
            self._installation = bytes(found[0])
        self._wipe()

    @classmethod
    def open(cls, directory: Path, clock: Clock, vault: Vault | None) -> Store:
        """Return the store in *directory*, made if missing; a damaged one is moved aside.

        Raises:
            StoreError: another process uses it, a newer version wrote it, or the disk refuses.
        """
        database = Database(directory, clock.now())
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
        return _decoded(rows)

    # Keys

    def put_key(
        self, service: str, secret: Secret, *, at: float, declared: Secret | None = None
    ) -> None:
        """Keep *secret* from *at* on; a different one before it stays for `rollback`, 24 h.

        *declared* was used until now if none is kept: that of a file or a variable.
        """
        vault = self._vault()
        token = vault.encrypt(service, secret)
        with self._database.write() as db:
            self._wipe()
            found = db.execute("SELECT token FROM keys WHERE service = ?", (service,)).fetchone()
            if found is not None and _same(vault, service, found[0], secret):
                return
            former = found[0] if found is not None else None
            if former is None and declared is not None and declared != secret:
                former = vault.encrypt(service, declared)
            if former is not None:
                db.execute(
                    "INSERT OR REPLACE INTO former_keys VALUES (?, ?, ?)",
                    (service, former, at + ROLLBACK_SECONDS),
                )
            db.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?)", (service, token, at))

    def key(self, service: str) -> StoredKey | None:
        """Return the key of *service*.

        Raises:
            VaultError: it cannot be read with the given secret key.
        """
        vault = self._vault()
        with self._database.read() as db:
            row = db.execute(f"{_KEYS} WHERE keys.service = ?", (service,)).fetchone()
        return None if row is None else self._stored(vault, row)

    def keys(self) -> dict[str, StoredKey]:
        """Return all keys that can be read; the others are logged."""
        vault = self._vault()
        with self._database.read() as db:
            rows = db.execute(_KEYS).fetchall()
        found = {}
        for row in rows:
            try:
                found[row[0]] = self._stored(vault, row)
            except VaultError:
                event(_log, "a stored key is unreadable", level=logging.ERROR, service=row[0])
        return found

    def rollback(self, service: str) -> Secret | None:
        """Put the key before the last back and return it; None if there is none any more."""
        vault = self._vault()
        with self._database.write() as db:
            self._wipe()
            former = "SELECT token FROM former_keys WHERE service = ?"
            found = db.execute(former, (service,)).fetchone()
            if found is None:
                return None
            secret = vault.decrypt(service, found[0])
            now = self._clock.now()
            db.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?)", (service, found[0], now))
            db.execute("DELETE FROM former_keys WHERE service = ?", (service,))
            self._database.wiped()
        return secret

    def delete_key(self, service: str) -> None:
        """Wipe the key of *service* and the one before it."""
        self._vault()
        with self._database.write() as db:
            db.execute("DELETE FROM keys WHERE service = ?", (service,))
            db.execute("DELETE FROM former_keys WHERE service = ?", (service,))
            self._database.wiped()

    def rotate(self) -> int:
        """Encrypt every key anew with the first secret key, all or none; return how many.

        Then a former secret key can read nothing here, save in files moved aside as damaged.

        Raises:
            VaultError: a key cannot be read; nothing was changed.
        """
        vault, count = self._vault(), 0
        with self._database.write() as db:
            for table in ("keys", "former_keys"):
                rows = db.execute(f"SELECT service, token FROM {table}").fetchall()  # noqa: S608
                anew = [(vault.rotate(service, token), service) for service, token in rows]
                db.executemany(f"UPDATE {table} SET token = ? WHERE service = ?", anew)  # noqa: S608
                count += len(anew)
            self._database.wiped()
        if (directory := self._database.directory) is not None:
            remove_backups(directory)
        return count

    @property
    def keeps_keys(self) -> bool:
        """Whether there is a secret key to keep keys with."""
        return self._given_vault is not None

    def fingerprint(self, secret: Secret) -> str:
        """Return 8 characters by which to recognise *secret* in this installation."""
        return fingerprint(secret, self._installation)

    def _vault(self) -> Vault:
        if self._given_vault is None:
            what = f"no key can be kept: set {VARIABLE} to a file with a secret key"
            raise VaultMissingError(f"{what}; {HOW}")
        return self._given_vault

    def _stored(self, vault: Vault, row: tuple[str, bytes, float, float | None]) -> StoredKey:
        service, token, at, until = row
        if until is not None and until <= self._clock.now():
            until = None
        return StoredKey(secret=vault.decrypt(service, token), rotated_at=at, rollback_until=until)

    def _wipe(self) -> None:
        """Wipe former keys that are too old to come back."""
        with self._database.write() as db:
            now = self._clock.now()
            if db.execute("DELETE FROM former_keys WHERE until <= ?", (now,)).rowcount:
                self._database.wiped()

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
        return _decoded(rows)

    def record_history(self, rows: Iterable[Bucket]) -> None:
        """Keep *rows*, each in place of a former version of it."""
        given = sorted((*row[:4], str(row.worst), *row[5:]) for row in rows)
        with self._database.write() as db:
            db.executemany(
                "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " ok = excluded.ok, bad = excluded.bad, worst = excluded.worst,"
                " latency_sum = excluded.latency_sum, latency_max = excluded.latency_max"
                " WHERE excluded.ok + excluded.bad >= ok + bad",
                given,
            )

    def history(self, service: str | None = None, since: float = 0.0) -> list[Bucket]:
        """Return the buckets that begin at *since* or later, by service and time."""
        where, given = _only(service)
        asked = f"SELECT * FROM history WHERE {where} AND start >= ?"  # noqa: S608
        with self._database.read() as db:
            rows = db.execute(f"{asked} ORDER BY service, start", (*given, since)).fetchall()
        known = frozenset(Reason)
        return [Bucket._make((*r[:4], Reason(r[4]), *r[5:])) for r in rows if r[4] in known]

    def prune_history(self, before: float) -> None:
        """Drop the buckets that began before *before*, and the oldest beyond `KEPT_BUCKETS`."""
        with self._database.write() as db:
            newest = "SELECT start FROM history ORDER BY start DESC LIMIT 1 OFFSET ?"
            beyond = db.execute(newest, (KEPT_BUCKETS,)).fetchone()
            db.execute("DELETE FROM history WHERE start < ?", (before,))
            if beyond is not None:
                db.execute("DELETE FROM history WHERE start <= ?", beyond)

    def keep_only(self, services: Collection[str]) -> None:
        """Drop states and history of all but *services*; the registry knows which exist."""
        with self._database.write() as db:
            for table in ("states", "history"):
                found = db.execute(f"SELECT DISTINCT service FROM {table}").fetchall()  # noqa: S608
                gone = [row for row in found if row[0] not in services]
                db.executemany(f"DELETE FROM {table} WHERE service = ?", gone)  # noqa: S608


_KEYS = (
    "SELECT keys.service, keys.token, keys.at, former_keys.until"
    " FROM keys LEFT JOIN former_keys ON former_keys.service = keys.service"
)


def _only(service: str | None) -> tuple[str, tuple[str, ...]]:
    return ("TRUE", ()) if service is None else ("service = ?", (service,))


def _same(vault: Vault, service: str, token: bytes, secret: Secret) -> bool:
    try:
        return vault.decrypt(service, token) == secret
    except VaultError:
        return False  # a new key is the way out of a lost secret key


def _json(raw: Mapping[str, Any]) -> str:
    try:
        return json.dumps(raw, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):
        raise ValueError("not plain JSON") from None


def _decoded(rows: Iterable[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    found = {}
    for service, text in rows:
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if isinstance(value, dict):
            found[service] = value
        else:
            event(_log, "a stored row is unreadable", level=logging.ERROR, service=service)
    return found


def open_store(directory: Path | None, clock: Clock, environment: Mapping[str, str]) -> Store:
    """Return the store in *directory*, or one that ends with the process.

    Raises:
        StoreError: see `Store.open`.
    """
    if directory is None:
        return Store.in_memory(clock)
    store = Store.open(directory, clock, Vault.from_environment(environment))
    if store.moved_aside is not None:
        event(_log, "damaged database moved aside", level=logging.ERROR, to=store.moved_aside)
    return store
