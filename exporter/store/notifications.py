"""The outbox of messages and who was told of which alert, in the database."""

from __future__ import annotations

from exporter.notifying import OutboxRow, ToldRow, Written
from exporter.store import sound
from exporter.store.database import Database


class NotificationTable:
    """Every message on its way, and every alert that somebody knows as firing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self) -> tuple[list[OutboxRow], list[ToldRow]]:
        """Return every row that can be read; the others are reported."""
        outbox, told = list[OutboxRow](), list[ToldRow]()
        with self._database.read() as db:
            for row in db.execute(f"SELECT {_OUTBOX} FROM notifications ORDER BY at, id"):  # noqa: S608
                if sound.notification(row):
                    outbox.append(OutboxRow(*row))
                else:
                    self._database.damage.report("notifications", row[0])
            for row in db.execute(f"SELECT {_TOLD} FROM told ORDER BY at, fingerprint"):  # noqa: S608
                if sound.told(row):
                    told.append(ToldRow(*row))
                else:
                    self._database.damage.report("told", row[0])
        return outbox, told

    def save(self, rows: Written) -> None:
        """Write *rows* in one transaction.

        Raises:
            StoreError: nothing was written.
        """
        with self._database.write() as db:
            for table in ("notifications", "told"):
                db.executemany(f"DELETE FROM {table} WHERE entry = ?", rows.entries)  # noqa: S608
            gone = "DELETE FROM notifications WHERE entry = ? AND group_key = ?"
            db.executemany(gone, rows.no_outbox)
            put = "INSERT OR REPLACE INTO notifications VALUES (?, ?, ?, ?, ?, ?)"
            db.executemany(put, rows.outbox)
            over = "DELETE FROM told WHERE entry = ? AND fingerprint = ?"
            db.executemany(over, rows.no_told)
            db.executemany("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?, ?)", rows.told)


_OUTBOX = "entry, group_key, id, at, alerts, unsure"
_TOLD = "entry, fingerprint, alert, at, sent_at, ended_at"
