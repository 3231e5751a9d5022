"""What checks of models have cost, on the disk: sums by account, and what is reserved."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from exporter.store.database import Database

KEPT_ACCOUNTS = 100_000
"""Accounts of a day or a month; the oldest beyond go."""


class SpendTable:
    """Every account, and every check that was not settled."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.settle_open()

    def reserve(self, accounts: Mapping[str, int | None], units: int, total: str) -> int | str:
        with self._database.write() as db:
            spent = self.spent(tuple(accounts))
            for name, most in accounts.items():
                if most is not None and spent.get(name, 0) + units > most:
                    return name
            for name in accounts:
                db.execute(_ADD, (name, units))
            kept = json.dumps([*accounts])
            added = db.execute(
                "INSERT INTO model_reservations (units, accounts, total) VALUES (?, ?, ?)",
                (units, kept, total),
            )
            return int(added.lastrowid or 0)

    def settle(
        self, reservation: int, units: int, beside: Callable[[], None] = lambda: None
    ) -> None:
        with self._database.write() as db:
            with self._database.attempt():
                beside()
            asked = "SELECT units, accounts, total FROM model_reservations WHERE id = ?"
            found = db.execute(asked, (reservation,)).fetchone()
            if found is None:
                return
            reserved, accounts, total = found
            for name in json.loads(accounts):
                db.execute(_ADD, (name, units - reserved))
            db.execute(_ADD, (total, units))
            db.execute("DELETE FROM model_reservations WHERE id = ?", (reservation,))

    def settle_open(self) -> int:
        """Settle what an earlier process left open at its full reserve; return how many."""
        with self._database.write() as db:
            rows = db.execute("SELECT id, units FROM model_reservations").fetchall()
            for reservation, units in rows:
                self.settle(reservation, units)
            self._prune()
            return len(rows)

    def spent(self, names: tuple[str, ...]) -> dict[str, int]:
        with self._database.read() as db:
            marks = ", ".join("?" * len(names))
            asked = f"SELECT account, units FROM model_spend WHERE account IN ({marks})"  # noqa: S608
            return {name: int(units) for name, units in db.execute(asked, names)}

    def _prune(self) -> None:
        """Drop the oldest days and months: their names begin with the date."""
        with self._database.write() as db:
            periods = "SELECT account FROM model_spend WHERE account GLOB '[0-9]*'"
            beyond = f"{periods} ORDER BY account DESC LIMIT -1 OFFSET {KEPT_ACCOUNTS}"
            db.execute(f"DELETE FROM model_spend WHERE account IN ({beyond})")  # noqa: S608


_ADD = (
    "INSERT INTO model_spend VALUES (?, ?)"
    " ON CONFLICT (account) DO UPDATE SET units = units + excluded.units"
)
