"""What is left of an error budget, as far as the probes counted here tell. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.config import Target
from exporter.page.wording import span, took
from exporter.results import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One objective of a service."""

    name: str
    objective: float
    counted: int
    bad: int
    allowed: float
    window: str
    whole: bool
    """Whether more is counted than one window holds: then the share is over all of it."""

    @property
    def met(self) -> float:
        return 1 - self.bad / self.counted if self.counted else 1.0

    @property
    def spent(self) -> float:
        return self.bad / self.allowed if self.allowed else 0.0


def budgets(target: Target, tally: Tally) -> tuple[Budget, ...]:
    """Return the budgets of the objectives that *target* has."""
    objectives, found = target.objectives, []
    rows: list[tuple[str, float | None]] = [("Availability", objectives.availability)]
    if objectives.latency is not None:
        named = f"Faster than {took(objectives.latency.threshold)}"
        rows.append((named, objectives.latency.target))
    for (name, objective), counted, bad in zip(rows, tally.events, tally.bad, strict=False):
        if objective is not None:
            expected = objectives.window / target.interval
            found.append(
                Budget(
                    name=name,
                    objective=objective,
                    counted=counted,
                    bad=bad,
                    allowed=(1 - objective) * max(expected, counted),
                    window=span(objectives.window),
                    whole=counted > expected,
                )
            )
    return tuple(found)
