"""For a wall and for people who do not operate this: does it work? Nothing internal."""

from __future__ import annotations

from exporter.model import Verdict
from grafana import queries, words
from grafana.board import Row, dashboard
from grafana.panels import history, stat, text, timeline
from grafana.words import CODES, IN_MAINTENANCE, Json

SHOWN = 'environment=~"production|prod", service=~".+"'
_SOURCE = {"type": "prometheus", "uid": "prometheus"}
_KEY = """**Operational**: our checks succeed. **Disrupted**: they fail, whoever's fault it is. \
**Maintenance**: announced. **No data**: nobody has looked, so we do not know."""


def public() -> str:
    """The state of each service in the four words of `words.PUBLIC`."""
    state = queries.state(SHOWN)
    bad = min(code for v, code in CODES.items() if v is not Verdict.OK)
    assert bad > IN_MAINTENANCE
    return f"clamp_max({state}, {bad})"


def now() -> list[Json]:
    """Return the banner and a tile for each service."""
    mappings = words.mapping(words.PUBLIC)
    banner = stat(
        "All services",
        "The worst state of all services.",
        f"max({public()})",
        mappings=mappings,
        size=(24, 4),
    )
    tiles = stat(
        "Services",
        "Whether each works for us now.",
        f"sort_desc({public()})",
        mappings=mappings,
        legend="{{service}}",
        size=(24, 6),
    )
    return [banner, tiles]


def past() -> list[Json]:
    """Return 90 days, a cell a day, and the month as a number."""

    def available(window: str) -> str:
        bad = f"slo:service_sli_bad_events_per_sli_events:ratio_rate{window}"
        known = queries.of_chosen(f'{bad}{{{SHOWN}, slo="availability"}}', SHOWN)
        return f"1 - max by (service) ({known})"

    return [
        history(
            "90 days",
            "How available each was in the day before each date; empty or grey: not watched.",
            available("1d"),
            "{{service}}",
            unit="percentunit",
            thresholds=words.AVAILABILITY,
            show="never",
            timeFrom="90d",
            interval="1d",
            maxDataPoints=91,
            size=(24, 9),
        ),
        stat(
            "Available, 30 days",
            "Share of good checks in the last 30 days, the least first.",
            f"sort({available('30d')})",
            unit="percentunit",
            decimals=2,
            legend="{{service}}",
            thresholds=words.AVAILABILITY,
            size=(24, 6),
        ),
        timeline(
            "Today",
            "The last 24 hours.",
            public(),
            "{{service}}",
            words.mapping(words.PUBLIC),
            timeFrom="24h",
            size=(24, 8),
        ),
    ]


def board() -> Json:
    """Return the dashboard."""
    found = dashboard(
        "status",
        "Service registry / Status",
        "Do the services we depend on work? For everybody.",
        [Row("", [*now(), *past(), text("Words", "What the words mean.", _KEY, size=(24, 3))])],
        variables=(),
        annotations=(),
        since="now-24h",
        refresh="1m",
        navigation=False,
    )
    return _fixed(found)


def _fixed(found: Json) -> Json:
    """Name the data source: a shared dashboard can have no variable."""
    for panel in found["panels"]:
        panel["datasource"] = _SOURCE
        for target in panel["targets"]:
            target["datasource"] = _SOURCE
    return found
