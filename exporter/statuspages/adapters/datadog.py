"""Datadog's status pages: components and incidents, all in one file.

`publishedDate` and `startedAt` are chosen by the author of an incident; `createdAt` of an update is
when it was filed. Source: a page's own `config.json` and the bundle that reads it, September 2026.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from exporter.matching import json_of, pattern_matches
from exporter.statuspages.incidents import (
    IMPACT_OF,
    Impact,
    PageIncident,
    Reading,
    earliest,
    incidents_of,
    made,
)
from exporter.statuspages.states import (
    State,
    UnreadableError,
    list_or_empty,
    state_of_word,
    states_of,
    worst,
)

PATH = "/config.json"
_DEEPEST = 8


def read(body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return the worst state of the matching components; of all if none matches."""
    data = json_of(body)
    found = list(_leaves(data["components"], ()))
    if not found:
        raise UnreadableError
    matching = [one for one, names in found if _matches(component_filter, names)]
    states = states_of(
        matching or [one for one, _ in found], lambda one: state_of_word(one["status"])
    )
    names = {str(one.get("id")): texts for one, texts in found}
    incidents = incidents_of(
        list_or_empty(data.get("incidents")), partial(_page_incident, component_filter, names)
    )
    return Reading(
        state=worst(states),
        incidents=incidents,
        matched=component_filter is None or bool(matching),
    )


def _leaves(entries: Any, above: tuple[str, ...]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield each component with what it is called: name, id, and those of its groups."""
    if len(above) > 2 * _DEEPEST:
        raise UnreadableError
    for entry in list_or_empty(entries):
        names = (*above, str(entry.get("name") or ""), str(entry.get("id") or ""))
        if "components" in entry:
            yield from _leaves(entry["components"], names)
        else:
            yield entry, names


def _matches(component_filter: str | None, names: tuple[str, ...]) -> bool:
    return component_filter is None or any(
        pattern_matches(component_filter, name) for name in names
    )


def _page_incident(
    component_filter: str | None, names: dict[str, tuple[str, ...]], incident: Any
) -> PageIncident | None:
    timeline = [
        one for one in list_or_empty(incident.get("timeline"))[:200] if isinstance(one, dict)
    ]
    affected = [
        one
        for entry in timeline
        for one in list_or_empty(entry.get("componentsAffected"))[:200]
        if isinstance(one, dict)
    ]
    relevant = [
        one for one in affected if _matches(component_filter, names.get(str(one.get("id")), ("",)))
    ]
    if affected and not relevant:
        return None
    return made(
        incident["id"],
        incident.get("title"),
        word=incident.get("status"),
        impact=_worst_impact(relevant),
        is_open=not incident["resolved"],
        claimed=incident.get("publishedDate"),
        posted=earliest(*(entry.get("createdAt") for entry in timeline)),
        updated=max((str(entry.get("createdAt") or "") for entry in timeline), default=None),
        resolved=incident.get("resolvedDate"),
        components=[names.get(str(one.get("id")), ("", ""))[-2] for one in relevant],
    )


def _worst_impact(affected: list[Any]) -> Impact:
    states = [state_of_word(str(one.get("status") or "")) for one in affected]
    return IMPACT_OF[worst(states)] if states else IMPACT_OF[State.DEGRADED]
