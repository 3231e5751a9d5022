"""Google Cloud: the worst open incident of the products that the filter matches.

Source: google.com/appsstatus/dashboard/incidents.schema.json. `begin` may lie hours before
`created`; an `end` later than now is one that is expected.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from exporter.matching import json_of, pattern_matches
from exporter.statuspages.incidents import (
    PageIncident,
    Reading,
    impact_of,
    incidents_of,
    instant,
    made,
)
from exporter.statuspages.states import State, UnreadableError, state_of_word, states_of, worst

PATH = "/incidents.json"
_GOOGLE_PRODUCTS = "(?i)gemini|vertex ai|generative"


def read(body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return the worst state of the open incidents; without a filter of the AI products only."""
    data = json_of(body)
    if not isinstance(data, list):
        raise UnreadableError
    pattern = component_filter or _GOOGLE_PRODUCTS
    return Reading(
        state=worst(states_of(data, partial(_incident, pattern, now))),
        incidents=incidents_of(data, partial(_page_incident, pattern, now)),
    )


def _page_incident(pattern: str, now: float, incident: Any) -> PageIncident | None:
    products = _products(incident)
    if not any(pattern_matches(pattern, product) for product in products):
        return None
    ended = _has_ended(incident, now)
    return made(
        incident.get("id"),
        incident.get("external_desc"),
        impact=impact_of(incident["status_impact"]),
        is_open=not ended,
        claimed=incident.get("begin"),
        posted=instant(incident.get("created")),
        updated=incident.get("modified"),
        resolved=incident.get("end") or incident.get("modified"),
        components=[product for product in products if pattern_matches(pattern, product)],
    )


def _incident(pattern: str, now: float, incident: Any) -> State:
    if _has_ended(incident, now):
        return State.OPERATIONAL
    if not any(pattern_matches(pattern, product) for product in _products(incident)):
        return State.OPERATIONAL
    return state_of_word(incident["status_impact"])


def _products(incident: Any) -> list[str]:
    return [str(product.get("title", "")) for product in incident["affected_products"]]


def _has_ended(incident: Any, now: float) -> bool:
    end = incident.get("end")
    # one that is no time at all has ended: so it was before an expected end was heard of
    is_past = bool(end) and (instant(end) or 0.0) <= now
    return is_past or _is_available(incident.get("most_recent_update"))


def _is_available(update: Any) -> bool:
    """Return whether the last *update* reports the end; `status_impact` stays as it was."""
    return isinstance(update, dict) and update.get("status") == "AVAILABLE"
