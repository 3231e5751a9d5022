"""incident.io's widget: the worst of the open incidents."""

from __future__ import annotations

from functools import partial
from typing import Any

from exporter.matching import json_of, pattern_matches
from exporter.statuspages.incidents import (
    PageIncident,
    Reading,
    impact_of,
    incidents_of,
    instant,
    made,
    names_of,
)
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


def read(body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return the worst state of the open incidents; MAINTENANCE if there is only maintenance."""
    data = json_of(body)
    if not {"ongoing_incidents", "in_progress_maintenances"} & data.keys():
        raise UnreadableError
    ongoing = list_or_empty(data.get("ongoing_incidents"))
    relevant = [one for one in ongoing if _is_relevant(component_filter, one)]
    states = states_of(relevant, _incident)
    maintenances = states_of(list_or_empty(data.get("in_progress_maintenances")), _maintenance)
    return Reading(
        state=worst([*states, *maintenances]),
        incidents=incidents_of(relevant, partial(_page_incident)),
    )


def _is_relevant(component_filter: str | None, incident: Any) -> bool:
    """Return whether *incident* names a matching component, or none, or cannot be read."""
    names = names_of(incident.get("affected_components")) if isinstance(incident, dict) else ()
    if component_filter is None or not names:
        return True
    return any(pattern_matches(component_filter, name) for name in names)


def _page_incident(incident: Any) -> PageIncident:
    return made(
        incident.get("id"),
        incident.get("name"),
        word=incident.get("status"),
        impact=impact_of(incident.get("current_worst_impact")),
        posted=instant(incident.get("created_at")),
        updated=incident.get("last_update_at"),
        components=incident.get("affected_components"),
    )


def _incident(incident: Any) -> State:
    if has_ended(incident):
        return State.OPERATIONAL
    return state_of_word(incident.get("current_worst_impact") or "degraded")


def _maintenance(maintenance: Any) -> State:
    return State.OPERATIONAL if has_ended(maintenance) else State.MAINTENANCE
