"""Slack: the status of the page."""

from __future__ import annotations

from exporter.matching import json_of
from exporter.statuspages.states import State, list_or_empty, state_of_word

PATH = "/api/v2.0.0/current"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the state of the page; MAINTENANCE if all that is active is maintenance."""
    data = json_of(body)
    state = state_of_word(data["status"])
    active = list_or_empty(data.get("active_incidents"))
    if state is State.OPERATIONAL or not active:
        return state
    kinds = {incident.get("type") if isinstance(incident, dict) else None for incident in active}
    return State.MAINTENANCE if kinds == {"maintenance"} else state
