"""What was seen, per service: totals, the last result, recent results.

Pure: no time, no I/O. Written by `recording` as results come in, read by metrics, page and API.
"""

from __future__ import annotations

import contextlib
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from exporter.config import Target
from exporter.model import (
    FACTS,
    REJECTED,
    REJECTED_INTERVAL_SECONDS,
    Certificate,
    Limit,
    Outcome,
    Reason,
    Result,
    Verdict,
    is_offline,
)
from exporter.registry import RegistryChange
from exporter.results.dumps import MOST, are_seconds, counts, dumped, is_whole, restored
from exporter.results.exemplars import Exemplars, is_slow, noted
from exporter.results.radar import Radar, after_probe
from exporter.results.recent import INDEX, REASONS, Recent
from exporter.results.runway import Runways
from exporter.secret import Secret

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
_SUCCESSES = tuple(reason for reason in REASONS if FACTS[reason].verdict is Verdict.OK)
_SLI = frozenset({Verdict.OK, Verdict.PROVIDER})
_RATE_LIMITED = Reason.RATE_LIMITED  # to look into an enumeration takes its metaclass
SLOS = ("availability", "latency")
_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Tally:
    """Running totals of one service: 2 KiB; there may be 10,000."""

    __slots__ = (
        "attempts",
        "bad",
        "buckets",
        "certificate",
        "changes",
        "events",
        "exemplars",
        "failing_since",
        "held",
        "in_a_row",
        "key",
        "key_expiry",
        "last",
        "last_success",
        "latency_sum",
        "limits",
        "next_key_valid",
        "observed",
        "quotas",
        "radar",
        "readings",
        "reasons",
        "recent",
        "runways",
        "since",
        "stale",
        "watched",
        "watched_since",
        "watched_wait",
    )

    def __init__(self) -> None:
        self.reasons = array("I", [0]) * len(REASONS)
        self.buckets = array("I", [0]) * (len(BUCKETS) + 1)
        self.events = [0, 0]
        self.bad = [0, 0]
        self.latency_sum = 0.0
        self.attempts = self.changes = 0
        self.in_a_row = 0
        """Judged failures since the last success, and what was held before the last of them."""
        self.held = 0
        """Failures since then that our own network hid: they count once the provider fails."""
        self.last: Result | None = None
        self.observed: Result | None = None
        """The last result that our own network did not hide: the same as `last` while it works."""
        self.last_success = 0.0
        self.failing_since = 0.0
        """When the first failed probe since the last success began; 0 while it succeeds."""
        self.since = 0.0
        """Since when the verdict is the present one; 0 if unknown."""
        self.stale = False
        self.certificate: Certificate | None = None
        self.key: Secret | None = None
        """The key of the last probe."""
        self.key_expiry: float | None = None
        self.limits: Mapping[str, Limit] = _NOTHING
        self.next_key_valid: bool | None = None
        """What the provider thinks of the key that will replace this one."""
        self.quotas: Mapping[tuple[str, str], float] = _NOTHING
        self.readings: Mapping[tuple[str, str], float] = _NOTHING
        self.runways: Runways | None = None
        """When limits and quotas end; most services tell none."""
        self.radar: Radar | None = None
        self.recent = Recent()
        self.exemplars: Exemplars | None = None
        """Request ids of failures and slow answers of the last minutes; most services have none."""
        self.watched_since: float | None = None
        """The tick since which the next result is waited for."""
        self.watched: Result | None = None
        """The last result then."""
        self.watched_wait = 0.0
        """The seconds for which the provider wanted no probe then."""

    def add(self, result: Result, target: Target, *, counted: bool = True) -> None:
        """Take in *result*; *counted* is false during maintenance: then no SLI event."""
        outcome, success, verdict = result.outcome, result.success, result.verdict
        if target.key is not self.key:
            if self.last is not None and target.key != self.key:
                self.forget_key()
            self.key = target.key
        self.stale = False
        self.attempts += result.attempts
        self.reasons[INDEX[outcome.reason]] += 1
        self._judge(result, success)
        if self.last is None or self.last.verdict is not verdict:
            self.since = result.at
        self.last = result
        if not is_offline(outcome.reason, verdict):
            self.observed = result
        self.recent.append(result)
        if success:
            self.failing_since = 0.0
            self.last_success = result.at
            if outcome.measured:
                self.buckets[bisect_left(BUCKETS, outcome.duration)] += 1
                self.latency_sum += outcome.duration
        else:
            self.failing_since = self.failing_since or result.at
        if self.exemplars or not success or is_slow(result, target):
            self.exemplars = noted(self.exemplars, result, target, BUCKETS)
        self._remember(result)
        if outcome.retirement is not None or self.radar is not None:
            self.radar = after_probe(self.radar, result, target)
        if counted and verdict in _SLI:
            self._count(outcome, target, success)

    def _judge(self, result: Result, success: bool) -> None:
        """Count failures in a row and changes: only of what the provider can be judged by."""
        if result.outcome.reason is _RATE_LIMITED:
            return  # it works, and we ask too often: neither an outage nor the end of one
        if result.outcome.shortage is not None:
            return  # nothing was seen of the provider, so it is not even held against it later
        if success:
            self.changes += self.in_a_row > 0
            self.in_a_row = self.held = 0
        elif is_offline(result.reason, result.verdict):
            self.held += 1
        else:
            self.changes += self.in_a_row == 0 and self.last_success > 0
            self.in_a_row += self.held + 1
            self.held = 0

    def _remember(self, result: Result) -> None:
        """Keep what an answer brought (certificate, limits, quotas) until another one brings it."""
        outcome = result.outcome
        if outcome.certificate is not None:
            self.certificate = outcome.certificate
        if outcome.key_expiry is not None:
            self.key_expiry = outcome.key_expiry
        self.take_limits(outcome.limits, result.at)
        self.take_quotas(outcome.quotas, result.at)
        if outcome.readings:
            self.readings = {**self.readings, **outcome.readings}

    def take_limits(self, limits: Mapping[str, Limit], at: float) -> None:
        """Keep what an answer said of rate limits at the Unix time *at*, and when they end."""
        if limits:
            self.limits = {**self.limits, **limits}
            self.runways = self.runways or Runways()
            self.runways.take_limits(limits, at)

    def take_quotas(self, quotas: Mapping[tuple[str, str], float], at: float) -> None:
        """Keep what an answer said of quotas at the Unix time *at*, and when they end."""
        if quotas:
            self.quotas = {**self.quotas, **quotas}
            self.runways = self.runways or Runways()
            self.runways.take_quotas(quotas, at)

    def _count(self, outcome: Outcome, target: Target, success: bool) -> None:
        self.events[0] += 1
        self.bad[0] += not success
        latency = target.objectives.latency
        if latency is not None and success and outcome.measured:
            self.events[1] += 1
            self.bad[1] += outcome.duration > latency.threshold

    @property
    def failures(self) -> int:
        """How many probes did not succeed, whoever is to blame."""
        return sum(self.reasons) - sum(self.reasons[INDEX[reason]] for reason in _SUCCESSES)

    def pace(self, target: Target) -> float:
        """Return the seconds between probes; fewer are made with a rejected key."""
        if self.last is not None and self.last.reason in REJECTED:
            return max(target.interval, REJECTED_INTERVAL_SECONDS)
        return target.interval

    @property
    def retry_at(self) -> float | None:
        """The Unix time before which the provider wants no further probe; None without one."""
        return None if self.last is None else self.last.retry_at

    def wait_left(self, now: float) -> float:
        """Return for how many seconds from the Unix time *now* the provider wants no probe.

        However wrong *now* is, it is no longer than what was asked for.
        """
        if self.last is None or self.last.retry_at is None:
            return 0.0
        return min(max(0.0, self.last.retry_at - now), self.last.retry_at - self.last.at)

    def silence(self, target: Target) -> float:
        """Return for how many seconds after a probe there may be none, by what is asked of us."""
        last = self.last
        wait = last.retry_at - last.at if last is not None and last.retry_at is not None else 0.0
        return 3 * self.pace(target) + max(0.0, wait)

    def forget_key(self) -> None:
        """Drop what is known about the key: another one is in use."""
        self.key_expiry = self.next_key_valid = None
        self.limits = self.quotas = self.readings = _NOTHING
        self.runways = None

    def dump(self) -> dict[str, Any]:
        """Return as JSON what has to continue after a restart; nothing of the key."""
        bounds = (*map(str, BUCKETS), "+Inf")
        return {
            "reasons": {r.value: n for r, n in zip(REASONS, self.reasons, strict=True) if n},
            "buckets": {b: n for b, n in zip(bounds, self.buckets, strict=True) if n},
            "events": list(self.events),
            "bad": list(self.bad),
            "latency_sum": self.latency_sum,
            "attempts": self.attempts,
            "changes": self.changes,
            "in_a_row": self.in_a_row,
            "held": self.held,
            "last_success": self.last_success,
            "since": self.since,
            "failing_since": self.failing_since,
            "last": None if self.last is None else dumped(self.last),
            **({} if self.radar is None else {"radar": self.radar.dump()}),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from *state*, a `dump`; what is unknown or damaged in it is passed over."""
        for name, number in counts(state.get("reasons")):
            if name in INDEX:
                self.reasons[INDEX[Reason(name)]] = number
        for name, number in counts(state.get("buckets")):
            with contextlib.suppress(ValueError):
                bucket = bisect_left(BUCKETS, float(name))
                self.buckets[bucket] = min(MOST, self.buckets[bucket] + number)
        for name in ("events", "bad"):
            match state.get(name):
                case [available, fast] if is_whole(available) and is_whole(fast):
                    setattr(self, name, [available, fast])
        for name in ("attempts", "changes", "in_a_row", "held"):
            if is_whole(state.get(name)):
                setattr(self, name, state[name])
        for name in ("latency_sum", "last_success", "since", "failing_since"):
            if are_seconds(state.get(name)):
                setattr(self, name, float(state[name]))
        self.radar = Radar.restored(state.get("radar"))
        if (last := restored(state.get("last"))) is not None:
            self.last = last
            self.observed = None if is_offline(last.reason, last.verdict) else last


class Results:
    """The tallies of all registered services."""

    def __init__(self) -> None:
        self.by_service: dict[str, Tally] = {}

    def of(self, service: str) -> Tally:
        """Return the tally of *service*, a new one if it has none."""
        tally = self.by_service.get(service)
        if tally is None:
            tally = self.by_service[service] = Tally()
        return tally

    def last(self, service: str) -> Result | None:
        """Return the newest result of *service*; None before the first."""
        tally = self.by_service.get(service)
        return None if tally is None else tally.last

    def follow(self, change: RegistryChange) -> None:
        """Forget what is removed."""
        for target in change.removed:
            self.forget(target.id)

    def forget(self, service: str) -> None:
        self.by_service.pop(service, None)

    def forget_paces(self) -> list[str]:
        """Measure anew how fast limits and quotas fall: the wall clock made a step.

        Return the services that lost exemplars by it: their times may be yet to come.
        """
        lost = []
        for service, tally in self.by_service.items():
            if tally.runways is not None:
                tally.runways.begin_anew()
            if tally.exemplars:
                tally.exemplars = None
                lost.append(service)
        return lost

    def wait_left(self, target: Target, now: float) -> float:
        """Return for how many seconds from the Unix time *now* a provider wants no probe.

        With another key it may be probed at once.
        """
        tally = self.by_service.get(target.id)
        if tally is None or (tally.key is not None and tally.key != target.key):
            return 0.0
        return tally.wait_left(now)

    def grown_stale(self, target: Target, tick: float, now: float) -> bool:
        """Return whether *target* has had no result for three intervals, and had before; mark it.

        Counted by the monotonic *tick*; the Unix time *now* says how much is left of a wait.
        """
        tally = self.of(target.id)
        if target.endpoint is None or not target.enabled:
            tally.watched_since, tally.stale = None, False
            return False
        if tally.watched_since is None or tally.watched is not tally.last:
            tally.watched_since, tally.watched = tick, tally.last
            tally.watched_wait = tally.wait_left(now)
        expected = tally.watched_since + tally.watched_wait
        if tally.stale or tick - expected <= 3 * tally.pace(target):
            return False
        tally.stale = True
        return True
