"""Google Cloud: the worst open incident of the products asked for."""

from __future__ import annotations

from exporter.matching import found, json_of
from exporter.statuspages.states import State, UnreadableError, state_of_word, worst

PATH = "/incidents.json"
_GOOGLE_PRODUCTS = "(?i)gemini|vertex ai|generative"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the state of the page."""
    data = json_of(body)
    if not isinstance(data, list):
        raise UnreadableError
    pattern = component_filter or _GOOGLE_PRODUCTS
    return worst(
        state_of_word(incident["status_impact"])
        for incident in data
        if not incident.get("end")
        and any(found(pattern, str(p.get("title", ""))) for p in incident["affected_products"])
    )
