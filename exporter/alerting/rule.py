"""What a row of the alert table says: when it fires, for how long, as what, in which words."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.alerting import words
from exporter.alerting.facts import NetworkFacts, OwnFacts, ProviderFacts, ServiceFacts
from exporter.config import ThresholdKind

_F = TypeVar("_F", ServiceFacts, ProviderFacts, NetworkFacts, OwnFacts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[_F]):
    """One row: when it fires, for how long, as what, and in which words. Durations are seconds."""

    alert: str
    category: str
    measure: Callable[[_F], float | None]
    """The number that is compared with the thresholds, or shown; None while it cannot fire."""
    kind: ThresholdKind | None = None
    """Whose rows bring severity and value; without it the severity is `severity`."""
    beyond: Callable[[float, float], bool] = operator.gt
    """How the number is compared with the value of a row."""
    instead: Callable[[_F], float | None] = lambda facts: None
    """What makes every row fire whose value is not passed."""
    severity: str = ""
    hold: float = 0.0
    """For how long it must be so before it fires: `for`."""
    window: float = 0.0
    """Over which is counted: so long after a restart it is not known that it is over."""
    keep: float = 0.0
    """For how long it goes on firing when it is so no more: `keep_firing_for`."""
    dashboard: str
    summary: Callable[[_F, float, str], str]
    """From facts, number and escalation level to a text; so the next two."""
    description: Callable[[_F, float, str], str]
    fault: Callable[[_F, float, str], str] | None = None

    def annotations(self, facts: _F, value: float, level: str) -> dict[str, str]:
        """Return the annotations as of now."""
        found = {
            "summary": self.summary(facts, value, level),
            "description": self.description(facts, value, level),
            "runbook_url": words.runbook_url(self.alert),
            "__dashboardUid__": self.dashboard,
        }
        if self.fault is not None:
            found["fault"] = self.fault(facts, value, level)
        return found | words.evidence(facts)
