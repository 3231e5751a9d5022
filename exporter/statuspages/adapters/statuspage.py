"""Atlassian Statuspage: the page's indicator and open incidents, or those of the components that
match.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from exporter.matching import json_of, pattern_matches
from exporter.statuspages.incidents import (
    PageIncident,
    Reading,
    earliest,
    impact_of,
    incidents_of,
    instant,
    made,
)
from exporter.statuspages.states import (
    State,
    has_ended,
    list_or_empty,
    state_of_word,
    states_of,
    worst,
)

PATH = "/api/v2/summary.json"


def read(body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return the worst state of the matching components; that of the page if none matches.

    Open incidents count too: while one is watched, or linked to no component, all of the page may
    be operational. With a filter only those count that name a matching component; one that names
    none is listed, but does not count.
    """
    data = json_of(body)
    overall = state_of_word(data["status"]["indicator"])
    states = [
        *states_of(_relevant(data, "incidents", component_filter), _incident),
        *states_of(_relevant(data, "scheduled_maintenances", component_filter), _maintenance),
    ]
    of_components = _states_of_components(data, component_filter)
    return Reading(
        state=worst([*(of_components or [overall]), *states]),
        incidents=listed(data.get("incidents"), component_filter, posted_of),
        made_at=_made_at(data),
        matched=component_filter is None or bool(of_components),
    )


def listed(
    incidents: Any, component_filter: str | None, posted: Callable[[Any], float | None]
) -> tuple[PageIncident, ...]:
    """Return the incidents of a list that name a matching component, or none at all."""
    return incidents_of(list_or_empty(incidents), partial(_page_incident, component_filter, posted))


def posted_of(incident: Any) -> float | None:
    """Return when the first text of *incident* was published.

    `started_at`, and `display_at` of an update, can be moved by their author.
    """
    updates = list_or_empty(incident.get("incident_updates"))[:100]
    return instant(incident.get("created_at")) or earliest(
        *(update.get("created_at") for update in updates if isinstance(update, dict))
    )


def _page_incident(
    component_filter: str | None, posted: Callable[[Any], float | None], incident: Any
) -> PageIncident | None:
    components = list_or_empty(incident.get("components"))
    if components and not any(_matches(component_filter, one) for one in components):
        return None
    if incident.get("impact") == "maintenance" or incident.get("status") == "scheduled":
        return None
    return made(
        incident.get("id"),
        incident.get("name"),
        word=incident.get("status"),
        impact=impact_of(incident.get("impact")),
        claimed=incident.get("started_at"),
        posted=posted(incident),
        updated=incident.get("updated_at"),
        resolved=incident.get("resolved_at"),
        components=components,
    )


def _states_of_components(data: Any, component_filter: str | None) -> list[State]:
    """Return the states of the matching components; none without a filter."""
    if component_filter is None:
        return []
    matching = [
        component
        for component in list_or_empty(data.get("components"))
        if not _is_group(component) and _matches(component_filter, component)
    ]
    return states_of(matching, lambda component: state_of_word(component["status"]))


def _made_at(data: Any) -> float | None:
    page = data.get("page")
    return instant(page.get("updated_at")) if isinstance(page, dict) else None


def _relevant(data: Any, name: str, component_filter: str | None) -> list[Any]:
    """Return the records that are not over; with a filter those that name a matching component."""
    found = []
    for record in list_or_empty(data.get(name)):
        if not isinstance(record, dict):
            found.append(record)  # unreadable: for `states_of` to judge
        elif has_ended(record):
            continue
        elif component_filter is None or any(
            _matches(component_filter, component)
            for component in list_or_empty(record.get("components"))
        ):
            found.append(record)
    return found


def _incident(incident: Any) -> State:
    return state_of_word(incident.get("impact") or "minor")


def _maintenance(maintenance: Any) -> State:
    # Without a status it may be one that is only announced.
    return State.MAINTENANCE if maintenance.get("status") else State.OPERATIONAL


def _is_group(component: Any) -> bool:
    return isinstance(component, dict) and bool(component.get("group"))


def _matches(component_filter: str | None, component: Any) -> bool:
    """Return whether the name, the id or the group's id of *component* matches."""
    if isinstance(component, str):
        component = {"name": component}
    if component_filter is None or not isinstance(component, dict):
        return component_filter is None
    return any(
        pattern_matches(component_filter, str(component.get(name) or ""))
        for name in ("name", "id", "group_id")
    )
