"""Bytes on disk: one SQLite file in one directory that is ours alone. Decides nothing."""

from __future__ import annotations

from exporter.store.errors import StoreError, StoreFullError, VaultError, VaultMissingError
from exporter.store.incidents import IncidentTable
from exporter.store.store import AuditEntry, Store, StoredKey
from exporter.store.vault import Vault

__all__ = [
    "AuditEntry",
    "IncidentTable",
    "Store",
    "StoreError",
    "StoreFullError",
    "StoredKey",
    "Vault",
    "VaultError",
    "VaultMissingError",
]
