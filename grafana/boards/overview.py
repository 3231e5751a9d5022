"""What is broken, since when, whose fault it is, who was notified, what runs out next."""

from __future__ import annotations

from exporter.model import Verdict
from grafana import queries, words
from grafana.board import Row, dashboard, of_row, to_board
from grafana.boards.common import (
    ACKNOWLEDGED,
    AGO,
    SERVICE,
    STATE,
    WHY,
    firing_alerts,
    runs_out_next,
    state_timeline,
)
from grafana.panels import EXTRAPOLATED, SLOW, stat, tallies
from grafana.queries import ABOUT, CHOSEN, NAMED
from grafana.styles import UNLISTED, override, painted
from grafana.tables import CELL, Column, columns, table
from grafana.words import Json

_WHOLE: Json = {"unit": "locale", "decimals": 0, "custom__width": 90}


def verdict() -> Json:
    """Return the one-word answer to: whose fault is it?"""
    about = (
        "Whose fault is it? The most far-reaching state of all chosen services: our network before "
        "the monitoring before a provider before our key, quota or request. NO DATA: nobody looks "
        "at one of them, and none of the others is broken."
    )
    return stat(
        "Verdict",
        about,
        queries.worst(CHOSEN),
        mappings=words.states(),
        links=[to_board("monitoring", "Is the monitor itself well?")],
    )


def by_state() -> Json:
    """Return how many services there are in each state that occurs."""
    about = "Enabled services by whose fault it is now; each counts once."
    tiles = [
        override(
            str(code),
            displayName=text,
            thresholds=words.steps((None, colour)),
        )
        for code, (text, colour) in words.STATES.items()
    ]
    return stat(
        "Services by state",
        about,
        queries.counted(queries.state(CHOSEN), "state", sorted(words.STATES, reverse=True)),
        legend="{{state}}",
        size=(13, 4),
        overrides=tiles,
    )


def counts() -> list[Json]:
    """Return the small numbers at the top right."""
    tiles = [
        override(
            str(code),
            displayName=name,
            thresholds=words.steps((None, words.SEVERITY_COLOURS[name])),
        )
        for name, code in words.GRADES.items()
    ]
    alerts = stat(
        "Firing by severity",
        "How many alerts fire, each by its worst severity.",
        queries.counted(queries.grade(ABOUT), "grade", words.GRADES.values()),
        legend="{{grade}}",
        size=(4, 4),
        missing="NONE",
        overrides=tiles,
        links=[to_board("incidents", "Incidents")],
    )
    taken = stat(
        "Not taken",
        "Services with an open incident of high or critical severity that nobody has acknowledged.",
        queries.taken(ABOUT, CHOSEN),
        thresholds=words.COUNT_OF_BAD,
        size=(3, 4),
        links=[to_board("incidents", "Incidents")],
    )
    return [alerts, taken]


def broken() -> Json:
    """Return the table of what is broken now."""
    failures = f"max by ({queries.SERVICE}) (probe_consecutive_failures{{{CHOSEN}}})"
    about = (
        "Services that are neither well nor in maintenance: whose fault it is, since when (the "
        "last success), why and what to do, how many probes failed in a row, whether an incident "
        "is open (then Alertmanager has told) and taken."
    )
    return table(
        "What is broken",
        about,
        Column("service", "", {**SERVICE, "custom__width": 120}),
        Column("environment", "", {"custom__width": 120}),
        Column("fault", queries.broken(CHOSEN), STATE),
        Column(
            "last success",
            queries.of_broken(queries.last_success(CHOSEN), CHOSEN),
            AGO,
        ),
        Column(
            "reason",
            "",
            WHY,
        ),
        Column("probes", queries.of_broken(queries.why(CHOSEN), CHOSEN), hidden=True),
        Column("in a row", queries.of_broken(failures, CHOSEN), {"custom__width": 80}),
        Column(
            "told",
            queries.of_broken(queries.acknowledged(CHOSEN), CHOSEN),
            {"mappings": ACKNOWLEDGED, "custom__cellOptions": CELL, "custom__width": 140},
        ),
        size=(24, 9),
        sort=("-fault", "last success"),
        hidden=("provider",),
        tall=True,
        missing="Nothing is broken, or no data",
    )


def notified() -> Json:
    """Return the table of notifications that were sent and failed, by channel."""
    sent = queries.happened("alertmanager_notifications_total", "integration", "$__range")
    failed = queries.happened("alertmanager_notifications_failed_total", "integration", "$__range")
    return table(
        "Who was told",
        "Notifications in the chosen time, by channel; heartbeat and incident log are webhooks. "
        + EXTRAPOLATED,
        Column("integration", "", {"displayName": "channel"}),
        Column("sent", f"{sent} > 0", _WHOLE),
        Column(
            "failed",
            f"{failed} and ({sent} > 0)",
            {**_WHOLE, "thresholds": words.COUNT_OF_BAD, "custom__cellOptions": CELL},
        ),
        size=(8, 10),
        sort=("-failed", "-sent"),
        missing="Nobody was told in this time, or no data",
    )


def everything() -> Json:
    """Return the table of all services."""
    slo = f'{NAMED}, slo="availability"'
    bad = f"slo:service_sli_bad_events_per_sli_events:ratio_rate1d{{{slo}}}"
    budget = f"slo:service_error_budget_remaining:ratio30d{{{slo}}}"
    coloured: Json = {"unit": "percentunit", "custom__cellOptions": CELL}
    return table(
        "All services",
        "Every enabled service; click one for its dashboard.",
        Column("service", "", {"links": [*SERVICE["links"], of_row("limits", "What runs out")]}),
        *columns(("environment", "provider")),
        Column("state", queries.state(CHOSEN), STATE),
        Column(
            "available, 1 day",
            queries.of_chosen(f"1 - max by (environment, service) ({bad})", CHOSEN),
            {**coloured, "decimals": 2, "thresholds": words.AVAILABILITY},
        ),
        Column(
            "budget left, 30 days",
            queries.of_chosen(f"max by (environment, service) ({budget})", CHOSEN),
            {**coloured, "decimals": 1, "thresholds": words.BUDGET},
        ),
        Column(
            "p95, 10 min",
            f"max by ({queries.SERVICE}) (service:probe_latency_seconds:p95_10m{{{CHOSEN}}} >= 0)",
            {"unit": "s"},
        ),
        size=(24, 12),
        sort=("-state", "environment", "service"),
    )


def failures() -> Json:
    """Return the kinds of failure over time."""
    return tallies(
        "Failed probes by reason",
        "Which kind of failure, in a shade of whose fault it is, and when it began. An empty "
        "plot: probes run and none fails.",
        (queries.results(CHOSEN), "{{reason}}"),
        overrides=[*painted(words.SHADES), override("ok", custom__hideFrom=UNLISTED)],
        step=SLOW,
        size=(24, 8),
    )


def board() -> Json:
    """Return the dashboard."""
    return dashboard(
        "overview",
        "Service registry / Overview",
        "Which external API is broken right now, since when, and is it them or us?",
        [
            Row(
                "",
                [
                    verdict(),
                    by_state(),
                    *counts(),
                    broken(),
                    firing_alerts(ABOUT, size=(14, 9)),
                    runs_out_next(CHOSEN, size=(10, 9), count=6),
                ],
            ),
            Row("History", [state_timeline(CHOSEN, size=(16, 10)), notified(), failures()]),
            Row("All services", [everything()]),
        ],
    )


assert set(words.VERDICTS) == set(Verdict)
