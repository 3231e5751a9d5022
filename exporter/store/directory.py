"""The directory of the store: its modes, its lock, damaged files moved aside."""

from __future__ import annotations

import fcntl
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from exporter.files import named, settle
from exporter.store.errors import StoreError

DATABASE = "registry.db"
LOCK = "registry.lock"
PARTS = ("", "-wal", "-shm", "-journal")
MOVING = "registry.db.moving"
"""Is there while a damaged database is moved aside, and says where to: a start after a kill in the
middle goes on from there."""
_ASIDE = re.compile(r"registry\.db\.corrupt-[0-9TZ-]+\n")


def prepare(directory: Path) -> IO[bytes]:
    """Return the lock on *directory*, made if it is missing, with every file for us alone.

    Raises:
        StoreError: it cannot be made or written, is open to others, or is used by another process.
    """
    try:
        _own(directory)
        file = private(directory / LOCK).open("ab")
    except (OSError, ValueError) as error:
        if isinstance(error, StoreError):
            raise
        cause = getattr(error, "strerror", None) or "no valid path"
        shown = named(directory, "--data-dir")
        raise StoreError(f"the store in {shown} cannot be opened: {cause}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for part in PARTS:
            if (found := directory / f"{DATABASE}{part}").exists():
                found.chmod(0o600)
        private(directory / DATABASE)
    except BlockingIOError:
        file.close()
        what = "is used by another process; give each exporter a directory of its own"
        raise StoreError(f"the store in {directory} {what}") from None
    except OSError as error:
        file.close()
        raise StoreError(f"the store in {directory} fails: {error.strerror}") from None
    return file


def _own(directory: Path) -> None:
    """Make *directory*, or close it to others if it is ours alone."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not directory.stat().st_mode & 0o077:
        return
    ours = (DATABASE, LOCK, "lost+found")
    if not all(path.name.startswith(ours) for path in directory.iterdir()):
        what = "is open to others and holds other files; give the store a directory of its own"
        raise StoreError(f"{directory} {what}")
    try:
        directory.chmod(0o700)
    except PermissionError:
        return  # a mounted volume of another owner: the files in it are for us alone all the same


def private(path: Path) -> Path:
    """Return *path*, made empty if it is missing; SQLite gives its companions the same mode."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    return path


def unfinished(directory: Path) -> Path | None:
    """Return where an earlier start began to move a damaged database; None if it ended that.

    Raises:
        StoreError: that cannot be read.
    """
    try:
        named_ = (directory / MOVING).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"the store in {directory} cannot be read: {error.strerror}") from None
    # A name that is cut off was being written: nothing had been moved by then.
    return directory / named_.strip() if _ASIDE.fullmatch(named_) else None


def new_aside(directory: Path, now: float) -> Path:
    """Return a free name for the damaged database, and note that it is about to be moved there."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = directory / f"{DATABASE}.corrupt-{stamp}"
    number = 1
    while aside.exists():
        number += 1
        aside = directory / f"{DATABASE}.corrupt-{stamp}-{number}"
    private(directory / MOVING).write_text(f"{aside.name}\n", encoding="utf-8")
    settle(directory / MOVING)
    return aside


def move_aside(directory: Path, aside: Path) -> bool:
    """Rename the damaged database to *aside* with its companions, itself last; may be repeated.

    Return whether there is another in its place by now.
    """
    if not aside.exists():
        for part in reversed(PARTS):
            if (found := directory / f"{DATABASE}{part}").exists():
                found.rename(f"{aside}{part}")
    return size(directory / DATABASE) > 0


def new_path(directory: Path) -> Path:
    """Return where a new database is made, without what an earlier try left there."""
    path = directory / f"{DATABASE}.new"
    remove(path)
    return path


def take_place(directory: Path) -> None:
    """Put the new database, which is whole and closed, in the place of one that is gone."""
    for part in PARTS[1:]:
        (directory / f"{DATABASE}{part}").unlink(missing_ok=True)  # a log of the one before
    (directory / f"{DATABASE}.new").replace(directory / DATABASE)
    settle(directory)


def remove(path: Path) -> None:
    """Remove the database at *path* with its companions, if there is one."""
    for part in PARTS:
        Path(f"{path}{part}").unlink(missing_ok=True)


def end_of_moving(directory: Path) -> None:
    """Note that the damaged database is moved, and another is in its place."""
    (directory / MOVING).unlink(missing_ok=True)


def backup_path(directory: Path, version: int) -> Path:
    """Return an empty private file for a copy of the database as it was in *version*."""
    path = directory / f"{DATABASE}.v{version}"
    path.unlink(missing_ok=True)
    return private(path)


def size(path: Path) -> int:
    """Return how many bytes are in *path*; none if that cannot be known."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def identity(directory: Path, path: Path | None = None) -> tuple[int, int] | None:
    """Return which file is the database of *directory*, or *path*; None if there is none."""
    try:
        found = (path or directory / DATABASE).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def remove_backups(directory: Path) -> None:
    """Remove the copies from before migrations: they hold keys under the former secret key.

    Raises:
        StoreError: one of them cannot be removed.
    """
    try:
        for path in directory.iterdir():  # glob passes over a directory that cannot be read
            if path.name.startswith(f"{DATABASE}.v"):
                path.unlink(missing_ok=True)
    except OSError as error:
        what = "its keys are encrypted anew, but copies of older versions cannot be removed"
        raise StoreError(f"the store in {directory}: {what}: {error.strerror}") from None
