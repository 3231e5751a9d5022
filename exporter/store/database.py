"""One SQLite file, one connection, one lock; every write is a transaction on the disk.

Without a directory the same in memory, for programs that keep nothing.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from exporter.files import is_writable
from exporter.log import event
from exporter.store import directory as folder
from exporter.store.damage import Damage
from exporter.store.errors import (
    DATABASE_ERRORS,
    DamagedError,
    StoreError,
    opening_error,
    store_error,
)
from exporter.store.salvage import AS_IT_IS, has_sound_header, prepare, rebuilt, settle_log
from exporter.store.schema import (
    STEPS,
    has_sound_schema,
    mend_version,
    migrate,
    note_schema,
    refuse_newer,
    version,
)

_log = logging.getLogger(__name__)
CHECK_SECONDS = 5.0
"""At the start; what takes longer is looked at again while the exporter runs."""


class Database:
    """The open database of a directory that no other process can open meanwhile."""

    def __init__(
        self,
        directory: Path | None,
        now: float,
        count: Callable[[str], None] = lambda table: None,
    ) -> None:
        """*count* is called with the table of each row that is found damaged."""
        self.directory = directory
        self.moved_aside: Path | None = None
        """Where a damaged database went; this one began with what could be read of it."""
        self.damage = Damage(count)
        self._lock = threading.RLock()
        self._depth, self._parts, self._doomed, self._wiped = 0, 0, False, False
        self._held: IO[bytes] | None = None
        self._identity: tuple[int, int] | None = None
        self._copied: tuple[int, int] | None = None
        """Which file was last put in the place of a removed one, in use or not yet."""
        if directory is None:
            self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            migrate(self._db)
            return
        self._held = folder.prepare(directory)
        try:
            self._db = self._opened(directory, now)
            self._identity = folder.identity(directory)
        except BaseException:
            self._held.close()
            raise
        with contextlib.suppress(StoreError), self.write() as db:  # readers pass over them too
            self.damage.sift(db, now)

    def _opened(self, directory: Path, now: float) -> sqlite3.Connection:
        aside = folder.unfinished(directory)
        if aside is None:
            with contextlib.suppress(DamagedError):
                return _connected(directory)
        try:
            self._replace_damaged(directory, aside or folder.new_aside(directory, now))
        except (OSError, *DATABASE_ERRORS) as error:
            known = error if isinstance(error, OSError) else store_error(error, directory)
            what = f"is damaged and cannot be moved aside: {known.strerror or known}"
            raise StoreError(f"the store in {directory} {what}") from None
        return _connected(directory)

    def _replace_damaged(self, directory: Path, aside: Path) -> None:
        """Move the database to *aside* and put one with what can be read of it in its place.

        The new one comes into its place whole: a start that is killed here is made good by the
        next one, which would take half of it for all.
        """
        about: dict[str, object] = {"directory": directory, "moved_to": aside.name}
        if not folder.move_aside(directory, aside):
            about["rows"] = rebuilt(aside, self.damage)
            folder.take_place(directory)
        event(
            _log,
            "the database was damaged and is moved aside; what could be read of it is kept",
            level=logging.ERROR,
            **about,
        )
        folder.end_of_moving(directory)
        self.moved_aside = aside

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to this thread alone."""
        with self._lock:
            try:
                yield self._db
            except DATABASE_ERRORS as error:
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
                    self._return_to_its_place()
                    self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                if outermost:
                    self._commit()
            except DATABASE_ERRORS as error:
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

    def _return_to_its_place(self) -> None:
        """Put the database back where its file or directory was removed.

        Linux lets us write on to a removed file, which a restart would not find.

        Raises:
            StoreError: that is not possible now; everything is kept as it is, for the next try.
        """
        directory = self.directory
        if directory is None or self._identity is None:
            return
        if folder.identity(directory) != self._identity:
            self._move_back(directory)
        if not is_writable(directory):
            raise StoreError(f"the store in {directory}: it cannot be written")

    def _move_back(self, directory: Path) -> None:
        if self._held is not None:
            self._held.close()
        self._held = folder.prepare(directory)
        try:
            fresh = self._copied_to(directory)
        except OSError as error:
            self._held.close()  # what is there may be another process's
            if isinstance(error, StoreError):
                raise
            what = f"was removed and cannot be written again: {error.strerror}"
            raise StoreError(f"the store in {directory} {what}") from None
        except BaseException:
            self._held.close()
            raise
        self._db.close()
        self._db, self._identity = fresh, folder.identity(directory)
        event(_log, "the store was removed and is written again", directory=directory)

    def _copied_to(self, directory: Path) -> sqlite3.Connection:
        """Return a connection to a copy in *directory*, which comes into its place whole."""
        path = directory / folder.DATABASE
        if folder.size(path) and folder.identity(directory) != self._copied:
            what = "another file is in the place of its database; restart the exporter"
            raise StoreError(f"the store in {directory}: {what}")
        new = folder.private(folder.new_path(directory))
        with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as copy:
            self._db.backup(copy)
            settle_log(copy)
        self._copied = folder.identity(directory, new)
        folder.take_place(directory)
        fresh = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            prepare(fresh)
        except BaseException:
            fresh.close()
            raise
        return fresh

    def is_intact(self, longest_seconds: float) -> bool | None:
        """Return whether the file is whole; None if that took too long, or there is none.

        Asks on a connection of its own, so nobody waits for it.
        """
        if self.directory is None:
            return None
        path = (self.directory / folder.DATABASE).absolute().as_uri()
        try:
            with contextlib.closing(sqlite3.connect(f"{path}?mode=ro", uri=True)) as db:
                return _is_whole(db, longest_seconds, "quick_check")
        except DATABASE_ERRORS as error:
            raise store_error(error, self.directory) from None

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
        if not has_sound_header(path):
            raise DamagedError(f"the store in {directory}: its file is not a database of ours")
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        db.text_factory = AS_IT_IS
        mend_version(db)
        refuse_newer(db)
        prepare(db)
        if not has_sound_schema(db):
            raise DamagedError(f"the store in {directory}: its schema is damaged")
        if _is_whole(db, CHECK_SECONDS, "integrity_check") is False:
            raise DamagedError(f"the store in {directory}: its file is damaged")
        if 0 < (found := version(db)) < len(STEPS):
            db.execute("VACUUM INTO ?", (str(folder.backup_path(directory, found)),))
        migrate(db)
        note_schema(db)
    except BaseException as error:
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()
        if isinstance(error, OSError) and not isinstance(error, StoreError):
            raise StoreError(f"the store in {directory} cannot be read: {error.strerror}") from None
        if not isinstance(error, DATABASE_ERRORS):
            raise
        raise (opening_error if folder.size(path) else store_error)(error, directory) from None
    return db


def _is_whole(db: sqlite3.Connection, longest_seconds: float, check: str) -> bool | None:
    """Return what SQLite's *check* finds; None if it took longer."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        db.interrupt()

    guard = threading.Timer(longest_seconds, stop)
    guard.daemon = True
    guard.start()
    try:
        found = db.execute(f"PRAGMA {check}(1)").fetchone()
    except sqlite3.OperationalError:
        if late.is_set():
            return None
        raise
    finally:
        guard.cancel()
    return None if late.is_set() else found == ("ok",)
