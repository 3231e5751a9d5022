"""Is the exporter well (/-/…), and are the services (/api/health, the page at /)."""

from __future__ import annotations

from html import escape

from aiohttp import web

from exporter.api.guard import problem
from exporter.api.keys import DASHBOARD, LOADER, READY, REGISTRY, RESULTS, Json
from exporter.config import Target
from exporter.model import Verdict, advice_of
from exporter.results import Status, Tally, status_of

_WORST = (Status.UNHEALTHY, Status.DEGRADED, Status.UNKNOWN, Status.HEALTHY)


async def healthy(request: web.Request) -> web.Response:
    """Answer while the process lives; no provider's fault is ours."""
    return web.Response(text="Service registry is healthy.\n")


async def ready(request: web.Request) -> web.Response:
    """Answer 200 once the configuration is loaded and until shutdown begins."""
    why = request.app[READY]()
    if why:
        return web.Response(status=503, text=f"Service registry is not ready: {why}.\n")
    return web.Response(text="Service registry is ready.\n")


async def reload(request: web.Request) -> web.Response:
    """Load the configuration again; 422 with every mistake if it is wrong."""
    error = await request.app[LOADER].reload()
    if error is None:
        return web.json_response({"reloaded": True, "services": len(request.app[REGISTRY])})
    mistakes = [str(mistake) for mistake in error.problems]
    return problem(422, "the configuration is wrong, the old one stays", problems=mistakes)


async def health(request: web.Request) -> web.Response:
    """Return every service's state and how many are in which."""
    services = [service_health(t, request.app[RESULTS].of(t.id)) for t in request.app[REGISTRY]]
    counts: dict[Status, int] = dict.fromkeys(_WORST, 0)
    for service in services:
        counts[service["status"]] += 1
    worst = next((s for s in _WORST if counts[s]), Status.UNKNOWN)
    summary = {"total": len(services)} | {str(status): counts[status] for status in Status}
    return web.json_response({"status": worst, "summary": summary, "services": services})


def service_health(target: Target, tally: Tally) -> Json:
    """Return what one service looks like now. Times are Unix times, durations milliseconds."""
    last, limited = tally.last, target.unprobed
    verdict = Verdict.MONITORING if tally.stale else (last.verdict if last else None)
    return {
        "id": target.id,
        "name": target.name,
        "provider": target.provider,
        "type": target.type,
        "environment": target.environment,
        "enabled": target.enabled,
        "status": status_of(target, tally),
        "reason": last.reason if last else None,
        "verdict": verdict,
        "advice": advice_of(last.reason, verdict)
        if last and verdict
        else limited or "not probed yet",
        "limited": limited or None,
        "duration_ms": round(last.outcome.duration * 1000, 3) if last else None,
        "last_probe": last.at if last else None,
        "last_success": tally.last_success or None,
        "consecutive_failures": tally.in_a_row,
    }


async def index(request: web.Request) -> web.Response:
    """Return a plain list of the services, worst first, for people."""
    if not request.app[DASHBOARD]():
        return problem(404, "the page is off", detail="monitoring.dashboard_enabled is false")
    services = [service_health(t, request.app[RESULTS].of(t.id)) for t in request.app[REGISTRY]]
    services.sort(key=lambda s: (_WORST.index(s["status"]), s["id"]))
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{escape(str(cell))}</td>" for cell in (
            s["name"], s["environment"], s["status"], s["verdict"] or "", s["advice"],
        ))
        + "</tr>"
        for s in services
    )  # fmt: skip
    return web.Response(text=_PAGE.format(rows=rows), content_type="text/html")


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Service registry</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><h1>Service registry</h1>
<table><thead><tr><th scope="col">Service</th><th scope="col">Environment</th>
<th scope="col">State</th><th scope="col">Verdict</th><th scope="col">What to do</th></tr></thead>
<tbody>{rows}</tbody></table>
<p><a href="/metrics">Metrics</a> · <a href="/api/health">Health as JSON</a></p>
</body></html>
"""
