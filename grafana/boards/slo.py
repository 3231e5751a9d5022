"""Error budgets: what is left, how fast it goes, which outage ate it."""

from __future__ import annotations

from grafana import queries, words
from grafana.board import MANY, Row, dashboard, events, of_series, to_service, variable
from grafana.panels import history, series, stat, tallies
from grafana.queries import ABOUT, CHOSEN, NAMED
from grafana.styles import LOGARITHMIC
from grafana.tables import CELL, Column, table
from grafana.words import Json

_SLO_CHOSEN = f'{NAMED}, slo=~"$slo"'
_BY = queries.SLO
_NAME = "{{service}} {{slo}} ({{environment}})"
_SLO = variable("slo", "label_values(service_slo_objective_ratio, slo)")
_NOT_KNOWN = 2
"""A budget that nobody can tell yet; above every real one, or it would sort as the worst."""
_LINES = words.steps((None, words.CLEAR), (1, words.QUOTA), (3, words.WARN), (14.4, words.BAD))

_RATIO: Json = {"unit": "percentunit", "decimals": 3, "custom__width": 90}
_BURN: Json = {
    "decimals": 1,
    "thresholds": _LINES,
    "custom__cellOptions": CELL,
    "custom__width": 80,
}
_LEFT: Json = {
    "unit": "percentunit",
    "decimals": 1,
    "thresholds": words.BUDGET,
    "mappings": words.mapping({_NOT_KNOWN: ("not known", words.NO_DATA)}, missing="–"),
    "custom__cellOptions": CELL,
    "custom__width": 100,
}


def recorded(name: str) -> str:
    """A recorded series of the chosen objectives."""
    return f"max by ({_BY}) ({queries.of_chosen(f'slo:{name}{{{_SLO_CHOSEN}}}', CHOSEN)})"


def now() -> list[Json]:
    """Return the numbers at the top."""
    left = recorded("service_error_budget_remaining:ratio30d")
    burning = recorded("service_burn_rate:ratio_rate1h")
    return [
        stat(
            "Objectives",
            "How many objectives there are.",
            f"count({recorded('service_slo_objective:ratio')})",
            missing="NONE, or no data",
        ),
        stat(
            "Missed",
            "Objectives whose budget of 30 days is spent.",
            f"count({left} <= 0) or 0 * count({left})",
            thresholds=words.COUNT_OF_BAD,
        ),
        stat(
            "In danger",
            "Objectives with less than a quarter of their budget left.",
            f"count({left} < 0.25) or 0 * count({left})",
            thresholds=words.steps((None, words.CLEAR), (1, words.WARN)),
        ),
        stat(
            "Burning now",
            "Objectives that spend their budget 14.4 times too fast or more.",
            f"count({burning} >= 14.4) or 0 * count({burning})",
            thresholds=words.COUNT_OF_BAD,
        ),
        stat(
            "Least budget left",
            "The objective with the least budget left.",
            f"bottomk(1, {left})",
            unit="percentunit",
            decimals=1,
            legend=_NAME,
            thresholds=words.BUDGET,
            links=[of_series()],
            size=(8, 4),
        ),
    ]


def objectives() -> Json:
    """Return the table of objectives."""
    bad = recorded("service_sli_bad_events_per_sli_events:ratio_rate30d")
    budget = recorded("service_error_budget_remaining:ratio30d")
    fast = recorded("service_burn_rate:ratio_rate6h")
    objective = recorded("service_slo_objective:ratio")
    known = f"{budget} or {_NOT_KNOWN} * ({objective}) ^ 0"
    until = f"30 * {words.DAY} * ({budget} > 0) / ({fast} > 0) or 0 * ({budget} <= 0)"
    return table(
        "Objectives and budgets",
        "30 days. What is left is also said in time of full outage, and how long it lasts at the "
        "pace of the last six hours.",
        Column("service", "", {"links": [to_service()]}),
        Column("environment"),
        Column("slo"),
        Column("objective", objective, _RATIO),
        Column("achieved", f"1 - ({bad})", _RATIO),
        Column("budget left", known, _LEFT),
        Column(
            "left, as outage",
            recorded("service_error_budget_remaining:seconds30d"),
            {"unit": "s", "decimals": 1, "custom__width": 120},
        ),
        Column("gone in", until, {"unit": "s", "mappings": words.spent(), "custom__width": 100}),
        Column("burn, 1 h", recorded("service_burn_rate:ratio_rate1h"), _BURN),
        Column("burn, 6 h", fast, _BURN),
        Column("burn, 3 d", recorded("service_burn_rate:ratio_rate3d"), _BURN),
        sort=("budget left",),
        missing="No objective, or no data",
        size=(24, 14),
    )


def budget_left() -> Json:
    """Return how the budgets went."""
    return series(
        "Budget left over 30 days",
        "Falls with every bad event, rises as old ones age out.",
        (recorded("service_error_budget_remaining:ratio30d"), _NAME),
        unit="percentunit",
        timeFrom="30d",
        step="1h",
        lines=words.BUDGET,
        size=(24, 9),
        defaults={"links": [of_series()]},
        least_first=True,
        from_zero=False,
    )


def burn_rate(title: str, about: str, window: str) -> Json:
    """Return how fast the budgets went, by the recorded burn rate of a *window*."""
    return series(
        title,
        about,
        (recorded(f"service_burn_rate:ratio_rate{window}"), _NAME),
        lines=_LINES,
        style=LOGARITHMIC,
        size=(12, 11),
        defaults={"links": [of_series()]},
    )


def bad_events() -> Json:
    """Return the bad events that the budgets were spent on."""
    total = f'service_sli_bad_events_total{{{CHOSEN}, slo=~"$slo"}}'
    bad = queries.happened(total, _BY)
    return tallies(
        "What ate the budget",
        "Bad events; put the alerts over them to see which outage.",
        (f"{bad} > 0", _NAME),
        missing="No bad event, or no data",
        step="5m",
        size=(24, 8),
        defaults={"links": [of_series()]},
    )


def good_events_by_day() -> Json:
    """Return the share of good events of 30 days, a cell for each."""
    bad = recorded("service_sli_bad_events_per_sli_events:ratio_rate1d")
    return history(
        "Good events by day",
        "Share of good events of the day before each date.",
        f"1 - ({bad})",
        _NAME,
        unit="percentunit",
        thresholds=words.AVAILABILITY,
        timeFrom="30d",
        interval="1d",
        maxDataPoints=31,
        size=(24, 9),
    )


def over_time() -> list[Json]:
    """Return how much budget was left, how fast it went, and what ate it."""
    return [
        budget_left(),
        burn_rate(
            "Burn rate, 1 h", "Above 14.4 somebody is paged, if bad events are not too few.", "1h"
        ),
        burn_rate("Burn rate, 6 h", "Above 6 a ticket of high severity.", "6h"),
        bad_events(),
        good_events_by_day(),
    ]


def board() -> Json:
    """Return the dashboard."""
    return dashboard(
        "slo",
        "Service registry / Objectives",
        "How much error budget is left, how fast it goes, and which outage ate it. Our own bad key "
        "or empty quota burns none of it.",
        [Row("", [*now(), objectives()]), Row("Over time", over_time())],
        variables=(*MANY, _SLO),
        annotations=events(ABOUT, CHOSEN),
        since="now-24h",
        refresh="1m",
    )
