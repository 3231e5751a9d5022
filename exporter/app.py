"""The composition root: builds every object, owns every lifetime, knows no rule of the domain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from aiohttp import web

from exporter.api import make_application
from exporter.api.app_keys import (
    AUDIT,
    EXPOSITION,
    INCIDENTS,
    LOADER,
    MANAGEMENT,
    OWN,
    PERSISTENCE,
    READY,
    RECEIVED,
    REGISTRY,
    RESULTS,
    SOFTWARE_VERSION,
    SOON,
)
from exporter.api.guard import ADMIN_TOKEN, RECEIVER_TOKEN
from exporter.api.multitarget import PROBING, Probing
from exporter.clock import Clock, SystemClock
from exporter.config import USER_AGENT, Configuration, Target
from exporter.incidents import Counts, Escalations, IncidentLog, Peers, Reconciliation
from exporter.log import Redaction, event
from exporter.metrics import Exposition, OwnMetrics, incident_page
from exporter.model import FACTS, Outcome, Result
from exporter.multitarget import Modules, MultiTargetProber
from exporter.page import PAGE, Live, Sources
from exporter.probers.curl import CurlTransport
from exporter.probers.http import HttpProber
from exporter.registry import Change, Loader, Management, Registry, Storage
from exporter.results import Aging, Persistence, Results
from exporter.schedule import Canaries, Observer, Polling, Scheduler, SideChecks, plan_of
from exporter.secret import Secret
from exporter.serving import Door, WebFile, listen, set_process_limits
from exporter.sessions import Sessions
from exporter.statuspages import StatusPage, StatusPages
from exporter.store import Store, Vault

_log = logging.getLogger(__name__)
VERSION = metadata.version("tekup-service-registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `serve` was asked for."""

    source: Callable[[], Configuration]
    environment: Mapping[str, str] = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 9642
    admin_token: Secret | None = None
    lean: bool = False
    connections: int = 512
    """Connections at once; further ones are closed."""
    head_seconds: float = 15.0
    """Time for a request's head, and for an idle connection."""
    data_dir: Path | None = None
    """Where changes and results are kept; nothing survives a restart without it."""
    modules: Path | None = None
    """The modules of /probe, which is off without them."""
    alertmanagers: tuple[str, ...] = ()
    """URLs of every peer: asked what they list, told of manual incidents."""
    poll_interval: float = 30.0
    """Seconds between two looks at what they list."""
    prometheus: str = ""
    """Asked once, at the start, for incidents that came and went meanwhile."""
    receiver_token: Secret | None = None
    """Alertmanager's; the admin token opens its route too."""
    web_config: Path | None = None
    """TLS and passwords in exporter-toolkit's format; plain HTTP for everybody without it."""


class App:
    """One running exporter."""

    def __init__(
        self, options: Options, *, clock: Clock | None = None, redaction: Redaction | None = None,
        storage: Storage | None = None,
    ) -> None:  # fmt: skip
        self.options = options
        self.clock = clock or SystemClock()
        self.redaction = redaction or Redaction()
        self.transport = CurlTransport()
        self.prober = HttpProber(self.transport, self.clock)
        self.modules = Modules(options.modules)
        self.web = WebFile(options.web_config, self.clock)
        self.results, self.registry = Results(), Registry()
        self.own = OwnMetrics(VERSION)
        self.sessions = Sessions(self.clock, self.own.traffic.observe)
        self.polling = Polling(self.clock)
        self.pages = StatusPages(self.transport, self.polling, USER_AGENT, self._page_changed)
        self.exposition = Exposition(
            self.results, self.own, lean=options.lean,
            page=lambda target: self.pages.state(target.status_page),
            rotated=lambda target: self.management.rotated.get(target.id),
            incidents=lambda openmetrics: self._incident_pages[openmetrics],
        )  # fmt: skip
        self._incident_pages = (b"", b"")
        self.canaries = Canaries((), self.prober, self.clock)
        self.scheduler = Scheduler(
            self.prober, self.clock, self._record, self.canaries,
            Observer(lag=self.own.schedule_lag.observe),
        )  # fmt: skip
        self.store = _open_store(options, self.clock)
        source = self.modules.beside(options.source)
        self.loader = Loader(source, self.registry, options.environment, self.clock, self)
        self.management = Management(
            self.registry, self.loader, self.prober, self.clock,
            self.store if options.data_dir else storage,
        )  # fmt: skip
        self.aging = Aging(self.registry, self.results, self.clock, self.exposition)
        self._not_ready, self._dashboard = "starting", True
        self.port = options.port
        self._remember()
        self._connect()

    def _remember(self) -> None:
        """Build what outlives the process, the incident log, and what keeps it true."""
        self.persistence = Persistence(
            self.store, self.results, self.registry, self.clock, self._stored,
            volatile=self.options.data_dir is None,
        )  # fmt: skip
        self.peers = Peers(self.options.alertmanagers, self.options.prometheus)
        kept = self.store.incidents
        self.incidents = IncidentLog(
            kept, self.clock, show=self._show_incidents, notifies=bool(self.peers)
        )
        self.reconciliation = Reconciliation(
            self.incidents,
            kept,
            self.peers,
            self.clock,
            told=self.own.reconciled_at.set,
            interval=self.options.poll_interval,
            settle=10 * self.options.poll_interval,
        )
        self.escalations = Escalations(
            self.incidents, kept, self.clock,
            lambda rule, result: self.own.escalations.labels(rule, result).inc(),
        )  # fmt: skip

    def _connect(self) -> None:
        """Let the rooms hear from each other."""
        self.loader.overlay = self.management
        self.quotas = SideChecks(
            "quota", lambda t: t.quota, self.prober, self.polling, self._quota_read
        )
        self.next_keys = SideChecks(
            "next key", lambda t: t.next_key, self.prober, self.polling, self._next_key_read
        )
        self.own.live.watchdog = lambda: self.incidents.watchdog_at
        self.registry.subscribe(self._changed)
        self.own.live.in_flight = lambda: self.scheduler.in_flight
        self.own.traffic.known = self.registry.__contains__
        self.own.live.network = lambda: self.canaries.states
        self.own.live.services = lambda: self.exposition.statuses
        self.live = Live(Sources(
            registry=self.registry, results=self.results, persistence=self.persistence,
            incidents=self.incidents, clock=self.clock, online=lambda: self.canaries.online,
            refused=lambda: self.loader.refused_at,
            rotated=lambda target: self.management.rotated.get(target.id),
            says=lambda target: self.pages.state(target.status_page),
            enabled=lambda: self._dashboard, changes=self.options.admin_token is not None,
            viewers=max(1, self.options.connections - 12),  # a scrape gets through
        ))  # fmt: skip

    # -- what happened -----------------------------------------------------------------------

    def loaded(self, configuration: Configuration) -> None:
        """Take over what a configuration says beside its services."""
        self.modules.place()
        self._redact()
        self.canaries.replace(tuple(map(plan_of, configuration.canaries)))
        self._dashboard = configuration.monitoring.dashboard_enabled
        self.own.reload_ok.set(1)
        self.own.reload_at.set(self.clock.now())

    def _stored(self, well: bool) -> None:
        self.own.storage_healthy.set(well)

    def failed(self) -> None:
        """Note that the last load failed."""
        self.own.reload_ok.set(0)

    def _changed(self, change: Change) -> None:
        for target in change.removed:
            self.scheduler.drop(target.id)
            self.results.forget(target.id)
            self.persistence.history.forget(target.id)
            self.exposition.drop(target.id)
            self.own.traffic.drop(target.id)
            self.sessions.drop(target.id)
        if change.removed:
            self._show_incidents(self.incidents.counts)
        self._redact()
        self.pages.use({t.status_page for t in self.registry if t.status_page and t.enabled})
        self.quotas.use(self.registry)
        self.next_keys.use(self.registry)
        for target in (*change.added, *change.changed):
            self.exposition.put(target)
        self.scheduler.put((*change.added, *change.changed))

    def _redact(self) -> None:
        known = [secret for target in self.registry for secret in target.secrets()]
        self.redaction.replace([*known, *self.modules.secrets(), *self.web.secrets()])

    def _record(self, target: Target, result: Result) -> None:
        tally = self.results.of(target.id)
        before = tally.last
        tally.add(result, target, counted=not target.in_maintenance(result.at))
        self.exposition.refresh(target)
        self.persistence.history.add(result)
        changed = before is None or before.reason is not result.reason
        if changed or not result.success:
            self.persistence.soon(target.id)
        if changed or _log.isEnabledFor(logging.DEBUG):
            event(
                _log, "state changed" if changed else "probed",
                level=logging.INFO if changed else logging.DEBUG,
                service=target.id, provider=target.provider, reason=result.reason,
                verdict=result.verdict, detail=result.outcome.detail,
            )  # fmt: skip

    def _show_incidents(self, counts: Counts) -> None:
        known = self.registry.__contains__
        self._incident_pages = (
            incident_page(counts, known, openmetrics=False),
            incident_page(counts, known, openmetrics=True),
        )

    def _page_changed(self, page: StatusPage) -> None:
        for target in self.registry:
            if target.status_page == page:
                self.exposition.refresh(target)

    def _quota_read(self, target: Target, outcome: Outcome) -> None:
        if outcome.quotas and target.id in self.registry:
            tally = self.results.of(target.id)
            tally.quotas = {**tally.quotas, **outcome.quotas}
            self.exposition.refresh(target)

    def _next_key_read(self, target: Target, outcome: Outcome) -> None:
        if target.id not in self.registry:
            return
        tally, valid = self.results.of(target.id), FACTS[outcome.reason].key_valid
        if valid != tally.next_key_valid:
            level = logging.WARNING if valid is False else logging.INFO
            event(_log, "next key checked", level=level, service=target.id, valid=valid)
        tally.next_key_valid = valid
        self.exposition.refresh(target)

    # -- lifetimes ---------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event, started: Callable[[App], None]) -> None:
        """Serve until *stop* is set; call *started* once the port is open.

        Raises:
            SettingsError: the configuration is wrong.
            OSError: the address cannot be bound.
        """
        self.web.load()
        self.prepare()
        runner = web.AppRunner(
            self._application(), access_log=None, keepalive_timeout=self.options.head_seconds,
            shutdown_timeout=2.0,
        )  # fmt: skip
        await runner.setup()
        try:
            async with contextlib.AsyncExitStack() as stack:
                server = await listen(
                    runner, self.web, (self.options.host, self.options.port),
                    connections=self.options.connections, head=self.options.head_seconds,
                )  # fmt: skip
                stack.callback(server.close)
                self.port = server.sockets[0].getsockname()[1]
                self.web.warn_if_open([one.getsockname()[0] for one in server.sockets])
                self._not_ready = ""
                started(self)
                await self.work(stop)
        finally:
            await runner.cleanup()
            await self.close()

    def prepare(self) -> None:
        """Take over what is kept and load the configuration.

        Raises:
            SettingsError: the configuration is wrong.
        """
        set_process_limits()
        self.management.restore()
        self.persistence.restore()
        self.loader.load()

    async def close(self) -> None:
        """Free sockets and files; nothing works any more."""
        await self.escalations.close()
        await self.peers.close()
        await self.transport.close()
        await asyncio.to_thread(self.store.close)

    async def work(self, stop: asyncio.Event) -> None:
        """Run the background loops; probes under way get five seconds to end."""
        await self.escalations.resume()
        probing = asyncio.create_task(self.scheduler.run())
        others = [
            asyncio.create_task(loop)
            for loop in (
                self.persistence.run(), self.reconciliation.run(), self.canaries.run(),
                self.polling.run(), self.loader.watch_keys(), self.aging.run(), self._measure_lag(),
                self.live.run(), self.exposition.run(self.clock),
            )
        ]  # fmt: skip
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait(
                (stopped, probing, *others), return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        finally:
            self._not_ready = "stopping"
            self.scheduler.stop()
            for task in (stopped, *others):
                task.cancel()
            await asyncio.gather(probing, stopped, *others, return_exceptions=True)
            await self.persistence.save()

    async def _measure_lag(self) -> None:
        while True:
            before = self.clock.tick()
            await self.clock.sleep(0.1)
            self.own.loop_lag.observe(max(0.0, self.clock.tick() - before - 0.1))

    def _application(self) -> web.Application:
        application = make_application()
        application[EXPOSITION], application[OWN] = self.exposition, self.own
        application[REGISTRY], application[RESULTS] = self.registry, self.results
        application[LOADER], application[MANAGEMENT] = self.loader, self.management
        application[SOFTWARE_VERSION] = VERSION
        application[INCIDENTS], application[SOON] = self.incidents, self.reconciliation.soon
        application[RECEIVED] = lambda result: self.own.messages.labels(result).inc()
        application[PERSISTENCE], application[AUDIT] = self.persistence, self.store.audit_entries
        prober = MultiTargetProber(self.transport, self.clock)
        application[PROBING] = Probing(self.modules, prober, USER_AGENT)
        application[PAGE] = self.live
        application[READY] = lambda: self._not_ready
        application[ADMIN_TOKEN] = self.options.admin_token
        application[RECEIVER_TOKEN] = self.options.receiver_token
        if self.options.web_config is not None:
            Door(self.web, self.clock).install(application)
        return application


def _open_store(options: Options, clock: Clock) -> Store:
    if options.data_dir is None:
        return Store.in_memory(clock)
    store = Store.open(options.data_dir, clock, Vault.from_environment(options.environment))
    if store.moved_aside is not None:
        event(_log, "damaged database moved aside", level=logging.ERROR, to=store.moved_aside)
    return store
