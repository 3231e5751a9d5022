"""A month in the life of seven services, written by the exporter's own renderers.

`lines` yields OpenMetrics text for `promtool tsdb create-blocks-from`. The last hours are complete;
of the weeks before there is what long windows are made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import repeat
from types import SimpleNamespace
from typing import Any

from exporter.config import Objectives, Target
from exporter.config.declarations import Alerts, LatencyObjective
from exporter.config.models import FirstToken
from exporter.config.thresholds import thresholds_of
from exporter.config.uses import Used
from exporter.incidents import Counts
from exporter.incidents.model import ACKNOWLEDGE_BUCKETS, RESOLVE_BUCKETS, Row, Times
from exporter.metrics import FAMILIES, OwnMetrics, PageNews, incident_page
from exporter.metrics.kept import each
from exporter.metrics.lines import Snapshot, state_of, terms_of
from exporter.metrics.models import model_page
from exporter.model import Certificate, Limit, Outcome, Reason, Result, Verdict, verdict_of
from exporter.models import ModelResult, ModelStates, Skip
from exporter.results import Results
from exporter.results.radar import Radar, Source
from exporter.retirement import Notice, Retirement
from exporter.secret import Secret
from exporter.statuspages import State
from exporter.streams import Reading, Usage
from tests.fakes import service_target
from tests.scripted_models import model

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
_STARTED = re.compile(r"^(process_start_time_seconds ).*$", re.MULTILINE)
"""The process that writes the month was started today, its exporters were not."""
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


@dataclass(slots=True)
class Exporter:
    """One exporter and the text that Prometheus gets from it."""

    instance: str
    environment: str
    services: tuple[str, ...]
    results: Results
    own: OwnMetrics
    since: int = RECENT
    models: ModelStates = field(default_factory=ModelStates)

    def __post_init__(self) -> None:
        self.own.watch(
            scheduler=SimpleNamespace(in_flight=0),
            canaries=SimpleNamespace(states={"gstatic": True}),
            loader=SimpleNamespace(loaded_at=END - 2 * HOUR, refused_at=None),
            incidents=SimpleNamespace(watchdog_at=END - 30.0),
            statuses={"healthy": len(self.services)},
        )
        self.own.reconciled_at.set(END - 20)
        for name in self.services:
            self.models.put(self.target(name))

    def ask_models(self, at: float) -> None:
        """Have each model asked that is due: their checks are spread over a quarter of an hour."""
        for place, state in enumerate(self.models):
            if (at + 5) % QUARTER != place * MINUTE:
                continue
            seen = check_of(state.model.id, at)
            if isinstance(seen, Skip):
                state.skip(seen, at)
                state.left = lambda: 0.0
            else:
                state.add(seen)
                state.spent += seen.spent
                state.left = partial(float, 0.9 - 0.1 * place)

    def probe(self, at: float) -> None:
        self.ask_models(at)
        for name in self.services:
            if name == "forgotten" and at >= FORGOTTEN_SINCE:
                continue
            if name == "split" and self.since == PAIRED and int(at + 5) != SPLIT_AT:
                continue
            seen = (
                outcome_of(name, at)
                if self.environment == "production"
                else Outcome(
                    reason=Reason.OK,
                    duration=0.2,
                    status=200,
                    **(LEFT_BEHIND if name == "forgotten" else {}),
                )
            )
            if name == "split" and self.since == PAIRED:
                seen = Outcome(reason=Reason.DNS)
            target = self.target(name)
            result = Result(service=name, at=at, outcome=seen, verdict=verdict_of(seen.reason))
            tally = self.results.of(name)
            tally.add(result, target, counted=not self.painting(name, at))
            if name == "credits":
                tally.next_key_valid = True
            if target.models and name == "openai":
                tally.radar = tally.radar or Radar()
                tally.radar.take(listed_at(at), Source.LIST, at)
            self.own.traffic.observe(target, "429" if name == "legacy" else "200", 0.3)
        self.own.count_message("ok")
        self.own.count_escalation("page-the-boss", "ok")
        self.own.schedule_lag.observe(0.004)
        self.own.loop_lag.observe(0.002)

    def painting(self, name: str, at: float) -> bool:
        return name == "mail" and at >= PAINTING_SINCE

    def target(self, name: str) -> Target:
        latency = LatencyObjective(threshold=0.8, target=0.99) if name in QUICK else None
        target = service_target(
            name,
            provider=PROVIDERS[name],
            environment=self.environment,
            team="platform",
            host=f"api.{name}.example",
            owner="ada",
            runbook="https://example.org/runbook",
        )
        return replace(
            target,
            key_configured=True,
            interval=60.0,
            next_key=Secret("the-next-one") if name == "credits" else None,
            uses=Used(models=MODELS.get(name, ())),
            objectives=Objectives(availability=0.999, latency=latency),
            models=tuple(
                model(
                    one, interval=float(QUARTER), first_token=FirstToken(threshold=5.0, target=0.95)
                )
                for one in (MODELS.get(name, ()) if self.environment == "production" else ())
            ),
            thresholds=thresholds_of(Alerts(latency_p95=0.5), 60.0),
        )

    def page(self, at: float) -> str:
        """Return everything that a scrape shows."""
        out = []
        for name in self.services:
            if name == "removed" and at >= REMOVED_AT:
                continue
            labels = (
                f'service="{name}",environment="{self.environment}",provider="{PROVIDERS[name]}"'
            )
            target, tally = self.target(name), self.results.of(name)
            page = State.MAJOR_OUTAGE if name == "stripe" else State.OPERATIONAL
            news = STRIPE_SAYS if name == "stripe" else PageNews()
            rotated_at = ROTATED_AT if name == "credits" and at >= ROTATED_AT else None
            snapshot = Snapshot(
                target,
                state_of(
                    target,
                    tally,
                    page,
                    terms=terms_of(target),
                    rotated_at=rotated_at,
                    news=news,
                    maintenance=self.painting(name, at),
                ),
                tally,
            )
            lines = [family.render(snapshot) for family in FAMILIES]
            out.append(b"".join(each(lines, repeat(labels.encode()))).decode())
        page = _STARTED.sub(rf"\g<1>{RECENT}", self.own.page(openmetrics=False).decode())
        page += model_page(self.models, openmetrics=False).decode()
        if self.environment == "production":
            page += incident_page(counts_at(at), lambda service: True, openmetrics=False).decode()
        return "".join(out) + page


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


_LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def _stamped(page: str, job: str, instance: str, at: int) -> str:
    """Return *page* with the labels of its target and a time, without its comments."""
    samples = "".join(f"{line}\n" for line in page.splitlines() if line and line[0] != "#")
    stamped = _LINE.sub(rf'\1{{job="{job}",instance="{instance}",\2}} \3 {at}', samples)
    return stamped.replace(",}", "}")


def _others(at: int) -> str:
    """Return what Prometheus and Alertmanager tell of themselves."""
    n, took = (at - RECENT) // 15, "alertmanager_notification_latency_seconds_bucket"
    prometheus = (
        "".join(
            f'prometheus_rule_evaluation_failures_total{{rule_group="{group}"}} 0\n'
            f'prometheus_rule_group_last_duration_seconds{{rule_group="{group}"}} 0.01\n'
            f'prometheus_rule_group_interval_seconds{{rule_group="{group}"}} 15\n'
            for group in ("state", "slo")
        )
        + "prometheus_notifications_alertmanagers_discovered 1\nup 1\n"
    )
    alertmanager = (
        "".join(
            f'alertmanager_notifications_total{{integration="{name}"}} {n * k}\n'
            f'alertmanager_notifications_failed_total{{integration="{name}"}} {n * bad}\n'
            f'{took}{{integration="{name}",le="1"}} {n * k}\n'
            f'{took}{{integration="{name}",le="+Inf"}} {n * k}\n'
            for name, k, bad in (("webhook", 3, 0), ("slack", 2, 1))
        )
        + 'alertmanager_alerts{state="active"} 3\nalertmanager_alerts{state="suppressed"} 1\nup 1\n'
    )
    return _stamped(prometheus, "prometheus", "p:9090", at) + _stamped(
        alertmanager, "alertmanager", "m:9093", at
    )


def exporters() -> list[Exporter]:
    """Return a pair for production, and one for staging."""
    every = tuple(SERVICES)
    return [
        Exporter("a:9642", "production", every, Results(), OwnMetrics("1")),
        Exporter("b:9642", "production", every, Results(), OwnMetrics("1"), since=PAIRED),
        Exporter("c:9642", "staging", tuple(STAGING), Results(), OwnMetrics("1")),
    ]


def lines() -> Iterator[str]:
    """Yield the text, in order of time for each series."""
    yield from _long_ago()
    found = exporters()
    more = "up 1\nscrape_duration_seconds 0.01\nscrape_samples_scraped 900\n"
    for at in (*range(RECENT, FINE, 60), *range(FINE, END + 1, 15)):
        due = at > PAIRED or at % 120 == 0
        for exporter in found:
            first = exporter.instance == "a:9642"
            if at % 60 == 0:
                exporter.probe(at - 5)
            if due and (first or (at % 60 == 0 and at >= exporter.since)):
                page = exporter.page(at) + more
                yield _stamped(page, "probes", exporter.instance, at)
        if due:
            yield _others(at) + _alerts(at)
    for at in range(END + 15, DEAD + 1, 15):
        for exporter in found:
            yield _stamped("up 0\n", "probes", exporter.instance, at)
        yield _others(at)
    yield "# EOF\n"


def _alerts(at: int) -> str:
    out = ""
    for service, alert, since in (
        ("stripe", "ServiceDown", END - 38 * MINUTE),
        ("sendgrid", "ServiceKeyRejected", END - 28 * MINUTE),
    ):
        labels = (
            f'alertname="{alert}",severity="high",service="{service}",environment="production",'
            f'provider="{SERVICES[service]}",team="platform",category="availability"'
        )
        if at >= since:
            out += f'ALERTS{{{labels},alertstate="firing"}} 1 {at}\n'
            out += f"ALERTS_FOR_STATE{{{labels}}} {since} {at}\n"
    return out


def _long_ago() -> Iterator[str]:
    """Yield counts of events by five minutes, objectives, incidents by the hour, old latency."""
    objective = "service_slo_objective_ratio"
    for at in range(WEEKS, END + 1, 300):
        for service, provider in SERVICES.items():
            for slo, target in (("availability", 0.999), ("latency", 0.99)):
                if slo == "latency" and service not in QUICK:
                    continue
                labels = f'environment="production",service="{service}",slo="{slo}"'
                bad = bad_events(service, slo, at)
                yield f"slo:service_sli_events:increase5m{{{labels}}} 5 {at}\n"
                yield f"slo:service_sli_bad_events:increase5m{{{labels}}} {bad} {at}\n"
                if at < RECENT - 300 and at % (6 * HOUR) == 0:
                    yield f'{objective}{{{labels},provider="{provider}"}} {target} {at}\n'
                    if slo == "availability":
                        known = labels.replace(',slo="availability"', "")
                        known += f',provider="{provider}"'
                        yield f"service_enabled{{{known}}} 1 {at}\n"
                        lost = down(service, at)
                        yield f"service:service_down:seconds1d{{{known}}} {lost} {at}\n"
            if END - WEEK <= at < RECENT - 300:
                known = f'environment="production",service="{service}",provider="{provider}"'
                is_down = any(start <= at < end for start, end in OUTAGES.get(service, ()))
                yield f"service:service_down:bool{{{known}}} {int(is_down)} {at}\n"
        if at % HOUR == 0 and at < RECENT:
            page = incident_page(counts_at(at), lambda service: True, openmetrics=False)
            for instance in ("a:9642", "b:9642"):
                yield _stamped(page.decode(), "probes", instance, at)
    for at in range(RECENT - 7 * DAY, END - 7 * DAY + 1, 60):
        labels = 'environment="production",service="openai",provider="openai"'
        yield f"service:probe_latency_seconds:p95_10m{{{labels}}} 0.18 {at}\n"


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
