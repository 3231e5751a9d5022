"""Stripe's status page as it was before 2025: the field UptimeStatus.

The old address still answers, as it was in February 2024, that all is well. So its trouble is
believed, and its "up" is not: it tells no time by which a frozen copy could be recognized.
"""

from __future__ import annotations

from exporter.matching import json_of
from exporter.statuspages.incidents import Reading
from exporter.statuspages.states import State, state_of_word

PATH = "/current/full"


def read(body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return the trouble that the page reports; UNKNOWN if it reports none."""
    state = state_of_word(json_of(body)["UptimeStatus"])
    return Reading(state=State.UNKNOWN if state is State.OPERATIONAL else state)
