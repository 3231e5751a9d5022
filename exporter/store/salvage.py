"""What can still be read of a damaged database, copied row by row into a new one.

The damaged file itself is never written: work is done on a copy, in which the parts that are the
same in every database of ours (most of the header, the texts of the schema) are put right first.
Source: SQLite's "Database File Format", sections 1.3 and 2.6, version 3.40.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from pathlib import Path

from exporter.files import settle
from exporter.store.damage import Damage
from exporter.store.directory import DATABASE, PARTS, new_path, private, remove
from exporter.store.errors import DATABASE_ERRORS
from exporter.store.schema import SCHEMA_COLUMNS, migrate, note_schema
from exporter.store.sound import parsed

AS_IT_IS = partial(str, encoding="utf-8", errors="surrogateescape")
"""How a text is read that may not be UTF-8 any more."""
LONGEST_SECONDS = 60.0
_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "temp_store = MEMORY")
_HEADER_BYTES = 100
_PROBE_BYTES = 65_536
_REFUSALS = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
_SHORT_READ = sqlite3.SQLITE_IOERR_SHORT_READ
"""A file that is too short: that is damage."""
_MOST_FAILED = 3
"""Rows in turn that cannot be read: then it is the way to them that is damaged."""
_FIXED = ((0, b"SQLite format 3\0"), (21, b"\x40\x20\x20"), (56, b"\0\0\0\1"))
"""Of the header of every database in UTF-8: its place and what is there."""
_SAME = ((0, 24), (44, 48), (52, 60), (64, 68), (72, 92))
"""Parts of the header that are the same in every database which this SQLite made."""


def has_sound_header(path: Path) -> bool:
    """Return whether *path* is empty or begins as a database of ours does."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if not head:
        return True
    if len(head) < _HEADER_BYTES or max(head[18:20]) > 2:
        return False
    # Until its first checkpoint the encoding is in the WAL only; SQLite takes 0 for UTF-8.
    encoding = slice(56, 60)
    head = head[: encoding.start] + (head[encoding].strip(b"\0") or b"\1").rjust(4, b"\0")
    return all(head[at : at + len(right)] == right for at, right in _FIXED)


def prepare(db: sqlite3.Connection) -> None:
    """Make *db* read texts as they are, and write through to the disk."""
    db.text_factory = AS_IT_IS
    for pragma in _PRAGMAS:
        db.execute(f"PRAGMA {pragma}")


def rebuilt(damaged: Path, damage: Damage) -> int:
    """Make a new closed database with what *damaged* still has, beside it; return how many rows.

    Raises:
        OSError: it, or the copy to work on, cannot be made.
        sqlite3.Error: the same.
    """
    for _ in range(2):  # damage fails again in the same way; a disk that refused once may not
        refused: list[sqlite3.Error] = []
        path = private(new_path(damaged.parent))
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as fresh:
            prepare(fresh)
            migrate(fresh)
            note_schema(fresh)
            rows = _salvage(damaged, fresh, damage, refused)
            settle_log(fresh)
        if not refused:
            return rows
    _require_working_disk(damaged.with_name(f"{DATABASE}.probe"))
    return rows


def settle_log(db: sqlite3.Connection) -> None:
    """Leave the database without a log: that would not move with it.

    Raises:
        sqlite3.Error: that cannot be written.
    """
    db.execute("PRAGMA journal_mode = DELETE")


def _require_working_disk(probe: Path) -> None:
    """Raise `OSError` if a file cannot be written here."""
    with private(probe).open("r+b", buffering=0) as file:
        file.truncate(2 * _PROBE_BYTES)
        file.write(bytes(_PROBE_BYTES))
        settle(probe)
    probe.unlink()


@contextlib.contextmanager
def _passing_over(refused: list[sqlite3.Error]) -> Iterator[None]:
    """Suppress what SQLite says of damage; note in *refused* what may be the disk's word instead.

    Both can look the same, and what the disk refuses is not lost: the next start can read it.
    """
    try:
        yield
    except DATABASE_ERRORS as error:
        code = getattr(error, "sqlite_errorcode", 0)
        if isinstance(error, sqlite3.Error) and code & 0xFF in _REFUSALS and code != _SHORT_READ:
            refused.append(error)


def _salvage(
    damaged: Path, fresh: sqlite3.Connection, damage: Damage, refused: list[sqlite3.Error]
) -> int:
    """Copy into *fresh*, which has every table, what *damaged* still has; return how many rows.

    Raises:
        OSError: the copy to work on cannot be made.
    """
    copy = damaged.with_name(f"{DATABASE}.salvage")
    try:
        for mend in (_rebuild_schema, _mend_schema):
            _copy_files(damaged, copy)
            _mend_header(copy)
            with contextlib.suppress(ValueError), _passing_over(refused):
                mend(copy, fresh)
                break
        return _copy_rows(copy, fresh, damage, refused)
    finally:
        remove(copy)


def _copy_files(damaged: Path, copy: Path) -> None:
    remove(copy)
    for part in PARTS:
        if (found := Path(f"{damaged}{part}")).exists():
            shutil.copyfile(found, private(Path(f"{copy}{part}")))


def _mend_header(path: Path) -> None:
    with path.with_name(f"{DATABASE}.new").open("rb") as file:
        right = file.read(_HEADER_BYTES)
    with path.open("r+b") as file:
        head = bytearray(file.read(_HEADER_BYTES).ljust(_HEADER_BYTES, b"\0"))
        for begin, end in _SAME:
            head[begin:end] = right[begin:end]
        pages = path.stat().st_size // (int.from_bytes(head[16:18]) or 1)
        head[28:32] = pages.to_bytes(4)
        head[32:40] = bytes(8)  # no free pages: nothing is written to the copy but the schema
        head[92:96] = head[24:28]
        file.seek(0)
        file.write(head)


def _rebuild_schema(path: Path, fresh: sqlite3.Connection) -> None:
    """Write the schema anew from the note of it in `meta`, the first table of every database.

    Raises:
        ValueError: there is no such note, or it cannot be read.
    """
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(18)[16:])
        file.seek(_HEADER_BYTES)
        # The first page becomes a leaf of a table without rows (section 1.6).
        file.write(b"\x0d\0\0\0\0" + size.to_bytes(2) + b"\0" * (size - _HEADER_BYTES - 7))
    put = f"INSERT INTO sqlite_schema ({SCHEMA_COLUMNS}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608
    asked = f"SELECT {SCHEMA_COLUMNS} FROM sqlite_schema WHERE name = 'meta'"  # noqa: S608
    with contextlib.closing(_opened(path)) as old:
        old.execute(put, fresh.execute(asked).fetchone())
    with contextlib.closing(_opened(path)) as old:
        note = old.execute("SELECT value FROM meta WHERE name = 'tables'").fetchone()
        rows = parsed(note[0] if note is not None else None)
        if not isinstance(rows, list) or not all(map(_is_of_a_schema, rows)):
            raise ValueError("the note is damaged")
        old.executemany(put, [row for row in rows if row[1] != "meta"])


def _is_of_a_schema(row: object) -> bool:
    match row:
        case [str(), str(), str(), int(), str() | None]:
            return True
    return False


def _mend_schema(path: Path, fresh: sqlite3.Connection) -> None:
    right = fresh.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall()
    with contextlib.closing(_opened(path)) as old:
        for kind, name, table, sql in right:
            old.execute(
                "UPDATE sqlite_schema SET type = ?, name = ?, tbl_name = ?, sql = ?"
                " WHERE name = ? OR sql = ?",
                (kind, name, table, sql, name, sql),
            )


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.text_factory = AS_IT_IS
    db.execute("PRAGMA writable_schema = ON")  # also: a schema with mistakes is read all the same
    return db


def _copy_rows(
    path: Path, fresh: sqlite3.Connection, damage: Damage, refused: list[sqlite3.Error]
) -> int:
    copied = 0
    tables = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    for table, sql in fresh.execute(tables).fetchall():
        info = fresh.execute(f"PRAGMA table_info({table})").fetchall()
        columns = [column[1] for column in info]
        # The order in which they are on the pages: any other would be sorted, once all are read.
        keys = [column[1] for column in sorted(info, key=lambda c: c[5]) if column[5]]
        keys = keys if sql.endswith("WITHOUT ROWID") else ["rowid"]
        fresh.execute("BEGIN IMMEDIATE")
        for row in _rows(path, table, columns, keys, refused):
            copied += _put(fresh, table, columns, row, damage)
        fresh.execute("COMMIT")
    return copied


def _rows(
    path: Path,
    table: str,
    columns: Sequence[str],
    keys: Sequence[str],
    refused: list[sqlite3.Error],
) -> Iterator[tuple[object, ...]]:
    """Yield the rows that can be read; those behind a page that cannot from the other end."""
    asked = f"SELECT {', '.join(columns)} FROM {table} NOT INDEXED"  # noqa: S608, names of our own
    backwards = ", ".join(f"{key} DESC" for key in keys)
    for query in (asked, f"{asked} ORDER BY {backwards}"):
        with _passing_over(refused), contextlib.closing(_opened(path)) as old:
            # Pages that lead in a circle would be read for ever.
            guard = threading.Timer(LONGEST_SECONDS, old.interrupt)
            guard.start()
            try:
                if (yield from _around_damage(old, query, refused)):
                    return
            finally:
                guard.cancel()


def _around_damage(
    db: sqlite3.Connection, query: str, refused: list[sqlite3.Error]
) -> Generator[tuple[object, ...], None, bool]:
    """Yield the rows of *query*, passing over single ones; return whether it came to the end."""
    place = failed = 0
    whole = False
    while failed < _MOST_FAILED:
        with _passing_over(refused):
            for row in db.execute(f"{query} LIMIT -1 OFFSET ?", (place,)):
                yield row
                place, failed = place + 1, 0
            whole = True
        if whole:
            return True
        # The driver reads one row ahead, so this may be a sound one before the damaged one.
        with _passing_over(refused):
            yield from db.execute(f"{query} LIMIT 1 OFFSET ?", (place,))
        place, failed = place + 1, failed + 1
    return False


def _put(
    fresh: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    row: Sequence[object],
    damage: Damage,
) -> int:
    marks = ", ".join("?" * len(columns))
    put = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
    try:
        return fresh.execute(put, tuple(row)).rowcount
    except (sqlite3.Error, UnicodeEncodeError):
        damage.report(table, row[0])
        return 0
