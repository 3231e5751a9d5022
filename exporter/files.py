"""Files that people name: read without waiting for a writer, never repeated if they may be a key.

A name can be anything: a key typed where its file belongs, a folder, a FIFO that nobody writes to,
a device without an end, a text too long for a name.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MAX_BYTES = 64 * 1024 * 1024
# Of a shell's <(command), which names the end of a pipe of its own: that has a writer.
_PIPES = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")
_SUFFIXES = frozenset({".yaml", ".yml", ".json", ".pem", ".crt", ".key", ".txt", ".toml"})
_KINDS = (
    (stat.S_ISDIR, "Is a directory, not a file"),
    (stat.S_ISFIFO, "Is a FIFO, not a file"),
    (stat.S_ISSOCK, "Is a socket, not a file"),
    (stat.S_ISREG, ""),
)


def read_bytes(path: Path, most: int = MAX_BYTES) -> bytes:
    """Return the first *most* bytes of the file at *path*; never waits for one that is a FIFO.

    Raises:
        OSError: it cannot be read or is not a file; `strerror` says why, in words without the name.
    """
    try:
        _require_file(path, path.stat().st_mode)
        # Between the look and the opening it may have become a FIFO: do not wait for its writer.
        waits = os.O_RDONLY if _is_pipe(path) else os.O_RDONLY | os.O_NONBLOCK
        with os.fdopen(os.open(path, waits | os.O_CLOEXEC | os.O_NOCTTY), "rb") as file:
            _require_file(path, os.fstat(file.fileno()).st_mode)
            return file.read(most)
    except ValueError:  # a NUL in the name
        raise OSError(errno.EINVAL, "not a valid path") from None


def read_text(path: Path) -> str:
    """Return the UTF-8 text in the file at *path*, with every line end as a line feed.

    Raises:
        OSError: as `read_bytes`, or it is larger than 64 MiB.
        UnicodeDecodeError: it is not UTF-8.
    """
    raw = read_bytes(path, MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise OSError(errno.EFBIG, "larger than 64 MiB")
    return raw.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def settle(path: Path) -> None:
    """Wait until what was written to the file, or to the list of the folder, is on the disk.

    Raises:
        OSError: it cannot be brought there.
    """
    place = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def is_file(path: Path) -> bool:
    """Return whether *path* is a file; never raises, whatever the text of *path*."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Return whether *path* is a folder; never raises, whatever the text of *path*."""
    return stat.S_ISDIR(_mode(path))


def exists(path: Path) -> bool:
    """Return whether there is anything at *path*; never raises, whatever the text of *path*."""
    return _mode(path) != 0


def named(path: Path, option: str) -> str:
    """Return *path* as a message may show it: *option* instead, unless it surely is a path.

    It is if it exists, its folder exists, or it ends as configurations and certificates do. The
    rest may be the secret itself, typed where the name of its file belongs.

    >>> named(Path("services.yaml"), "--config"), named(Path("sk-live-0123"), "--config")
    ('services.yaml', '--config')
    """
    inside = "/" in str(path) and is_folder(path.parent) and len(path.name) <= _MAX_NAME
    return str(path) if exists(path) or inside or path.suffix in _SUFFIXES else option


_MAX_NAME = 255


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _is_pipe(path: Path) -> bool:
    return str(path).startswith(_PIPES)


def _require_file(path: Path, mode: int) -> None:
    what = next((what for holds, what in _KINDS if holds(mode)), "Is a device, not a file")
    if what and not (stat.S_ISFIFO(mode) and _is_pipe(path)):
        raise OSError(errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL, what)


def is_writable(directory: Path) -> bool:
    """Return whether files can be made in *directory*; what is open already can be written on."""
    return os.access(directory, os.W_OK | os.X_OK)
