"""One SQLite file, one connection, one lock; every write is a transaction on the disk.

Without a directory the same in memory, for programs that keep nothing.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from exporter.log import event
from exporter.store import directory as folder
from exporter.store.errors import DamagedError, StoreError, store_error
from exporter.store.schema import STEPS, migrate, refuse_newer, version

_log = logging.getLogger(__name__)
_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "temp_store = MEMORY")


class Database:
    """The open database of a directory that no other process can open meanwhile."""

    def __init__(self, directory: Path | None, now: float) -> None:
        self.directory = directory
        self.moved_aside: Path | None = None
        """Where a damaged database went; this one began empty."""
        self._lock = threading.RLock()
        self._depth, self._parts, self._doomed, self._wiped = 0, 0, False, False
        self._held: IO[bytes] | None = None
        if directory is None:
            self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            migrate(self._db)
            return
        self._held = folder.prepare(directory)
        try:
            self._db = self._opened(directory, now)
        except BaseException:
            self._held.close()
            raise

    def _opened(self, directory: Path, now: float) -> sqlite3.Connection:
        try:
            return _connected(directory)
        except DamagedError:
            try:
                self.moved_aside = folder.move_aside(directory, now)
            except OSError as error:
                what = f"is damaged and cannot be moved aside: {error.strerror}"
                raise StoreError(f"the store in {directory} {what}") from None
        event(
            _log,
            "the database was damaged and is moved aside; the store begins empty",
            level=logging.ERROR,
            directory=directory,
            moved_to=self.moved_aside.name,
        )
        return _connected(directory)

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to this thread alone."""
        with self._lock:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise store_error(error, self.directory) from None

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Make the block one transaction, on the disk when it ends; blocks may nest.

        Raises:
            StoreError: nothing of the outermost block was written.
        """
        with self._lock:
            if self._doomed:
                raise StoreError(f"the store in {self.directory}: an earlier part failed")
            outermost = self._depth == 0
            self._depth += 1
            try:
                if outermost:
                    self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                if outermost:
                    self._commit()
            except sqlite3.Error as error:
                self._undo()
                raise store_error(error, self.directory) from None
            except BaseException:
                self._undo()
                raise
            finally:
                self._depth -= 1
                if outermost:
                    self._doomed = False
            if outermost and self._wiped:
                self.flush()

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """Make the block a part of the write under way: if it fails, the rest of that can go on."""
        with self._lock:
            self._db.execute("SAVEPOINT part")
            self._parts += 1
            try:
                yield
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK TO part")
                    self._db.execute("RELEASE part")
                else:
                    self._doomed = True  # as where the disk is full: all of it was undone
                raise
            else:
                self._db.execute("RELEASE part")
            finally:
                self._parts -= 1

    def _commit(self) -> None:
        if self._doomed:
            raise StoreError(f"the store in {self.directory}: a part of the change failed")
        self._db.execute("COMMIT")

    def _undo(self) -> None:
        if self._parts and self._db.in_transaction:
            return  # the part undoes what it did
        self._doomed = True
        with contextlib.suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def wiped(self) -> None:
        """Note that a key was deleted: what the log still holds of it has to go too."""
        self._wiped = True

    def flush(self) -> None:
        """Move the log into the database and empty it; left for the next time if it fails."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            self._wiped = bool(busy)

    def close(self) -> None:
        """Close the database and let another process have the directory; may be repeated."""
        with self._lock:
            self._db.close()
            if self._held is not None:
                self._held.close()


def _connected(directory: Path) -> sqlite3.Connection:
    path = directory / folder.DATABASE
    db = None
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        refuse_newer(db)
        for pragma in _PRAGMAS:
            db.execute(f"PRAGMA {pragma}")
        if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise DamagedError(f"the store in {directory}: its file is damaged")
        if 0 < (found := version(db)) < len(STEPS):
            db.execute("VACUUM INTO ?", (str(folder.backup_path(directory, found)),))
        migrate(db)
    except BaseException as error:
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()
        if isinstance(error, sqlite3.Error):
            raise store_error(error, directory) from None
        raise
    return db
