"""What a status page can say, and the words of the vendors for it.

An unknown word is DEGRADED: a page that says something new is not saying that all is well.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """What a provider says of itself; the values of the label `state`."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    PARTIAL_OUTAGE = "partial_outage"
    MAJOR_OUTAGE = "major_outage"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


_WORST = (
    State.MAJOR_OUTAGE,
    State.PARTIAL_OUTAGE,
    State.DEGRADED,
    State.MAINTENANCE,
    State.OPERATIONAL,
    State.UNKNOWN,
)
_WORDS = {
    # Atlassian Statuspage: components, then the page's indicator
    "operational": State.OPERATIONAL,
    "degraded_performance": State.DEGRADED,
    "partial_outage": State.PARTIAL_OUTAGE,
    "major_outage": State.MAJOR_OUTAGE,
    "under_maintenance": State.MAINTENANCE,
    "none": State.OPERATIONAL,
    "minor": State.DEGRADED,
    "major": State.PARTIAL_OUTAGE,
    "critical": State.MAJOR_OUTAGE,
    "maintenance": State.MAINTENANCE,
    # incident.io
    "full_outage": State.MAJOR_OUTAGE,
    # Instatus
    "up": State.OPERATIONAL,
    "hasissues": State.DEGRADED,
    "undermaintenance": State.MAINTENANCE,
    "degradedperformance": State.DEGRADED,
    "partialoutage": State.PARTIAL_OUTAGE,
    "majoroutage": State.MAJOR_OUTAGE,
    # Better Stack, Stripe's old page, Slack
    "degraded": State.DEGRADED,
    "downtime": State.MAJOR_OUTAGE,
    "down": State.MAJOR_OUTAGE,
    "ok": State.OPERATIONAL,
    "active": State.DEGRADED,
    # Google Cloud
    "service_outage": State.MAJOR_OUTAGE,
    "service_disruption": State.PARTIAL_OUTAGE,
    "service_information": State.DEGRADED,
}


class UnreadableError(ValueError):
    """The body is not what the adapter knows."""


def state_of_word(text: Any) -> State:
    """Return the state that a vendor's word means.

    Raises:
        UnreadableError: it is not a text.
    """
    if not isinstance(text, str):
        raise UnreadableError
    return _WORDS.get(text.lower(), State.DEGRADED)


def worst(states: Iterable[State]) -> State:
    """Return the worst of *states*; OPERATIONAL if there is none."""
    return min(states, key=_WORST.index, default=State.OPERATIONAL)


def listed(value: Any) -> list[Any]:
    """Return a list that may be missing.

    Raises:
        UnreadableError: it is something else.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnreadableError
    return value
