"""From the body of a status page to a state, by the adapter of its kind."""

from __future__ import annotations

from exporter.listing import module_in, names_in
from exporter.statuspages.states import State

_FOLDER = "statuspages/adapters"
ADAPTERS = names_in(_FOLDER)


def read(adapter: str, body: bytes, component_filter: str | None) -> State:
    """Return the state that *body* tells, UNKNOWN if it cannot be read: never OPERATIONAL."""
    try:
        found: State = module_in(_FOLDER, adapter).read(body, component_filter)
        return found
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError):
        return State.UNKNOWN


def path_of(adapter: str) -> str:
    """Return where the data usually is, below the page's URL; empty for an unknown adapter."""
    try:
        found: str = module_in(_FOLDER, adapter).PATH
        return found
    except LookupError:
        return ""
