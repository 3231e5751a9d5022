"""The state of a service in words for outsiders. Pure; the caller brings the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from exporter.config import Target, ThresholdKind
from exporter.page.summary import unobserved_since
from exporter.results import Status, Tally, current_result, status_of


class PublicState(StrEnum):
    """How a service is shown to outsiders, from the worst; the value is also a name in CSS."""

    OUTAGE = "outage"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"
    OPERATIONAL = "operational"
    OFF = "off"


STATES: Mapping[PublicState, str] = {
    PublicState.OUTAGE: "Outage",
    PublicState.DEGRADED: "Degraded",
    PublicState.MAINTENANCE: "Maintenance",
    PublicState.UNKNOWN: "Unknown",
    PublicState.OPERATIONAL: "Operational",
    PublicState.OFF: "Not monitored",
}
COLOURS: Mapping[PublicState, str] = {
    PublicState.OUTAGE: "#b3123f",
    PublicState.DEGRADED: "#9a5800",
    PublicState.MAINTENANCE: "#5a49a8",
    PublicState.UNKNOWN: "#56626e",
    PublicState.OPERATIONAL: "#0a6c74",
    PublicState.OFF: "#56626e",
}
"""Behind white text on a badge: a contrast of 5 or more."""
_BY_STATUS = {
    Status.HEALTHY: PublicState.OPERATIONAL,
    Status.DEGRADED: PublicState.DEGRADED,
    Status.UNHEALTHY: PublicState.OUTAGE,
    Status.UNKNOWN: PublicState.UNKNOWN,
}
_FAILING = (PublicState.OUTAGE, PublicState.DEGRADED)


def state_of(
    target: Target, tally: Tally, now: float, offline_since: float | None = None
) -> PublicState:
    """Return the state of a service at the Unix time *now*.

    What was seen before our own network went down, *offline_since*, a Unix time, says nothing of
    now. A failure is shown once there are as many in a row as the service's alert needs
    (`alerts.down_after`): one lost packet is no outage for outsiders.
    """
    if not target.enabled or target.endpoint is None:
        return PublicState.OFF
    if target.in_maintenance(now):
        return PublicState.MAINTENANCE
    if current_result(target, tally) is None or unobserved_since(target, tally, offline_since):
        return PublicState.UNKNOWN
    state = _BY_STATUS[status_of(target, tally)]
    known = tally.last_success > 0
    if state in _FAILING and known and tally.in_a_row < _down_after(target):
        return PublicState.OPERATIONAL
    return state


def _down_after(target: Target) -> float:
    of_down = (t.value for t in target.thresholds if t.kind is ThresholdKind.CONSECUTIVE_FAILURES)
    return min(of_down, default=1.0)


def headline(named: Sequence[tuple[str, PublicState]]) -> tuple[str, PublicState]:
    """Return the state of all services, (name, state), in a sentence, and the worst of them."""
    watched = [(name, state) for name, state in named if state is not PublicState.OFF]
    if not watched:
        return "No service is shown here yet.", PublicState.OFF
    worst = min((state for _, state in watched), key=tuple(PublicState).index)
    if worst is PublicState.OPERATIONAL:
        whole = f"All {len(watched)} services are" if len(watched) > 1 else f"{watched[0][0]} is"
        return f"{whole} operational.", worst
    of_it = [name for name, state in watched if state is worst]
    if worst is PublicState.UNKNOWN and len(watched) == len(of_it) > 1:
        return f"The state of all {len(of_it)} services is not known at the moment.", worst
    return f"{_WORDS[worst]}: {_listed(of_it)}.", worst


_WORDS: Mapping[PublicState, str] = {
    PublicState.OUTAGE: "Outage",
    PublicState.DEGRADED: "Degraded",
    PublicState.MAINTENANCE: "Planned maintenance",
    PublicState.UNKNOWN: "State not known at the moment",
}


def _listed(names: Sequence[str], most: int = 3) -> str:
    """Return *names* as a text; of many, the first and how many more.

    >>> _listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
