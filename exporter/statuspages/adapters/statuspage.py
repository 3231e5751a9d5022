"""Atlassian Statuspage: the page's indicator and open incidents, or those of the components that
match.
"""

from __future__ import annotations

from typing import Any

from exporter.matching import json_of, pattern_matches
from exporter.statuspages.states import (
    State,
    has_ended,
    list_or_empty,
    state_of_word,
    states_of,
    worst,
)

PATH = "/api/v2/summary.json"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the worst state of the matching components; that of the page if none matches.

    Open incidents count too: while one is watched, or linked to no component, all of the page may
    be operational. With a filter only those count that name a matching component.
    """
    data = json_of(body)
    overall = state_of_word(data["status"]["indicator"])
    incidents = [
        *states_of(_relevant(data, "incidents", component_filter), _incident),
        *states_of(_relevant(data, "scheduled_maintenances", component_filter), _maintenance),
    ]
    if component_filter is None:
        return worst([overall, *incidents])
    matching = [
        component
        for component in list_or_empty(data.get("components"))
        if not _is_group(component) and _matches(component_filter, component)
    ]
    states = states_of(matching, lambda component: state_of_word(component["status"]))
    return worst([*(states or [overall]), *incidents])


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


def _matches(component_filter: str, component: Any) -> bool:
    if not isinstance(component, dict):
        return False
    return pattern_matches(component_filter, str(component.get("name", "")))
