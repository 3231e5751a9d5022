"""The directory of the store: its modes, its lock, damaged files moved aside."""

from __future__ import annotations

import fcntl
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from exporter.files import named
from exporter.store.errors import StoreError

DATABASE = "registry.db"
LOCK = "registry.lock"
PARTS = ("", "-wal", "-shm", "-journal")


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


def move_aside(directory: Path, now: float) -> Path:
    """Rename the damaged database, with its companions, and return its new path."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = directory / f"{DATABASE}.corrupt-{stamp}"
    number = 1
    while aside.exists():
        number += 1
        aside = directory / f"{DATABASE}.corrupt-{stamp}-{number}"
    for part in PARTS:
        if (found := directory / f"{DATABASE}{part}").exists():
            found.rename(f"{aside}{part}")
    private(directory / DATABASE)
    return aside


def backup_path(directory: Path, version: int) -> Path:
    """Return an empty private file for a copy of the database as it was in *version*."""
    path = directory / f"{DATABASE}.v{version}"
    path.unlink(missing_ok=True)
    return private(path)


def identity(directory: Path) -> tuple[int, int] | None:
    """Return which file the database's name in *directory* leads to; None if to none."""
    try:
        found = (directory / DATABASE).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def remove_backups(directory: Path) -> None:
    """Remove the copies from before migrations: they hold keys under the former secret key."""
    for path in directory.glob(f"{DATABASE}.v*"):
        path.unlink(missing_ok=True)
