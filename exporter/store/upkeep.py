"""A look at the database file while the exporter runs: at the start, and once a day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from exporter.clock import Clock
from exporter.log import event
from exporter.store.errors import StoreError
from exporter.store.store import Store

_log = logging.getLogger(__name__)
PERIOD_SECONDS = 86_400.0
LONGEST_SECONDS = 120.0


class Upkeep:
    """Looks whether the file is whole, beside everything else; *show* gets the answer."""

    def __init__(self, store: Store, clock: Clock, show: Callable[[bool], None]) -> None:
        self._store, self._clock, self._show = store, clock, show

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(PERIOD_SECONDS)

    async def look(self) -> None:
        """Look once. What takes longer than two minutes is given up; nothing is known then."""
        try:
            whole = await asyncio.to_thread(self._store.is_intact, LONGEST_SECONDS)
        except StoreError as error:
            event(_log, "the database cannot be checked", level=logging.ERROR, why=str(error))
            whole = False
        if whole is None:
            return
        self._show(whole)
        if not whole:
            event(
                _log,
                "the database is damaged; a restart moves it aside and keeps what can be read",
                level=logging.ERROR,
            )
