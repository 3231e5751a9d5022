"""Reads state and incidents from the body of a status page, with the adapter of its kind."""

from __future__ import annotations

from exporter.clock import SystemClock
from exporter.listing import module_in, names_in
from exporter.statuspages.incidents import UNREADABLE, Reading
from exporter.statuspages.states import State

_FOLDER = "statuspages/adapters"
ADAPTERS = names_in(_FOLDER)


def read(adapter: str, body: bytes, component_filter: str | None) -> State:
    """Return the state that *body* says now, for an author who tries an adapter on a saved page.

    >>> read("statuspage", b'{"status": {"indicator": "none"}}', None)
    <State.OPERATIONAL: 'operational'>
    """
    return read_page(adapter, body, component_filter, SystemClock().now()).state


def read_page(adapter: str, body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return what *body* says at the Unix time *now*.

    Its state is UNKNOWN, never OPERATIONAL, if it cannot be read.
    """
    try:
        reading: Reading = module_in(_FOLDER, adapter).read(body, component_filter, now)
        return reading
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError):
        return UNREADABLE


def path_of(adapter: str) -> str:
    """Return the usual path of the data below the page's URL; empty for an unknown adapter."""
    try:
        path: str = module_in(_FOLDER, adapter).PATH
        return path
    except LookupError:
        return ""


def further_path_of(adapter: str) -> str:
    """Return the path of the list of incidents where that is apart; empty if it is not."""
    try:
        path: str = getattr(module_in(_FOLDER, adapter), "INCIDENTS_PATH", "")
        return path
    except LookupError:
        return ""


def read_further(adapter: str, body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return what the list of incidents in *body* says; as `read_page`."""
    try:
        reading: Reading = module_in(_FOLDER, adapter).read_incidents(body, component_filter, now)
        return reading
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError):
        return UNREADABLE
