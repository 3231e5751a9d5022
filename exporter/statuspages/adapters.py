"""Each kind of status page as a pure function from its body to a state.

An unreadable body is UNKNOWN and never operational; an unknown word is DEGRADED, since a page that
says something new is not saying that all is well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

from defusedxml import ElementTree

from exporter.matching import NO_JSON, found, json_of


class State(StrEnum):
    """What a provider says of itself; the values of the label `state`."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    PARTIAL_OUTAGE = "partial_outage"
    MAJOR_OUTAGE = "major_outage"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


_WORST = (
    State.MAJOR_OUTAGE,
    State.PARTIAL_OUTAGE,
    State.DEGRADED,
    State.MAINTENANCE,
    State.OPERATIONAL,
    State.UNKNOWN,
)
_WORDS = {
    # Atlassian Statuspage: components, then the page's indicator
    "operational": State.OPERATIONAL,
    "degraded_performance": State.DEGRADED,
    "partial_outage": State.PARTIAL_OUTAGE,
    "major_outage": State.MAJOR_OUTAGE,
    "under_maintenance": State.MAINTENANCE,
    "none": State.OPERATIONAL,
    "minor": State.DEGRADED,
    "major": State.PARTIAL_OUTAGE,
    "critical": State.MAJOR_OUTAGE,
    "maintenance": State.MAINTENANCE,
    # incident.io
    "full_outage": State.MAJOR_OUTAGE,
    # Instatus
    "up": State.OPERATIONAL,
    "hasissues": State.DEGRADED,
    "undermaintenance": State.MAINTENANCE,
    "degradedperformance": State.DEGRADED,
    "partialoutage": State.PARTIAL_OUTAGE,
    "majoroutage": State.MAJOR_OUTAGE,
    # Better Stack, Stripe's old page, Slack
    "degraded": State.DEGRADED,
    "downtime": State.MAJOR_OUTAGE,
    "down": State.MAJOR_OUTAGE,
    "ok": State.OPERATIONAL,
    "active": State.DEGRADED,
    # Google Cloud
    "service_outage": State.MAJOR_OUTAGE,
    "service_disruption": State.PARTIAL_OUTAGE,
    "service_information": State.DEGRADED,
}
_GOOGLE_PRODUCTS = "(?i)gemini|vertex ai|generative"
_ENDED = re.compile(r"(?i)\b(resolved|completed|closed)\b")
Json = Any


class _UnreadableError(ValueError):
    pass


def read(adapter: str, body: bytes, component_filter: str | None) -> State:
    """Return the state that *body* tells, UNKNOWN if it cannot be read."""
    try:
        if adapter == "feed":
            return _feed(body)
        data = json_of(body)
        if data is NO_JSON:
            return State.UNKNOWN
        return _ADAPTERS[adapter](data, component_filter)
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError):
        return State.UNKNOWN


def path_of(adapter: str) -> str:
    """Return where the data usually is, below the page's URL."""
    return _PATHS.get(adapter, "")


def _word(text: Any) -> State:
    if not isinstance(text, str):
        raise _UnreadableError
    return _WORDS.get(text.lower(), State.DEGRADED)


def _worst(states: Iterable[State]) -> State:
    return min(states, key=_WORST.index, default=State.OPERATIONAL)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _UnreadableError
    return value


def _statuspage(data: Json, component_filter: str | None) -> State:
    overall = _word(data["status"]["indicator"])
    if component_filter is None:
        return overall
    states = [
        _word(part["status"])
        for part in _list(data.get("components"))
        if not part.get("group") and found(component_filter, str(part.get("name", "")))
    ]
    return _worst(states) if states else overall


def _incident_io(data: Json, _: str | None) -> State:
    if not {"ongoing_incidents", "in_progress_maintenances"} & data.keys():
        raise _UnreadableError
    states = [_word(i["current_worst_impact"]) for i in _list(data.get("ongoing_incidents"))]
    if not states and _list(data.get("in_progress_maintenances")):
        return State.MAINTENANCE
    return _worst(states)


def _instatus(data: Json, _: str | None) -> State:
    overall = _word(data["page"]["status"])
    states = [_word(i["impact"]) for i in _list(data.get("activeIncidents")) if "impact" in i]
    return _worst([overall, *states])


def _better_stack(data: Json, _: str | None) -> State:
    return _word(data["data"]["attributes"]["aggregate_state"])


def _google_cloud(data: Json, component_filter: str | None) -> State:
    if not isinstance(data, list):
        raise _UnreadableError
    pattern = component_filter or _GOOGLE_PRODUCTS
    return _worst(
        _word(incident["status_impact"])
        for incident in data
        if not incident.get("end")
        and any(found(pattern, str(p.get("title", ""))) for p in incident["affected_products"])
    )


def _slack(data: Json, _: str | None) -> State:
    return _word(data["status"])


def _stripe_legacy(data: Json, _: str | None) -> State:
    return _word(data["UptimeStatus"])


def _feed(body: bytes) -> State:
    """RSS or Atom: an open incident is a newest item without a word that ends it."""
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError):
        return State.UNKNOWN
    if root.tag.rpartition("}")[2] not in ("rss", "feed", "RDF"):
        return State.UNKNOWN
    items = (e for e in root.iter() if e.tag.rpartition("}")[2] in ("item", "entry"))
    newest = next(items, None)
    if newest is None or _ENDED.search(" ".join(newest.itertext())):
        return State.OPERATIONAL
    return State.DEGRADED


_ADAPTERS: dict[str, Callable[[Json, str | None], State]] = {
    "statuspage": _statuspage,
    "incident_io": _incident_io,
    "instatus": _instatus,
    "better_stack": _better_stack,
    "google_cloud": _google_cloud,
    "slack": _slack,
    "stripe_legacy": _stripe_legacy,
}
_PATHS = {
    "statuspage": "/api/v2/summary.json",
    "incident_io": "/api/v1/summary",
    "instatus": "/summary.json",
    "better_stack": "/index.json",
    "google_cloud": "/incidents.json",
    "slack": "/api/v2.0.0/current",
    "stripe_legacy": "/current/full",
    "feed": "/history.rss",
}
