"""/api/services: list, register, change, remove, test; rotate, roll back and forget a key."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import get_args

from aiohttp import web

from exporter.api.app_keys import FAILURES, HOLDS, LOADER, MANAGEMENT, REGISTRY, RESULTS, Json
from exporter.api.bodies import (
    BodyError,
    chosen,
    flag,
    json_object,
    only_fields,
    page_size,
    text_field,
)
from exporter.api.guard import problem
from exporter.api.models import models_json
from exporter.api.status import service_health
from exporter.api.status_pages import page_json
from exporter.clock import in_slices
from exporter.config import (
    Maintenance,
    PlannedMaintenance,
    Target,
    service_warnings,
    shown_declaration,
)
from exporter.model import PHASES, Outcome, Verdict, advice_of, verdict_of
from exporter.probers import command_line
from exporter.providers import ServiceType
from exporter.results import Status
from exporter.secret import Secret

FILTERS = ("environment", "provider", "type", "status")
FILTER_VALUES = {
    "type": get_args(ServiceType),
    "status": tuple(str(status) for status in Status),
}
"""What is allowed where that is known; environments and providers have any name."""
PAGE_SIZE = 500
_SHOWN_FAILURES = 5
"""In a service; /failures has all that are kept."""


async def listing(request: web.Request) -> web.Response:
    """Return one page of the services that match the filters, sorted by id."""
    for name, allowed in FILTER_VALUES.items():
        chosen(request, name, allowed)
    filters = {name: request.query[name] for name in FILTERS if name in request.query}
    after = request.query.get("cursor", "")
    limit = page_size(request, PAGE_SIZE)
    rows = []
    registry = request.app[REGISTRY]
    async for target in in_slices(sorted(registry, key=lambda target: target.id), 64):
        # A service may be removed while the loop yields between two slices.
        if target.id > after and target.id in registry:
            row = service_health(target, request.app[RESULTS].of(target.id), request.app[HOLDS].now)
            if all(row[name] == value for name, value in filters.items()):
                rows.append(row)
        if len(rows) > limit:
            break
    page = rows[:limit]
    cursor = page[-1]["id"] if len(rows) > len(page) else None
    return web.json_response({"services": page, "next": cursor})


async def register(request: web.Request) -> web.Response:
    """Register a service; 201 with its representation."""
    target = await request.app[MANAGEMENT].add(await json_object(request), caller(request))
    location = {"Location": f"/api/services/{target.id}"}
    return web.json_response(await service_json(request, target), status=201, headers=location)


async def detail(request: web.Request) -> web.Response:
    """Return one service with its configuration; keys are masked."""
    return web.json_response(await service_json(request, _target(request)))


async def change(request: web.Request) -> web.Response:
    """Merge the body into a service that the API added (RFC 7396)."""
    patch = await json_object(request)
    service = request.match_info["id"]
    if patch.get("id", service) != service:
        return problem(
            422, "an id cannot be changed", detail="remove the service and register it again"
        )
    target = await request.app[MANAGEMENT].change(service, patch, caller(request))
    return web.json_response(await service_json(request, target))


async def remove(request: web.Request) -> web.Response:
    """Remove a service that the API added, with its keys and its metrics."""
    await request.app[MANAGEMENT].remove(request.match_info["id"], caller(request))
    return web.Response(status=204)


async def test(request: web.Request) -> web.Response:
    """Probe a service once, now; the result is not counted."""
    outcome = await request.app[MANAGEMENT].test(request.match_info["id"])
    if outcome is None:
        reason = _target(request).unprobed
        return problem(409, "the service cannot be probed", detail=reason)
    found = outcome_of(outcome, has_page=_target(request).has_page)
    return web.json_response({**found, "success": outcome.success})


async def rotate(request: web.Request) -> web.Response:
    """Verify a new key with the provider and use it, or roll back to the previous one."""
    body = await json_object(request)
    management, service = request.app[MANAGEMENT], request.match_info["id"]
    only_fields(body, ("api_key", "force", "allow_limited", "rollback"))
    rollback, force = flag(body, "rollback"), flag(body, "force")
    allow_limited = flag(body, "allow_limited")
    if rollback and "api_key" in body:
        raise BodyError("give api_key or rollback, not both")
    if rollback:
        rotation = await management.roll_back(service, caller(request))
    else:
        key = Secret(text_field(body, "api_key"))
        rotation = await management.rotate(
            service,
            key,
            caller(request),
            force=force,
            allow_limited=allow_limited,
        )
    verified = (
        None
        if rotation.outcome is None
        else outcome_of(rotation.outcome, has_page=_target(request).has_page)
    )
    return web.json_response(
        {
            "service": service,
            "rotated_at": rotation.rotated_at,
            "verified": verified,
            "next_step": rotation.next_step or None,
        }
    )


async def forget_key(request: web.Request) -> web.Response:
    """Drop the rotated key and return to the one that the service is declared with."""
    await request.app[MANAGEMENT].forget_key(request.match_info["id"], caller(request))
    return web.Response(status=204)


async def discovery(request: web.Request) -> web.Response:
    """Return the enabled services in the form of Prometheus' http_sd."""
    registry, rows = request.app[REGISTRY], []
    async for target in in_slices(registry, 64):
        if target.enabled and target.endpoint is not None:
            rows.append(json.dumps(_discovery_target(target, target.endpoint.shown)))
    return web.json_response(text=f"[{', '.join(rows)}]")


def _discovery_target(target: Target, address: str) -> Json:
    labels = {
        "service": target.id,
        "environment": target.environment,
        "provider": target.provider,
        "__meta_service_type": target.type,
        "__meta_service_team": target.team,
    }
    return {"targets": [address], "labels": labels}


def caller(request: web.Request) -> str:
    """Return the caller as the audit log names it."""
    return f"api from {request.remote}"


def _target(request: web.Request) -> Target:
    return request.app[REGISTRY].get(request.match_info["id"])


async def service_json(request: web.Request, target: Target) -> Json:
    """Return all that is known of a service; keys are masked."""
    failures = await request.app[FAILURES].newest(target.id, _SHOWN_FAILURES)
    management = request.app[MANAGEMENT]
    declared = request.app[LOADER].declared(target.id)
    shown = {} if declared is None else shown_declaration(declared)
    return {
        **service_health(target, request.app[RESULTS].of(target.id), request.app[HOLDS].now),
        "origin": "file" if management.in_file(target.id) else "api",
        "config": shown,
        "warnings": [] if declared is None else service_warnings(declared),
        "pause": None if target.pause is None else asdict(target.pause),
        "maintenance": [_window(window) for window in target.maintenance],
        "interval_seconds": target.interval,
        "endpoint": target.endpoint.shown if target.endpoint else None,
        "method": target.endpoint.method if target.endpoint else None,
        "key": {
            "configured": target.key_configured,
            "masked": target.key.masked() if target.key else None,
            "rotated_at": request.app[LOADER].overlay.rotated_at(target.id),
            "next_valid": request.app[RESULTS].of(target.id).next_key_valid,
        },
        "curl": command_line(target.endpoint) if target.endpoint else None,
        **models_json(request, target),
        "failures": [
            {
                "at": result.at,
                **outcome_of(result.outcome, has_page=target.has_page, verdict=result.verdict),
            }
            for result in reversed(failures)
        ],
        "status_page": page_json(request, target),
    }


def _window(window: Maintenance) -> Json:
    by = window.by if isinstance(window, PlannedMaintenance) else None
    fields = {"start": window.start, "end": window.end, "reason": window.reason}
    return {**fields, "by": by, "origin": "file" if by is None else "api"}


def outcome_of(
    outcome: Outcome, *, has_page: bool | None = None, verdict: Verdict | None = None
) -> Json:
    """Return *outcome* as the API represents it, durations in milliseconds.

    *has_page*: as of `advice_of`. *verdict*: the one that was reached, if that is known.
    """
    phases = zip(PHASES, outcome.phases, strict=True)
    certificate = outcome.certificate
    verdict = verdict or verdict_of(outcome.reason, shortage=outcome.shortage)
    return {
        "reason": outcome.reason,
        "verdict": verdict,
        "detail": outcome.detail,
        "advice": advice_of(outcome.reason, verdict, has_page=has_page),
        "status_code": outcome.status or None,
        "duration_ms": round(outcome.duration * 1000, 3),
        "phases": {phase: round(seconds * 1000, 3) for phase, seconds in phases},
        "certificate": asdict(certificate) if certificate else None,
    }
