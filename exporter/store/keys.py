"""The keys of services, encrypted: the one in use, and for a day the one before it."""

from __future__ import annotations

import secrets
from typing import Any

from exporter.clock import Clock
from exporter.secret import Secret
from exporter.store import sound
from exporter.store.database import Database
from exporter.store.directory import remove_backups
from exporter.store.entries import StoredKey
from exporter.store.errors import VaultError, VaultMissingError
from exporter.store.vault import HOW, VARIABLE, Vault, fingerprint

ROLLBACK_SECONDS = 86_400.0
_KEYS = (
    "SELECT keys.service, keys.token, keys.at, former_keys.until"
    " FROM keys LEFT JOIN former_keys ON former_keys.service = keys.service"
)


class KeyTable:
    """Every key that was given by the API or rotated."""

    def __init__(self, database: Database, clock: Clock, vault: Vault | None) -> None:
        self._database, self._clock, self._given_vault = database, clock, vault
        self._wipe_at: dict[str, float] = {}
        """By service: the tick at which the former key goes, however the wall clock jumps."""
        with database.write() as db:
            fresh = secrets.token_bytes(32)
            db.execute("INSERT OR IGNORE INTO meta VALUES ('installation', ?)", (fresh,))
            found = db.execute("SELECT value FROM meta WHERE name = 'installation'").fetchone()
            self._installation = found[0] if isinstance(found[0], bytes) else fresh
        self._wipe()

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
