"""/api/services/{id}/pause, resume, maintenance: what people set for a service at run time."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from aiohttp import web

from exporter.api.app_keys import HOLDS, Json
from exporter.api.bodies import (
    MAX_NAME_LENGTH,
    BodyError,
    bounded_text,
    chosen,
    json_object,
    only_fields,
)
from exporter.api.services import caller, service_json
from exporter.config import PlannedMaintenance
from exporter.registry import Which
from exporter.settings import duration, timestamp

WHICH = ("open", "planned", "all")
LONGEST_SECONDS = 30 * 86400.0
_MAX_REASON_LENGTH = 256
_ID = "id"


async def pause(request: web.Request) -> web.Response:
    """Stop probing a service until it is resumed."""
    by, reason = await _author_and_reason(request)
    service = request.match_info[_ID]
    target = await request.app[HOLDS].pause(service, by=by, reason=reason, who=caller(request))
    return web.json_response(await service_json(request, target))


async def resume(request: web.Request) -> web.Response:
    """Probe a paused service again."""
    by, _ = await _author_and_reason(request)
    target = await request.app[HOLDS].resume(request.match_info[_ID], by=by, who=caller(request))
    return web.json_response(await service_json(request, target))


async def maintain(request: web.Request) -> web.Response:
    """Set a window of maintenance: failures in it are expected, and nobody is told."""
    body = await json_object(request)
    only_fields(body, ("start", "end", "duration", "reason", "by"))
    now = request.app[HOLDS].now
    start = _read(body, "start", timestamp) if "start" in body else now
    if ("end" in body) == ("duration" in body):
        raise BodyError("give end or duration, one of the two")
    end = (
        _read(body, "end", timestamp)
        if "end" in body
        else start + _read(body, "duration", duration)
    )
    if end <= max(start, now):
        raise BodyError("the window must end after its start, and after now")
    if end - start > LONGEST_SECONDS:
        raise BodyError("a window lasts at most 30 days; pause the service instead")
    window = PlannedMaintenance(
        start=start,
        end=end,
        reason=bounded_text(body, "reason", _MAX_REASON_LENGTH, ""),
        by=bounded_text(body, "by", MAX_NAME_LENGTH),
    )
    target = await request.app[HOLDS].maintain(request.match_info[_ID], window, caller(request))
    return web.json_response(await service_json(request, target), status=201)


async def end_maintenance(request: web.Request) -> web.Response:
    """Take out the windows that were set at run time: those that are open, planned, or all."""
    which = chosen(request, "which", WHICH, "open")
    target = await request.app[HOLDS].end_maintenance(
        request.match_info[_ID], cast(Which, which), caller(request)
    )
    return web.json_response(await service_json(request, target))


async def _author_and_reason(request: web.Request) -> tuple[str, str]:
    body = await json_object(request)
    only_fields(body, ("by", "reason"))
    author = bounded_text(body, "by", MAX_NAME_LENGTH)
    return author, bounded_text(body, "reason", _MAX_REASON_LENGTH, "")


def _read(body: Json, name: str, kind: Callable[[object], float]) -> float:
    try:
        return kind(body[name])
    except (ValueError, TypeError):
        form = "a duration such as 2h" if name == "duration" else "RFC 3339 with a time zone"
        raise BodyError(f"{name} must be {form}") from None
