"""Better Stack: the aggregate state of the page, and its open reports.

Source: betterstack.com/docs/uptime/status-pages (JSON API, read in November 2026). `starts_at` is
chosen by the author of a report; `published_at` is that of its texts.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from exporter.matching import json_of
from exporter.statuspages.incidents import (
    MOST_LISTED,
    PageIncident,
    Reading,
    earliest,
    impact_of,
    incidents_of,
    instant,
    made,
)
from exporter.statuspages.states import list_or_empty, state_of_word

PATH = "/index.json"


def read(body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return the state of the page and its reports, those of maintenance apart."""
    data = json_of(body)
    attributes = data["data"]["attributes"]
    included = [
        one for one in list_or_empty(data.get("included"))[:MOST_LISTED] if isinstance(one, dict)
    ]
    published: dict[str, list[Any]] = {}
    for one in included:
        if one.get("type") == "status_update":
            fields = _mapping(one.get("attributes"))
            report = _mapping(
                _mapping(_mapping(one.get("relationships")).get("status_report")).get("data")
            )
            key = str(fields.get("status_report_id") or report.get("id") or "")
            published.setdefault(key, []).append(fields.get("published_at"))
    names = {
        str(one.get("id")): _mapping(one.get("attributes")).get("public_name")
        for one in included
        if one.get("type") == "status_page_resource"
    }
    reports = [one for one in included if one.get("type") == "status_report"]
    return Reading(
        state=state_of_word(attributes["aggregate_state"]),
        incidents=incidents_of(reports, partial(_report, published, names, now)),
        made_at=instant(attributes.get("updated_at")),
    )


def _report(
    published: dict[str, list[Any]], names: dict[str, Any], now: float, report: Any
) -> PageIncident | None:
    fields, id_ = report["attributes"], str(report.get("id") or "")
    if fields.get("report_type") == "maintenance":
        return None
    ends = instant(fields.get("ends_at"))
    affected = [
        names.get(str(one.get("status_page_resource_id")))
        for one in list_or_empty(fields.get("affected_resources"))
        if isinstance(one, dict)
    ]
    return made(
        id_,
        fields.get("title"),
        impact=impact_of(fields.get("aggregate_state")),
        is_open=ends is None or ends > now,
        claimed=fields.get("starts_at"),
        posted=earliest(*published.get(id_, ())),
        resolved=fields.get("ends_at"),
        components=[name for name in affected if name],
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
