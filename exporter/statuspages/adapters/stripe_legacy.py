"""Stripe's status page as it was before 2025: the field UptimeStatus."""

from __future__ import annotations

from exporter.matching import json_of
from exporter.statuspages.states import State, state_of_word

PATH = "/current/full"


def read(body: bytes, component_filter: str | None) -> State:
    """Return the state of the page."""
    data = json_of(body)
    return state_of_word(data["UptimeStatus"])
