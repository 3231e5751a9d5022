"""What an alert is judged by: a service, a provider, our network, the exporter itself, as of now.

`Memory` is what has to be known of a service from one evaluation to the next. Ages are counted by
the monotonic clock from when a result was first seen here, so a clock that jumps makes none older.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.alerting.windows import Count, Histogram
from exporter.config import Target, Threshold, ThresholdKind
from exporter.model import FACTS, WHOSE, Reason, Result, Verdict, advice_of, fault_of
from exporter.results import (
    BUCKETS,
    REASONS,
    Tally,
    current_result,
    current_verdict,
    ends,
    gone,
)
from exporter.statuspages import State

NEW_SECONDS = 900.0
"""A service that was never probed is not probed from then on."""
CHANGES_SECONDS, LIMITED_SECONDS, LATENCY_SECONDS = 1800.0, 900.0, 600.0
"""Over which changes, rate limits and latencies are counted."""
_LIMITED, _EXHAUSTED = REASONS.index(Reason.RATE_LIMITED), REASONS.index(Reason.QUOTA_EXHAUSTED)
_QUOTA_SECONDS, _RECENT_SECONDS = 7200.0, 600.0
_LATENCY_RANK = 0.95
_LONG_AGO = float("-inf")


@dataclass(frozen=True, slots=True)
class Rows:
    """The thresholds of a service by kind; of two of the kinds what is asked most."""

    by_kind: Mapping[ThresholdKind, tuple[Threshold, ...]]
    down_after: float
    stale_after: float
    certificate: float

    def of(self, kind: ThresholdKind) -> tuple[Threshold, ...]:
        """Return the rows of *kind*."""
        return self.by_kind.get(kind, ())


@functools.lru_cache(maxsize=1024)
def rows_of(thresholds: tuple[Threshold, ...]) -> Rows:
    """Return *thresholds* in order; those of 10,000 services are a few."""
    by_kind: dict[ThresholdKind, tuple[Threshold, ...]] = {}
    for row in thresholds:
        by_kind[row.kind] = (*by_kind.get(row.kind, ()), row)

    def values(kind: ThresholdKind) -> list[float]:
        return [row.value for row in by_kind.get(kind, ())]

    return Rows(
        by_kind,
        min(values(ThresholdKind.CONSECUTIVE_FAILURES), default=float("inf")),
        max(values(ThresholdKind.PROBE_STALE), default=0.0),
        max(values(ThresholdKind.CERTIFICATE_REMAINING), default=0.0),
    )


class Memory:
    """What is known of one service from before; 350 bytes while nothing happens."""

    __slots__ = (
        "changes",
        "enabled_at",
        "exhausted",
        "exhausted_at",
        "failing_at",
        "last",
        "latency",
        "limited",
        "limited_at",
        "ran_at",
        "rows",
        "since",
        "target",
        "valid_at",
        "valid_since",
    )

    def __init__(self, target: Target, tally: Tally, tick: float) -> None:
        self.target, self.rows = target, rows_of(target.thresholds)
        self.last: Result | None = None
        self.ran_at = tick
        """The tick at which the last probe began."""
        self.enabled_at = tick
        """The tick since which it is enabled, as far as is known here."""
        self.changes = Count(CHANGES_SECONDS, tally.changes)
        self.limited = Count(LIMITED_SECONDS, tally.reasons[_LIMITED])
        self.exhausted = tally.reasons[_EXHAUSTED]
        self.limited_at = self.exhausted_at = _LONG_AGO
        """The ticks at which their counts last rose."""
        if tally.last is not None and tally.last.reason is Reason.QUOTA_EXHAUSTED:
            self.exhausted_at = tick
        self.latency: Histogram | None = None
        self.valid_since, self.valid_at = 0.0, tick
        """When the key last worked, or was first used, as a Unix time and as a tick."""
        self.since: float | None = None
        """The tick at which somebody could first be told that it is down."""
        self.failing_at = _LONG_AGO
        """The tick at which it last failed."""

    def take(self, target: Target, tally: Tally, now: float, tick: float) -> None:
        """Note what *tally* says at the Unix time *now*, the tick *tick*."""
        if target is not self.target:
            self.rows = rows_of(target.thresholds)
            if target.enabled and not self.target.enabled:
                self.enabled_at = tick
            self.target = target
        if tally.last is not self.last:
            self.last = tally.last
            self.ran_at = tick if tally.last is None else tick - max(0.0, now - tally.last.at)
            valid_since = tally.last_success or tally.failing_since
            if valid_since != self.valid_since:
                self.valid_since = valid_since
                self.valid_at = tick - max(0.0, now - valid_since)
        if tally.changes != self.changes.value:
            self.changes.take(tally.changes, tick)
        limited, exhausted = tally.reasons[_LIMITED], tally.reasons[_EXHAUSTED]
        if limited != self.limited.value:
            self.limited.take(limited, tick)
            self.limited_at = tick
        if exhausted != self.exhausted:
            self.exhausted, self.exhausted_at = exhausted, tick
        if self.rows.of(ThresholdKind.LATENCY_P95):
            if self.latency is None:
                self.latency = Histogram(LATENCY_SECONDS, tally.buckets)
            self.latency.take(tally.buckets, tick)
        else:
            self.latency = None


@dataclass(slots=True)
class ServiceFacts:
    """One service at one evaluation. Times are Unix times, durations seconds."""

    target: Target
    tally: Tally
    memory: Memory
    now: float
    tick: float
    maintenance: bool
    acknowledged: bool = False
    unresolved: float | None = None
    """For how long somebody could have been told that it is down; None while it is not."""

    @property
    def labels(self) -> dict[str, str]:
        """What tells its alerts from those of others."""
        target = self.target
        return {
            "environment": target.environment,
            "service": target.id,
            "provider": target.provider,
            "team": target.team,
        }

    @property
    def age(self) -> float | None:
        """Seconds since the last probe began; None if there was none."""
        return None if self.tally.last is None else self.tick - self.memory.ran_at

    @property
    def stale_after(self) -> float:
        """Seconds without a probe after which nothing is known any more."""
        silence = self.tally.silence(self.target)
        least = silence if silence > 3 * self.target.interval else 0.0
        return max(self.memory.rows.stale_after, least)

    @property
    def watched(self) -> bool:
        """Whether it is enabled and probed in time."""
        age = self.age
        return self.target.enabled and age is not None and age <= self.stale_after

    @property
    def failures(self) -> int | None:
        """Failed probes in a row; None while it is not watched."""
        return self.tally.in_a_row if self.watched else None

    @property
    def down(self) -> bool:
        """Whether it counts as down."""
        failures = self.failures
        return failures is not None and failures >= self.memory.rows.down_after

    @property
    def current(self) -> Result | None:
        """The last result if it counts as now."""
        return current_result(self.target, self.tally)

    @property
    def verdict(self) -> Verdict | None:
        """Whose fault it is now."""
        return current_verdict(self.target, self.tally)

    @property
    def p95(self) -> float | None:
        """The 95th percentile of the latency over ten minutes."""
        latency = self.memory.latency
        return None if latency is None else latency.quantile(_LATENCY_RANK, BUCKETS)

    @property
    def failing(self) -> tuple[float, str, str, str] | None:
        """Since when it fails, what is wrong, whose fault that is, and what to do."""
        current = self.current
        if current is None or current.success or not self.tally.failing_since:
            return None
        reason, verdict = current.reason, current.verdict
        return (
            self.tally.failing_since,
            fault_of(reason, verdict),
            WHOSE[verdict],
            advice_of(reason, verdict),
        )

    @property
    def key_refused(self) -> bool:
        """Whether the provider does not accept the key."""
        current = self.current
        if current is None or not current.outcome.keyed:
            return False
        return FACTS[current.reason].key_valid is False

    @property
    def quota_used_up(self) -> bool:
        """Whether the last probe ended for want of quota, and not of patience."""
        memory = self.memory
        if self.verdict is not Verdict.QUOTA:
            return False
        if not memory.exhausted or self.tick - memory.exhausted_at >= _QUOTA_SECONDS:
            return False
        recently = self.tick - _RECENT_SECONDS
        return memory.exhausted_at > recently or memory.limited_at <= recently

    @property
    def tightest(self) -> tuple[float, str] | None:
        """The least share that is left of a rate limit, and which."""
        shares = [
            (limit.remaining / limit.limit, resource)
            for resource, limit in self.tally.limits.items()
            if limit.limit and limit.limit > 0 and limit.remaining is not None
        ]
        return min(shares, default=None)

    @property
    def first_ends(self) -> tuple[float, tuple[str, ...]] | None:
        """When the first of what it uses is switched off, and all that is switched off then."""
        found = ends(self.tally.radar, self.target.uses)
        first = min((at for _, at in found), default=None)
        if first is None:
            return None
        return first, tuple(sorted(resource for resource, at in found if at == first))

    @property
    def last_gone(self) -> list[tuple[float, str, str]]:
        """When the last models left, which, and by what that is known; the newest first."""
        found = [(-at, model, by) for (model, by), at in gone(self.tally.radar)]
        return [(-at, model, by) for at, model, by in sorted(found)[:5]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """The services of one provider in one environment, and what its status page says."""

    environment: str
    provider: str
    judged: int = 0
    """Services that are watched and not in maintenance."""
    down: int = 0
    """Those of them that are down by the provider's fault."""
    pages: tuple[State, ...] = ()
    green: bool = False
    """Whether its page could be read, says that all is well, and lists no open incident."""

    @property
    def labels(self) -> dict[str, str]:
        return {"environment": self.environment, "provider": self.provider}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """Our own network: of the whole installation, or as suspected of one environment."""

    environment: str = ""
    down: bool

    @property
    def labels(self) -> dict[str, str]:
        return {"environment": self.environment}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFacts:
    """The exporter itself; of shortages one at a time."""

    job: str
    instance: str
    what: str = ""
    spoiled: int = 0
    """Attempts of probes that this shortage spoiled in ten minutes."""
    refused: bool = False
    """Whether every look in five minutes found an older configuration in force than wanted."""
    unsaved: bool = False
    """Whether a look in two minutes found that results could not be saved."""
    damaged: int | None = None
    """Rows of the database that could not be read; 0 if its file is not whole, None if it is."""
    stalls: int = 0
    """Times in ten minutes that the event loop stood still."""
    lag: float | None = None
    """How late one in a hundred probes starts, over ten minutes."""

    @property
    def labels(self) -> dict[str, str]:
        return {"job": self.job, "instance": self.instance, "what": self.what}
