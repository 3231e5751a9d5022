"""Error budgets of a service, from the probes that this exporter has counted. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.config import Target
from exporter.page.wording import span, took
from exporter.results import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One objective of a service, and how much of its error budget is spent."""

    name: str
    objective: float
    """The ratio of good probes that is wanted, 0 to 1."""
    counted: int
    """Probes counted so far."""
    bad: int
    """Those of *counted* that missed the objective."""
    allowed: float
    """Bad probes that the objective allows."""
    window: str
    """The length of the objective's window, for example `30 d`."""
    exceeds_window: bool
    """Whether *counted* is more than one window holds: *allowed* is then for all of *counted*."""

    @property
    def good_ratio(self) -> float:
        return 1 - self.bad / self.counted if self.counted else 1.0

    @property
    def spent_ratio(self) -> float:
        return self.bad / self.allowed if self.allowed else 0.0


def budgets(target: Target, tally: Tally) -> tuple[Budget, ...]:
    """Return the budgets of the objectives that *target* has."""
    objectives, result = target.objectives, []
    rows: list[tuple[str, float | None]] = [("Availability", objectives.availability)]
    if objectives.latency is not None:
        name = f"Faster than {took(objectives.latency.threshold)}"
        rows.append((name, objectives.latency.target))
    # A tally has a count for each of the two; that of latency is unused without an objective.
    for (name, objective), counted, bad in zip(rows, tally.events, tally.bad, strict=False):
        if objective is not None:
            expected = objectives.window / target.interval
            result.append(
                Budget(
                    name=name,
                    objective=objective,
                    counted=counted,
                    bad=bad,
                    allowed=(1 - objective) * max(expected, counted),
                    window=span(objectives.window),
                    exceeds_window=counted > expected,
                )
            )
    return tuple(result)
