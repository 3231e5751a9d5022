"""What happened to the services of the scene in its month, by the Unix time."""

from __future__ import annotations

from typing import Any

from exporter.incidents import Counts
from exporter.incidents.model import ACKNOWLEDGE_BUCKETS, RESOLVE_BUCKETS, Row, Times
from exporter.metrics import PageNews
from exporter.model import Certificate, Limit, Outcome, Reason, Verdict
from exporter.models import ModelResult, Skip
from exporter.retirement import Notice, Retirement
from exporter.streams import Reading, Usage

END = 1_795_132_800  # 2026-11-20T00:00:00Z
MINUTE, HOUR, DAY = 60, 3600, 86400
WEEK = 7 * DAY
DEAD = END + 15 * MINUTE
"""Every exporter has been dead for so long."""
RECENT = END - 6 * HOUR - 30 * MINUTE
PAIRED, FINE = END - HOUR, END - 20 * MINUTE
WEEKS = END - 31 * DAY

SERVICES = {
    "openai": "openai",
    "stripe": "stripe",
    "sendgrid": "sendgrid",
    "credits": "openrouter",
    "legacy": "custom",
    "mail": "custom",
    "split": "custom",
}
STAGING = {"openai": "openai", "forgotten": "custom", "removed": "custom"}
PROVIDERS = SERVICES | STAGING
FORGOTTEN_SINCE = END - 20 * MINUTE
"""Its exporter lives but probes it no more, and still shows its last verdict: ok."""
LEFT_BEHIND: dict[str, Any] = {
    "certificate": Certificate(expiry=END + 2.0 * DAY),
    "limits": {"requests": Limit(limit=100, remaining=80, reset=END + 60.0)},
    "quotas": {("credits", "usd"): 0.0},
}
"""What it told when it was still probed."""
REMOVED_AT = END - 30 * MINUTE
"""A service was taken out of the configuration of an exporter that lives."""
SPLIT_AT = END - 40 * MINUTE
"""One exporter saw one failure then, and has not looked again; the other sees no fault."""
QUICK = ("openai", "legacy")
"""Those with an objective for the latency."""
OUTAGES = {
    "openai": [(END - 5 * DAY, END - 5 * DAY + 45 * MINUTE)],
    "credits": [(END - 3 * HOUR, END - 3 * HOUR + MINUTE)],
    "stripe": [(END - 20 * DAY, END - 20 * DAY + 2 * HOUR), (END - 40 * MINUTE, END + 1)],
}
REJECTED_SINCE, ROTATED_AT = END - 30 * MINUTE, END - 3 * HOUR
STRIPE_SAYS = PageNews(incidents=((("investigating", "critical"), 1.0),), lead=20.0 * MINUTE)
"""The page of the provider that fails: posted after our first failure."""
PAINTING_SINCE = END - HOUR
MODELS = {
    "openai": ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "o3"),
    "credits": ("llama-3.3-70b", "qwen-2.5"),
}
SLOW_SINCE, GONE_SINCE = END - 70 * MINUTE, END - 50 * MINUTE
STALLS_SINCE, SPENT_SINCE = END - 16 * MINUTE, END - 2 * HOUR
LEFT_SINCE, ENDS = END - HOUR, END + 200 * DAY
ANNOUNCED = Notice(deprecated=True, deprecated_at=END - 20 * DAY, sunset_at=ENDS)
QUARTER = 15 * MINUTE
INCIDENTS = (  # service, severity, start, seconds until taken, seconds until resolved
    ("openai", "critical", END - 5 * DAY, 240, 2900),
    ("stripe", "critical", END - 20 * DAY, 600, 7300),
    ("legacy", "medium", END - 2 * DAY, 1500, 3600),
    ("stripe", "high", END - 38 * MINUTE, None, None),
    ("sendgrid", "high", END - 28 * MINUTE, 300, None),
)


def outcome_of(service: str, at: float) -> Outcome:
    """Return what a probe saw."""
    usual = {"status": 200, "http_version": 2.0, "content_length": 512, "keyed": True}
    ends = END + (3 if service == "legacy" else 80) * DAY
    more = {**usual, "certificate": Certificate(expiry=ends)}
    slow = 0.9 if service == "legacy" and int(at) % 1800 < 60 else 0.21
    more |= {"duration": slow, "phases": (0.01, 0.02, 0.03, slow - 0.07, 0.01)}
    if any(start <= at < end for start, end in OUTAGES.get(service, ())):
        return Outcome(reason=Reason.SERVER_ERROR, **(more | {"status": 500}))
    if service == "sendgrid" and at >= REJECTED_SINCE:
        return Outcome(reason=Reason.AUTH_INVALID, **(more | {"status": 401}))
    if service == "mail" and at >= PAINTING_SINCE:
        return Outcome(reason=Reason.MAINTENANCE, **(more | {"status": 503}))
    if service == "legacy" and 900 <= int(at) % 1800 < 960:
        return Outcome(reason=Reason.RATE_LIMITED, **(more | {"status": 429}))
    if service == "openai":
        left = 1000 - int(at) % 3600 / 4
        more["limits"] = {"requests": Limit(limit=1000, remaining=left, reset=at + 60)}
    if service == "credits":
        more["quotas"] = {("credits", "usd"): 100 + (END - at) / 400}
        more["key_expiry"] = END + 5.0 * DAY
    return Outcome(reason=Reason.OK, provider_seconds=0.1, **more)


def check_of(name: str, at: float) -> ModelResult | Skip:
    """Return what became of a check of a model."""
    if name == "gpt-4.1" and at >= SPENT_SINCE:
        return Skip.BUDGET_MODEL
    if name == "o3" and at >= GONE_SINCE:
        seen = Outcome(reason=Reason.TIMEOUT, duration=60.0)
        return ModelResult(
            at=at, outcome=seen, reading=Reading(), verdict=Verdict.PROVIDER, spent=9 * 10**8
        )
    first = 0.4 + 0.3 * (len(name) % 4) + int(at) // QUARTER % 5 / 20
    if name == "gpt-4o-mini" and at >= SLOW_SINCE:
        first = 14.0 + int(at) // QUARTER % 3
    gap = 8.0 if name == "qwen-2.5" and at >= STALLS_SINCE else 0.08
    read = Reading(
        first_text=first,
        last_text=first + gap + 0.4,
        gaps=[0.02, gap],
        usage=Usage(input=14, output=12 + len(name)),
        ended=True,
    )
    seen = Outcome(reason=Reason.OK, duration=first + gap + 0.5, status=200)
    return ModelResult(at=at, outcome=seen, reading=read, verdict=Verdict.OK, spent=3 * 10**8)


def listed_at(at: float) -> Retirement:
    """Return what OpenAI's list says: one model has left it, and of one the end is announced."""
    listed = {"gpt-4.1": at < LEFT_SINCE, "gpt-4o": True}
    return Retirement(notices={"gpt-4o": ANNOUNCED}, listed=listed)


def counts_at(at: float) -> Counts:
    """Return what the incident log tells at *at*."""
    opened: dict[tuple[Row, str], int] = {}
    total: dict[tuple[Row, str], int] = {}
    taken: dict[Row, bool] = {}
    resolved: dict[Row, list[float]] = {}
    acknowledged: dict[Row, list[float]] = {}
    for service, severity, start, until_taken, until_resolved in INCIDENTS:
        if at < start:
            continue
        row = (service, "production", SERVICES[service])
        total[row, severity] = total.get((row, severity), 0) + 1
        if until_taken is not None and at >= start + until_taken:
            acknowledged.setdefault(row, []).append(until_taken)
        if until_resolved is not None and at >= start + until_resolved:
            resolved.setdefault(row, []).append(until_resolved)
        else:
            opened[row, severity] = opened.get((row, severity), 0) + 1
            taken[row] = until_taken is not None and at >= start + until_taken
    return Counts(
        open=opened,
        total=total,
        acknowledged=taken,
        resolve={row: _times(RESOLVE_BUCKETS, v) for row, v in resolved.items()},
        acknowledge={row: _times(ACKNOWLEDGE_BUCKETS, v) for row, v in acknowledged.items()},
    )


def _times(bounds: tuple[float, ...], values: list[float]) -> Times:
    counts = tuple(sum(value <= bound for value in values) for bound in bounds)
    return Times(buckets=counts, count=len(values), sum=sum(values))


def down(service: str, at: int) -> int:
    """Return for how many seconds of the day before *at* the service was down."""
    outages = OUTAGES.get(service, ())
    return sum(max(0, min(end, at) - max(start, at - DAY)) for start, end in outages)


def bad_events(service: str, slo: str, at: int) -> int:
    """Return how many of the five events before *at* were bad."""
    if slo == "latency":
        return 1 if service == "legacy" and at % 1800 == 0 else 0
    if service == "mail":
        return 0
    return 5 if any(s < at <= e + 300 for s, e in OUTAGES.get(service, ())) else 0
