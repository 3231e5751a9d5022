"""What one exporter consists of: every object, built in the order in which they need each other."""

from __future__ import annotations

from exporter import public
from exporter.alerting import Evaluator, OwnWatch, Response, Views, both, instance_of
from exporter.api.status import Readiness
from exporter.clock import Clock, SystemClock
from exporter.config import USER_AGENT, Target
from exporter.incidents import Escalations, IncidentLog, Peers, Reconciliation
from exporter.log import Redaction
from exporter.metrics import LONG_AGO, Exposition, IncidentMetrics, OwnMetrics, PageNews, news_of
from exporter.models import ModelChecks, ModelStates
from exporter.multitarget import Modules
from exporter.notifying import Media, Notifier
from exporter.options import Options
from exporter.page import Live, Sources
from exporter.probers import Probers
from exporter.probers.curl import CurlTransport
from exporter.providers import presets
from exporter.registry import Holds, Loader, Management, Overlay, Registry, Storage
from exporter.reports import Reports
from exporter.reports import Sources as ReportSources
from exporter.results import (
    Aging,
    Failures,
    History,
    Leads,
    Minutes,
    Persistence,
    Recording,
    Results,
    Retention,
)
from exporter.schedule import (
    Canaries,
    Heart,
    Monitor,
    Observer,
    Polling,
    Scheduler,
    SideChecks,
    share,
)
from exporter.serving import (
    Watchdog,
    WebFile,
)
from exporter.sessions import Sessions
from exporter.statuspages import StatusPages
from exporter.store import Upkeep, open_store
from exporter.version import VERSION

_SPARE_CONNECTIONS = 12
"""Connections that open pages may not take: a scrape and a person's request get through."""


class Parts:
    """Every object of one exporter, built and not yet connected."""

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
            lags=self.own.schedule_lag.counts,
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
        self._build_recording()
        self._build_schedule()
        self._build_response()
        self._build_page()
        self._build_reports()

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
        self.holds = Holds(self.registry, self.loader, self.clock, self.storage)

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
        self.model_states = ModelStates()
        self.polling = Polling(self.clock)
        self.pages = StatusPages(self.transport, self.polling, USER_AGENT, self.clock)
        self.leads = Leads(self.registry, self.results, self.pages, self.incidents, self.clock)
        self.exposition = Exposition(
            self.results,
            self.own,
            self.incident_metrics,
            lean=self.options.lean,
            compact=self.options.compact,
            page=lambda target: self.pages.state(target.status_page),
            news=self._news,
            rotated_at=self.overlay.rotated_at,
            models=self.model_states,
            began=self.clock.now() if self.options.data_dir is None else LONG_AGO,
        )

    def _build_recording(self) -> None:
        """Build what takes results in, keeps them, and lets them go."""
        self.minutes = Minutes(
            network=lambda: "canary" if self.canaries.states and self.canaries.online else "",
            page=lambda target: str(self.pages.state(target.status_page) or ""),
        )
        self.failures = Failures(self.store.failures, self.registry, self.clock)
        self.persistence = Persistence(
            self.store,
            self.results,
            self.history,
            self.registry,
            self.clock,
            on_saved=both(self.own.storage_healthy.set, self.own_watch.note_saved),
            volatile=self.options.data_dir is None,
            minutes=(self.minutes, self.store.minutes),
        )
        self.recording = Recording(
            self.registry,
            self.results,
            self.history,
            self.persistence,
            self.exposition,
            failures=self.failures,
            clock=self.clock,
            minutes=self.minutes,
        )
        self.sessions = Sessions(self.clock, self.own.traffic.observe, self.recording.call)
        self.retention = Retention(
            self.store,
            self.store.incidents,
            self.peers.prometheus_retention,
            self.clock,
            volatile=self.options.data_dir is None,
            minutes=self.store.minutes,
        )
        self.aging = Aging(self.registry, self.results, self.clock, self.exposition)

    def _news(self, target: Target) -> PageNews:
        lead = self.leads.of(target)
        return news_of(self.leads.record(target), lead.seconds if lead is not None else None)

    def _build_schedule(self) -> None:
        heart = Heart(self.clock)
        self.canaries = Canaries((), self.prober, self.clock, heart)
        self.models = ModelChecks(
            self.prober,
            self.store.model_spend,
            self.model_states,
            self.clock,
            last=self.results.last,
            network=self.canaries,
            spread=share,
            remembers=self.options.data_dir is not None,
            figures=self.store.models,
            announced=self.recording.model_check,
        )
        self.scheduler = Scheduler(
            self.prober,
            self.clock,
            both(self.recording.probe, self.models.doubt, self.leads.probe),
            self.canaries,
            Observer(
                lag=self.own.schedule_lag.observe,
                shortage=both(self.own.count_shortage, self.own_watch.note_shortage),
            ),
            wait_left=lambda target: self.results.wait_left(target, self.clock.now()),
            heart=heart,
        )
        self.quotas = SideChecks(
            "quota", lambda t: t.quota, self.prober, self.polling, self.recording.quota
        )
        self.model_lists = SideChecks(
            "list of models",
            lambda t: t.model_list,
            self.prober,
            self.polling,
            self.recording.model_list,
        )
        self.next_keys = SideChecks(
            "next key", lambda t: t.next_key, self.prober, self.polling, self.recording.next_key
        )

        self.monitor = Monitor(self.scheduler, self.canaries.run, self.polling.run, self.models.run)

    def _build_response(self) -> None:
        views = Views(
            canaries=lambda: self.canaries.states,
            page=lambda target: self.pages.state(target.status_page),
            page_record=self.leads.record,
            models=lambda: self.model_states,
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
                failures=self.failures,
                incidents=self.incidents,
                clock=self.clock,
                offline_since=lambda: self.canaries.offline_since,
                refused_at=lambda: self.loader.refused_at,
                rotated_at=self.overlay.rotated_at,
                status_page_state=lambda target: self.pages.state(target.status_page),
                models=self.model_states.of,
                lead=self.leads.of,
                page_record=self.leads.record,
                enabled=lambda: self.loader.monitoring.dashboard_enabled,
                accepts_changes=self.options.admin_token is not None,
                notifying=lambda: self.notifier.states,
                viewers=max(1, self.options.connections - _SPARE_CONNECTIONS),
                public_page=self.options.public_page,
            )
        )
        self.outsiders = public.Outsiders(
            public.Sources(
                registry=self.registry,
                results=self.results,
                incidents=self.incidents,
                records=self.store.public,
                clock=self.clock,
                monitoring=lambda: self.loader.monitoring,
                offline_since=lambda: self.canaries.offline_since,
                on=self.options.public_page,
            )
        )

    def _build_reports(self) -> None:
        self.reports = Reports(
            ReportSources(
                registry=self.registry,
                results=self.results,
                persistence=self.persistence,
                incidents=self.incidents,
                clock=self.clock,
                failures=self.failures,
                presets=presets,
                canaries=lambda: len(self.canaries.plans),
                redact=lambda text: self.redaction(text) if self.redaction.holds(text) else text,
                version=VERSION,
            )
        )
