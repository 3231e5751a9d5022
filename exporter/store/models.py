"""The figures of models between two processes: one JSON object for each model of a service."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from exporter.store import sound
from exporter.store.database import Database

MOST_BYTES = 16_384
"""Of one model; its figures have a tenth of that."""
Key = tuple[str, str]


class ModelTable:
    """The figures of every model, by service and id; every method waits for the disk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, key: Key, figures: Mapping[str, Any]) -> None:
        """Keep *figures*, plain JSON, in place of the former ones.

        Raises:
            ValueError: they are larger than `MOST_BYTES`.
        """
        text = json.dumps(figures, separators=(",", ":"), allow_nan=False)
        if len(text) > MOST_BYTES:
            raise ValueError("the figures of a model are too large to be kept")
        with self._database.write() as db:
            db.execute("INSERT OR REPLACE INTO model_states VALUES (?, ?, ?)", (*key, text))

    def all(self) -> dict[Key, dict[str, Any]]:
        """Return what is kept; a damaged row is left out and reported."""
        with self._database.read() as db:
            rows = db.execute("SELECT service, model, state FROM model_states").fetchall()
        found = {}
        for service, model, text in rows:
            figures = sound.json_object(text)
            if sound.is_text(service) and sound.is_text(model) and figures is not None:
                found[service, model] = figures
            else:
                self._database.damage.report("model_states", service)
        return found

    def keep_only(self, keys: Collection[Key]) -> None:
        """Drop all but *keys*."""
        with self._database.write() as db:
            rows = db.execute("SELECT service, model FROM model_states").fetchall()
            gone = [row for row in rows if row not in keys]
            db.executemany("DELETE FROM model_states WHERE service = ? AND model = ?", gone)
