"""Panels and columns that more than one dashboard shows."""

from __future__ import annotations

from grafana import queries, words
from grafana.board import COLUMNS, of_series, of_subject, silence, to_service
from grafana.panels import timeline
from grafana.styles import override
from grafana.tables import CELL, Column, table
from grafana.words import Json

SINCE: Json = {"unit": "dateTimeFromNow", "mappings": words.nothing(text="never")}
STATE: Json = {"mappings": words.states(), "custom__cellOptions": CELL, "custom__width": 135}
NARROW: Json = {"custom__width": 100}
AGO: Json = {**SINCE, "custom__width": 140}
"""Wide enough for `a few seconds ago`."""
LEFT: Json = {"unit": "s", "custom__width": 100}
"""A duration in one unit: of two the second is often a zero, and cells are narrow."""
WHY: Json = {
    "mappings": words.reasons(),
    "displayName": "why, what to do",
    "custom__wrapText": True,
}
"""Some advice is longer than a line of a small window, and none may be cut."""
SEVERITY: Json = {
    "mappings": words.grades(),
    "custom__cellOptions": CELL,
    "custom__width": 90,
}
SERVICE: Json = {"links": [to_service(), silence("service", "environment")]}
SUBJECT = (
    Column("about", "", {"links": [of_subject()], "custom__width": 130}),
    *(Column(label, hidden=True) for label in ("service", "model", "board", "chosen")),
)
"""What a row of `queries.about` is about, and what its links are made of."""
ACKNOWLEDGED = words.mapping(
    {
        -1: ("not yet", words.CLEAR),
        0: ("told, not taken", words.WARN),
        1: ("acknowledged", words.MAINTENANCE),
    }
)


def by_severity() -> list[Json]:
    """Return overrides for numbers that are named by a severity; 0 has no colour."""
    return [
        override(name, thresholds=words.steps((None, words.CLEAR), (1, colour)))
        for name, colour in words.SEVERITY_COLOURS.items()
    ]


def firing_alerts(select: str, *, size: tuple[int, int]) -> Json:
    """Return the table of alerts that fire, with their age and a link to silence each."""
    about = (
        "Alerts that fire, from Prometheus itself; so they are here even where Grafana's own list "
        "is not; each once, at its worst severity, the newest first. MUTED: of a service in "
        "maintenance, nobody is told. Click one to silence it."
    )
    one = silence("alertname", optional=("service", "environment", "model", "instance"))
    return table(
        "Firing alerts",
        about,
        Column("alertname", "", {"links": [one]}),
        Column("severity", queries.about(queries.grade(select)), SEVERITY),
        *SUBJECT,
        Column("environment", "", NARROW),
        Column("team", "", {"custom__width": 80}),
        Column("instance", "", NARROW),
        Column("since", queries.about(queries.firing(select)), AGO),
        size=size,
        sort=("-severity", "-since"),
        missing="No alert fires",
        hidden=("provider", "slo"),
    )


def state_timeline(select: str, *, size: tuple[int, int] = (24, 8)) -> Json:
    """Return the states of services over time."""
    about = (
        "The state of each service over time. A gap is time without any exporter; NO DATA means "
        "that nobody looked, which is not the same as OK."
    )
    return timeline(
        "State over time",
        about,
        queries.state(select),
        "{{service}} ({{environment}})",
        words.states(),
        size=size,
        links=[of_series()],
    )


def runs_out_next(
    select: str, *, size: tuple[int, int], count: int = 12, named: bool = True
) -> Json:
    """Return the *count* things that end next, whatever they are."""
    about = (
        f"The {count} that end first: certificates and keys by their date; quotas and error "
        "budgets by when they are gone at the pace of the last six hours. SPENT: nothing is left; "
        "below zero it ended so long ago."
    )
    of = Column("service", "", {**SERVICE, "custom__width": 240 if size[0] == COLUMNS else 100})
    cols = (
        Column("what"),
        *((of, Column("environment", "", NARROW)) if named else ()),
        Column(
            "in",
            queries.running_out(select, count),
            {
                **LEFT,
                "mappings": words.spent(),
                "thresholds": words.REMAINING,
                "custom__cellOptions": CELL,
            },
        ),
    )
    hidden = ["provider", "resource", "slo", *(() if named else ("service", "environment"))]
    return table(
        "Runs out next",
        about,
        *cols,
        size=size,
        missing="Nothing is known to run out, or no data",
        hidden=hidden,
    )
