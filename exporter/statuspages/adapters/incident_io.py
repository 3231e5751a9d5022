"""incident.io: the worst of the open incidents."""

from __future__ import annotations

from typing import Any

from exporter.matching import json_of
from exporter.statuspages.states import (
    State,
    UnreadableError,
    has_ended,
    list_or_empty,
    state_of_word,
    states_of,
    worst,
)

PATH = "/api/v1/summary"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the worst state of the open incidents; MAINTENANCE if there is only maintenance."""
    data = json_of(body)
    if not {"ongoing_incidents", "in_progress_maintenances"} & data.keys():
        raise UnreadableError
    states = states_of(list_or_empty(data.get("ongoing_incidents")), _incident)
    maintenances = states_of(list_or_empty(data.get("in_progress_maintenances")), _maintenance)
    return worst([*states, *maintenances])


def _incident(incident: Any) -> State:
    if has_ended(incident):
        return State.OPERATIONAL
    return state_of_word(incident.get("current_worst_impact") or "degraded")


def _maintenance(maintenance: Any) -> State:
    return State.OPERATIONAL if has_ended(maintenance) else State.MAINTENANCE
