"""The exporter's metrics about itself, through prometheus_client: few series, standard parts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import prometheus_client as client
from prometheus_client import exposition
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.registry import Collector

from exporter.metrics.traffic import UserTraffic
from exporter.results import Status

_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _Live(Collector):
    """Gauges that are asked for at each scrape."""

    def __init__(self) -> None:
        self.in_flight: Callable[[], int] = lambda: 0
        self.network: Callable[[], Mapping[str, bool]] = dict
        self.services: Callable[[], Mapping[str, int]] = dict
        self.watchdog: Callable[[], float | None] = lambda: None

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> list[Metric]:
        flight = GaugeMetricFamily("exporter_probes_in_flight", "Probes under way.")
        flight.add_metric([], self.in_flight())
        network = GaugeMetricFamily(
            "exporter_network_up", "Whether a canary answers.", labels=["canary"]
        )
        for name, up in self.network().items():
            network.add_metric([name], float(up))
        services = GaugeMetricFamily(
            "exporter_services", "Services by state at a glance.", labels=["state"]
        )
        counts = self.services()
        for state in (*Status, "disabled"):
            services.add_metric([str(state)], counts.get(str(state), 0))
        watchdog = GaugeMetricFamily(
            "exporter_watchdog_last_received_timestamp_seconds",
            "When the Watchdog alert last came through Prometheus and Alertmanager.",
        )
        if (at := self.watchdog()) is not None:
            watchdog.add_metric([], at)
        return [flight, network, services, watchdog]


class OwnMetrics:
    """What the exporter knows about itself. Durations are in seconds, times are Unix times."""

    def __init__(self, version: str) -> None:
        client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry(auto_describe=False)
        client.ProcessCollector(registry=self._registry)
        self.traffic = UserTraffic(self._registry)
        self.live = _Live()
        self._registry.register(self.live)
        build = client.Gauge(
            "exporter_build_info",
            "Version of the exporter and of Python.",
            ["version", "pythonversion"],
            registry=self._registry,
        )
        build.labels(version, ".".join(map(str, sys.version_info[:3]))).set(1)
        self.reload_ok = self._gauge(
            "exporter_config_last_reload_successful", "Whether the last (re)load succeeded."
        )
        self.reload_at = self._gauge(
            "exporter_config_last_reload_success_timestamp_seconds",
            "When the configuration was last loaded.",
        )
        self.schedule_lag = self._histogram(
            "exporter_probe_schedule_lag_seconds", "How late probes start."
        )
        self.loop_lag = self._histogram(
            "exporter_event_loop_lag_seconds", "How late the event loop wakes up."
        )
        self.render_seconds = self._gauge(
            "exporter_scrape_render_seconds", "Time to render the last scrape."
        )
        self.storage_healthy = self._gauge(
            "exporter_storage_healthy", "Whether results could be saved the last time."
        )
        self.storage_healthy.set(1)
        self._count_incidents()
        self.render_errors = client.Counter(
            "exporter_render_errors_total",
            "Lines left out because of a bug.",
            registry=self._registry,
        )

    def _count_incidents(self) -> None:
        self.escalations = client.Counter(
            "exporter_escalations_total",
            "Runs of escalation rules: ok, error or gave_up.",
            ["rule", "result"],
            registry=self._registry,
        )
        self.messages = client.Counter(
            "exporter_alertmanager_messages_total",
            "Webhook messages of Alertmanager: ok, invalid or failed.",
            ["result"],
            registry=self._registry,
        )
        for result in ("ok", "invalid", "failed"):
            self.messages.labels(result)
        self.reconciled_at = self._gauge(
            "exporter_incidents_reconcile_last_success_timestamp_seconds",
            "When Alertmanager was last asked what it lists; 0 if never.",
        )

    def page(self, *, openmetrics: bool) -> bytes:
        """Return the text of these metrics, the last part of a page."""
        write = _openmetrics if openmetrics else exposition.generate_latest
        return bytes(write(self._registry))

    def _gauge(self, name: str, text: str) -> client.Gauge:
        return client.Gauge(name, text, registry=self._registry)

    def _histogram(self, name: str, text: str) -> client.Histogram:
        return client.Histogram(name, text, buckets=_LAG, registry=self._registry)


def _openmetrics(registry: CollectorRegistry) -> bytes:
    text = openmetrics_exposition.generate_latest(registry)  # type: ignore[no-untyped-call]
    return bytes(text)
