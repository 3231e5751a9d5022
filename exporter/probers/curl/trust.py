"""Which authorities a request trusts: their file, and whether it has been renewed since.

libcurl reads such a file once and keeps what it holds for a day, by its path alone (8.23, code).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from exporter.probers.curl.options import default_authorities

CHECK_SECONDS = 10.0
"""A file that was renewed counts after so long at the latest."""
_MOST = 4096


class TrustFile(NamedTuple):
    """A PEM file of authorities as it was when it was looked at."""

    path: str
    version: tuple[int, int, int] | None
    """When it was written, in ns, its size and its inode; None if there is none."""


class TrustFiles:
    """The files of authorities, each looked at every ten seconds at most.

    Example:

        files = TrustFiles()
        await files.of("/etc/ssl/ours.pem", loop.time())
        # TrustFile(path='/etc/ssl/ours.pem', version=(1764374400000000000, 1818, 42))
    """

    def __init__(self, check_seconds: float = CHECK_SECONDS) -> None:
        self._check_seconds = check_seconds
        self._seen: dict[str | None, tuple[TrustFile, float]] = {}

    async def of(self, ca_file: str | None, now: float) -> TrustFile:
        """Return the file that *ca_file* names, None the default one; *now* is a tick.

        Without a thread left to look at it, it is the one that was seen last.
        """
        seen = self._seen.get(ca_file)
        if seen is not None:
            if now - seen[1] < self._check_seconds:
                return seen[0]
            self._seen[ca_file] = seen[0], now  # one look is enough for all who ask meanwhile
        elif len(self._seen) >= _MOST:
            self._seen.clear()
        path = ca_file or default_authorities()
        try:
            file = TrustFile(path, await asyncio.to_thread(_version, path))
        except RuntimeError:
            return TrustFile(path, None) if seen is None else seen[0]
        self._seen[ca_file] = file, now
        return file


def _version(path: str) -> tuple[int, int, int] | None:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
