"""What the public page reads: daily figures, and a name of this installation for its feed."""

from __future__ import annotations

import hashlib
import uuid

from exporter.store import sound
from exporter.store.database import Database

_DAY_SECONDS = 86_400


class PublicRecords:
    """A view of the history by days. Waits for the disk: to be called in a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def days(self, service: str, since: float) -> list[tuple[int, int, int]]:
        """Return (start, good, bad) of each day of UTC with results since *since*, oldest first.

        *since* and the start of a day are Unix times; what our own network or the exporter is to
        blame for is in neither number: see `Bucket`.
        """
        asked = (
            f"SELECT start / {_DAY_SECONDS}, total(ok), total(bad) FROM history"  # noqa: S608
            f" WHERE {sound.COUNTED} GROUP BY 1 ORDER BY 1"
        )
        with self._database.read() as db:
            rows = db.execute(asked, (service, since)).fetchall()
        return [(int(day) * _DAY_SECONDS, int(ok), int(bad)) for day, ok, bad in rows]

    def name(self) -> uuid.UUID:
        """Return a name of this installation that stays, and tells nothing about it."""
        with self._database.read() as db:
            row = db.execute("SELECT value FROM meta WHERE name = 'installation'").fetchone()
        digest = hashlib.sha256(b"public feed\0" + bytes(row[0] or b"")).digest()
        return uuid.UUID(bytes=digest[:16], version=4)
