"""The composition root: one running exporter, from its first byte to its last."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from exporter.app.application import application_of
from exporter.app.connections import connect
from exporter.app.parts import Parts
from exporter.clock import Clock
from exporter.log import Redaction
from exporter.options import Options
from exporter.registry import Storage
from exporter.serving import (
    Limits,
    listen,
    set_process_limits,
)


class App(Parts):
    """One running exporter."""

    def __init__(
        self,
        options: Options,
        *,
        clock: Clock | None = None,
        redaction: Redaction | None = None,
        storage: Storage | None = None,
    ) -> None:
        """*storage* keeps services and keys where there is no directory for them."""
        super().__init__(options, clock=clock, redaction=redaction, storage=storage)
        connect(self)

    async def run(self, stop: asyncio.Event, started: Callable[[App], None]) -> None:
        """Serve until *stop* is set; call *started* once the port is open.

        Raises:
            SettingsError: the configuration is wrong.
            OSError: the address cannot be bound.
        """
        self.web.load()
        set_process_limits()
        self.prepare()
        try:
            async with self.serving(self.options.host, self.options.port):
                started(self)
                await self.work(stop)
        finally:
            await self.close()

    @contextlib.asynccontextmanager
    async def serving(self, host: str, port: int) -> AsyncIterator[None]:
        """Answer requests at *host* and *port* (0: any, see `self.port`) while the block runs.

        Raises:
            OSError: the address cannot be bound.
        """
        runner = web.AppRunner(application_of(self, host), access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        limits = Limits(
            connections=self.options.connections,
            head=self.options.head_seconds,
            stall=self.options.stall_seconds,
        )
        try:
            server = await listen(
                runner, self.web, (host, port), limits=limits, count=self.own.count_cut
            )
            try:
                self.port = server.sockets[0].getsockname()[1]
                self.web.warn_if_open([one.getsockname()[0] for one in server.sockets])
                self.readiness.set_ready()
                yield
            finally:
                server.close()
        finally:
            await runner.cleanup()

    def prepare(self) -> None:
        """Take over what is kept and load the configuration.

        Raises:
            SettingsError: the configuration is wrong.
        """
        if self.storage is not None:
            self.overlay.restore(self.storage)
        self.persistence.restore()
        self.models.restore()
        self.loader.load()

    async def close(self) -> None:
        """Free sockets and files; nothing works any more."""
        for one in (self.sessions, self.escalations, self.peers, self.notifier, self.transport):
            await one.close()
        await asyncio.to_thread(self.store.close)

    async def _probe(self) -> None:
        await self.live.prepare()
        await self.monitor.run()

    async def work(self, stop: asyncio.Event) -> None:
        """Run the background loops; probes under way get five seconds to end."""
        watching = asyncio.create_task(self.watchdog.run())
        await self.escalations.resume()
        probing = asyncio.create_task(self._probe())
        others = [
            asyncio.create_task(loop)
            for loop in (
                self.persistence.run(),
                self.failures.run(),
                self.retention.run(),
                self.upkeep.run(),
                self.reconciliation.run(),
                self.notifier.run(),
                self.response.run(),
                self.leads.run(),
                self.loader.watch_keys(),
                self.aging.run(),
                self.own.measure_loop_lag(self.clock),
                self.live.run(),
                self.exposition.run(self.clock),
            )
        ]
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait(
                (stopped, probing, *others), return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        finally:
            self.readiness.set_not_ready("stopping")
            self.monitor.end()
            for task in (stopped, *others):
                task.cancel()
            await asyncio.gather(probing, stopped, *others, return_exceptions=True)
            await self.persistence.save()
            await self.failures.save()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
