"""Rootly: the page's indicator and its active incidents.

Source: docs.rootly.com/configuration/status-page-public-api (March 2026). Which of the times of an
incident is that of its publication is not documented, so none is taken for it.
"""

from __future__ import annotations

from typing import Any

from exporter.matching import json_of
from exporter.statuspages.incidents import (
    PageIncident,
    Reading,
    impact_of,
    incidents_of,
    instant,
    made,
)
from exporter.statuspages.states import State, has_ended, list_or_empty, state_of_word, worst

PATH = "/api/v1/status.json"


def read(body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return the state of the page; with an open incident it is at least DEGRADED."""
    data = json_of(body)
    state = state_of_word(data["status"]["indicator"])
    active = list_or_empty(data.get("incidents"))
    incidents = incidents_of(active, _page_incident)
    is_open = any(not isinstance(one, dict) or not has_ended(one) for one in active)
    page = data.get("page")
    return Reading(
        state=worst([state, State.DEGRADED]) if is_open else state,
        incidents=incidents,
        made_at=instant(page.get("updated_at")) if isinstance(page, dict) else None,
    )


def _page_incident(incident: Any) -> PageIncident:
    return made(
        incident.get("id"),
        incident.get("title") or incident.get("name"),
        word=incident.get("status"),
        impact=impact_of(incident.get("indicator") or incident.get("impact")),
        claimed=incident.get("started_at"),
        updated=incident.get("updated_at"),
        components=incident.get("components"),
    )
