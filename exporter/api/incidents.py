"""/api/incidents: list, report, acknowledge, resolve; /api/alertmanager: its webhook messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from aiohttp import web

from exporter.api.app_keys import FAILURES, INCIDENTS, RECEIVED, RECONCILE, REGISTRY, Json
from exporter.api.bodies import (
    MAX_NAME_LENGTH,
    BodyError,
    bounded_text,
    chosen,
    json_object,
    only_fields,
    page_size,
    text_field,
)
from exporter.api.failures import evidence_of
from exporter.incidents import (
    SEVERITIES,
    Incident,
    IncidentLog,
    IncidentStatus,
    Query,
    told_sentence,
)
from exporter.registry import UnknownServiceError

FILTERS = ("severity", "status", "service", "environment")
PAGE_SIZE = 100
_MAX_NOTE_LENGTH = 4096
_MAX_MESSAGE_BYTES, _MAX_MESSAGE_VALUES = 16 * 1024 * 1024, 1_000_000
"""Of a webhook message: a group of some thousand alerts exceeds the limits of other bodies."""
FILTER_VALUES = {"severity": SEVERITIES, "status": tuple(str(status) for status in IncidentStatus)}


async def listing(request: web.Request) -> web.Response:
    """Return one page of the incidents that match the filters, newest first."""
    for name, allowed in FILTER_VALUES.items():
        chosen(request, name, allowed)
    limit = page_size(request, PAGE_SIZE)
    query = Query(
        **{name: request.query.get(name, "") for name in FILTERS},
        limit=limit + 1,  # one more shows whether there is a next page
        before=_before(request.query.get("cursor", "")),
    )
    matches = await request.app[INCIDENTS].find(query)
    page = matches[:limit]
    cursor = f"{page[-1].started_at!r}.{page[-1].id}" if len(matches) > len(page) else None
    shown = await incidents_of(request.app[INCIDENTS], page)
    return web.json_response({"incidents": shown, "next": cursor})


async def stats(request: web.Request) -> web.Response:
    """Return counts of all incidents, and mean times to acknowledge and to resolve in seconds."""
    return web.json_response(asdict(await request.app[INCIDENTS].stats()))


async def detail(request: web.Request) -> web.Response:
    """Return one incident with its timeline, and with its first and its last failure."""
    return await _answer(request, await request.app[INCIDENTS].get(_id(request)))


async def create(request: web.Request) -> web.Response:
    """Open an incident by hand; it is routed like an alert, by Alertmanager if one is known."""
    body = await json_object(request)
    only_fields(body, ("summary", "severity", "service", "environment", "description", "by"))
    severity = text_field(body, "severity") if "severity" in body else "high"
    if severity not in SEVERITIES:
        raise BodyError(f"severity must be one of {', '.join(SEVERITIES)}")
    about = {"service": "", "environment": "production", "provider": "", "team": ""}
    if "environment" in body:
        about["environment"] = text_field(body, "environment")
    if "service" in body:
        target = _service(request, text_field(body, "service"))
        about = {
            "service": target.id,
            "environment": target.environment,
            "provider": target.provider,
            "team": target.team,
        }
    incident = await request.app[INCIDENTS].create(
        severity=severity,
        summary=bounded_text(body, "summary", _MAX_NOTE_LENGTH),
        description=bounded_text(body, "description", _MAX_NOTE_LENGTH, ""),
        by=bounded_text(body, "by", MAX_NAME_LENGTH),
        **about,
    )
    request.app[RECONCILE]()
    headers = {"Location": f"/api/incidents/{incident.id}"}
    stored = await request.app[INCIDENTS].get(incident.id)
    return await _answer(request, stored, status=201, headers=headers)


def _service(request: web.Request, service: str) -> Any:
    try:
        return request.app[REGISTRY].get(service)
    except UnknownServiceError:
        raise BodyError("service must be the id of a registered service") from None


async def acknowledge(request: web.Request) -> web.Response:
    """Acknowledge an incident: its escalation stops."""
    by, note = await _author_and_note(request)
    acknowledged = await request.app[INCIDENTS].acknowledge(_id(request), by, note)
    return await _answer(request, acknowledged)


async def resolve(request: web.Request) -> web.Response:
    """Resolve an incident; only an alert that starts later opens it again."""
    by, note = await _author_and_note(request)
    resolved = await request.app[INCIDENTS].resolve(_id(request), by, note)
    request.app[RECONCILE]()
    return await _answer(request, resolved)


async def note(request: web.Request) -> web.Response:
    """Add a note to the timeline; only one with `public: true` is shown to outsiders."""
    body = await json_object(request)
    only_fields(body, ("by", "note", "public"))
    by = bounded_text(body, "by", MAX_NAME_LENGTH)
    text = bounded_text(body, "note", _MAX_NOTE_LENGTH)
    public = body.get("public", False)
    if not isinstance(public, bool):
        raise BodyError("public must be true or false")
    noted = await request.app[INCIDENTS].note(_id(request), by, text, public=public)
    return await _answer(request, noted)


async def receive(request: web.Request) -> web.Response:
    """Record a webhook message of Alertmanager, version 4.

    An alert in it that cannot be read or recorded is logged and set aside; 400 if none can be read,
    503 if the disk refuses. Alerts beyond the first 10,000 are left out; the next poll shows them.
    """
    count = request.app[RECEIVED]
    try:
        large = request.clone(client_max_size=_MAX_MESSAGE_BYTES)
        message = await json_object(large, most_values=_MAX_MESSAGE_VALUES)
        received = await request.app[INCIDENTS].receive(message)
    except (ValueError, web.HTTPRequestEntityTooLarge):  # not a message of Alertmanager
        count("invalid")
        raise
    except OSError:  # storage failed: Alertmanager retries after a 5xx
        count("failed")
        raise
    count("partial" if received.set_aside or received.left_out else "ok")
    if message.get("truncatedAlerts") or received.left_out:
        request.app[RECONCILE]()
    return web.json_response(asdict(received))


async def _author_and_note(request: web.Request) -> tuple[str, str]:
    """Return the author and the note of the body, an empty note if it has none."""
    body = await json_object(request)
    only_fields(body, ("by", "note"))
    author = bounded_text(body, "by", MAX_NAME_LENGTH)
    return author, bounded_text(body, "note", _MAX_NOTE_LENGTH, "")


def _before(cursor: str) -> tuple[float, str] | None:
    if not cursor:
        return None
    at, _, id_ = cursor.rpartition(".")
    if not re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", at) or not id_:
        raise BodyError("cursor must be the `next` of an earlier page")
    return float(at), id_


def _id(request: web.Request) -> str:
    return request.match_info["id"]


async def _answer(request: web.Request, incident: Incident, **more: Any) -> web.Response:
    (shown,) = await incidents_of(request.app[INCIDENTS], [incident])
    evidence = await evidence_of(request.app[FAILURES], incident)
    return web.json_response(shown | {"evidence": evidence}, **more)


async def incidents_of(log: IncidentLog, incidents: Sequence[Incident]) -> list[Json]:
    """Return *incidents* of *log* as the API represents them. Times are Unix times."""
    causes = await log.causes()
    return [_incident_of(one, causes.get(one.id), log.now) for one in incidents]


def _incident_of(incident: Incident, held_back_by: str | None, now: float) -> Json:
    return {
        "id": incident.id,
        "alertname": incident.alertname,
        "service": incident.service or None,
        "environment": incident.environment or None,
        "provider": incident.provider or None,
        "team": incident.team or None,
        "category": incident.category or None,
        "slo": incident.slo or None,
        "severity": incident.severity,
        "status": incident.status,
        "suppressed": incident.suppressed or None,
        "manual": incident.manual,
        "summary": incident.summary,
        "description": incident.description,
        "runbook_url": incident.runbook_url or None,
        "receivers": list(incident.receivers),
        "told": [asdict(told) for told in incident.told],
        "told_sentence": told_sentence(incident, now),
        "held_back_by": held_back_by,
        "started_at": incident.started_at,
        "acknowledged_at": incident.acknowledged_at,
        "acknowledged_by": incident.acknowledged_by or None,
        "resolved_at": incident.resolved_at,
        "resolved_by": incident.resolved_by or None,
        "reopened": incident.reopened,
        "timeline": [
            {"at": entry.at, "kind": entry.kind, "by": entry.by, "note": entry.note}
            for entry in incident.timeline
        ],
    }
