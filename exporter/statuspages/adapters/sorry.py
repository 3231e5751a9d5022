"""Sorry: the notices that are there now; the page has no state of its own.

Source: the `/api/v1/notices` of a page, October 2026. `began_at` is chosen by the author of a
notice. Notices name no components.
"""

from __future__ import annotations

from typing import Any

from exporter.matching import json_of
from exporter.statuspages.incidents import (
    Impact,
    PageIncident,
    Reading,
    incidents_of,
    instant,
    made,
)
from exporter.statuspages.states import State, UnreadableError, is_over, states_of, worst

PATH = "/api/v1/notices"
_PLANNED = ("planned", "general")


def read(body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return DEGRADED during an unplanned notice, MAINTENANCE during a planned one."""
    notices = json_of(body)["notices"]
    if not isinstance(notices, list):
        raise UnreadableError
    return Reading(
        state=worst(states_of(notices, _state)), incidents=incidents_of(notices, _page_incident)
    )


def _is_now(notice: Any) -> bool:
    is_past = is_over(notice.get("state")) or bool(notice.get("ended_at"))
    return notice.get("timeline_state") == "present" and not is_past


def _state(notice: Any) -> State:
    if not _is_now(notice):
        return State.OPERATIONAL
    return State.MAINTENANCE if notice.get("type") in _PLANNED else State.DEGRADED


def _page_incident(notice: Any) -> PageIncident | None:
    if notice.get("type") in _PLANNED or notice.get("timeline_state") == "future":
        return None
    latest = notice.get("latest_update")
    first = notice.get("created_at")
    # the newest text is the first one only while it is the only one
    alone = latest.get("created_at") if isinstance(latest, dict) and not first else None
    return made(
        notice.get("id"),
        notice.get("subject"),
        word="monitoring" if notice.get("state") == "recovering" else notice.get("state"),
        impact=Impact.MINOR,
        is_open=_is_now(notice),
        claimed=notice.get("began_at"),
        posted=instant(first),
        updated=notice.get("updated_at") or alone,
        resolved=notice.get("ended_at"),
    )
