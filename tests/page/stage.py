"""The page over real objects: services, results and incidents as a test sets them, and a clock.

Registry, results, store, incident log, page and route table are the real ones; but nothing is
probed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiohttp
from aiohttp import web

from exporter.api import make_application
from exporter.api.app_keys import FAILURES, HOLDS, INCIDENTS, RECONCILE, REGISTRY, RESULTS
from exporter.api.guard import ADMIN_TOKEN, RECEIVER_TOKEN
from exporter.clock import Clock
from exporter.config import Configuration, make_target, read_text
from exporter.incidents import IncidentLog
from exporter.model import Outcome, Reason, Result, Verdict, verdict_of
from exporter.models import ModelResult, ModelState, ModelStates
from exporter.page import LIVE, Live, Sources
from exporter.registry import Holds, Loader, Registry
from exporter.results import Bucket, Failures, History, Persistence, Results
from exporter.secret import Secret
from exporter.statuspages import Lead, PageRecord, State
from exporter.store import Store
from exporter.streams import Reading, Usage
from tests.api.managed import TOKEN, Answer
from tests.fakes import FakeClock
from tests.patience import patient

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC


def service(id_: str, **fields: Any) -> dict[str, Any]:
    """Return a declared service."""
    defaults = {"id": id_, "base_url": f"https://{id_}.example.com", "name": id_.capitalize()}
    return {**defaults, **fields}


class Stage:
    """The page with everything that it reads."""

    def __init__(self, clock: Clock | None = None, *, viewers: int = 100) -> None:
        self.clock = clock or FakeClock(NOW)
        self.registry, self.results = Registry(), Results()
        self.models = ModelStates()
        self.store = Store.in_memory(self.clock)
        self.history = History()
        self.persistence = Persistence(
            self.store, self.results, self.history, self.registry, self.clock
        )
        self.failures = Failures(self.store.failures, self.registry, self.clock)
        self.incidents = IncidentLog(self.store.incidents, self.clock)
        self.offline_since: float | None = None
        self.enabled = True
        self.refused: float | None = None
        self.rotated: dict[str, float] = {}
        self.status_pages: dict[str, State] = {}
        self.leads: dict[str, Lead] = {}
        self.page_records: dict[str, PageRecord] = {}
        self.live = Live(
            Sources(
                registry=self.registry,
                results=self.results,
                persistence=self.persistence,
                failures=self.failures,
                incidents=self.incidents,
                clock=self.clock,
                viewers=viewers,
                accepts_changes=True,
                models=self.models.of,
                status_page_state=lambda target: self.status_pages.get(target.id),
                offline_since=lambda: self.offline_since,
                lead=lambda target: self.leads.get(target.id),
                page_record=lambda target: self.page_records.get(target.id),
                refused_at=lambda: self.refused,
                rotated_at=self.rotated.get,
                enabled=lambda: self.enabled,
            )
        )
        self.base = ""
        self.session: aiohttp.ClientSession
        self.loop: asyncio.Task[None] | None = None

    def add(self, *services: dict[str, Any]) -> None:
        """Register *services* in addition to those that are registered."""
        known = {target.id: target for target in self.registry}
        text = json.dumps({"services": list(services)})
        for declared in read_text(text, "services.yaml", {}).services:
            target = make_target(declared, {})
            self.models.put(target)
            known[target.id] = target
        self.registry.replace(known.values())

    def saw(
        self,
        id_: str,
        reason: Reason = Reason.OK,
        *,
        ago: float = 0.0,
        took: float = 0.2,
        verdict: Verdict | None = None,
        **fields: Any,
    ) -> None:
        """Add a result of the time *ago* seconds before now."""
        share = (0.05, 0.1, 0.2, 0.6, 0.05)
        defaults = {
            "reason": reason,
            "duration": took,
            "phases": tuple(took * part for part in share),
            "status": 200 if reason is Reason.OK else 0,
            "keyed": True,
        }
        result = Result(
            service=id_,
            at=self.clock.now() - ago,
            outcome=Outcome(**{**defaults, **fields}),
            verdict=verdict or verdict_of(reason),
        )
        tally, target = self.results.of(id_), self.registry.get(id_)
        tally.add(result, target)
        if not result.success:
            until = result.at + tally.silence(target)
            self.failures.add(result, spell=tally.failing_since, until=until)
        self.history.add(result)

    def asked(
        self,
        service: str,
        model: str,
        reason: Reason = Reason.OK,
        *,
        ago: float = 0.0,
        first: float | None = 0.6,
        gap: float = 0.02,
        **fields: Any,
    ) -> ModelState:
        """Add a check of a model that began *ago* seconds before now."""
        state = self.models.get(service, model)
        assert state is not None
        usage = Usage(input=20, output=16)
        last = None if first is None else first + 15 * gap
        reading = Reading(first_text=first, last_text=last, gaps=[gap], usage=usage)
        result = ModelResult(
            at=self.clock.now() - ago,
            outcome=Outcome(reason=reason, **fields),
            reading=reading,
            verdict=verdict_of(reason),
            spent=state.model.cost(20, 16),
        )
        state.add(result)
        state.spent += result.spent
        state.left = lambda: 0.97
        return state

    def had(self, id_: str, hours: Iterable[tuple[float, Reason]]) -> None:
        """Add quarters of an hour of results; each began the given number of hours ago."""
        rows = []
        for ago, reason in hours:
            start = int((self.clock.now() - ago * 3600) // 900) * 900
            ok = reason is Reason.OK
            rows.append(Bucket(id_, start, 15 * ok, 15 * (not ok), reason, 3.0 * ok, 0.4))
        self.store.record_history(rows)

    async def ask(self, path: str, **options: Any) -> Answer:
        """Return the response to a GET of *path*."""
        async with self.session.get(self.base + path, **options) as response:
            return Answer(response.status, response.headers, await response.text())

    async def step(self, seconds: float = 1.0) -> None:
        """Advance the clock, so that open pages are updated; an update under way ends before."""
        assert isinstance(self.clock, FakeClock)
        async with patient(10):
            while self.loop and not self.clock.sleeping and not self.loop.done():
                await asyncio.sleep(0.001)
        await self.clock.advance(seconds)


@contextlib.asynccontextmanager
async def staged(clock: Clock | None = None, **options: Any) -> AsyncIterator[Stage]:
    """Serve a stage until the block ends."""
    stage = Stage(clock, **options)
    application = make_application()
    application[LIVE] = stage.live
    application[INCIDENTS], application[RECONCILE] = stage.incidents, lambda: None
    application[FAILURES] = stage.failures
    application[REGISTRY], application[RESULTS] = stage.registry, stage.results
    loader = Loader(Configuration, stage.registry, {}, stage.clock)
    application[HOLDS] = Holds(stage.registry, loader, stage.clock, None)
    application[ADMIN_TOKEN], application[RECEIVER_TOKEN] = Secret(TOKEN), None
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stage.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    stage.loop = asyncio.create_task(stage.live.run())
    try:
        async with aiohttp.ClientSession() as stage.session:
            yield stage
    finally:
        stage.loop.cancel()
        await asyncio.gather(stage.loop, return_exceptions=True)
        await runner.cleanup()
        stage.store.close()
