"""The states of a provider, and the vendors' words for them.

A word that is not known here means DEGRADED: a new word hardly means that all is well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """The state that a provider reports about itself; the values of the label `state`."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    PARTIAL_OUTAGE = "partial_outage"
    MAJOR_OUTAGE = "major_outage"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


_WORST_FIRST = (
    State.MAJOR_OUTAGE,
    State.PARTIAL_OUTAGE,
    State.DEGRADED,
    State.MAINTENANCE,
    # what cannot be read may be trouble
    State.UNKNOWN,
    State.OPERATIONAL,
)
_STATE_BY_WORD = {
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


_NOT_NOW = frozenset(
    {
        *("resolved", "postmortem", "completed", "cancelled", "canceled", "closed"),
        # Sorry
        *("falsealarm", "complete"),
        # announced: Statuspage, incident.io, Instatus
        *("scheduled", "maintenancescheduled", "notstartedyet"),
    }
)


class UnreadableError(ValueError):
    """The body does not have the form that the adapter knows."""


def state_of_word(text: Any) -> State:
    """Return the state that a vendor's word means; DEGRADED for an unknown word.

    Raises:
        UnreadableError: *text* is not a text.

    >>> state_of_word("none")
    <State.OPERATIONAL: 'operational'>
    """
    if not isinstance(text, str):
        raise UnreadableError
    word = "_".join(text.lower().replace("-", " ").split())
    return _STATE_BY_WORD.get(word, State.DEGRADED)


def worst(states: Iterable[State]) -> State:
    """Return the worst of *states*; OPERATIONAL if there are none."""
    return min(states, key=_WORST_FIRST.index, default=State.OPERATIONAL)


def has_ended(record: Any) -> bool:
    """Return whether an incident or a maintenance is over, or only announced, by its `status`."""
    return is_over(record.get("status"))


def is_over(word: Any) -> bool:
    """Return whether *word* says of an incident or a maintenance that it is not there now."""
    return isinstance(word, str) and re.sub(r"[^a-z]", "", word.lower()) in _NOT_NOW


def states_of(items: Iterable[Any], state_of: Callable[[Any], State]) -> list[State]:
    """Return the state of each of *items*, UNKNOWN for one that cannot be read.

    `worst` puts UNKNOWN before OPERATIONAL and behind trouble, so that an odd item neither hides
    an open incident nor passes as none.
    """
    states = []
    for item in items:
        try:
            states.append(state_of(item))
        except (LookupError, TypeError, AttributeError, ValueError):
            states.append(State.UNKNOWN)
    return states


def list_or_empty(value: Any) -> list[Any]:
    """Return *value*, a list, or an empty list if it is None.

    Raises:
        UnreadableError: *value* is something else.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnreadableError
    return value
