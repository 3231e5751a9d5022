"""The HTTP edge. This table is all there is; a route without an access is for the admin."""

from __future__ import annotations

from aiohttp import web

from exporter.api import exposition, multitarget, status
from exporter.api.guard import MAX_BODY, Access, Handler, add_headers, errors, guarded

ROUTES: tuple[tuple[str, str, Handler, Access], ...] = (
    ("GET", "/", status.index, Access.OPEN),
    ("GET", "/metrics", exposition.metrics, Access.OPEN),
    ("GET", "/probe", multitarget.probe, Access.OPEN),
    ("GET", "/api/health", status.health, Access.OPEN),
    ("GET", "/-/healthy", status.healthy, Access.OPEN),
    ("GET", "/-/ready", status.ready, Access.OPEN),
    ("POST", "/-/reload", status.reload, Access.ADMIN),
)


def make_application() -> web.Application:
    """Return the web application; `app` fills in the parts that handlers reach."""
    application = web.Application(client_max_size=MAX_BODY, middlewares=[errors])
    application.on_response_prepare.append(add_headers)
    for method, path, handler, access in ROUTES:
        application.router.add_route(method, path, guarded(handler, access))
    return application
