"""What outlives a restart: services and keys given by the API, the audit, what was seen.

Every method is synchronous and waits for the disk: call it in a thread (`asyncio.to_thread`).
One lock makes the store safe for several threads; what has returned is on the disk.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from exporter.clock import Clock
from exporter.model import Reason
from exporter.results.history import Bucket
from exporter.secret import Secret
from exporter.store import sound
from exporter.store.database import Database
from exporter.store.directory import remove_backups
from exporter.store.entries import AuditEntry, StoredKey
from exporter.store.errors import VaultError, VaultMissingError
from exporter.store.incidents import IncidentTable
from exporter.store.notifications import NotificationTable
from exporter.store.vault import HOW, VARIABLE, Vault, fingerprint

ROLLBACK_SECONDS = 86_400.0
KEPT_AUDIT = 100_000
KEPT_BUCKETS = 2_000_000
"""Of the history: 200 MB, two days of 10,000 services or the default 100 days of 200."""


class Store:
    """The file `registry.db` in a directory of its own; `open` makes it."""

    def __init__(self, database: Database, clock: Clock, vault: Vault | None) -> None:
        self._database, self._clock, self._given_vault = database, clock, vault
        self.incidents, self.notifications = IncidentTable(database), NotificationTable(database)
        self._wipe_at: dict[str, float] = {}
        """By service: the tick at which the former key goes, however the wall clock jumps."""
        with database.write() as db:
            fresh = secrets.token_bytes(32)
            db.execute("INSERT OR IGNORE INTO meta VALUES ('installation', ?)", (fresh,))
            found = db.execute("SELECT value FROM meta WHERE name = 'installation'").fetchone()
            self._installation = found[0] if isinstance(found[0], bytes) else fresh
        self._wipe()

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
            if found is not None and vault.holds(service, found[0], secret):
                return
            former = found[0] if found is not None and isinstance(found[0], bytes) else None
            if former is None and declared is not None and declared != secret:
                former = vault.encrypt(service, declared)
            if former is not None:
                db.execute(
                    "INSERT OR REPLACE INTO former_keys VALUES (?, ?, ?)",
                    (service, former, at + ROLLBACK_SECONDS),
                )
                self._wipe_at[service] = self._clock.tick() + ROLLBACK_SECONDS
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
                self._database.damage.report("keys", row[0])
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
        secret = vault.decrypt(service, token)
        if not sound.is_time(at):
            self._database.damage.report("keys", service)
            at = 0.0  # the key itself is proven by its encryption
        if not sound.is_time(until) or self._due(service, until) <= self._clock.tick():
            until = None
        return StoredKey(secret=secret, rotated_at=at, rollback_until=until)

    def _wipe(self) -> None:
        """Wipe former keys that are too old to come back."""
        with self._database.write() as db:
            rows = db.execute("SELECT rowid, service, until FROM former_keys").fetchall()
            self._wipe_at = {service: self._due(service, until) for _, service, until in rows}
            tick = self._clock.tick()
            over = [(id_,) for id_, service, _ in rows if self._wipe_at[service] <= tick]
            if over:
                db.executemany("DELETE FROM former_keys WHERE rowid = ?", over)
                self._database.wiped()

    def _due(self, service: str, until: Any) -> float:
        """Return the tick at which a former key goes: as its row says when it is first seen."""
        if (known := self._wipe_at.get(service)) is not None:
            return known
        left = until - self._clock.now() if sound.is_time(until) else 0.0
        return self._clock.tick() + min(left, ROLLBACK_SECONDS)

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
            rows = self._sound("audit", found.fetchall(), sound.audit_entry)
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
        rows = self._sound(table, rows, is_sound)
        return {service: sound.json_object(text) or {} for service, text in rows}

    def _sound(
        self, table: str, rows: Iterable[tuple[Any, ...]], is_sound: sound.Test
    ) -> list[tuple[Any, ...]]:
        """Return *rows* without those that are damaged."""
        found = []
        for row in rows:
            if is_sound(row):
                found.append(row)
            else:
                self._database.damage.report(table, row[0])
        return found

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
        rows = self._sound("history", rows, sound.bucket)
        return [Bucket._make((*row[:4], Reason(row[4]), *row[5:])) for row in rows]

    def counted(self, service: str, since: float) -> tuple[int, int, float | None]:
        """Return good and bad results since *since*, and when the first bucket of them began."""
        asked = f"SELECT total(ok), total(bad), min(start) FROM history WHERE {sound.COUNTED}"  # noqa: S608
        with self._database.read() as db:
            ok, bad, first = db.execute(asked, (service, since)).fetchone()
        return int(ok), int(bad), first

    def newest(self) -> float | None:
        """Return the Unix time at which the last bucket of the history began; None without one."""
        with self._database.read() as db:
            found = db.execute("SELECT max(start) FROM history").fetchone()[0]
        return float(found) if sound.is_time(found) else None

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
