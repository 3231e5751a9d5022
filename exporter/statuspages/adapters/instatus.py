"""Instatus: the page's state and the impact of open incidents."""

from __future__ import annotations

from typing import Any

from exporter.matching import json_of
from exporter.statuspages.states import (
    State,
    has_ended,
    list_or_empty,
    state_of_word,
    states_of,
    worst,
)

PATH = "/summary.json"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the worst of the page's own state and its open incidents and maintenances."""
    data = json_of(body)
    overall = state_of_word(data["page"]["status"])
    incidents = states_of(list_or_empty(data.get("activeIncidents")), _incident)
    maintenances = states_of(list_or_empty(data.get("activeMaintenances")), _maintenance)
    return worst([overall, *incidents, *maintenances])


def _incident(incident: Any) -> State:
    return State.OPERATIONAL if has_ended(incident) else state_of_word(incident.get("impact", ""))


def _maintenance(maintenance: Any) -> State:
    return State.OPERATIONAL if has_ended(maintenance) else State.MAINTENANCE
