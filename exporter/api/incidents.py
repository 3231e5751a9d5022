"""/api/incidents: list, report, take, end; /api/alertmanager: what Alertmanager says."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from aiohttp import web

from exporter.api.app_keys import INCIDENTS, RECEIVED, RECONCILE, REGISTRY, Json
from exporter.api.bodies import BodyError, json_object, only, page_size, text_field
from exporter.api.guard import problem
from exporter.characters import has_control
from exporter.incidents import SEVERITIES, Incident, IncidentStatus, Query
from exporter.registry import UnknownServiceError

FILTERS = ("severity", "status", "service", "environment")
PAGE_SIZE = 100
_LONGEST_NAME, _LONGEST_NOTE = 128, 4096
_LARGEST_MESSAGE = 16 * 1024 * 1024
"""Of Alertmanager; a group of some thousand alerts is larger than other bodies may be."""
_WORDS = {"severity": SEVERITIES, "status": tuple(str(status) for status in IncidentStatus)}


async def listing(request: web.Request) -> web.Response:
    """Return the incidents that fit the filters, the newest first, a page at a time."""
    for name, words in _WORDS.items():
        if request.query.get(name, words[0]) not in words:
            return problem(400, f"{name} must be one of {', '.join(words)}")
    limit = page_size(request, PAGE_SIZE)
    query = Query(
        **{name: request.query.get(name, "") for name in FILTERS},
        limit=limit + 1,
        before=_before(request.query.get("cursor", "")),
    )
    found = await request.app[INCIDENTS].find(query)
    page = found[:limit]
    following = f"{page[-1].started_at!r}.{page[-1].id}" if len(found) > len(page) else None
    return web.json_response({"incidents": [incident_of(i) for i in page], "next": following})


async def stats(request: web.Request) -> web.Response:
    """Return sums over all incidents, mean times to acknowledge and to resolve in seconds."""
    return web.json_response(asdict(await request.app[INCIDENTS].stats()))


async def one(request: web.Request) -> web.Response:
    """Return one incident with its timeline."""
    return web.json_response(incident_of(await request.app[INCIDENTS].get(_id(request))))


async def create(request: web.Request) -> web.Response:
    """Open an incident by hand; Alertmanager is told of it as of an alert."""
    body = await json_object(request)
    only(body, ("summary", "severity", "service", "environment", "description", "by"))
    severity = text_field(body, "severity") if "severity" in body else "high"
    if severity not in SEVERITIES:
        raise BodyError(f"severity must be one of {', '.join(SEVERITIES)}")
    given = {"service": "", "environment": "production", "provider": "", "team": ""}
    if "environment" in body:
        given["environment"] = text_field(body, "environment")
    if "service" in body:
        target = _service(request, text_field(body, "service"))
        given = {
            "service": target.id,
            "environment": target.environment,
            "provider": target.provider,
            "team": target.team,
        }
    incident = await request.app[INCIDENTS].create(
        severity=severity,
        summary=_bounded(body, "summary", _LONGEST_NOTE),
        description=_bounded(body, "description", _LONGEST_NOTE, ""),
        by=_bounded(body, "by", _LONGEST_NAME),
        **given,
    )
    request.app[RECONCILE]()
    headers = {"Location": f"/api/incidents/{incident.id}"}
    kept = await request.app[INCIDENTS].get(incident.id)
    return web.json_response(incident_of(kept), status=201, headers=headers)


def _service(request: web.Request, service: str) -> Any:
    try:
        return request.app[REGISTRY].get(service)
    except UnknownServiceError:
        raise BodyError("service must be the id of a registered service") from None


async def acknowledge(request: web.Request) -> web.Response:
    """Take an incident: escalation stops."""
    by, note = await _word(request)
    taken = await request.app[INCIDENTS].acknowledge(_id(request), by, note)
    return web.json_response(incident_of(taken))


async def resolve(request: web.Request) -> web.Response:
    """End an incident; only an alert that begins later opens it again."""
    by, note = await _word(request)
    ended = await request.app[INCIDENTS].resolve(_id(request), by, note)
    request.app[RECONCILE]()
    return web.json_response(incident_of(ended))


async def note(request: web.Request) -> web.Response:
    """Add a note to the timeline."""
    by, text = await _word(request)
    if not text:
        raise BodyError("note must be a non-empty text")
    noted = await request.app[INCIDENTS].note(_id(request), by, text)
    return web.json_response(incident_of(noted))


async def receive(request: web.Request) -> web.Response:
    """Take a webhook message of Alertmanager, version 4: all of it or, with 503, nothing."""
    count = request.app[RECEIVED]
    try:
        message = await json_object(request.clone(client_max_size=_LARGEST_MESSAGE))
        changed = await request.app[INCIDENTS].receive(message)
    except (ValueError, web.HTTPRequestEntityTooLarge):  # no message of Alertmanager's
        count("invalid")
        raise
    except OSError:  # the disk: Alertmanager tries again
        count("failed")
        raise
    count("ok")
    if message.get("truncatedAlerts"):
        request.app[RECONCILE]()
    return web.json_response({"changed": changed})


async def _word(request: web.Request) -> tuple[str, str]:
    """Return who speaks, and the note."""
    body = await json_object(request)
    only(body, ("by", "note"))
    return _bounded(body, "by", _LONGEST_NAME), _bounded(body, "note", _LONGEST_NOTE, "")


def _bounded(body: Json, name: str, longest: int, default: str | None = None) -> str:
    """Return the text at *name*; lines may break in it."""
    value = body.get(name, default)
    if (
        not isinstance(value, str)
        or len(value) > longest
        or (not value and default is None)
        or has_control(value, lines=True)
    ):
        size = "" if default is not None else "non-empty "
        what = f"a {size}text of at most {longest} characters without control characters"
        raise BodyError(f"{name} must be {what}")
    return value


def _before(cursor: str) -> tuple[float, str] | None:
    if not cursor:
        return None
    at, _, id_ = cursor.rpartition(".")
    if not re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", at) or not id_:
        raise BodyError("cursor must be the `next` of a page before")
    return float(at), id_


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def incident_of(incident: Incident) -> Json:
    """Return what the API tells of *incident*. Times are Unix times."""
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
