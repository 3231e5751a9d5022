"""The composition root: builds every object, connects them, owns every lifetime."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from importlib import metadata

from aiohttp import web

from exporter.alerting import Evaluator, OwnWatch, Response, Views, both, instance_of
from exporter.api import make_application
from exporter.api.app_keys import (
    AUDIT,
    EXPOSITION,
    INCIDENTS,
    LOADER,
    MANAGEMENT,
    NOTIFYING,
    OWN,
    PERSISTENCE,
    RECEIVED,
    RECONCILE,
    REGISTRY,
    RESULTS,
    SOFTWARE_VERSION,
)
from exporter.api.guard import ADMIN_TOKEN, RECEIVER_TOKEN
from exporter.api.guesses import Guesses
from exporter.api.multitarget import PROBING, Probing
from exporter.api.status import READINESS, Readiness
from exporter.clock import Clock, SystemClock
from exporter.config import USER_AGENT
from exporter.incidents import Escalations, IncidentLog, Peers, Reconciliation
from exporter.log import Redaction
from exporter.metrics import Exposition, IncidentMetrics, OwnMetrics
from exporter.multitarget import Modules, MultiTargetProber
from exporter.notifying import Media, Notifier
from exporter.options import Options
from exporter.page import LIVE, Live, Sources
from exporter.probers import Probers
from exporter.probers.curl import CurlTransport
from exporter.registry import Loader, Management, Overlay, Registry, Storage
from exporter.results import Aging, History, Persistence, Recording, Results, Retention
from exporter.schedule import Canaries, Heart, Monitor, Observer, Polling, Scheduler, SideChecks
from exporter.serving import (
    Gate,
    HostNames,
    Limits,
    Watchdog,
    WebAuth,
    WebFile,
    listen,
    set_process_limits,
)
from exporter.sessions import Sessions
from exporter.statuspages import StatusPages
from exporter.store import Upkeep, open_store

__all__ = ["VERSION", "App", "Options"]
VERSION = metadata.version("tekup-service-registry")
_SPARE_CONNECTIONS = 12
"""Connections that open pages may not take: a scrape and a person's request get through."""


class App:
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
        self.options = options
        self.clock = clock or SystemClock()
        self.redaction = redaction or Redaction()
        self.readiness = Readiness()
        self.port = options.port
        self.transport = CurlTransport()
        self.prober = Probers(self.transport, self.clock, self.redaction.holds)
        self.own = OwnMetrics(VERSION)
        self.own_watch = OwnWatch(
            refused=lambda: self.loader.refused_at is not None,
            instance=lambda: instance_of(options.host, self.port),
        )
        self.watchdog = Watchdog(both(self.own.loop_stalls.inc, self.own_watch.note_stall))
        self.store = open_store(
            options.data_dir,
            self.clock,
            options.environment,
            both(self.own.count_damaged_row, self.own_watch.note_damaged_row),
        )
        self.upkeep = Upkeep(
            self.store, self.clock, both(self.own.storage_intact.set, self.own_watch.note_intact)
        )
        self._build_registry(storage)
        self._build_incidents()
        self._build_results()
        self._build_schedule()
        self._build_response()
        self._build_page()
        self._connect()

    # -- what there is -----------------------------------------------------------------------

    def _build_registry(self, storage: Storage | None) -> None:
        options = self.options
        self.registry, self.overlay = Registry(), Overlay()
        self.modules = Modules(options.modules)
        self.web = WebFile(options.web_config, self.clock)
        source = self.modules.loading_with(options.source)
        self.loader = Loader(source, self.registry, options.environment, self.clock, self.overlay)
        self.storage = self.store if options.data_dir else storage
        self.management = Management(
            self.registry, self.loader, self.prober, self.clock, self.storage
        )

    def _build_incidents(self) -> None:
        options, kept = self.options, self.store.incidents
        self.peers = Peers(options.alertmanagers, options.prometheus)
        self.incident_metrics = IncidentMetrics(self.registry)
        self.incidents = IncidentLog(kept, self.clock, show=self.incident_metrics.show)
        self.reconciliation = Reconciliation(
            self.incidents,
            kept,
            self.peers,
            self.clock,
            on_success=self.own.reconciled_at.set,
            interval=options.poll_interval,
            settle=10 * options.poll_interval,
            wanted=lambda: self.response.is_alertmanagers,
        )
        self.escalations = Escalations(self.incidents, kept, self.clock, self.own.count_escalation)
        self.notifier = Notifier(self.store.notifications, self.clock, Media(), self.own)

    def _build_results(self) -> None:
        self.results, self.history = Results(), History()
        self.polling = Polling(self.clock)
        self.pages = StatusPages(self.transport, self.polling, USER_AGENT)
        self.exposition = Exposition(
            self.results,
            self.own,
            self.incident_metrics,
            lean=self.options.lean,
            page=lambda target: self.pages.state(target.status_page),
            rotated_at=self.overlay.rotated_at,
        )
        self.persistence = Persistence(
            self.store,
            self.results,
            self.history,
            self.registry,
            self.clock,
            on_saved=both(self.own.storage_healthy.set, self.own_watch.note_saved),
            volatile=self.options.data_dir is None,
        )
        self.recording = Recording(
            self.registry,
            self.results,
            self.history,
            self.persistence,
            self.exposition,
            clock=self.clock,
        )
        self.sessions = Sessions(self.clock, self.own.traffic.observe, self.recording.call)
        self.retention = Retention(
            self.store,
            self.store.incidents,
            self.peers.prometheus_retention,
            self.clock,
            volatile=self.options.data_dir is None,
        )
        self.aging = Aging(self.registry, self.results, self.clock, self.exposition)

    def _build_schedule(self) -> None:
        heart = Heart(self.clock)
        self.canaries = Canaries((), self.prober, self.clock, heart)
        self.scheduler = Scheduler(
            self.prober,
            self.clock,
            self.recording.probe,
            self.canaries,
            Observer(
                lag=both(self.own.schedule_lag.observe, self.own_watch.note_lag),
                shortage=both(self.own.count_shortage, self.own_watch.note_shortage),
            ),
            wait_left=lambda target: self.results.wait_left(target, self.clock.now()),
            heart=heart,
        )
        self.quotas = SideChecks(
            "quota", lambda t: t.quota, self.prober, self.polling, self.recording.quota
        )
        self.next_keys = SideChecks(
            "next key", lambda t: t.next_key, self.prober, self.polling, self.recording.next_key
        )

        self.monitor = Monitor(self.scheduler, self.canaries.run, self.polling.run)

    def _build_response(self) -> None:
        views = Views(
            canaries=lambda: self.canaries.states,
            page=lambda target: self.pages.state(target.status_page),
            acknowledged=lambda: self.incidents.counts.acknowledged,
        )
        self.response = Response(
            lambda past: Evaluator(
                self.registry, self.results, self.clock, views, own=self.own_watch, past=past
            ),
            self.incidents,
            self.clock,
            alertmanager=bool(self.peers),
            notifier=self.notifier,
            is_watching=lambda: self.monitor.is_on,
        )

    def _build_page(self) -> None:
        self.live = Live(
            Sources(
                registry=self.registry,
                results=self.results,
                persistence=self.persistence,
                incidents=self.incidents,
                clock=self.clock,
                online=lambda: self.canaries.online,
                refused_at=lambda: self.loader.refused_at,
                rotated_at=self.overlay.rotated_at,
                status_page_state=lambda target: self.pages.state(target.status_page),
                enabled=lambda: self.loader.monitoring.dashboard_enabled,
                accepts_changes=self.options.admin_token is not None,
                notifying=lambda: self.notifier.states,
                viewers=max(1, self.options.connections - _SPARE_CONNECTIONS),
            )
        )

    # -- who follows whom --------------------------------------------------------------------

    def _connect(self) -> None:
        """Subscribe: what was loaded goes to those it configures, a change to all who keep one."""
        kept = (self.registry, self.modules, self.web, self.peers, self.notifier)
        self.redaction.watch(*(room.secrets for room in kept))
        self.loader.subscribe(lambda configuration: self.modules.activate())
        self.loader.subscribe(self.notifier.follow)
        self.loader.subscribe(lambda configuration: self.redaction.refresh())
        self.loader.subscribe(self.canaries.follow)
        self.loader.subscribe(self.response.follow)
        self.canaries.on_return(self.scheduler.recover)
        self.loader.subscribe(self.retention.follow)
        self.pages.subscribe(self.recording.status_page)
        for follower in (
            self.results.follow,
            self.history.follow,
            self.own.traffic.follow,
            self.sessions.follow,
            self.incident_metrics.follow,
            lambda change: self.redaction.refresh(),
            lambda change: self.pages.set_pages(self.registry.status_pages()),
            lambda change: self.quotas.set_targets(self.registry),
            lambda change: self.next_keys.set_targets(self.registry),
            self.exposition.follow,
            self.scheduler.follow,
        ):
            self.registry.subscribe(follower)
        self.own.traffic.known = self.registry.__contains__
        self.own.watch(
            scheduler=self.scheduler,
            canaries=self.canaries,
            loader=self.loader,
            incidents=self.incidents,
            statuses=self.exposition.statuses,
        )

    # -- lifetimes ---------------------------------------------------------------------------

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
        runner = web.AppRunner(self._application(host), access_log=None, shutdown_timeout=2.0)
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
        self.loader.load()

    async def close(self) -> None:
        """Free sockets and files; nothing works any more."""
        for one in (self.sessions, self.escalations, self.peers, self.notifier, self.transport):
            await one.close()
        await asyncio.to_thread(self.store.close)

    async def work(self, stop: asyncio.Event) -> None:
        """Run the background loops; probes under way get five seconds to end."""
        watching = asyncio.create_task(self.watchdog.run())
        await self.escalations.resume()
        probing = asyncio.create_task(self.monitor.run())
        others = [
            asyncio.create_task(loop)
            for loop in (
                self.persistence.run(),
                self.retention.run(),
                self.upkeep.run(),
                self.reconciliation.run(),
                self.notifier.run(),
                self.response.run(),
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
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def _application(self, host: str) -> web.Application:
        guesses = Guesses(self.clock, self.own.count_auth_failure)
        application = make_application(guesses)
        application[EXPOSITION], application[OWN] = self.exposition, self.own
        application[REGISTRY], application[RESULTS] = self.registry, self.results
        application[LOADER], application[MANAGEMENT] = self.loader, self.management
        application[SOFTWARE_VERSION] = VERSION
        application[INCIDENTS] = self.incidents
        application[NOTIFYING] = lambda: self.notifier.states
        application[RECONCILE] = self.reconciliation.schedule_round
        application[RECEIVED] = self.own.count_message
        application[PERSISTENCE], application[AUDIT] = self.persistence, self.store.audit_entries
        prober = MultiTargetProber(self.transport, self.clock)
        application[PROBING] = Probing(self.modules, prober, USER_AGENT, self.redaction)
        application[LIVE], application[READINESS] = self.live, self.readiness
        application[ADMIN_TOKEN] = self.options.admin_token
        application[RECEIVER_TOKEN] = self.options.receiver_token
        if self.options.web_config is not None:
            WebAuth(self.web, self.clock, guesses).install(application)
        Gate(HostNames(host, self.options.allowed_hosts)).install(application)
        return application
