"""incident.io: the worst of the open incidents."""

from __future__ import annotations

from exporter.matching import json_of
from exporter.statuspages.states import State, UnreadableError, list_or_empty, state_of_word, worst

PATH = "/api/v1/summary"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the worst state of the open incidents; MAINTENANCE if there is only maintenance."""
    data = json_of(body)
    if not {"ongoing_incidents", "in_progress_maintenances"} & data.keys():
        raise UnreadableError
    states = [
        state_of_word(incident["current_worst_impact"])
        for incident in list_or_empty(data.get("ongoing_incidents"))
    ]
    if not states and list_or_empty(data.get("in_progress_maintenances")):
        return State.MAINTENANCE
    return worst(states)
