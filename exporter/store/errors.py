"""How the store fails. No message holds a value: only the directory, a row's service, a cause."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from exporter.errors import ShownError

_CAUSES = {
    sqlite3.SQLITE_FULL: "no space is left on the disk",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened",
    sqlite3.SQLITE_CORRUPT: "its file is damaged",
    sqlite3.SQLITE_NOTADB: "its file is damaged",
    sqlite3.SQLITE_PERM: "permission denied",
    sqlite3.SQLITE_IOERR: "reading or writing failed",
    sqlite3.SQLITE_BUSY: "another program holds its file",
}


DATABASE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""The second comes from a text of SQLite's own that quotes what is damaged."""


class StoreError(ShownError, OSError):
    """The store cannot do what was asked; what it held before is as it was."""


class StoreFullError(StoreError):
    """No space is left; nothing was written. It works again once there is space."""


class ContradictionError(StoreError):
    """What was to be written contradicts what is kept, and would again; the disk is well."""


class DamagedError(StoreError):
    """The database file cannot be read as one."""


class VaultError(StoreError):
    """A key cannot be encrypted or read, or the secret key file is wrong."""


class VaultMissingError(VaultError):
    """A key cannot be kept or read: there is no secret key to encrypt with."""


def store_error(error: Exception, directory: Path | None) -> StoreError:
    """Return what *error* means; SQLite's own text may quote what was written."""
    code = getattr(error, "sqlite_errorcode", 0)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    where = directory or "memory"
    text = f"the store in {where}: {_CAUSES.get(code & 0xFF, 'the database fails')} ({name})"
    match code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return StoreFullError(text)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return DamagedError(text)
        case _ if isinstance(error, (sqlite3.IntegrityError, sqlite3.DataError)):
            return ContradictionError(text)
        case _:
            return StoreError(text)


def opening_error(error: Exception, directory: Path | None) -> StoreError:
    """Return what *error* means while a database is opened that was sound before.

    Our own statements are right, so what SQLite cannot make sense of was changed by others.
    """
    known = store_error(error, directory)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if type(known) is not StoreError or code in _CAUSES:
        return known
    return DamagedError(str(known))
