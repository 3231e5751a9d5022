"""Bytes on disk: one SQLite file in one directory that is ours alone. Decides nothing."""

from __future__ import annotations

from exporter.store.entries import AuditEntry, StoredKey
from exporter.store.errors import StoreError, StoreFullError, VaultError, VaultMissingError
from exporter.store.incidents import IncidentTable
from exporter.store.public import PublicRecords
from exporter.store.store import Store, open_store
from exporter.store.upkeep import Upkeep
from exporter.store.vault import VARIABLE as SECRET_KEY_VARIABLE
from exporter.store.vault import Vault, new_secret_key

__all__ = [
    "SECRET_KEY_VARIABLE",
    "AuditEntry",
    "IncidentTable",
    "PublicRecords",
    "Store",
    "StoreError",
    "StoreFullError",
    "StoredKey",
    "Upkeep",
    "Vault",
    "VaultError",
    "VaultMissingError",
    "new_secret_key",
    "open_store",
]
