"""What runs out: rate limits, quotas, keys, certificates; and what the probes themselves cost."""

from __future__ import annotations

from exporter.model import FACTS, Verdict
from grafana import queries, words
from grafana.board import Row, dashboard, of_series
from grafana.boards.common import LEFT, SINCE, runs_out_next
from grafana.boards.common import SERVICE as LINKS
from grafana.panels import SLOW, bars, series, tallies, timeline
from grafana.queries import CHOSEN, SERVICE, fresh
from grafana.tables import CELL, Column, columns, table
from grafana.words import Json

_COUNT: Json = {"unit": "locale", "decimals": 0, "custom__width": 75}
_HEADROOM = words.steps((None, words.BAD), (0.1, words.WARN), (0.25, words.OK))
_NAME = "{{service}} {{resource}} ({{environment}})"
_BY_RESOURCE = f"{SERVICE}, resource"
_TILE: Json = {"custom__cellOptions": CELL, "custom__width": 130}
_ACCEPTED = words.mapping(
    {
        0: ("REJECTED", words.BAD),
        1: ("ACCEPTED", words.OK),
        2: ("not known", words.NO_DATA),
    }
)


def rate_limits() -> list[Json]:
    """Return what is left of rate limits: as bars, in numbers, and over time."""
    share = f"service_rate_limit_remaining{{{CHOSEN}}} / (service_rate_limit_limit{{{CHOSEN}}} > 0)"
    least = fresh(f"min by ({_BY_RESOURCE}) ({share})", CHOSEN)
    return [
        bars(
            "Rate limit left",
            "Share that the provider says is left; the tightest first.",
            f"sort(bottomk(20, {least}))",
            _NAME,
            unit="percentunit",
            thresholds=_HEADROOM,
            min=0,
            max=1,
            size=(12, 6),
            missing="No provider tells a rate limit, or no data",
        ),
        rate_limit_table(),
        series(
            "Rate limit left over time",
            "Share that is left, by resource.",
            (least, _NAME),
            unit="percentunit",
            least_first=True,
            missing="No provider tells a rate limit, or no data",
            defaults={"links": [of_series()]},
        ),
    ]


def rate_limit_table() -> Json:
    """Return the table of rate limits, what is left of each, and when it is full again."""
    limit = f"max by ({_BY_RESOURCE}) (service_rate_limit_limit{{{CHOSEN}}})"
    left = f"min by ({_BY_RESOURCE}) (service_rate_limit_remaining{{{CHOSEN}}})"
    reset = f"max by ({_BY_RESOURCE}) (service_rate_limit_reset_timestamp_seconds{{{CHOSEN}}})"
    return table(
        "Rate limits",
        "The same in numbers, and when each is full again.",
        Column("service", "", LINKS),
        Column("environment", "", {"custom__width": 130}),
        Column("resource", "", {"custom__width": 80}),
        Column("limit", fresh(limit, CHOSEN), _COUNT),
        Column("left", fresh(left, CHOSEN), _COUNT),
        Column(
            "full again in",
            fresh(f"clamp_min({reset} - time(), 0)", CHOSEN),
            LEFT,
        ),
        size=(12, 6),
        hidden=("provider",),
        sort=("service", "environment"),
        missing="No provider tells a rate limit, or no data",
    )


def quotas() -> Json:
    """Return what is left of quotas over time."""
    left = f"min by ({_BY_RESOURCE}, unit) (service_quota_remaining{{{CHOSEN}}})"
    return series(
        "Quota left",
        "What is left of quotas and credits, in the provider's own units.",
        (fresh(left, CHOSEN), "{{service}}: {{resource}}, {{unit}} ({{environment}})"),
        missing="No provider tells a quota, or no data",
    )


def refusals() -> Json:
    """Return the probes and our own calls that a quota or a rate limit refused."""
    reasons = "|".join(r for r, facts in FACTS.items() if facts.verdict is Verdict.QUOTA)
    refused = queries.ended(CHOSEN, f'reason=~"{reasons}"')
    probes = f"round(sum by (environment, service, reason) {refused})"
    calls = queries.happened(
        f'service_requests_total{{{CHOSEN}, code="429"}}', "environment, service"
    )
    return tallies(
        "Refused for a quota or a rate limit",
        "Probes refused, and calls of our own answered with 429.",
        (f"{probes} > 0", "{{service}} {{reason}} ({{environment}})"),
        (f"{calls} > 0", "{{service}} own calls, 429 ({{environment}})"),
        step=SLOW,
        size=(24, 7),
        missing="Nothing refused, or no data",
    )


def _by_service(metric: str, aggregate: str = "max") -> str:
    """Return *metric* of the chosen services; *aggregate* joins those of several exporters."""
    return f"{aggregate} by ({SERVICE}) ({metric}{{{CHOSEN}}})"


def keys() -> Json:
    """Return the table of keys: which there are, and what providers think of them."""
    configured = words.yes_no("YES", "NO", good=True)[:1]
    valid = words.yes_no("ACCEPTED", "REJECTED", good=True)[:1]
    # A number of its own, above the others: a rejected key has to sort before one not known.
    accepted = (
        f"{_by_service('service_key_valid', 'min')}"
        f" or 2 * {_by_service('service_key_configured')} ^ 0"
    )
    return table(
        "Keys",
        "Of every service that needs a key: is there one, is it accepted, for how "
        "long, and the next one.",
        Column("service", "", LINKS),
        *columns(("environment", "provider")),
        Column(
            "configured",
            _by_service("service_key_configured", "min"),
            {**_TILE, "mappings": configured},
        ),
        Column("accepted", accepted, {**_TILE, "mappings": _ACCEPTED}),
        Column(
            "next accepted",
            _by_service("service_next_key_valid", "min"),
            {**_TILE, "mappings": [*valid, *words.nothing(2, "none waits", words.CLEAR)]},
        ),
        Column(
            "ends",
            f"1000 * {_by_service('service_key_expiry_timestamp_seconds', 'min')}",
            {"unit": "dateTimeFromNow", "mappings": words.nothing(text="not told")},
        ),
        Column("rotated", f"1000 * {_by_service('service_key_rotated_timestamp_seconds')}", SINCE),
        sort=("configured", "accepted", "service"),
        size=(24, 11),
    )


def keys_over_time() -> Json:
    """Return whether providers accepted each key, over time."""
    return timeline(
        "Key accepted over time",
        "Rejected: replace the key. A gap did not tell.",
        _by_service("service_key_valid", "min"),
        "{{service}} ({{environment}})",
        words.yes_no("ACCEPTED", "REJECTED", good=True),
        size=(24, 7),
        links=[of_series()],
    )


def certificates() -> list[Json]:
    """Return how long certificates last, and what probing costs."""
    left = f"min by ({SERVICE}) (probe_ssl_earliest_cert_expiry{{{CHOSEN}}}) - time()"
    cost = f"sum by ({SERVICE}) (rate(probe_attempts_total{{{CHOSEN}}}[$__rate_interval]))"
    return [
        bars(
            "Certificates end in",
            "The earliest expiry of each chain, the soonest first.",
            f"sort(bottomk(20, {fresh(left, CHOSEN)}))",
            "{{service}} ({{environment}})",
            unit="s",
            thresholds=words.REMAINING,
            min=0,
            max=90 * words.DAY,
            size=(12, 10),
            missing="No service over TLS, or no data",
        ),
        series(
            "Probe requests a day",
            "What watching costs, retries included, at the pace of now.",
            (f"{words.DAY} * {cost}", "{{service}} ({{environment}})"),
            step=SLOW,
            size=(12, 10),
            unit="locale",
            defaults={"decimals": 0, "links": [of_series()]},
        ),
    ]


def board() -> Json:
    """Return the dashboard."""
    return dashboard(
        "limits",
        "Service registry / Limits, keys and certificates",
        "What runs out next: rate limits, quotas, keys, certificates, budgets.",
        [
            Row("", [runs_out_next(CHOSEN, size=(24, 14), count=25)]),
            Row("Keys", [keys(), keys_over_time()]),
            Row("Rate limits and quotas", [*rate_limits(), quotas(), refusals()]),
            Row("Certificates and cost", certificates()),
        ],
        refresh="1m",
    )
