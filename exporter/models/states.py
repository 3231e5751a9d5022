"""What was seen of each model: counted for the metrics, the last result kept for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.config import ModelTarget, Target
from exporter.model import FACTS, Outcome, Reason, Verdict
from exporter.streams import Reading

FIRST_TOKEN_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)


class Skip(StrEnum):
    """Why a check was not sent."""

    BUDGET_MODEL = "budget_model"
    BUDGET_ALL = "budget_all"
    NO_LEDGER = "no_ledger"
    """The store refuses: what cannot be counted must not be spent."""
    ASKED_TO_WAIT = "asked_to_wait"
    CANNOT_WORK = "cannot_work"
    """The service's own check shows that no model can answer: key, quota, or our network."""
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """One check of one model; `at` is the Unix time of its start, `spent` in units of money."""

    at: float
    outcome: Outcome
    reading: Reading
    verdict: Verdict
    spent: int
    cause: str = "interval"
    """Why it was made: interval, doubt or person."""

    @property
    def reason(self) -> Reason:
        return self.outcome.reason

    @property
    def success(self) -> bool:
        return self.outcome.success

    @property
    def first_token(self) -> float | None:
        """Seconds until the first visible token."""
        return self.reading.first_text if self.success else None


@dataclass(slots=True)
class ModelState:
    """The figures of one model."""

    target: Target
    model: ModelTarget
    reasons: Counter[Reason] = field(default_factory=Counter)
    skipped: Counter[Skip] = field(default_factory=Counter)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(FIRST_TOKEN_BUCKETS) + 1))
    first_token_sum: float = 0.0
    first_token_count: int = 0
    good: int = 0
    """Checks whose first token came in time, and of all that count for the objective."""
    counted: int = 0
    failures: int = 0
    """Failed checks in a row that are not our own fault."""
    failing_since: float = 0.0
    """The Unix time of the first of them; 0 without one."""
    last: ModelResult | None = None
    usual: list[float] = field(default_factory=list)
    """Of the last good checks: seconds until the first token, the newest last."""
    spent: int = 0
    remaining: float | None = None
    wait_until: float = 0.0
    """A Unix time: the provider wants no further check before it."""
    skip: Skip | None = None
    """Why the check that was due last was not sent; None if it was."""
    skipped_at: float = 0.0
    """The Unix time since which none is sent for that; 0 without one."""

    def skip_one(self, why: Skip, at: float) -> None:
        """Count that the check which was due at *at* is not sent."""
        self.skipped[why] += 1
        if self.skip is not why:
            self.skip, self.skipped_at = why, at

    def add(self, result: ModelResult) -> None:
        """Count *result*."""
        self.last, self.skip, self.skipped_at = result, None, 0.0
        self.reasons[result.reason] += 1
        verdict = result.verdict
        if result.success:
            self.failures, self.failing_since = 0, 0.0
        elif verdict in (Verdict.PROVIDER, Verdict.REQUEST):
            self.failures += 1
            self.failing_since = self.failing_since or result.at
        if verdict in (Verdict.OK, Verdict.PROVIDER):
            first, limit = result.first_token, self.model.first_token.threshold
            self.counted += 1
            self.good += first is not None and first <= limit
        if (first := result.first_token) is not None:
            place = sum(bound < first for bound in FIRST_TOKEN_BUCKETS)
            self.buckets[place] += 1
            self.first_token_sum += first
            self.first_token_count += 1
            self.usual = [*self.usual[-19:], first]
        if (wait := result.outcome.asked_wait) is not None:
            self.wait_until = result.at + result.outcome.duration + wait

    @property
    def usual_first_token(self) -> float | None:
        """The median of the last good checks, in seconds; None before there are three."""
        return sorted(self.usual)[len(self.usual) // 2] if len(self.usual) >= 3 else None

    @property
    def is_down(self) -> bool:
        """Whether so many checks failed in a row that the model counts as failing."""
        return self.failures >= self.model.failures


def verdict_is_ours(reason: Reason) -> bool:
    """Return whether no model of a service can answer while its own check ends with *reason*."""
    return FACTS[reason].verdict in (Verdict.CREDENTIAL, Verdict.QUOTA, Verdict.MONITORING) and (
        reason is not Reason.PERMISSION
    )
