"""Is the monitor itself alive: exporters, Prometheus, Alertmanager, and the way between them."""

from __future__ import annotations

from grafana import queries, words
from grafana.board import RELOADS, Row, alerts_of, dashboard
from grafana.boards.common import AGO
from grafana.panels import EXTRAPOLATED, SLOW, bars, series, stat, tallies, timeline
from grafana.styles import painted
from grafana.tables import Column, table
from grafana.words import Json

_EXPORTERS = "and on (job, instance) last_over_time(exporter_build_info[7d])"
"""The targets that are exporters, or were in the last week: only their owner knows their job."""


_NAME = "(?:.*;)?(.+)"
"""Of a label `rule_group`, which is `file;name`."""


def _yes_no(
    title: str, about: str, expr: str, texts: tuple[str, str], missing: str = "NO DATA"
) -> Json:
    """Return a tile that is green with the first of *texts* at 1 and red with the other at 0."""
    mappings = words.yes_no(*texts, good=True, missing=missing)
    return stat(title, about, expr, mappings=mappings, missing=missing)


def _age(
    title: str, about: str, metric: str, *, missing: str, size: tuple[int, int] = (4, 4)
) -> Json:
    """Return a tile with the time since the timestamp *metric*; late after 5 and 15 minutes."""
    return stat(
        title,
        about,
        f"time() - (max({metric}) > 0)",
        unit="s",
        decimals=0,
        missing=missing,
        thresholds=words.steps((None, words.OK), (300, words.WARN), (900, words.BAD)),
        size=size,
    )


def now() -> list[Json]:
    """Return what has to be green for anything else to be believed."""
    return [
        _yes_no(
            "Exporters",
            "Whether Prometheus reaches every exporter.",
            f"min(up {_EXPORTERS})",
            ("UP", "DOWN"),
        ),
        _yes_no(
            "Configuration",
            "Whether the last load of every exporter succeeded.",
            "min(exporter_config_last_reload_successful)",
            ("LOADED", "FAILED"),
        ),
        _yes_no(
            "Storage",
            "Whether results could be saved the last time.",
            "min(exporter_storage_healthy)",
            ("SAVED", "FAILING"),
        ),
        _yes_no(
            "Our network",
            "Whether any canary answers.",
            "max(exporter_network_up)",
            ("UP", "DOWN"),
            missing="NO CANARY, or no data",
        ),
        _yes_no(
            "Alertmanager",
            "Whether Prometheus knows one to send alerts to.",
            "clamp_max(min(prometheus_notifications_alertmanagers_discovered), 1)",
            ("CONNECTED", "UNKNOWN"),
        ),
        _age(
            "Watchdog",
            "How long ago the alert that always fires came back to the exporter: the "
            "whole way of an alert in one number.",
            "exporter_watchdog_last_received_timestamp_seconds",
            missing="NEVER HEARD, or no data",
        ),
    ]


def exporters() -> list[Json]:
    """Return how the exporters are, and what they see."""
    return [
        versions(),
        series(
            "Services by state",
            "As the exporters see them at a glance.",
            ("max by (state) (sum by (instance, state) (exporter_services))", "{{state}}"),
            size=(12, 6),
            overrides=painted(words.GLANCE),
        ),
        timeline(
            "Canaries",
            "Whether each place that tells if our network is up answers.",
            "max by (canary) (exporter_network_up)",
            "{{canary}}",
            words.yes_no("UP", "DOWN", good=True),
            size=(12, 6),
        ),
        late_starts(),
        longest_without_probe(),
    ]


def versions() -> Json:
    """Return the table of exporters: their versions, when they started, when they loaded."""
    restart = f"max by (instance) (process_start_time_seconds {_EXPORTERS})"
    loaded = "max by (instance) (exporter_config_last_reload_success_timestamp_seconds)"
    build = "count by (instance, version, pythonversion) (exporter_build_info)"
    date = {**AGO, "custom__width": 165}
    return table(
        "Exporters and their versions",
        "One row for each exporter.",
        Column("instance", "", {"custom__minWidth": 90}),
        Column("version", "", {"custom__width": 70}),
        Column("pythonversion", "", {"displayName": "Python", "custom__width": 80}),
        Column("started", f"1000 * {restart}", date),
        Column("exporters", build, hidden=True),
        Column("configuration loaded", f"1000 * {loaded}", date),
        size=(12, 6),
    )


def late_starts() -> Json:
    """Return how late probes start, and how late the event loop is."""
    schedule = queries.quantile(0.99, "exporter_probe_schedule_lag_seconds", "", "instance")
    loop = queries.quantile(0.99, "exporter_event_loop_lag_seconds", "", "instance")
    return series(
        "Probes start late",
        "99th percentile of how late; above a second something is wrong.",
        (schedule, "schedule {{instance}}"),
        (loop, "event loop {{instance}}"),
        unit="s",
        step="2m",
        size=(12, 6),
    )


def longest_without_probe() -> Json:
    """Return the enabled services that were not probed for the longest time."""
    last = f"probe_last_run_timestamp_seconds{{{queries.CHOSEN}}}"
    enabled = f"max by (environment, service) (service_enabled{{{queries.CHOSEN}}}) == 1"
    silent = f"time() - max by ({queries.SERVICE}) ({last}) and {queries.ON} ({enabled})"
    return bars(
        "Longest without a probe",
        "Time since the last probe, the longest first.",
        f"sort_desc(topk(10, {silent}))",
        "{{service}} ({{environment}})",
        unit="s",
        size=(24, 12),
        min=0,
        thresholds=words.steps((None, words.OK), (600, words.WARN), (3600, words.BAD)),
    )


def cost() -> list[Json]:
    """Return what the exporters use."""
    cpu = f"max by (instance) (rate(process_cpu_seconds_total[$__rate_interval]) {_EXPORTERS})"
    memory = f"max by (instance) (process_resident_memory_bytes {_EXPORTERS})"
    errors = queries.happened("exporter_render_errors_total", "instance")
    return [
        series("CPU", "Share of one core.", (cpu, "{{instance}}"), unit="percentunit", size=(8, 6)),
        series("Memory", "Resident.", (memory, "{{instance}}"), unit="bytes", size=(8, 6)),
        series(
            "Scrape",
            "How long Prometheus waits for the page.",
            (f"max by (instance) (scrape_duration_seconds {_EXPORTERS})", "scrape {{instance}}"),
            unit="s",
            size=(8, 6),
        ),
        series(
            "Samples of a scrape",
            "Above the sample_limit of prometheus.yml a scrape fails.",
            (f"max by (instance) (scrape_samples_scraped {_EXPORTERS})", "{{instance}}"),
            size=(12, 6),
        ),
        tallies(
            "Lines left out",
            "Because of a bug in the exporter; any is worth a report.",
            (errors, "{{instance}}"),
            step=SLOW,
            size=(12, 6),
        ),
    ]


def rules() -> list[Json]:
    """Return whether rules are evaluated, and in time."""

    def by_group(function: str, expr: str) -> str:
        """Return *expr* by the name of a group, without the path of its file before it."""
        return (
            f'{function} by (group) (label_replace({expr}, "group", "$1", "rule_group", "{_NAME}"))'
        )

    failing = by_group(
        "sum", "increase(prometheus_rule_evaluation_failures_total[$__rate_interval])"
    )
    used = by_group(
        "max",
        "prometheus_rule_group_last_duration_seconds / prometheus_rule_group_interval_seconds",
    )
    return [
        tallies(
            "Rule failures",
            "A failing group is blind to everything it should alert about.",
            (f"round({failing}) > 0 or 0 * {failing}", "{{group}}"),
            step=SLOW,
            size=(12, 7),
        ),
        series(
            "Rule evaluation",
            "Share of its interval that a group takes; at 100 % it is late.",
            (used, "{{group}}"),
            unit="percentunit",
            size=(12, 7),
        ),
    ]


def delivery() -> list[Json]:
    """Return whether alerts get through to people and to the incident log."""
    sent = queries.happened("alertmanager_notifications_total", "integration", "$__range")
    failed = queries.happened("alertmanager_notifications_failed_total", "integration", "$__range")
    return [
        stat(
            "Notifications that failed",
            f"In the chosen time, by channel that was used. {EXTRAPOLATED}",
            f"{failed} and {sent} > 0",
            missing="NONE SENT, or no data",
            legend="{{integration}}",
            thresholds=words.COUNT_OF_BAD,
            size=(16, 5),
            unit="locale",
            decimals=0,
        ),
        _age(
            "Incident log compared",
            "How long ago the incident log last compared itself with Alertmanager.",
            "exporter_incidents_reconcile_last_success_timestamp_seconds",
            missing="NEVER, or no data",
            size=(8, 5),
        ),
    ]


def board() -> Json:
    """Return the dashboard."""
    return dashboard(
        "monitoring",
        "Service registry / Monitoring",
        "Is the monitor itself alive? Look here when everything, or nothing, is broken.",
        [
            Row("", now()),
            Row("Exporters", exporters()),
            Row("Rules and notifications", [*rules(), *delivery()]),
            Row("Cost", cost()),
        ],
        annotations=(alerts_of(queries.ABOUT), RELOADS),
    )
