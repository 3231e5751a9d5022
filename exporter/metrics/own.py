"""The exporter's metrics about itself, through prometheus_client: few series, standard parts."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import prometheus_client as client
from prometheus_client import exposition
from prometheus_client.core import (
    CollectorRegistry,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from exporter.clock import Clock
from exporter.incidents import IncidentLog
from exporter.metrics.traffic import UserTraffic
from exporter.model import WHOSE, Reason, Shortage, advice_of, fault_of, verdict_of
from exporter.notifying import RESULTS
from exporter.registry import Loader
from exporter.results import Status
from exporter.schedule import Canaries, Scheduler

LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LAG_PERIOD_SECONDS = 0.1
_END = b"# EOF\n"
CUTS = ("refused", "made_room", "idle", "slow_reader", "slow_sender", "too_much_unread")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """The rooms that are asked at each scrape."""

    scheduler: Scheduler
    canaries: Canaries
    loader: Loader
    incidents: IncidentLog
    statuses: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Reading:
    """A gauge that is read at each scrape: values by label, or one value under an empty label."""

    name: str
    help: str
    read: Callable[[_Watched], Mapping[str, float]]
    label: str = ""


_AT_SCRAPE = (
    _Reading(
        "exporter_probes_in_flight",
        "Probes under way.",
        lambda watched: {"": watched.scheduler.in_flight},
    ),
    _Reading(
        "exporter_network_up",
        "Whether a canary answers.",
        lambda watched: watched.canaries.states,
        label="canary",
    ),
    _Reading(
        "exporter_services",
        "Services by state at a glance.",
        lambda watched: {
            str(state): watched.statuses.get(state, 0) for state in (*Status, "disabled")
        },
        label="state",
    ),
    _Reading(
        "exporter_watchdog_last_received_timestamp_seconds",
        "When the Watchdog alert last came through Prometheus and Alertmanager.",
        lambda watched: {"": at} if (at := watched.incidents.watchdog_at) is not None else {},
    ),
    _Reading(
        "exporter_config_last_reload_successful",
        "Whether the last (re)load succeeded.",
        lambda watched: {
            "": watched.loader.loaded_at is not None and watched.loader.refused_at is None
        },
    ),
    _Reading(
        "exporter_config_last_reload_success_timestamp_seconds",
        "When the configuration was last loaded.",
        lambda watched: {"": watched.loader.loaded_at or 0.0},
    ),
)


class _AtScrape(Collector):
    """Asks the rooms that it watches for the values of `_AT_SCRAPE`."""

    def __init__(self) -> None:
        self.watched: _Watched | None = None

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        for gauge in _AT_SCRAPE:
            labels = [gauge.label] if gauge.label else []
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=labels)
            values = gauge.read(self.watched) if self.watched is not None else {}
            for label, value in values.items():
                family.add_metric([label] if gauge.label else [], float(value))
            yield family


class Delays(Collector):
    """A histogram of seconds that costs a probe one search: the library's takes ten times that."""

    def __init__(self, name: str, text: str, bounds: Sequence[float]) -> None:
        """*bounds* are the upper ones of all buckets but the last, which has none."""
        self._name, self._text, self._bounds = name, text, bounds
        self._sum = 0.0
        self.counts = array("Q", bytes(8 * (len(bounds) + 1)))
        """How many fell into each bucket."""

    def observe(self, seconds: float) -> None:
        """Count a delay."""
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._text)
        bounds = map(floatToGoString, (*self._bounds, float("inf")))
        family.add_metric([], list(zip(bounds, accumulate(self.counts), strict=True)), self._sum)
        yield family


class OwnMetrics:
    """What the exporter knows about itself. Durations are in seconds, times are Unix times."""

    def __init__(self, version: str) -> None:
        client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry(auto_describe=False)
        client.ProcessCollector(registry=self._registry)
        self.traffic = UserTraffic(self._registry)
        self._at_scrape = _AtScrape()
        self._registry.register(self._at_scrape)
        build = client.Gauge(
            "exporter_build_info",
            "Version of the exporter and of Python.",
            ["version", "pythonversion"],
            registry=self._registry,
        )
        build.labels(version, ".".join(map(str, sys.version_info[:3]))).set(1)
        self._explain_reasons()
        self.schedule_lag = self._delays(
            "exporter_probe_schedule_lag_seconds", "How late probes start."
        )
        self.loop_lag = self._delays(
            "exporter_event_loop_lag_seconds", "How late the event loop wakes up."
        )
        self.loop_stalls = client.Counter(
            "exporter_event_loop_stalls_total",
            "Times that the event loop did not run for more than 5 s; the log has the place.",
            registry=self._registry,
        )
        self.render_seconds = self._gauge(
            "exporter_scrape_render_seconds", "Time to render the last scrape."
        )
        self._watch_the_store()
        self._count_shortages()
        self._count_incidents()
        self._count_notifications()
        self._count_clients()
        self.render_errors = client.Counter(
            "exporter_render_errors_total",
            "Lines left out because of a bug.",
            registry=self._registry,
        )

    def _explain_reasons(self) -> None:
        info = client.Gauge(
            "exporter_reason_info",
            "What each reason means with each verdict that it can have, in words.",
            ["reason", "verdict", "fault", "whose", "advice"],
            registry=self._registry,
        )
        for reason in Reason:
            for verdict in {verdict_of(reason), verdict_of(reason, online=False)}:
                words = fault_of(reason, verdict), WHOSE[verdict], advice_of(reason, verdict)
                info.labels(reason, verdict, *words).set(1)

    def _count_shortages(self) -> None:
        self._shortages = client.Counter(
            "exporter_probe_shortages_total",
            "Attempts of probes that a shortage of our own spoiled: no fault of the provider.",
            ["what"],
            registry=self._registry,
        )
        for what in Shortage:
            self._shortages.labels(what)

    def _watch_the_store(self) -> None:
        self.storage_healthy = self._gauge(
            "exporter_storage_healthy", "Whether results could be saved the last time."
        )
        self.storage_healthy.set(1)
        self.storage_intact = self._gauge(
            "exporter_storage_intact",
            "Whether the last look at the database file, once a day, found it whole.",
        )
        self.storage_intact.set(1)
        self._damaged_rows = client.Counter(
            "exporter_storage_damaged_rows_total",
            "Stored rows that could not be read and were passed over, by table.",
            ["table"],
            registry=self._registry,
        )

    def _count_incidents(self) -> None:
        self._escalations = client.Counter(
            "exporter_escalations_total",
            "Runs of escalation rules: ok, error or gave_up.",
            ["rule", "result"],
            registry=self._registry,
        )
        self._messages = client.Counter(
            "exporter_alertmanager_messages_total",
            "Webhook messages: ok, partial (alerts were set aside), invalid or failed.",
            ["result"],
            registry=self._registry,
        )
        for result in ("ok", "partial", "invalid", "failed"):
            self._messages.labels(result)
        self.reconciled_at = self._gauge(
            "exporter_incidents_reconcile_last_success_timestamp_seconds",
            "When Alertmanager was last asked what it lists; 0 if never.",
        )

    def _count_notifications(self) -> None:
        self._notifications = client.Counter(
            "service_notifications_total",
            "Notifications that the exporter itself sends, by entry of notify: sent, failed (one"
            " try) or gave_up.",
            ["medium", "result"],
            registry=self._registry,
        )
        self._media: tuple[str, ...] = ()

    def _count_clients(self) -> None:
        self._cut = client.Counter(
            "exporter_connections_cut_total",
            "Connections of clients that were closed or refused to protect the exporter.",
            ["why"],
            registry=self._registry,
        )
        for why in CUTS:
            self._cut.labels(why)
        self._auth_failures = client.Counter(
            "exporter_auth_failures_total",
            "Requests with a wrong token or password: admin, receiver, status_page or password.",
            ["what"],
            registry=self._registry,
        )
        for what in ("admin", "receiver", "status_page", "password"):
            self._auth_failures.labels(what)

    def watch(
        self,
        *,
        scheduler: Scheduler,
        canaries: Canaries,
        loader: Loader,
        incidents: IncidentLog,
        statuses: Mapping[str, int],
    ) -> None:
        """Read these at each scrape; *statuses* is how many services are in which state."""
        self._at_scrape.watched = _Watched(
            scheduler=scheduler,
            canaries=canaries,
            loader=loader,
            incidents=incidents,
            statuses=statuses,
        )

    async def measure_loop_lag(self, clock: Clock) -> None:
        """Measure how late the event loop wakes up, until cancelled."""
        while True:
            before = clock.tick()
            await clock.sleep(_LAG_PERIOD_SECONDS)
            self.loop_lag.observe(max(0.0, clock.tick() - before - _LAG_PERIOD_SECONDS))

    def count_escalation(self, rule: str, result: str) -> None:
        """Count a run of the escalation rule *rule*: ok, error or gave_up."""
        self._escalations.labels(rule, result).inc()

    def announce_media(self, media: Sequence[str]) -> None:
        """Show a 0 for each result of each of *media*, and nothing of those that are gone."""
        for gone in set(self._media) - set(media):
            for result in RESULTS:
                self._notifications.remove(gone, result)
        for medium in media:
            for result in RESULTS:
                self._notifications.labels(medium, result)
        self._media = tuple(media)

    def count_notification(self, medium: str, result: str) -> None:
        """Count what became of a notification: sent, failed or gave_up."""
        if medium in self._media:
            self._notifications.labels(medium, result).inc()

    def count_message(self, result: str) -> None:
        """Count a webhook message of Alertmanager: ok, partial, invalid or failed."""
        self._messages.labels(result).inc()

    def count_shortage(self, what: Shortage) -> None:
        """Count an attempt of a probe that a shortage of our own spoiled."""
        self._shortages.labels(what).inc()

    def count_damaged_row(self, table: str) -> None:
        """Count a row of *table* of the store that is unreadable."""
        self._damaged_rows.labels(table).inc()

    def count_cut(self, why: str) -> None:
        """Count a connection that was closed or refused; *why* is one of `CUTS`."""
        self._cut.labels(why).inc()

    def count_auth_failure(self, what: str) -> None:
        """Count a wrong token or password: admin, receiver, status_page or password."""
        self._auth_failures.labels(what).inc()

    def page(self, *, openmetrics: bool) -> bytes:
        """Return the text of these metrics, the last part of a page."""
        return b"".join(self.pieces(openmetrics=openmetrics))

    def pieces(self, *, openmetrics: bool) -> Iterator[bytes]:
        """Yield the same one family at a time: all at once take two milliseconds."""
        write = _openmetrics if openmetrics else exposition.generate_latest
        for metric in self._registry.collect():
            yield bytes(write(_Only(metric))).removesuffix(_END)
        if openmetrics:
            yield _END

    def _gauge(self, name: str, text: str) -> client.Gauge:
        return client.Gauge(name, text, registry=self._registry)

    def _delays(self, name: str, text: str) -> Delays:
        delays = Delays(name, text, LAG_BUCKETS)
        self._registry.register(delays)
        return delays


class _Only(CollectorRegistry):
    """As if one family were all."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


def _openmetrics(registry: CollectorRegistry) -> bytes:
    text = openmetrics_exposition.generate_latest(registry)  # type: ignore[no-untyped-call]
    return bytes(text)
