"""Reads the state from the body of a status page, with the adapter of its kind."""

from __future__ import annotations

from exporter.listing import module_in, names_in
from exporter.statuspages.states import State

_FOLDER = "statuspages/adapters"
ADAPTERS = names_in(_FOLDER)


def read(adapter: str, body: bytes, component_filter: str | None) -> State:
    """Return the state in *body*; UNKNOWN, never OPERATIONAL, if it cannot be read."""
    try:
        state: State = module_in(_FOLDER, adapter).read(body, component_filter)
        return state
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError):
        return State.UNKNOWN


def path_of(adapter: str) -> str:
    """Return the usual path of the data below the page's URL; empty for an unknown adapter."""
    try:
        path: str = module_in(_FOLDER, adapter).PATH
        return path
    except LookupError:
        return ""
