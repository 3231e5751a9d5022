"""What was seen of each model: counted for the metrics, the last result kept for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.config import ModelTarget, Target
from exporter.model import FACTS, Outcome, Reason, Verdict
from exporter.streams import Reading

MOST_USUAL = 20
"""The newest good checks: from their first tokens follows what is usual."""
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

    @property
    def longest_gap(self) -> float | None:
        """Seconds of the longest pause of the text; of a stream that broke off, its last one too.

        That counts only where the provider is at fault: our own network can be silent as well.
        """
        found, last = self.reading.gap_max, self.reading.last_text
        if last is None or self.reading.is_complete or self.verdict is not Verdict.PROVIDER:
            return found
        return max(found or 0.0, self.outcome.duration - last)


@dataclass(slots=True)
class ModelState:
    """The figures of one model."""

    target: Target
    model: ModelTarget
    reasons: Counter[Reason] = field(default_factory=Counter)
    skipped: Counter[Skip] = field(default_factory=Counter)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(FIRST_TOKEN_BUCKETS) + 1))
    first_token_sum: float = 0.0
    good: int = 0
    """Checks whose first token came in time, and of all that count for the objective."""
    counted: int = 0
    failures: int = 0
    """Failed checks in a row that are not our own fault."""
    failing_since: float | None = None
    """When the first failed check since the last success began, as a Unix time."""
    slow: int = 0
    """Successful checks in a row whose first token came too late; a failed one changes nothing."""
    withheld: Skip | None = None
    """Why the check that was last due was not sent; None if it was."""
    withheld_since: float = 0.0
    """The Unix time since which none is sent for that; 0 without one."""
    last: ModelResult | None = None
    usual: list[float] = field(default_factory=list)
    """Of the last good checks: seconds until the first token, the newest last."""
    spent: int = 0
    left: Callable[[], float | None] | None = None
    """What is left now of the tightest budget; None until what was spent has been read."""
    wait_until: float = 0.0
    """A Unix time: the provider wants no further check before it."""

    def skip(self, why: Skip, at: float) -> None:
        """Count that the check which was due at *at*, a Unix time, is not sent."""
        self.skipped[why] += 1
        if self.withheld is not why:
            self.withheld, self.withheld_since = why, at

    def add(self, result: ModelResult) -> None:
        """Count *result*."""
        self.last, self.withheld, self.withheld_since = result, None, 0.0
        self.reasons[result.reason] += 1
        verdict, first = result.verdict, result.first_token
        in_time = first is not None and first <= self.model.first_token.threshold
        if result.success:
            self.failures, self.failing_since = 0, None
            self.slow = 0 if in_time else self.slow + 1
        else:
            self.failures += verdict in (Verdict.PROVIDER, Verdict.REQUEST)
            self.failing_since = result.at if self.failing_since is None else self.failing_since
        if verdict in (Verdict.OK, Verdict.PROVIDER):
            self.counted += 1
            self.good += in_time
        if first is not None:
            place = sum(bound < first for bound in FIRST_TOKEN_BUCKETS)
            self.buckets[place] += 1
            self.first_token_sum += first
            self.usual = [*self.usual[1 - MOST_USUAL :], first]
        if (wait := result.outcome.asked_wait) is not None:
            self.wait_until = result.at + result.outcome.duration + wait

    @property
    def remaining(self) -> float | None:
        """The share of its tightest budget that is left now; None without any, or not yet read."""
        return None if self.left is None else self.left()

    def spent_last(self, at: float) -> int:
        """Return what the last check cost, 0 if it was on another day of UTC than *at*."""
        last = self.last
        return last.spent if last is not None and last.at // 86_400 == at // 86_400 else 0

    @property
    def in_time(self) -> bool:
        """Whether the last check succeeded, with its first token and every pause in time."""
        last = self.last
        if last is None or not last.success or self.slow:
            return False
        return (last.longest_gap or 0.0) <= self.model.token_gap

    @property
    def stale_after(self) -> float:
        """Seconds after which the last check says nothing about now: three intervals, and its own.

        The slowest model is asked once a day: what is seen of it lasts for three.
        """
        return 3 * self.model.interval + self.model.endpoint.timeout

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
