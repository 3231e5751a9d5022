"""A scripted day, seen by the embedded response and, as scraped pages, by Prometheus' own rules.

Scheduler, results, pages, incident log and response are the exporter's own; what a probe sees is
scripted. It is in 1970, where promtool's tests begin, so that both write the same times.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from exporter.alerting import Evaluator, OwnWatch, Response, Views
from exporter.alerting.own import JOB
from exporter.config import Target
from exporter.config.declarations import Alerts
from exporter.config.files import Configuration
from exporter.config.thresholds import thresholds_of
from exporter.incidents import IncidentLog
from exporter.incidents.model import Alert
from exporter.metrics import Exposition, IncidentMetrics, OwnMetrics, news_of
from exporter.model import Outcome, Reason, Result, Shortage
from exporter.models import ModelStates
from exporter.probers import Endpoint
from exporter.registry import Registry
from exporter.results import Results
from exporter.results.aging import Aging
from exporter.schedule import Scheduler
from exporter.statuspages import PageIncident, PageRecord, State
from exporter.statuspages.incidents import Reading
from exporter.store import Store
from tests.clocks import QuickClock, target
from tests.documents import yaml_of
from tests.engines import parsed, read_names
from tests.fakes import settle
from tests.fleet import History, Situation, _take
from tests.programs import unhurried
from tests.scripted_models import Check, take
from tests.slices import ALERTS, slice_of

RULES = Path(__file__).parent.parent.parent / "prometheus" / "rules"
ORDER = [
    "service_registry_state",
    "service_registry_history",
    "service_registry_outages",
    "service_registry_models",
]
GROUPS = [
    group
    for path in sorted(RULES.glob("*.yml"))
    for group in yaml_of(path.read_text())["groups"]
    if not re.search("_slo|_burn|_pipeline", group["name"])
]
"""Without those of what is not judged here: they are most of the work."""
READ = {name for g in GROUPS for rule in g["rules"] for name in read_names(parsed(rule))} | {
    *("exporter_reason_info", "probe_http_status_code", "service_failing_since_timestamp_seconds"),
    *("service_info", "service_retry_after_timestamp_seconds", "service_rate_limit_remaining"),
    *("model_failing_since_timestamp_seconds", "model_probe_first_token_usual_seconds"),
    *("model_probe_in_time", "probe_success"),
}
PERIOD = 15
START = 3600
"""When the day begins, as a Unix time: no time in it is 0, which means unknown."""
INSTANCE = "a:9642"
Labels = frozenset[tuple[str, str]]
Moment = Mapping[Labels, Alert]


@dataclass(kw_only=True)
class Day:
    """What happens, by the minute."""

    services: Mapping[str, Situation]
    minutes: int
    canaries: Callable[[float], Mapping[str, bool]] = lambda minute: {}
    acknowledges: Mapping[float, str] = field(default_factory=dict)
    """At which minute somebody acknowledges the outage of which service."""
    restarts: tuple[float, ...] = ()
    """When the exporter is killed; it is back half a minute later."""
    unprobed: Mapping[float, str] = field(default_factory=dict)
    busy: Callable[[float], bool] = lambda minute: False
    short: Callable[[float], bool] = lambda minute: False
    unsaved: Callable[[float], bool] = lambda minute: False
    refused: Callable[[float], bool] = lambda minute: False
    stalls: Callable[[float], bool] = lambda minute: False
    torn: Callable[[float], bool] = lambda minute: False
    """Whether the file of the database is not whole."""
    lost_rows: tuple[float, ...] = ()
    """When a row of it cannot be read."""
    pages: Callable[[float], State] = lambda minute: State.OPERATIONAL
    listed: Callable[[float], bool] = lambda minute: False
    """Whether those pages list an open incident."""
    models: Mapping[float, Mapping[tuple[str, str], Check]] = field(default_factory=dict)
    """By minute, what a check of a model of a service saw or why it was not sent."""


class Process:
    """One exporter without its sockets, from its start until it is killed."""

    def __init__(self, day: Day, clock: QuickClock, store: Store, kept: Mapping[str, Any]) -> None:
        self.day, self.clock, self.store = day, clock, store
        self.registry, self.results, self.own = Registry(), Results(), OwnMetrics("1.0")
        self.incident_metrics = IncidentMetrics(self.registry)
        self.incidents = IncidentLog(store.incidents, clock, show=self.incident_metrics.show)
        self.model_states = ModelStates()
        self.exposition = Exposition(
            self.results,
            self.own,
            self.incident_metrics,
            page=self._page_of,
            news=lambda target: news_of(self._record_of(target), None),
            models=self.model_states,
        )
        self.scheduler = Scheduler(
            self,
            clock,
            self._record,
            self,
            jitter=lambda: 0.5,
            wait_left=lambda target: self.results.wait_left(target, clock.now()),
        )
        self.aging = Aging(self.registry, self.results, clock, self.exposition)
        self.loader = SimpleNamespace(loaded_at=1.0, refused_at=None)
        self.states: dict[str, bool] = {}
        self.watch = OwnWatch(
            refused=lambda: self.loader.refused_at is not None,
            instance=lambda: INSTANCE,
            lags=self.own.schedule_lag.counts,
        )
        self.response = Response(self._evaluator, self.incidents, clock, alertmanager=False)
        self.response.follow(Configuration())
        self.own.watch(
            scheduler=self.scheduler,
            canaries=self,  # type: ignore[arg-type]
            loader=self.loader,  # type: ignore[arg-type]
            incidents=SimpleNamespace(watchdog_at=None),  # type: ignore[arg-type]
            statuses=self.exposition.statuses,
        )
        for service, state in kept.items():
            self.results.of(service).restore(state)
        for follower in (self.results.follow, self.exposition.follow, self.scheduler.follow):
            self.registry.subscribe(follower)
        self.registry.replace([_target(n, s) for n, s in day.services.items()])
        for one in self.registry:
            self.model_states.put(one)
        self.running = asyncio.create_task(self.scheduler.run())

    def _evaluator(self, past: Any) -> Evaluator:
        views = Views(
            canaries=lambda: self.states,
            page=self._page_of,
            page_record=self._record_of,
            models=lambda: self.model_states,
            acknowledged=lambda: self.incidents.counts.acknowledged,
        )
        return Evaluator(self.registry, self.results, self.clock, views, own=self.watch, past=past)

    @property
    def minute(self) -> float:
        return (self.clock.now() - START) / 60

    def _page_of(self, target: Target) -> State | None:
        return self.day.pages(self.minute) if target.status_page is not None else None

    def _record_of(self, target: Target) -> PageRecord | None:
        if (state := self._page_of(target)) is None:
            return None
        record, incident = PageRecord(), PageIncident(id="i", title="Elevated errors")
        listed = (incident,) if self.day.listed(self.minute) else ()
        record.take(Reading(state=state, incidents=listed), self.clock.now(), uncertainty=60.0)
        return record

    async def probe(self, endpoint: Endpoint) -> Outcome:
        states = self.day.canaries(self.minute)
        if states and not any(states.values()):
            return Outcome(reason=Reason.DNS, duration=0.1)
        return self.day.services[endpoint.shown].script(self.minute)

    async def confirm(self, since: float) -> bool:
        states = self.day.canaries(self.minute)
        return not states or any(states.values())

    def _record(self, target: Target, result: Result) -> None:
        counted = not target.in_maintenance(result.at)
        self.results.of(target.id).add(result, target, counted=counted)
        self.exposition.refresh(target)

    async def scrape(self) -> str:
        """Do what the day says of this minute and return the page."""
        day, minute = self.day, self.minute
        self.states = dict(day.canaries(minute))
        if (service := day.unprobed.get(minute)) is not None:
            self.scheduler.drop(service)
        if (service := day.acknowledges.get(minute)) is not None:
            for one in await self.incidents.unresolved():
                if one.service == service:
                    await self.incidents.acknowledge(one.id, "Ada")
        for (service, model), check in day.models.get(minute, {}).items():
            take(self.model_states.get(service, model), check, self.clock.now())
        self.own.schedule_lag.observe(8.0 if day.busy(minute) else 0.002)
        if day.short(minute):
            self.own.count_shortage(Shortage.DESCRIPTORS)
            self.watch.note_shortage(Shortage.DESCRIPTORS)
        if day.stalls(minute):
            self.own.loop_stalls.inc()
            self.watch.note_stall()
        self.own.storage_intact.set(not day.torn(minute))
        self.watch.note_intact(not day.torn(minute))
        if minute in day.lost_rows:
            self.own.count_damaged_row("states")
            self.watch.note_damaged_row("states")
        self.own.storage_healthy.set(not day.unsaved(minute))
        self.watch.note_saved(not day.unsaved(minute))
        self.loader.refused_at = self.clock.now() if day.refused(minute) else None
        for one in self.registry:
            if one.status_page is not None:
                self.exposition.refresh(one)
        await self.aging.look()
        page = b"".join([piece async for piece in self.exposition.chunks()]).decode()
        return re.sub(r"(?m)^(#.*|process_start_time_seconds .*)\n", "", page)

    async def kill(self) -> dict[str, Any]:
        """End it and return what is on the disk."""
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        return {name: tally.dump() for name, tally in self.results.by_service.items()}


def _target(name: str, situation: Situation) -> Target:
    usual: dict[str, Any] = {
        "provider": situation.provider,
        "team": "platform",
        "thresholds": thresholds_of(Alerts(latency_p95=1.0, escalate_after=(300.0, 600.0)), 30.0),
        "key_configured": True,
        "retries": 0,
    }
    changes = {n: value for n, value in situation.changes.items() if n != "endpoint"}
    made = target(name, **(usual | changes))
    return replace(made, endpoint=None) if "endpoint" in situation.changes else made


@dataclass(kw_only=True)
class Played:
    """What both said: `moments` the embedded response, `series` for promtool."""

    moments: list[Moment]
    away: set[int]
    """Evaluations at which there was no exporter."""
    series: History


async def played(day: Day) -> Played:
    """Let *day* pass."""
    clock = QuickClock(float(START) - 30)
    store = Store.in_memory(clock)
    process = Process(day, clock, store, {})
    await settle()
    await clock.advance(30)
    found: History = {}
    moments: list[Moment] = []
    gone: set[int] = set()
    labels = f'job="{JOB}",instance="{INSTANCE}"'
    away = 0
    for at in range(day.minutes * 60 // PERIOD + 1):
        if process.minute in day.restarts:
            kept, away = await process.kill(), 2
        if away:
            away -= 1
            gone.add(at)
            moments.append(moments[-1])
            _take(found, READ, labels, at, "up 0\n")
            await clock.advance(PERIOD)
            if not away:
                process = Process(day, clock, store, kept)
                await settle()
            continue
        page = await process.scrape()
        _take(found, READ, labels, at, page + "up 1\n")
        await process.response.round()
        moments.append({frozenset(a.labels.items()): a for a in process.response.alerts})
        await clock.advance(PERIOD)
    await process.kill()
    return Played(moments=moments, away=gone, series=found)


# -- promtool --------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Checked:
    """What promtool said."""

    firing: list[set[Labels]]
    mistakes: list[str]
    """Alerts whose labels or annotations are others than expected."""


NEVER = [{"labels": '{x="never"}', "value": -1}]


def checked(
    folder: Path, series: History, evaluations: int, expected: list[dict[str, Any]]
) -> Checked:
    """Let promtool evaluate the shipped rules on *series* and compare with *expected*."""
    rules = folder / "rules.json"
    given = {name.partition("{")[0] for name in series}
    rules.write_text(json.dumps({"groups": slice_of(GROUPS, given, {ALERTS})}))
    ask = 'ALERTS{alertstate="firing"}'
    test = {
        "rule_files": [str(rules)],
        "evaluation_interval": f"{PERIOD}s",
        "group_eval_order": ORDER,
        "tests": [
            {
                "interval": f"{PERIOD}s",
                "input_series": [
                    {"series": name, "values": _values(rows, evaluations)}
                    for name, rows in series.items()
                ],
                "alert_rule_test": expected,
                "promql_expr_test": [
                    {"expr": ask, "eval_time": f"{START + at * PERIOD}s", "exp_samples": NEVER}
                    for at in range(evaluations)
                ],
            }
        ],
    }
    path = folder / "day.json"
    path.write_text(json.dumps(test))
    done = subprocess.run(
        [*unhurried("promtool"), "test", "rules", path], capture_output=True, text=True, check=False
    )
    printed = done.stdout + done.stderr
    answers = re.findall(r"time: \S+,\n\s+exp:.*\n\s+got: (.*)", printed)
    assert len(answers) == evaluations, printed[-3000:]
    parts = re.split(r"\n\s*(?=alertname:|expr:)", printed)
    return Checked(
        firing=[set(_label_sets(got)) for got in answers],
        mistakes=[part for part in parts if part.startswith("alertname:")],
    )


def _values(rows: list[tuple[int, float]], evaluations: int) -> str:
    by_time = dict(rows)
    texts = [f"_x{START // PERIOD}"]
    for at in range(evaluations):
        value = by_time.get(at)
        gone = value is None and at - 1 in by_time
        texts.append("stale" if gone else "_" if value is None else repr(round(value, 6)))
    return " ".join(texts)


def _label_sets(got: str) -> Iterator[Labels]:
    for inside in re.findall(r"\{(.*?)\}", got):
        pairs = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', inside))
        yield frozenset(
            (name, value) for name, value in pairs.items() if name not in ("__name__", "alertstate")
        )


def expectation(moment: Moment, name: str, at: int) -> dict[str, Any]:
    """Return what promtool is to find of the alert *name* at an evaluation."""
    return {
        "eval_time": f"{START + at * PERIOD}s",
        "alertname": name,
        "exp_alerts": [
            {
                "exp_labels": {k: v for k, v in alert.labels.items() if k != "alertname"},
                "exp_annotations": dict(alert.annotations),
            }
            for alert in moment.values()
            if alert.labels["alertname"] == name
        ],
    }
