"""Instatus: the page's state and the impact of open incidents."""

from __future__ import annotations

from exporter.matching import json_of
from exporter.statuspages.states import State, list_or_empty, state_of_word, worst

PATH = "/summary.json"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the worst of the page's own state and the impacts of its open incidents."""
    data = json_of(body)
    overall = state_of_word(data["page"]["status"])
    states = [
        state_of_word(incident["impact"])
        for incident in list_or_empty(data.get("activeIncidents"))
        if "impact" in incident
    ]
    return worst([overall, *states])
