"""Instatus: the page's state and the impact of open incidents."""

from __future__ import annotations

from typing import Any

from exporter.matching import json_of
from exporter.statuspages.incidents import PageIncident, Reading, impact_of, incidents_of, made
from exporter.statuspages.states import (
    State,
    has_ended,
    list_or_empty,
    state_of_word,
    states_of,
    worst,
)

PATH = "/summary.json"


def read(body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return the worst of the page's own state and its open incidents and maintenances."""
    data = json_of(body)
    overall = state_of_word(data["page"]["status"])
    active = list_or_empty(data.get("activeIncidents"))
    maintenances = states_of(list_or_empty(data.get("activeMaintenances")), _maintenance)
    return Reading(
        state=worst([overall, *states_of(active, _incident), *maintenances]),
        incidents=incidents_of(active, _page_incident),
    )


def _page_incident(incident: Any) -> PageIncident:
    # `started` is chosen by its author, and when it was posted is not told
    return made(
        str(incident.get("url") or "").rstrip("/").rpartition("/")[2],
        incident.get("name"),
        word=incident.get("status"),
        impact=impact_of(incident.get("impact")),
        claimed=incident.get("started"),
    )


def _incident(incident: Any) -> State:
    return State.OPERATIONAL if has_ended(incident) else state_of_word(incident.get("impact", ""))


def _maintenance(maintenance: Any) -> State:
    return State.OPERATIONAL if has_ended(maintenance) else State.MAINTENANCE
