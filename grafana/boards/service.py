"""Everything about one service: the page an alert leads to."""

from __future__ import annotations

from exporter.model import PHASES
from grafana import queries, words
from grafana.board import ONE as CHOICE
from grafana.board import Row, dashboard, events, link
from grafana.boards.common import WHY, firing_alerts, runs_out_next, state_timeline
from grafana.panels import SLOW, heatmap, history, series, stat, tallies, timeline
from grafana.queries import ABOUT_ONE, ONE, SERVICE
from grafana.styles import LOGARITHMIC, override, painted
from grafana.tables import Column, table
from grafana.words import Json

_SLO = f'{ONE}, slo="availability"'
_DASHED = {"fill": "dash", "dash": [8, 8]}
_EVERYWHERE = 'environment=~".+", service="$service"'


def now() -> list[Json]:
    """Return the numbers of now."""
    return [
        stat(
            "State",
            "Whose fault it is, now; NO DATA if nobody has looked for three intervals.",
            queries.worst(ONE),
            mappings=words.states(),
        ),
        stat(
            "Last success",
            "When a probe last succeeded; known for 12 h after an exporter died.",
            f"max({queries.last_success(ONE)})",
            unit="dateTimeFromNow",
            missing="NEVER, or no data",
            background=False,
        ),
        incident(),
        *availability(),
    ]


def incident() -> Json:
    """Return whether an incident is open, and whether it is taken."""
    taken = f"max(service_incident_acknowledged{{{ONE}}})"
    mappings = words.mapping(
        {
            -1: ("NONE OPEN", words.CLEAR),
            0: ("NOT TAKEN", words.BAD),
            1: ("TAKEN", words.MAINTENANCE),
        }
    )
    return stat(
        "Incident",
        "Whether an incident is open and somebody has taken it.",
        f"{taken} or -1 * max(service_enabled{{{ONE}}}) ^ 0",
        mappings=mappings,
    )


def availability() -> list[Json]:
    """Return the availability of 30 days, and the outage that its objective still allows."""
    bad = f"slo:service_sli_bad_events_per_sli_events:ratio_rate30d{{{_SLO}}}"
    return [
        stat(
            "Available, 30 days",
            "Share of good probes among those that count for the objective.",
            f"1 - max({queries.of_chosen(bad, ONE)})",
            unit="percentunit",
            decimals=3,
            thresholds=words.AVAILABILITY,
            size=(6, 4),
        ),
        stat(
            "Budget left",
            "Outage that the availability objective still allows in these 30 days; below zero it "
            "is missed.",
            f"min(slo:service_error_budget_remaining:seconds30d{{{_SLO}}})",
            unit="s",
            decimals=1,
            missing="NO OBJECTIVE, or no data",
            size=(6, 4),
            thresholds=words.steps((None, words.BAD), (0, words.OK)),
        ),
    ]


def facts() -> Json:
    """Return what is registered of the service."""
    kept = f"{SERVICE}, name, type, team, host, owner, runbook"
    runbook = {
        "links": [link("Runbook", "${__value.raw}", new=True)],
        "custom__width": 230,
    }
    return table(
        "Registered as",
        "What the configuration says of it; click the runbook to open it.",
        *(
            Column(name, "", {"custom__minWidth": 100})
            for name in ("name", "environment", "provider", "type", "team", "host", "owner")
        ),
        Column("runbook", "", runbook),
        Column("exporters", f"count by ({kept}) (service_info{{{ONE}}})", {"custom__width": 95}),
        size=(24, 4),
        hidden=("service",),
    )


def why() -> Json:
    """Return what is wrong and what to do, in the words of the overview."""
    return table(
        "Why, and what to do",
        "The most frequent failure of the last minutes, and what mends it.",
        Column("reason", "", WHY),
        Column("failed lately", queries.of_broken(queries.why(ONE), ONE), {"custom__width": 115}),
        size=(24, 4),
        hidden=("environment", "service", "provider"),
        missing="Nothing is broken, or no data",
    )


def reasons() -> Json:
    """Return which kinds of result there were, and when."""
    return history(
        "Reasons",
        "Which results there were, and when; a row for each reason that occurred, in a shade of "
        "its verdict.",
        f"sum by (reason) {queries.ended(ONE)} > 0",
        "{{reason}}",
        unit="none",
        overrides=painted(words.SHADES),
        show="never",
        interval=SLOW,
        mappings=(),
        thresholds=words.NEUTRAL,  # a gap: not this one, then
        maxDataPoints=100,
        size=(24, 6),
    )


def failures() -> Json:
    """Return the failed probes, with their request ids."""
    failed = queries.ended(ONE, 'reason!="ok"')
    return tallies(
        "Failed probes",
        "Failed probes by reason. A dot is one with a request id: click it, and the page of the "
        "service shows what was answered.",
        (f"round(sum by (reason) {failed}) > 0", "{{reason}}"),
        step=SLOW,
        exemplars=True,
        missing="None failed, or no data",
        overrides=painted(words.SHADES),
        size=(24, 6),
    )


def latency() -> list[Json]:
    """Return how slow it is, where the time goes, and whether that is usual."""
    p95 = f"max(service:probe_latency_seconds:p95_10m{{{ONE}}}) >= 0"
    before = f"max(service:probe_latency_seconds:p95_10m{{{ONE}}} offset 1w) >= 0"
    dashed = override(
        "p95 a week before",
        custom__lineStyle=_DASHED,
        custom__fillOpacity=0,
    )
    buckets = f"sum by (le) (increase(probe_latency_seconds_bucket{{{ONE}}}[$__rate_interval]))"
    return [
        series(
            "Latency, beside last week",
            "The 95th percentile of ten minutes of successful probes, and the same a week before.",
            (p95, "p95"),
            (before, "p95 a week before"),
            unit="s",
            overrides=[dashed],
        ),
        phases(),
        heatmap(
            "Latency distribution",
            "Successful probes by duration, slow ones with a dot that leads to the service's page; "
            "empty in lean mode, which has no histogram.",
            buckets,
            size=(24, 8),
        ),
    ]


def phases() -> Json:
    """Return the phases of probes, stacked in their order."""
    each = f"probe_http_duration_seconds{{{ONE}}}"
    for place, phase in enumerate(PHASES):  # Prometheus sorts by the first label, which is this
        each = f'label_replace({each}, "order", "{place}", "phase", "{phase}")'
    stacked = painted(
        words.PHASE_COLOURS,
        custom__stacking={"mode": "normal", "group": "A"},
        custom__fillOpacity=80,
        custom__lineWidth=0,
    )
    return series(
        "Where the time goes",
        "The phases of the last probe: resolve, connect and TLS are the way to it, processing "
        "is the provider.",
        (f"max by (order, phase) ({each})", "{{phase}}"),
        unit="s",
        overrides=stacked,
    )


def limits() -> list[Json]:
    """Return what is left of limits and keys."""
    share = f"service_rate_limit_remaining{{{ONE}}} / (service_rate_limit_limit{{{ONE}}} > 0)"
    return [
        runs_out_next(ONE, size=(12, 7), named=False),
        series(
            "Rate limit left",
            "Share of each rate limit that the provider says is left.",
            (f"min by (resource) ({queries.fresh(share, ONE)})", "{{resource}}"),
            unit="percentunit",
            size=(12, 7),
            least_first=True,
            missing="The provider tells no rate limit, or no data",
        ),
        timeline(
            "Key",
            "Whether the provider accepts our key; a gap is an answer that did not tell.",
            f"min by ({SERVICE}) (service_key_valid{{{ONE}}})",
            "{{service}}",
            words.yes_no("ACCEPTED", "REJECTED", good=True),
            size=(12, 4),
        ),
        timeline(
            "Provider's own status page",
            "What the provider says of itself; UNKNOWN where the page cannot be read.",
            queries.page_state(ONE),
            "{{provider}}",
            words.pages(),
            size=(12, 4),
        ),
    ]


def objectives() -> list[Json]:
    """Return how fast the budget goes, and what our own calls meet."""
    calls = queries.happened(f"service_requests_total{{{ONE}}}", "code")
    return [
        series(
            "Burn rate",
            "1 spends the error budget exactly in 30 days; 14.4 for an hour pages.",
            (f"max by (slo) (slo:service_burn_rate:ratio_rate1h{{{ONE}}})", "{{slo}}, 1 h"),
            missing="NO OBJECTIVE, or no data",
            lines=words.steps((None, words.OK), (1, words.QUOTA), (14.4, words.BAD)),
            style=LOGARITHMIC,
        ),
        tallies(
            "Our own calls",
            "What the application itself got, through the registry's sessions.",
            (calls, "{{code}}"),
            step=SLOW,
            missing="No calls through the registry, or no data",
        ),
        calls_that_fail(),
    ]


def calls_that_fail() -> Json:
    """Return the share of our own calls that fail, by who counted them, beside the probe's."""
    calls = f"max by (source) (source:service_failed_calls_per_calls:ratio10m{{{ONE}}})"
    failed = f"sum{queries.ended(ONE, queries.FAILED, '10m')}"
    probes = f"{failed} / (sum{queries.ended(ONE, window='10m')} > 0)"
    return series(
        "Calls that fail",
        "Share of our own calls in ten minutes that got a server error or no answer, by who "
        "counted them, beside failed probes. Calls high and probe low: it asks for something else.",
        (f'{calls} or label_replace({probes}, "source", "probe", "", "")', "{{source}}"),
        unit="percentunit",
        defaults={"max": 1},
        overrides=[override("probe", custom__lineStyle=_DASHED)],
        size=(24, 7),
    )


def elsewhere() -> Json:
    """Return the same service in every environment."""
    return timeline(
        "In every environment",
        "The same service id elsewhere: is it only here?",
        queries.state(_EVERYWHERE),
        "{{environment}}",
        words.states(),
        size=(24, 5),
    )


def board() -> Json:
    """Return the dashboard."""
    return dashboard(
        "service",
        "Service registry / Service",
        "One external API: its state, why, how slow, which limits, and what its alerts say.",
        [
            Row(
                "",
                [*now(), why(), state_timeline(ONE, size=(24, 4)), reasons(), failures(), facts()],
            ),
            Row("Alerts", [firing_alerts(ABOUT_ONE, size=(24, 6))]),
            Row("Latency", latency()),
            Row("Limits and key", limits()),
            Row("Objectives and traffic", objectives()),
            Row("Elsewhere", [elsewhere()]),
        ],
        variables=CHOICE,
        annotations=events(ABOUT_ONE, ONE),
    )
