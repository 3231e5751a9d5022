"""Google Cloud: the worst open incident of the products that the filter matches."""

from __future__ import annotations

from exporter.matching import json_of, pattern_matches
from exporter.statuspages.states import State, UnreadableError, state_of_word, worst

PATH = "/incidents.json"
_GOOGLE_PRODUCTS = "(?i)gemini|vertex ai|generative"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the worst state of the open incidents; without a filter of the AI products only."""
    data = json_of(body)
    if not isinstance(data, list):
        raise UnreadableError
    pattern = component_filter or _GOOGLE_PRODUCTS
    return worst(
        state_of_word(incident["status_impact"])
        for incident in data
        if not incident.get("end")
        and any(
            pattern_matches(pattern, str(p.get("title", ""))) for p in incident["affected_products"]
        )
    )
