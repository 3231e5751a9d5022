"""Google Cloud: the worst open incident of the products that the filter matches."""

from __future__ import annotations

from functools import partial
from typing import Any

from exporter.matching import json_of, pattern_matches
from exporter.statuspages.states import State, UnreadableError, state_of_word, states_of, worst

PATH = "/incidents.json"
_GOOGLE_PRODUCTS = "(?i)gemini|vertex ai|generative"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the worst state of the open incidents; without a filter of the AI products only."""
    data = json_of(body)
    if not isinstance(data, list):
        raise UnreadableError
    pattern = component_filter or _GOOGLE_PRODUCTS
    return worst(states_of(data, partial(_incident, pattern)))


def _incident(pattern: str, incident: Any) -> State:
    if incident.get("end") or _is_available(incident.get("most_recent_update")):
        return State.OPERATIONAL
    products = [str(product.get("title", "")) for product in incident["affected_products"]]
    if not any(pattern_matches(pattern, product) for product in products):
        return State.OPERATIONAL
    return state_of_word(incident["status_impact"])


def _is_available(update: Any) -> bool:
    """Return whether the last *update* reports the end; `status_impact` stays as it was."""
    return isinstance(update, dict) and update.get("status") == "AVAILABLE"
