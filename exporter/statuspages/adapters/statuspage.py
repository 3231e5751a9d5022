"""Atlassian Statuspage: the page's indicator, or the worst of the components that match."""

from __future__ import annotations

from exporter.matching import json_of, pattern_matches
from exporter.statuspages.states import State, list_or_empty, state_of_word, worst

PATH = "/api/v2/summary.json"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the worst state of the matching components; that of the page if none matches."""
    data = json_of(body)
    overall = state_of_word(data["status"]["indicator"])
    if component_filter is None:
        return overall
    states = [
        state_of_word(component["status"])
        for component in list_or_empty(data.get("components"))
        if not component.get("group")
        and pattern_matches(component_filter, str(component.get("name", "")))
    ]
    return worst(states) if states else overall
