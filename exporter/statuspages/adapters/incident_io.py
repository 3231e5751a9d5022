"""incident.io: the worst of the open incidents."""

from __future__ import annotations

from exporter.matching import json_of
from exporter.statuspages.states import State, UnreadableError, listed, state_of_word, worst

PATH = "/api/v1/summary"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the state of the page."""
    data = json_of(body)
    if not {"ongoing_incidents", "in_progress_maintenances"} & data.keys():
        raise UnreadableError
    states = [
        state_of_word(i["current_worst_impact"]) for i in listed(data.get("ongoing_incidents"))
    ]
    if not states and listed(data.get("in_progress_maintenances")):
        return State.MAINTENANCE
    return worst(states)
