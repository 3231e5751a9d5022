"""Instatus: the page's state and the impact of open incidents."""

from __future__ import annotations

from exporter.matching import json_of
from exporter.statuspages.states import State, listed, state_of_word, worst

PATH = "/summary.json"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the state of the page."""
    data = json_of(body)
    overall = state_of_word(data["page"]["status"])
    states = [
        state_of_word(i["impact"]) for i in listed(data.get("activeIncidents")) if "impact" in i
    ]
    return worst([overall, *states])
