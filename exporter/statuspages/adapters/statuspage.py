"""Atlassian Statuspage: the page's indicator, or the worst of the components asked for."""

from __future__ import annotations

from exporter.matching import found, json_of
from exporter.statuspages.states import State, listed, state_of_word, worst

PATH = "/api/v2/summary.json"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the state of the page."""
    data = json_of(body)
    overall = state_of_word(data["status"]["indicator"])
    if component_filter is None:
        return overall
    states = [
        state_of_word(part["status"])
        for part in listed(data.get("components"))
        if not part.get("group") and found(component_filter, str(part.get("name", "")))
    ]
    return worst(states) if states else overall
