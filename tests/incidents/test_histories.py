"""Whatever messages go through, the log ends in the true state: random histories beside a model.

Alertmanager's deliveries are dropped, repeated, late and out of order; it restarts and forgets;
Prometheus goes away, so that outages end that do not; silences swallow what would be said.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from exporter.incidents import Counts, EntryKind, IncidentChange
from exporter.incidents.model import Times
from exporter.incidents.states import GRACE
from tests.fakes import FakeClock
from tests.incidents.saying import NOW, Json, Listener, alert, listed

pytestmark = pytest.mark.usefixtures("storage_here")
HORIZON, POLL, SETTLE, REPEAT = 12_000.0, 30.0, 300.0, 300.0
LADDER = (
    (0.0, {"severity": "high"}),
    (60.0, {"severity": "critical"}),
    (900.0, {"severity": "critical", "alertname": "ServiceUnresolved", "escalation": "1"}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What happens to deliveries, and what else."""

    drop: float = 0.0
    repeat: float = 0.5
    delay: float = 0.0
    polls: bool = True
    silences: bool = False
    false_ends: bool = False
    restarts: bool = False

    @property
    def error(self) -> float:
        """How far from the truth an end may be."""
        if not (self.polls and (self.drop or self.delay or self.silences)):
            return 0.0
        return self.delay + POLL + (SETTLE + 90.0 if self.restarts else 0.0)


Span = tuple[float, float]
"""Of an alert that Alertmanager has: start and end."""


@dataclass(slots=True)
class Truth:
    """What really happened to one service."""

    outages: list[Span] = field(default_factory=list)
    silenced: list[Span] = field(default_factory=list)
    held: list[tuple[Json, Span, float]] = field(default_factory=list)
    """Labels, when Alertmanager holds the alert, and the start that it tells."""

    def expected(self) -> list[tuple[float, float | None]]:
        merged: list[Span] = []
        for start, end in self.outages:
            if merged and start - merged[-1][1] <= GRACE:
                merged[-1] = (merged[-1][0], end)
            else:
                merged.append((start, end))
        return [(s, e if e < HORIZON else None) for s, e in merged]


def truths(rnd: random.Random, trial: Trial) -> dict[str, Truth]:
    found = {}
    for name in ("a", "b", "c"):
        truth = found[name] = Truth()
        at = rnd.uniform(0, 1500)
        while at < HORIZON - 1500:
            end = at + rnd.uniform(90, 2500)
            if end > HORIZON - 900:
                end = rnd.choice((HORIZON - 900, HORIZON * 2))
            truth.outages.append((at, end))
            if trial.silences and rnd.random() < 0.5:
                begin = rnd.uniform(at - 100, end)
                truth.silenced.append((begin, begin + rnd.uniform(100, 3000)))
            _hold(rnd, trial, truth, (at, end), name)
            at = end + rnd.choice((rnd.uniform(120, 400), rnd.uniform(1200, 3000)))
    return found


def _hold(rnd: random.Random, trial: Trial, truth: Truth, outage: Span, name: str) -> None:
    """Say when Alertmanager holds the alerts of an outage: not while Prometheus is away."""
    start, end = outage
    away = (0.0, 0.0)
    if trial.false_ends and end - start > 1000 and rnd.random() < 0.5:
        begin = rnd.uniform(start + 400, min(end, HORIZON - 900) - 500)
        away = (begin, begin + rnd.uniform(50, 400))
    same = rnd.random() < 0.5  # a replica fires again with the start that it knows
    for later, step in LADDER:
        began, about = start + later, {**step, "service": name}
        if began >= end - 20:
            continue
        if began < away[0] < away[1]:
            truth.held.append((about, (began, away[0]), began))
            truth.held.append((about, (away[1], end), began if same else away[1]))
        else:
            truth.held.append((about, (max(began, away[1]), end), max(began, away[1])))


def within(at: float, spans: Sequence[Span]) -> bool:
    return any(begin <= at < end for begin, end in spans)


def messages(truth: Truth, down: Sequence[Span]) -> Iterator[tuple[float, Json]]:
    """Yield what Alertmanager would send, and when."""
    for about, (begin, end), start in truth.held:
        at = begin
        while at < min(end, HORIZON):
            if not within(at, truth.silenced) and not within(at, down):
                yield at, alert(NOW + start, **about)
            at += REPEAT
        if end < HORIZON and not within(end, truth.silenced) and not within(end, down):
            yield end, alert(NOW + start, NOW + end, **about)


def held(truth: Truth, at: float, down: Sequence[Span]) -> list[Json]:
    """Return what Alertmanager lists."""
    by = "silenced" if within(at, truth.silenced) else ""
    return [
        listed(NOW + start, by=by, **about)
        for about, (begin, end), start in truth.held
        if begin <= at < end and not within(at, down)
    ]


def stream(
    rnd: random.Random, trial: Trial, found: dict[str, Truth], down: Sequence[Span]
) -> list[tuple[float, list[Json], bool]]:
    """Return everything that reaches the log, by time: alerts of a message or of a poll."""
    all_: list[tuple[float, list[Json], bool]] = []
    for truth in found.values():
        for at, message in messages(truth, down):
            for _ in range(1 + (rnd.random() < trial.repeat) + (rnd.random() < trial.repeat)):
                if rnd.random() >= trial.drop:
                    all_.append((at + rnd.uniform(0, trial.delay), [message], False))
    at = 7.0
    while trial.polls and at < HORIZON + 4 * POLL:
        lists = [one for truth in found.values() for one in held(truth, at, down)]
        all_.append((at, lists, True))
        at += POLL
    return sorted(all_, key=lambda one: one[0])


class Watch:
    """Checks what must hold at every moment."""

    def __init__(self, log: Listener) -> None:
        self.entries: dict[str, list[EntryKind]] = {}
        self.levels: dict[str, list[str]] = {}
        self.log = log
        log.log.subscribe(self.changed)

    def changed(self, changes: Sequence[IncidentChange]) -> None:
        for change in changes:
            for entry in change.entries:
                self.entries.setdefault(change.incident.id, []).append(entry.kind)
                if entry.kind is EntryKind.ESCALATED:
                    self.levels.setdefault(change.incident.id, []).append(entry.note)

    async def now(self) -> None:
        keys = [one.key for one in await self.log.log.unresolved()]
        assert len(keys) == len(set(keys))

    def finish(self) -> None:
        for before, after in pairwise(self.log.shown):
            never_less(before, after)
        for id_, kinds in self.entries.items():
            assert kinds.count(EntryKind.OPENED) == 1
            assert kinds[0] is EntryKind.OPENED
            assert kinds.count(EntryKind.RAISED) <= 1
            ends = [k for k in kinds if k in (EntryKind.RESOLVED, EntryKind.REOPENED)]
            assert ends[0::2] == [EntryKind.RESOLVED] * len(ends[0::2])
            assert ends[1::2] == [EntryKind.REOPENED] * len(ends[1::2])
            suppressed = False
            for kind in kinds:
                if kind in (EntryKind.SUPPRESSED, EntryKind.UNSUPPRESSED):
                    assert suppressed is (kind is EntryKind.UNSUPPRESSED)
                suppressed = (suppressed or kind is EntryKind.SUPPRESSED) and kind not in (
                    EntryKind.UNSUPPRESSED,
                    EntryKind.RESOLVED,
                )
            assert self.levels.get(id_, []) in ([], ["level 1"])


def never_less(before: Counts, after: Counts) -> None:
    for what in ("total", "resolve", "acknowledge"):
        former, now = getattr(before, what), getattr(after, what)
        assert former.keys() <= now.keys()
        for row, value in former.items():
            if isinstance(value, Times):
                assert value.least(now[row]) == now[row]
                assert list(value.buckets) == sorted(value.buckets)
                assert value.buckets[-1] <= value.count
            else:
                assert value <= now[row]


CLEAN = Trial()
TRIALS = {
    "clean, no polls": (Trial(polls=False, repeat=0.0), 5),
    "repeated and late, no polls": (Trial(polls=False, delay=60.0), 8),
    "clean": (CLEAN, 4),
    "late": (Trial(delay=60.0), 4),
    "lossy": (Trial(drop=0.2, delay=60.0), 5),
    "very lossy": (Trial(drop=0.5, delay=120.0), 5),
    "polls alone": (Trial(drop=1.0, delay=0.0), 4),
    "silences": (Trial(silences=True), 4),
    "false ends": (Trial(false_ends=True), 4),
    "restarts": (Trial(drop=0.2, delay=30.0, restarts=True), 4),
    "everything": (
        Trial(drop=0.3, delay=60.0, silences=True, false_ends=True, restarts=True),
        10,
    ),
}


@pytest.mark.parametrize("name", TRIALS)
async def test_the_log_ends_in_the_true_state(name: str) -> None:
    trial, number = TRIALS[name]
    for seed in range(number):
        await play(random.Random(f"{name} {seed}"), trial)


async def play(rnd: random.Random, trial: Trial) -> None:
    found = truths(rnd, trial)
    restarts = [rnd.uniform(500, HORIZON - 1500) for _ in range(2)] if trial.restarts else []
    down = [(at, at + 60.0) for at in restarts]  # alerts are in memory only
    log = Listener(clock=FakeClock(NOW))
    watch = Watch(log)

    for at, alerts, poll in stream(rnd, trial, found, down):
        log.clock._to(log.clock.tick() + max(0.0, NOW + at - log.clock.now()))
        if poll:
            complete = not any(0 <= at - restart < SETTLE for restart in restarts)
            await log.polls(*alerts, complete=complete)
            await watch.now()
        else:
            await log.hears(*alerts)
            if rnd.random() < 0.1:
                assert await log.hears(*alerts) == 0
        if rnd.random() < 0.01:
            for one in await log.log.unresolved():
                await log.log.acknowledge(one.id, "someone")

    watch.finish()
    for service, truth in found.items():
        incidents = [one for one in await log.all() if one.service == service]
        got = [(i.started_at - NOW, i.resolved_at) for i in incidents]
        expected = truth.expected()
        assert len(got) == len(expected), (service, got, expected)
        for (start, end), (true_start, true_end), one in zip(got, expected, incidents, strict=True):
            assert start == pytest.approx(true_start, abs=1e-3 if trial.polls else 0.01)
            assert (end is None) == (true_end is None), (service, got, expected)
            if end is not None and true_end is not None:
                assert abs(end - NOW - true_end) <= trial.error + 1e-3
            worst = "critical" if _reached_critical(truth, true_start, true_end) else "high"
            assert one.severity == worst


def _reached_critical(truth: Truth, start: float, end: float | None) -> bool:
    return any(
        about["severity"] == "critical" and start <= begin and (end is None or begin < end)
        for about, (begin, _), _ in truth.held
    )
