"""The health of the exporter (/-/…) and of the services (/api/health)."""

from __future__ import annotations

import json

from aiohttp import web

from exporter.api.app_keys import (
    HOLDS,
    INCIDENTS,
    LOADER,
    NOTIFYING,
    OFFLINE_SINCE,
    REGISTRY,
    RESULTS,
    Json,
)
from exporter.api.guard import problem
from exporter.api.retirement import retirement_of
from exporter.clock import in_slices
from exporter.config import Target
from exporter.notifying import EntryState
from exporter.page.wording import iso
from exporter.results import Status, Tally, current_advice, current_verdict, status_of

_WORST_FIRST = (Status.UNHEALTHY, Status.DEGRADED, Status.UNKNOWN, Status.HEALTHY)


class Readiness:
    """Whether the exporter accepts requests; `why_not` is empty if it does."""

    def __init__(self) -> None:
        self.why_not = "starting"

    def set_ready(self) -> None:
        """Note that the configuration is loaded and the port is open."""
        self.why_not = ""

    def set_not_ready(self, why: str) -> None:
        """Note that no more requests should be sent, and *why*."""
        self.why_not = why


READINESS: web.AppKey[Readiness] = web.AppKey("READINESS", Readiness)


async def healthy(request: web.Request) -> web.Response:
    """Answer 200 while the process runs; failing providers do not matter."""
    return web.Response(text="Service registry is healthy.\n")


async def ready(request: web.Request) -> web.Response:
    """Answer 200 once the configuration is loaded and until shutdown begins."""
    if why := request.app[READINESS].why_not:
        return web.Response(status=503, text=f"Service registry is not ready: {why}.\n")
    return web.Response(text="Service registry is ready.\n")


async def reload(request: web.Request) -> web.Response:
    """Load the configuration again; 422 with every mistake if it is not valid."""
    error = await request.app[LOADER].reload()
    if error is None:
        return web.json_response({"reloaded": True, "services": len(request.app[REGISTRY])})
    mistakes = [str(mistake) for mistake in error.problems]
    return problem(
        422, "the configuration is not valid; the previous one stays active", problems=mistakes
    )


async def health(request: web.Request) -> web.Response:
    """Return the health of every service, and how many have which status."""
    counts: dict[Status, int] = dict.fromkeys(_WORST_FIRST, 0)
    registry, rows, now = request.app[REGISTRY], [], request.app[HOLDS].now
    async for target in in_slices(registry, 32):
        if target.id in registry:
            service = service_health(target, request.app[RESULTS].of(target.id), now)
            counts[service["status"]] += 1
            rows.append(json.dumps(service))  # one by one: dumping all at once blocks the loop
    worst = next((s for s in _WORST_FIRST if counts[s]), Status.UNKNOWN)
    summary = {"total": len(rows)} | {str(status): counts[status] for status in Status}
    refused = request.app[LOADER].refused_at
    media = [entry_health(entry) for entry in request.app[NOTIFYING]()]
    head = json.dumps(
        {
            "status": worst,
            "summary": summary,
            "reload_refused_at": refused,
            "offline_since": request.app[OFFLINE_SINCE](),
            "notifications": media,
            "incidents": request.app[INCIDENTS].decider,
        }
    ).removesuffix("}")
    text = f'{head}, "services": [{", ".join(rows)}]}}'
    return web.json_response(text=text)


def entry_health(entry: EntryState) -> Json:
    """Return how one entry of `notify:` fares; times are Unix times."""
    return {
        "name": entry.name,
        "medium": entry.medium,
        "waiting": entry.waiting,
        "failing_since": entry.failing_since,
        "why": entry.why or None,
    }


def service_health(target: Target, tally: Tally, now: float) -> Json:
    """Return the health of one service at *now*. Durations are milliseconds, times are Unix times.

    `retry_after` alone is a text of RFC 3339: until when the provider asked us to wait.
    """
    last = tally.last
    return {
        "id": target.id,
        "name": target.name,
        "provider": target.provider,
        "type": target.type,
        "environment": target.environment,
        "team": target.team,
        "enabled": target.enabled,
        "paused": target.pause is not None,
        "in_maintenance": target.in_maintenance(now),
        "status": status_of(target, tally),
        "reason": last.reason if last else None,
        "verdict": current_verdict(target, tally),
        "since": (tally.since if target.pause is None else target.pause.at) or None,
        "advice": current_advice(target, tally),
        "limited": target.unprobed or None,
        "duration_ms": round(last.outcome.duration * 1000, 3) if last else None,
        "last_probe": last.at if last else None,
        "last_success": tally.last_success or None,
        "consecutive_failures": tally.in_a_row,
        "retry_after": None if tally.retry_at is None else iso(tally.retry_at),
        "retirement": retirement_of(target, tally),
    }
