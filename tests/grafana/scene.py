"""The month of `happened`, seven services in production, by the exporter's own renderers.

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

from exporter.config import Objectives, Target
from exporter.config.declarations import Alerts, LatencyObjective
from exporter.config.models import FirstToken
from exporter.config.thresholds import thresholds_of
from exporter.config.uses import Used
from exporter.metrics import FAMILIES, OwnMetrics, PageNews, incident_page
from exporter.metrics.kept import each
from exporter.metrics.lines import Snapshot, state_of, terms_of
from exporter.metrics.models import model_pieces
from exporter.model import Outcome, Reason, Result, verdict_of
from exporter.models import ModelStates, Skip
from exporter.results import Results
from exporter.results.radar import Radar, Source
from exporter.secret import Secret
from exporter.statuspages import State
from tests.fakes import service_target
from tests.grafana.happened import (
    DAY,
    DEAD,
    END,
    FINE,
    FORGOTTEN_SINCE,
    HOUR,
    LEFT_BEHIND,
    MINUTE,
    MODELS,
    OUTAGES,
    PAINTING_SINCE,
    PAIRED,
    PROVIDERS,
    QUARTER,
    QUICK,
    RECENT,
    REMOVED_AT,
    ROTATED_AT,
    SERVICES,
    SPLIT_AT,
    STAGING,
    STRIPE_SAYS,
    WEEK,
    WEEKS,
    bad_events,
    check_of,
    counts_at,
    down,
    listed_at,
    outcome_of,
)
from tests.scripted_models import model

_STARTED = re.compile(r"^(process_start_time_seconds ).*$", re.MULTILINE)
"""The process that writes the month was started today, its exporters were not."""


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
        page += b"".join(model_pieces(self.models, openmetrics=False)).decode()
        if self.environment == "production":
            page += incident_page(counts_at(at), lambda service: True, openmetrics=False).decode()
        return "".join(out) + page


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
