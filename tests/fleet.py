"""Nearly three hours of two exporters with one trouble after the other, on a fake clock.

Scheduler, results and pages are the exporter's own; only what a probe sees is scripted. `history`
returns every scraped series that somebody wants, with gaps where a scrape did not show it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from exporter.config import ModelTarget, Objectives, Target, Used
from exporter.config.declarations import Alerts, LatencyObjective, Maintenance
from exporter.config.models import FirstToken
from exporter.config.thresholds import thresholds_of
from exporter.metrics import Exposition, IncidentMetrics, OwnMetrics, PageNews
from exporter.model import Certificate, Limit, Outcome, Reason, Result, Shortage
from exporter.models import ModelStates, Skip
from exporter.probers import Endpoint
from exporter.registry import Registry
from exporter.results import Results
from exporter.results.aging import Aging
from exporter.retirement import Notice, Retirement
from exporter.schedule import Scheduler
from exporter.statuspages import State
from tests.clocks import QuickClock, target
from tests.fakes import settle
from tests.scripted_models import Check, answered, broke, model, take

START = 486_112 * 3600
"""2025-06-15T16:00:00Z: all groups of rules are due then, and it is in every engine's past."""
SCRAPE, MINUTES = 15, 165
SCRAPES = MINUTES * 60 // SCRAPE
DAY = 86400.0
JOB = "probes"
"""Not the name in the shipped prometheus.yml: a job is called as its owner likes."""

Script = Callable[[float], Outcome]
"""What a probe sees, by the minute."""


def seen(reason: Reason = Reason.OK, **more: Any) -> Outcome:
    """Return what a quick probe sees."""
    usual = {"duration": 0.2, "phases": (0.01, 0.02, 0.03, 0.1, 0.04), "keyed": True}
    return Outcome(reason=reason, **(usual | more))


def between(first: float, end: float, reason: Reason, **more: Any) -> Script:
    """Return a script of *reason* from one minute to another."""
    return lambda minute: seen(reason, **more) if first <= minute < end else seen()


def every(pattern: str, first: float, end: float) -> Script:
    """Return a script that follows *pattern* by probes of half a minute: x fails."""

    def probe(minute: float) -> Outcome:
        bad = first <= minute < end and pattern[int(minute * 2) % len(pattern)] == "x"
        return seen(Reason.SERVER_ERROR, status=500) if bad else seen()

    return probe


def quota(minute: float) -> Outcome:
    """Return a quota that falls all the time, and is used up for half an hour."""
    if 60 <= minute < 90:
        return seen(Reason.QUOTA_EXHAUSTED, status=402)
    return seen(quotas={("credits", "usd"): 500.0 - 2 * minute})


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A service and what happens to it."""

    script: Script
    provider: str = "custom"
    calls: Callable[[float], str] | None = None
    """What each of the user's own calls is answered, one a scrape, by the minute."""
    changes: dict[str, Any] = field(default_factory=dict)


def _certificate(minute: float) -> Outcome:
    return seen(certificate=Certificate(expiry=START + 2 * DAY))


def _expired(minute: float) -> Outcome:
    expired = Certificate(expiry=START - DAY, verified=False)
    return seen(Reason.TLS, certificate=expired) if minute >= 45 else seen()


def _headroom(minute: float) -> Outcome:
    left = 3.0 if 20 <= minute < 50 else 80.0
    return seen(limits={"requests": Limit(limit=100, remaining=left, reset=START + 9 * DAY)})


def _key_expiry(minute: float) -> Outcome:
    return seen(key_expiry=START + 3 * DAY)


def _sunset(minute: float) -> Outcome:
    """Return an API that announces its end, between two of the steps before it."""
    ends = Notice(deprecated=True, sunset_at=START + 40 * DAY)
    return seen(retirement=Retirement(notices={"api": ends}) if minute >= 20 else None)


def _left(minute: float) -> Outcome:
    return seen(retirement=Retirement(listed={"gpt-4o": not 30 <= minute < 60}))


_SHUT = (Maintenance(start=START + 1800.0, end=START + 3600.0),)
_STRICT = Objectives(availability=0.999, latency=LatencyObjective(threshold=0.8, target=0.99))

_MODELS = ("failing", "slow", "stalling", "spent", "burning")


def _check(name: str, minute: float) -> Check:
    """Return what becomes of a check of one of these."""
    if name == "failing" and 30 <= minute < 60:
        return broke(Reason.TIMEOUT)
    if name == "slow" and 30 <= minute < 60:
        return answered(14.0)
    if name == "stalling" and 70 <= minute < 80:
        return answered(0.5, gap=9.0)
    if name == "spent" and 40 <= minute < 70:
        return Skip.BUDGET_ALL
    if name == "burning" and minute % 4 < 2:
        return answered(3.0)
    return answered(0.5)


def _models() -> tuple[ModelTarget, ...]:
    often = FirstToken(threshold=2.0, target=0.9)
    return tuple(model(name, interval=60.0, first_token=often) for name in _MODELS)


FLEET: dict[str, dict[str, Situation]] = {
    "a": {
        "steady": Situation(script=lambda minute: seen()),
        "down": Situation(script=between(20, 95, Reason.SERVER_ERROR, status=500)),
        "pay": Situation(script=between(70, 85, Reason.TIMEOUT), provider="stripe"),
        "refund": Situation(script=between(70, 85, Reason.TIMEOUT), provider="stripe"),
        "rejected": Situation(script=between(30, 80, Reason.AUTH_INVALID, status=401)),
        "empty": Situation(script=quota, provider="openrouter"),
        "limited": Situation(script=between(40, 60, Reason.RATE_LIMITED, status=429)),
        "certificate": Situation(script=_certificate),
        "expired": Situation(script=_expired),
        "headroom": Situation(script=_headroom),
        "expiring": Situation(script=_key_expiry),
        "ending": Situation(script=_sunset),
        "retiring": Situation(
            script=_left, changes={"uses": Used(models=("gpt-4o",), named=frozenset({"gpt-4o"}))}
        ),
        "keyless": Situation(script=lambda minute: seen(), changes={"key_configured": False}),
        "burning": Situation(script=every("x....", 10, 120), changes={"objectives": _STRICT}),
        "flapping": Situation(script=every("xxx...", 25, 60)),
        "slow": Situation(script=between(30, 75, Reason.OK, duration=3.0)),
        "shut": Situation(
            script=between(30, 60, Reason.MAINTENANCE, status=503), changes={"maintenance": _SHUT}
        ),
        "unprobed": Situation(script=lambda minute: seen()),
        "lost": Situation(script=lambda minute: seen()),
        "reported": Situation(script=lambda minute: seen(), provider="sendgrid"),
        "uncovered": Situation(
            script=lambda minute: seen(), calls=lambda m: "500" if 40 <= m < 70 else "200"
        ),
        "unreported": Situation(
            script=between(20, 55, Reason.SERVER_ERROR, status=500), provider="mailgun"
        ),
        "models": Situation(script=lambda minute: seen(), changes={"models": _models()}),
    },
    # Its counters reappear after a longer gap than any window of an alert, and stand at 8: below 10
    # VictoriaMetrics believes of a counter which stands still that it began at 0.
    "b": {
        "gap-flapping": Situation(script=every("xxx...", 0, 12)),
        "gap-limited": Situation(script=between(5, 9, Reason.RATE_LIMITED, status=429)),
        "gap-burning": Situation(script=every("x.", 5, 13), changes={"objectives": _STRICT}),
    },
}
DEAD = {"b": (30.0, 100.0)}
"""From which minute to which an exporter does not answer its scrapes."""
LOST, UNPROBED, OFFLINE = 40.0, 35.0, (125.0, 132.0)
BUSY, LARGE = (110.0, 125.0), (112.0, 120.0)
SHORT, UNSAVED = (64.0, 67.0), (68.0, 76.0)
STALLED, DAMAGED = 66.0, (68.0, 76.0)
"""When descriptors run out, and when nothing can be saved."""
"""When probes start late, and when a page is nearly too large."""
UNKNOWN = 150.0
"""From when on service discovery finds no exporter."""
RESTARTS = {"a": (50.0, 54.0, 58.0, 61.0), "b": (104.0, 108.0)}
"""Too often, and not too often: after its gap a second one appears, which is no restart."""
REFUSED = (90.0, 110.0)


def _target(name: str, situation: Situation) -> Target:
    usual = {
        "provider": situation.provider,
        "team": "platform",
        "objectives": Objectives(availability=0.99),
        "thresholds": thresholds_of(Alerts(latency_p95=1.0), 30.0),
        "key_configured": True,
        "retries": 0,
    }
    return target(name, **(usual | situation.changes))


class Exporter:
    """One exporter without its sockets: the scheduler probes by script, the page is real."""

    def __init__(
        self, clock: QuickClock, instance: str, *, lean: bool = False, compact: bool = False
    ) -> None:
        self.clock, self.instance = clock, instance
        self.registry, self.results, self.own = Registry(), Results(), OwnMetrics("1.0")
        self.model_states = ModelStates()
        self.exposition = Exposition(
            self.results,
            self.own,
            IncidentMetrics(self.registry),
            lean=lean,
            compact=compact,
            page=self._page_of,
            news=self._news_of,
            models=self.model_states,
        )
        self.scheduler = Scheduler(self, clock, self._record, self, jitter=lambda: 0.5)
        self.aging = Aging(self.registry, self.results, clock, self.exposition)
        self.loader = SimpleNamespace(loaded_at=START - DAY, refused_at=None)
        self.states = {"one": True, "two": True}
        self.own.watch(
            scheduler=self.scheduler,
            canaries=self,  # type: ignore[arg-type]
            loader=self.loader,  # type: ignore[arg-type]
            incidents=SimpleNamespace(watchdog_at=None),  # type: ignore[arg-type]
            statuses=self.exposition.statuses,
        )
        for follower in (self.results.follow, self.exposition.follow, self.scheduler.follow):
            self.registry.subscribe(follower)
        self.registry.replace([_target(n, s) for n, s in FLEET[instance].items()])
        for one in self.registry:
            self.model_states.put(one)

    @property
    def minute(self) -> float:
        return (self.clock.now() - START) / 60

    def _page_of(self, target: Target) -> State | None:
        if target.provider == "mailgun":
            return State.OPERATIONAL
        if target.provider != "sendgrid":
            return None
        return State.MAJOR_OUTAGE if 60 <= self.minute < 80 else State.OPERATIONAL

    def _news_of(self, target: Target) -> PageNews:
        if target.provider not in ("mailgun", "sendgrid"):
            return PageNews()
        is_open = self._page_of(target) is State.MAJOR_OUTAGE
        row = ("investigating", "critical") if is_open else ("none", "none")
        return PageNews(incidents=((row, 1.0),))

    async def probe(self, endpoint: Endpoint) -> Outcome:
        if not all(self.states.values()):
            return Outcome(reason=Reason.DNS, duration=0.1)
        return FLEET[self.instance][endpoint.shown].script(self.minute)

    async def confirm(self, since: float) -> bool:
        return any(self.states.values())

    def _record(self, target: Target, result: Result) -> None:
        counted = not target.in_maintenance(result.at)
        self.results.of(target.id).add(result, target, counted=counted)
        self.exposition.refresh(target)

    async def scrape(self) -> str:
        """Return the page of now."""
        online = not OFFLINE[0] <= self.minute < OFFLINE[1]
        self.states = dict.fromkeys(self.states, online)
        self.own.schedule_lag.observe(8.0 if BUSY[0] <= self.minute < BUSY[1] else 0.002)
        if SHORT[0] <= self.minute < SHORT[1]:
            self.own.count_shortage(Shortage.DESCRIPTORS)
        self.own.storage_healthy.set(not UNSAVED[0] <= self.minute < UNSAVED[1])
        self.own.storage_intact.set(not DAMAGED[0] <= self.minute < DAMAGED[1])
        if self.minute == STALLED:
            self.own.loop_stalls.inc()
        self.loader.refused_at = (
            self.clock.now() if REFUSED[0] <= self.minute < REFUSED[1] else None
        )
        for name, situation in FLEET[self.instance].items():
            if situation.calls and name in self.registry:
                self.own.traffic.observe(self.registry.get(name), situation.calls(self.minute), 0.2)
        if self.minute == UNPROBED and "unprobed" in self.registry:
            self.scheduler.drop("unprobed")
        for one in self.registry:
            if one.provider == "sendgrid":
                self.exposition.refresh(one)
        for state in self.model_states if self.minute % 1 == 0 else ():
            take(state, _check(state.model.id, self.minute), self.clock.now())
        await self.aging.look()
        page = b"".join([piece async for piece in self.exposition.chunks()]).decode()
        if self.minute >= LOST:
            page = re.sub(r'(?m)^.*service="lost".*\n', "", page)
        restarts = [at for at in RESTARTS[self.instance] if at <= self.minute]
        started = START + 60 * restarts[-1] if restarts else START - DAY
        told = [one for one in page.splitlines() if not one.startswith(_NOT_OF_THE_STORY)]
        return "\n".join((*told, f"process_start_time_seconds {started}\n"))

    def others(self, page: str | None) -> str:
        """Return what Prometheus adds to a scrape."""
        lines = page.count("\n") if page else 0
        if LARGE[0] <= self.minute < LARGE[1]:
            lines += 1_700_000
        return f"up {int(page is not None)}\nscrape_samples_scraped {lines}\n"


_NOT_OF_THE_STORY = ("#", "process_start_time_seconds ")


def _neighbours(minute: float) -> Iterator[tuple[str, str]]:
    """Yield what Prometheus and an Alertmanager say of themselves."""
    n = int(minute * 60)
    failing = max(0, n - 5400)
    yield (
        "prometheus",
        f'up 1\nprometheus_rule_evaluation_failures_total{{rule_group="g"}} {min(failing, 900)}\n'
        f"prometheus_notifications_alertmanagers_discovered {int(not 30 <= minute < 50)}\n",
    )
    yield (
        "alertmanager",
        f'up 1\nalertmanager_notifications_total{{integration="slack"}} {n}\n'
        f'alertmanager_notifications_failed_total{{integration="slack"}} {failing}\n'
        f"alertmanager_config_last_reload_successful {int(not 60 <= minute < 80)}\n",
    )


History = dict[str, list[tuple[int, float]]]
"""By series: which scrapes showed it, from 0, and what."""


def _take(found: History, wanted: Collection[str], labels: str, at: int, page: str) -> None:
    for line in page.splitlines():
        series, _, value = line.rpartition(" ")
        name, brace, inside = series.partition("{")
        if name in wanted:
            more = "," + inside[:-1] if brace else ""
            found.setdefault(f"{name}{{{labels}{more}}}", []).append((at, float(value)))


async def history(wanted: Collection[str], *, lean: bool = False, compact: bool = False) -> History:
    """Return the series of these names; all of them show such a page."""
    clock = QuickClock(float(START) - 60)
    exporters = [Exporter(clock, instance, lean=lean, compact=compact) for instance in FLEET]
    tasks = [asyncio.create_task(one.scheduler.run()) for one in exporters]
    await settle()
    await clock.advance(60)
    found: History = {}
    for at in range(SCRAPES):
        for exporter in exporters:
            page: str | None = await exporter.scrape()
            first, end = DEAD.get(exporter.instance, (0.0, 0.0))
            if first <= exporter.minute < end:
                page = None
            if exporter.minute >= UNKNOWN:
                continue
            labels = f'job="{JOB}",instance="{exporter.instance}:9642"'
            _take(found, wanted, labels, at, (page or "") + exporter.others(page))
        for job, page in _neighbours(at * SCRAPE / 60):
            _take(found, wanted, f'job="{job}",instance="{job}"', at, page)
        await clock.advance(SCRAPE)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


def shifted(found: History, seconds: float) -> History:
    """Return *found* with its Unix times moved: promtool's tests begin in 1970."""
    time_of = re.compile(
        r"^(\w+_timestamp_seconds|probe_ssl_earliest_cert_expiry|process_start_\w+)\{"
    )
    return {
        series: [(at, value + seconds if value else 0.0) for at, value in rows]
        if time_of.match(series)
        else rows
        for series, rows in found.items()
    }
