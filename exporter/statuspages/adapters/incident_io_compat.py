"""incident.io behind the addresses of Statuspage: the same body, and a list of incidents apart.

`incidents` is often missing from its summary, so absence there is not "none"; `created_at` is when
an incident was published, and the components of a listed incident are left empty.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from exporter.matching import json_of
from exporter.statuspages.adapters import statuspage
from exporter.statuspages.incidents import Reading
from exporter.statuspages.states import State, UnreadableError

PATH = statuspage.PATH
INCIDENTS_PATH = "/api/v2/incidents.json"


def read(body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return the state in a summary; its incidents are in the list."""
    return replace(statuspage.read(body, component_filter, now), incidents=())


def read_incidents(body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return the incidents of the list, open ones and others; the state is that of the summary."""
    data: Any = json_of(body)
    if not isinstance(data["incidents"], list):
        raise UnreadableError
    found = statuspage.listed(data["incidents"], component_filter, statuspage.posted_of)
    # what began is not told, only when it was published
    incidents = tuple(replace(incident, claimed=None) for incident in found)
    return Reading(state=State.OPERATIONAL, incidents=incidents)
