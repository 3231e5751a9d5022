"""Pages for outsiders over real objects: those of the page's stage, and the routes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web

from exporter.api import make_application
from exporter.config import Monitoring, PublicPage
from exporter.incidents.model import Alert, Source
from exporter.model import Reason
from exporter.public import OUTSIDERS, Outsiders, Sources
from tests.api.managed import Answer
from tests.page.stage import NOW, Stage, service

__all__ = ["DAY", "NOW", "Outside", "outside", "service"]
DAY = 86_400.0


class Outside(Stage):
    """A stage whose answers are those that outsiders get."""

    def __init__(self, *, on: bool = True, **settings: Any) -> None:
        super().__init__()
        self.monitoring = Monitoring(public_page=PublicPage(**settings))
        self.outsiders = Outsiders(
            Sources(
                registry=self.registry,
                results=self.results,
                incidents=self.incidents,
                records=self.store.public,
                clock=self.clock,
                monitoring=lambda: self.monitoring,
                offline_since=lambda: self.offline_since,
                on=on,
            )
        )

    def fails(self, id_: str, reason: Reason = Reason.SERVER_ERROR, *, times: int = 3) -> None:
        """Let *id_* fail so often in a row."""
        for _ in range(times):
            self.saw(id_, reason)

    def day(self, id_: str, ago: int, ok: int, bad: int = 0) -> None:
        """Have so many results on the day that was *ago* days before today."""
        start = (int(self.clock.now() // DAY) - ago) * int(DAY)
        with self.store.atomic() as db:
            db.execute(  # type: ignore[attr-defined]
                "INSERT INTO history VALUES (?, ?, ?, ?, 'ok', 0.0, 0.0, x'')",
                (id_, start, ok, bad),
            )

    async def fires(self, alertname: str, *, ago: float = 600.0, **more: Any) -> str:
        """Let an alert fire that began *ago* seconds before now; return the incident's id."""
        labels = {"alertname": alertname, "severity": "high", "environment": "production"}
        fields = {n: more.pop(n) for n in ("service", "provider") if n in more}
        alert = Alert(
            fingerprint=f"{alertname}{fields}",
            labels={**labels, **fields},
            annotations={"summary": "s3cret-host.internal is down, ask ann"},
            starts_at=self.clock.now() - ago,
        )
        changes = await self.incidents.fold(
            [replace(alert, **more)], Source.WEBHOOK, self.clock.now()
        )
        return changes[0].incident.id

    async def held_back(self, alertname: str, *, by: str, **fields: Any) -> None:
        """Let the open incident of an alert be inhibited by that of the alert *by*."""
        unresolved = await self.incidents.unresolved()
        (cause,) = (one for one in unresolved if one.alertname == by)
        held_by = tuple(state.fingerprint for state in cause.alerts)
        await self.fires(alertname, suppressed="inhibited", held_by=held_by, **fields)

    async def page(self) -> str:
        """Return the public page as it is now."""
        await self.step(11)
        return (await self.ask("/public")).text


@contextlib.asynccontextmanager
async def outside(**options: Any) -> AsyncIterator[Outside]:
    """Serve what outsiders get until the block ends."""
    stage = Outside(**options)
    application = make_application()
    application[OUTSIDERS] = stage.outsiders
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stage.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as stage.session:
            yield stage
    finally:
        await runner.cleanup()
        stage.store.close()


def texts(answers: Sequence[Answer]) -> list[str]:
    """Return what was answered, headers too."""
    return [f"{dict(answer.headers)} {answer.text}" for answer in answers]


def window(start: float, end: float) -> dict[str, str]:
    """Return a planned maintenance between two Unix times, with a reason that nobody may see."""
    begun, ended = (datetime.fromtimestamp(at, UTC).isoformat() for at in (start, end))
    return {"start": begun, "end": ended, "reason": "db-7 gets a new disk"}
