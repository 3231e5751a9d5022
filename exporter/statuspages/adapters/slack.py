"""Slack: the status of the page, and its active incidents.

Source: docs.slack.dev/reference/slack-status-api. `date_created` of an incident may lie hours
before its first note.
"""

from __future__ import annotations

from typing import Any

from exporter.matching import json_of, pattern_matches
from exporter.statuspages.incidents import (
    Impact,
    PageIncident,
    Reading,
    earliest,
    incidents_of,
    made,
    names_of,
)
from exporter.statuspages.states import State, list_or_empty, state_of_word

PATH = "/api/v2.0.0/current"
_IMPACT_OF_TYPE = {"outage": Impact.CRITICAL, "incident": Impact.MAJOR, "notice": Impact.MINOR}


def read(body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return the state of the page; MAINTENANCE if all that is active is maintenance.

    With a filter only what names a matching service counts, or names none.
    """
    data = json_of(body)
    state = state_of_word(data["status"])
    active = list_or_empty(data.get("active_incidents"))
    relevant = [one for one in active if _is_relevant(component_filter, one)]
    incidents = incidents_of(relevant, _page_incident)
    if state is State.OPERATIONAL or not active:
        return Reading(state=state, incidents=incidents)
    if not relevant:
        return Reading(state=State.OPERATIONAL)
    kinds = {incident.get("type") if isinstance(incident, dict) else None for incident in relevant}
    only_work = kinds == {"maintenance"}
    return Reading(state=State.MAINTENANCE if only_work else state, incidents=incidents)


def _is_relevant(component_filter: str | None, incident: Any) -> bool:
    names = names_of(incident.get("services")) if isinstance(incident, dict) else ()
    if component_filter is None or not names:
        return True
    return any(pattern_matches(component_filter, name) for name in names)


def _page_incident(incident: Any) -> PageIncident | None:
    if incident.get("type") == "maintenance":
        return None
    notes = list_or_empty(incident.get("notes"))[:100]
    return made(
        incident.get("id"),
        incident.get("title"),
        word=incident.get("status"),
        impact=_IMPACT_OF_TYPE.get(str(incident.get("type")), Impact.MINOR),
        claimed=incident.get("date_created"),
        posted=earliest(*(note.get("date_created") for note in notes if isinstance(note, dict))),
        updated=incident.get("date_updated"),
        components=incident.get("services"),
    )
