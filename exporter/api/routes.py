"""The HTTP edge. This table is all there is; a route that is not OPEN needs the admin token."""

from __future__ import annotations

from aiohttp import web

from exporter.api import exposition, history, incidents, multitarget, services, stats, status
from exporter.api.app_keys import SOFTWARE_VERSION
from exporter.api.guard import MAX_BODY, Access, add_headers, errors, guarded
from exporter.api.openapi import text
from exporter.api.routing import Route
from exporter.api.schemas import TEXT
from exporter.page import asset, events, show

OPEN, ADMIN, RECEIVER = Access.OPEN, Access.ADMIN, Access.RECEIVER
_PLAIN, _HTML = "text/plain", "text/html"
_METRICS = ((200, _PLAIN), (200, "application/openmetrics-text"))
_NOT_ADMIN = ((401, ""), (403, ""))
_PAGE_QUERY = (
    *((name, TEXT) for name in (*services.FILTERS, "cursor")),
    ("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
)
_INCIDENT_QUERY = (
    *((name, TEXT) for name in (*incidents.FILTERS, "cursor")),
    ("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
)
_ALWAYS = ((200, _HTML), (404, ""))
_SHOWN = (*_ALWAYS, (404, _HTML))
_ASSETS = ((200, "text/css"), (200, "text/javascript"), (200, "image/svg+xml"), (404, ""))
_HOME_QUERY = tuple((name, TEXT) for name in ("q", "state", *services.FILTERS[:3], "page"))
_PROBE_QUERY = (("target", TEXT), ("module", TEXT), ("debug", TEXT))
_ID = "/api/services/{id}"
_INCIDENT = "/api/incidents/{id}"
_WORD = ((200, "Incident"), (400, ""), *_NOT_ADMIN, (404, ""), (413, ""))


async def openapi(request: web.Request) -> web.Response:
    """Describe every route."""
    described = text(ROUTES, request.app[SOFTWARE_VERSION])
    return web.Response(text=described, content_type="application/json")


ROUTES: tuple[Route, ...] = (
    Route("GET", "/", show, OPEN, "The status page.", _ALWAYS, query=_HOME_QUERY),
    Route("GET", "/services/{id}", show, OPEN, "A service, for people.", _SHOWN),
    Route("GET", "/incidents", show, OPEN, "The incidents, for people.", _ALWAYS),
    Route("GET", "/incidents/{id}", show, OPEN, "An incident, for people.", _SHOWN),
    Route("GET", "/assets/{id}", asset, OPEN, "What the pages are made of.", _ASSETS),
    Route(
        "GET",
        "/api/events",
        events,
        OPEN,
        "Server-sent events: what changes on a page.",
        ((200, "text/event-stream"), (400, ""), (404, ""), (503, "")),
        query=(("of", TEXT),),
    ),
    Route("GET", "/metrics", exposition.metrics, OPEN, "Metrics.", _METRICS),
    Route(
        "GET",
        "/probe",
        multitarget.probe,
        OPEN,
        "Probe any target, as blackbox_exporter does.",
        ((200, _PLAIN), (400, ""), (404, "")),
        query=_PROBE_QUERY,
    ),
    Route("GET", "/sd", services.discovery, OPEN, "For http_sd.", ((200, "Discovery"),)),
    Route("GET", "/openapi.json", openapi, OPEN, "This.", ((200, "application/json"),)),
    Route("GET", "/-/healthy", status.healthy, OPEN, "Alive?", ((200, _PLAIN),)),
    Route("GET", "/-/ready", status.ready, OPEN, "Ready?", ((200, _PLAIN), (503, _PLAIN))),
    Route(
        "POST",
        "/-/reload",
        status.reload,
        ADMIN,
        "Load the configuration again.",
        ((200, "Reloaded"), *_NOT_ADMIN, (422, "")),
    ),
    Route("GET", "/api/health", status.health, OPEN, "How everything is.", ((200, "Health"),)),
    Route("GET", "/api/stats", stats.stats, OPEN, "How many of what.", ((200, "Stats"),)),
    Route(
        "GET",
        "/api/services",
        services.listing,
        OPEN,
        "List the services.",
        ((200, "ServiceList"), (400, "")),
        query=_PAGE_QUERY,
    ),
    Route(
        "POST",
        "/api/services",
        services.register,
        ADMIN,
        "Register a service.",
        ((201, "Service"), (400, ""), *_NOT_ADMIN, (409, ""), (413, ""), (422, "")),
        body="NewService",
    ),
    Route("GET", _ID, services.one, OPEN, "One service.", ((200, "Service"), (404, ""))),
    Route(
        "PATCH",
        _ID,
        services.change,
        ADMIN,
        "Change a service that the API added.",
        ((200, "Service"), (400, ""), *_NOT_ADMIN, (404, ""), (409, ""), (413, ""), (422, "")),
        body="ServicePatch",
    ),
    Route(
        "DELETE",
        _ID,
        services.remove,
        ADMIN,
        "Remove a service that the API added.",
        ((204, ""), *_NOT_ADMIN, (404, ""), (409, "")),
    ),
    Route(
        "POST",
        _ID + "/test",
        services.test,
        ADMIN,
        "Probe a service once, uncounted.",
        ((200, "Test"), *_NOT_ADMIN, (404, ""), (409, "")),
    ),
    Route(
        "PUT",
        _ID + "/key",
        services.rotate,
        ADMIN,
        "Rotate a key, or roll back.",
        ((200, "Rotation"), (400, ""), *_NOT_ADMIN, (404, ""), (409, ""), (413, ""), (422, "")),
        body="NewKey",
    ),
    Route(
        "DELETE",
        _ID + "/key",
        services.forget_key,
        ADMIN,
        "Return to the declared key.",
        ((204, ""), *_NOT_ADMIN, (404, ""), (409, "")),
    ),
    Route(
        "GET",
        _ID + "/history",
        history.day,
        OPEN,
        "A day of one service, a quarter an hour each.",
        ((200, "History"), (404, "")),
    ),
    Route(
        "GET",
        "/api/audit",
        history.audit,
        ADMIN,
        "Who changed what.",
        ((200, "Audit"), (400, ""), *_NOT_ADMIN),
        query=(("service", TEXT), ("limit", {"type": "integer", "minimum": 1, "maximum": 1000})),
    ),
    Route(
        "GET",
        "/api/incidents",
        incidents.listing,
        OPEN,
        "List the incidents, the newest first.",
        ((200, "IncidentList"), (400, "")),
        query=_INCIDENT_QUERY,
    ),
    Route(
        "POST",
        "/api/incidents",
        incidents.create,
        ADMIN,
        "Open an incident by hand.",
        ((201, "Incident"), (400, ""), *_NOT_ADMIN, (413, "")),
        body="NewIncident",
    ),
    Route(
        "GET",
        "/api/incidents/stats",
        incidents.stats,
        OPEN,
        "How many, how fast.",
        ((200, "IncidentStats"),),
    ),
    Route("GET", _INCIDENT, incidents.one, OPEN, "One incident.", ((200, "Incident"), (404, ""))),
    Route(
        "POST",
        _INCIDENT + "/acknowledge",
        incidents.acknowledge,
        ADMIN,
        "Take an incident.",
        (*_WORD, (409, "")),
        body="Word",
    ),
    Route(
        "POST",
        _INCIDENT + "/resolve",
        incidents.resolve,
        ADMIN,
        "End an incident.",
        _WORD,
        body="Word",
    ),
    Route(
        "POST",
        _INCIDENT + "/note",
        incidents.note,
        ADMIN,
        "Add a note.",
        _WORD,
        body="Word",
    ),
    Route(
        "POST",
        "/api/alertmanager",
        incidents.receive,
        RECEIVER,
        "Alertmanager's webhook, version 4.",
        ((200, "Received"), (400, ""), *_NOT_ADMIN, (413, "")),
        body="AlertmanagerMessage",
    ),
)


def make_application() -> web.Application:
    """Return the web application; `app` fills in the parts that handlers reach."""
    application = web.Application(client_max_size=MAX_BODY, middlewares=[errors])
    application.on_response_prepare.append(add_headers)
    for route in ROUTES:
        handler = guarded(route.handler, route.access)
        application.router.add_route(route.method, route.path, handler)
    return application
