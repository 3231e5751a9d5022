"""Incidents: open ones, who was notified, how long things take, what comes back again and again."""

from __future__ import annotations

from grafana import queries, words
from grafana.board import Row, dashboard, of_series
from grafana.boards.common import NARROW, SEVERITY, SUBJECT, by_severity, firing_alerts
from grafana.panels import SLOW, alerts, series, stat, tallies
from grafana.queries import ABOUT, CHOSEN, SERVICE
from grafana.styles import painted, painted_like
from grafana.tables import Column, columns, table
from grafana.words import Json

_RANGE = "$__range"
_RECEIVED = {
    "message ok": words.OK,
    "message partial": words.QUOTA,
    "message invalid": words.WARN,
    "message failed": words.BAD,
}
_OF_LOG = [
    painted_like("/ ok$/", words.MAINTENANCE),
    painted_like("/ error$/", words.WARN),
    painted_like("/ gave_up$/", words.BAD),
    *painted(_RECEIVED),
]
"""An escalation's rule may have any name; what became of it is its last word."""
_LASTED: Json = {"unit": "s"}


def mean(name: str, by: str = "") -> str:
    """The mean of a histogram of the log over the chosen time; nothing where it has none."""
    total, count = (
        queries.grew(f"{name}_{part}", ABOUT, SERVICE, _RANGE) for part in ("sum", "count")
    )
    kept = f" by ({by})" if by else ""
    return f"sum{kept} ({total}) / (sum{kept} ({count}) > 0)"


def _mean_time(title: str, about: str, name: str, missing: str) -> Json:
    """Return a number at the top: the mean of a histogram of the log, as a duration."""
    return stat(
        title,
        about,
        mean(name),
        unit="s",
        size=(5, 4),
        missing=missing,
        background=False,
    )


def open_by_severity() -> Json:
    """Return how many incidents are open, a tile for each severity."""
    each = f"max by ({SERVICE}, severity) (service_incidents_open{{{ABOUT}}})"
    sums = f"(sum by (severity) ({each}) > 0)"
    opened = queries.ordered(sums, "severity", words.SEVERITIES)
    nothing = f'label_replace(0 * count(service_enabled{{{CHOSEN}}}), "severity", "none", "", "")'
    return stat(
        "Open incidents",
        "Incidents that are not resolved, by their worst severity.",
        f"{opened} or {nothing} unless on () {sums}",
        legend="{{severity}}",
        size=(6, 4),
        overrides=by_severity(),
    )


def now() -> list[Json]:
    """Return the numbers at the top."""
    return [
        open_by_severity(),
        stat(
            "Not taken",
            "Services with a critical or high incident that nobody has acknowledged.",
            queries.taken(ABOUT, CHOSEN),
            thresholds=words.COUNT_OF_BAD,
        ),
        _mean_time(
            "Mean time to acknowledge",
            "From the start until somebody took it, in this time.",
            "service_incident_acknowledge_seconds",
            "NONE TAKEN, or no data",
        ),
        _mean_time(
            "Mean time to resolve",
            "From start to end, of incidents that ended in this time.",
            "service_incident_resolve_seconds",
            "NONE ENDED, or no data",
        ),
        stat(
            "Silenced or inhibited",
            "Alerts that Alertmanager knows and tells nobody about.",
            'max(alertmanager_alerts{state="suppressed"})',
            thresholds=words.steps((None, words.CLEAR), (1, words.MAINTENANCE)),
        ),
    ]


def open_ones() -> list[Json]:
    """Return what is open and what fires."""
    opened = f"max by ({SERVICE}, severity) (service_incidents_open{{{ABOUT}}}) > 0"
    code = queries.times_code("severity", words.GRADES.items())
    incidents = table(
        "Open, by service",
        "Open incidents from the exporter's incident log; the overview says which are taken.",
        *SUBJECT,
        Column("environment", "", NARROW),
        Column("provider", "", {"custom__minWidth": 90}),
        Column("severity", queries.about(f"({opened}) ^ 0 {code}"), SEVERITY),
        Column("open", queries.about(opened), {"custom__width": 60}),
        size=(10, 9),
        sort=("-severity", "about"),
        missing="No incident is open, or no data",
        hidden=("severity",),
    )
    return [
        incidents,
        firing_alerts(ABOUT, size=(14, 9)),
        alerts(
            "Grafana's view",
            "The alerts as Grafana lists them: pending ones and silences too.",
            # Prometheus is asked in patterns by itself; here several values would be a glob.
            "Prometheus",
            '{service=~"${service:regex}|", environment=~"${environment:regex}|"}',
            size=(24, 7),
        ),
    ]


def who_was_first() -> Json:
    """Return what the providers' own pages say of what fails, beside our first failed probe."""
    lead = f"round(max by ({SERVICE}) (service_status_page_lead_seconds{{{CHOSEN}}}))"
    return table(
        "Who saw it first",
        "From our first failed probe to the first text on the provider's page; negative: they were "
        "first. The service page says it in a sentence, with the uncertainty. Without a row there "
        "is no claim.",
        *SUBJECT,
        Column("environment", "", NARROW),
        Column("provider"),
        Column("their page after us", queries.about(lead), {"unit": "s"}),
        size=(24, 6),
        missing="No claim: nothing fails, no page says when it posted, or no data",
    )


def notifications() -> list[Json]:
    """Return what was sent through which channel, how fast, and what the incident log received."""
    sent = queries.happened("alertmanager_notifications_total", "integration")
    failed = queries.happened("alertmanager_notifications_failed_total", "integration")
    used = queries.happened("alertmanager_notifications_total", "integration", _RANGE)
    slow = queries.quantile(0.95, "alertmanager_notification_latency_seconds", "", "integration")
    escalated = queries.happened("exporter_escalations_total", "rule, result")
    received = queries.happened("exporter_alertmanager_messages_total", "result")
    return [
        tallies(
            "Notifications",
            "Sent by the channels that were used; failed ones below their own name.",
            (f"{sent} and {used} > 0", "{{integration}}"),
            (f"{failed} > 0", "{{integration}} failed"),
            overrides=[painted_like("/ failed$/", words.BAD)],
            step=SLOW,
            size=(12, 8),
            missing="Nothing sent, or no data",
        ),
        series(
            "Time to send",
            "95th percentile, by channel.",
            (slow, "{{integration}}"),
            unit="s",
            step=SLOW,
            size=(6, 8),
            missing="Nothing sent, or no data",
        ),
        tallies(
            "Incident log",
            "Messages from Alertmanager, and escalations by their own rules.",
            (received, "message {{result}}"),
            (escalated, "{{rule}} {{result}}"),
            overrides=_OF_LOG,
            step=SLOW,
            size=(6, 8),
            missing="No message in this time, or no data",
        ),
    ]


def by_day() -> list[Json]:
    """Return incidents and downtime as a bar for each of the last 30 days."""
    day = queries.grew("service_incidents_total", ABOUT, f"{SERVICE}, severity", "1d")
    seconds = f"service:service_down:seconds1d{{{CHOSEN}}}"
    down = f"max by ({SERVICE}) ({seconds})"
    ever = f"max by ({SERVICE}) (max_over_time({seconds}[30d] @ end()))"
    return [
        series(
            "Incidents a day",
            "Those of the day before each bar, by the severities they reached: one that was raised "
            "counts under both.",
            (f"sum by (severity) ({day})", "{{severity}}"),
            bars=True,
            overrides=painted(words.SEVERITY_COLOURS),
            step="1d",
            size=(12, 8),
            timeFrom="30d",
            missing="Never an incident, or no data",
        ),
        series(
            "Down, hours a day",
            "Time that each was down, planned maintenance aside, in the day before each bar.",
            # Zeros are kept: a bar is as wide as the gap to the next value of its service.
            (f"{down} / 3600 and {ever} > 0", "{{service}} ({{environment}})"),
            missing="Never down, or no data",
            bars=True,
            step="1d",
            size=(12, 8),
            timeFrom="30d",
            defaults={"links": [of_series()]},
        ),
    ]


def costly_services() -> Json:
    """Return the table of services by the incidents and the downtime of the chosen time."""
    pages = f'{ABOUT}, severity="{words.SEVERITIES[0]}"'
    paged = queries.grew("service_incidents_total", pages, f"{SERVICE}, severity", _RANGE)
    critical = (
        f"sum by ({SERVICE}) ({paged}) or 0 * max by ({SERVICE}) (service_enabled{{{CHOSEN}}})"
    )
    # Not from the sums of whole days: today would be missing, and every time shorter than a day.
    planned = f"max by (environment, service) (service_maintenance{{{CHOSEN}}}) == 1"
    unplanned = f"service:service_down:bool{{{CHOSEN}}} unless {queries.ON} ({planned})"
    down = f"300 * sum_over_time(({unplanned})[{_RANGE}:5m])"
    acknowledge = mean("service_incident_acknowledge_seconds", SERVICE)
    resolve = mean("service_incident_resolve_seconds", SERVICE)
    return table(
        "Which services cost us sleep",
        "The chosen time, by service.",
        *SUBJECT,
        *columns(("environment", "provider")),
        Column(
            "critical incidents",
            queries.about(critical),
            {"decimals": 0, "custom__width": 150},
        ),
        Column(
            "mean time to acknowledge",
            queries.about(acknowledge),
            {**_LASTED, "custom__width": 200},
        ),
        Column("mean time to resolve", queries.about(resolve), {**_LASTED, "custom__width": 170}),
        Column("down", queries.about(f"max by ({SERVICE}) ({down}) > 0"), _LASTED),
        size=(24, 11),
        sort=("-critical incidents", "-down"),
        missing="No incident in this time, or no data",
    )


def board() -> Json:
    """Return the dashboard."""
    return dashboard(
        "incidents",
        "Service registry / Incidents",
        "What is open, who was told, how long it takes us, and what comes back.",
        [
            Row("", now()),
            Row("Open", [*open_ones(), who_was_first()]),
            Row("Told", notifications()),
            Row("Past", [*by_day(), costly_services()]),
        ],
        since="now-7d",
        refresh="1m",
    )
