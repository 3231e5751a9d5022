"""The route table: every HTTP route of the exporter. One whose access is not OPEN needs a token."""

from __future__ import annotations

from aiohttp import web

from exporter import public
from exporter.api import (
    alike,
    exposition,
    failures,
    history,
    holds,
    incidents,
    models,
    multitarget,
    reference,
    reports,
    services,
    stats,
    status,
    status_pages,
)
from exporter.api.app_keys import SOFTWARE_VERSION
from exporter.api.guard import Access
from exporter.api.openapi import text
from exporter.api.routing import Route
from exporter.api.shapes import TEXT
from exporter.page import asset, events, show
from exporter.reports import FORMATS

OPEN, ADMIN, RECEIVER = Access.OPEN, Access.ADMIN, Access.RECEIVER
STATUS_PAGE = Access.STATUS_PAGE
_SERVICE = "/api/services/{id}"
_INCIDENT = "/api/incidents/{id}"


async def openapi(request: web.Request) -> web.Response:
    """Return the OpenAPI description of every route."""
    document = text(ROUTES, request.app[SOFTWARE_VERSION])
    return web.Response(text=document, content_type="application/json")


async def describe(request: web.Request) -> web.Response:
    """Return this table as a page, with an example of each call."""
    return await reference.show(request, ROUTES)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/", show, OPEN, "The status page.", alike.PAGE_ANSWERS, query=alike.HOME_QUERY),
    Route(
        "GET", "/services/{id}", show, OPEN, "A service's page.", alike.DETAIL, query=alike.UNTIL
    ),
    Route("GET", "/incidents", show, OPEN, "All incidents.", alike.PAGE_ANSWERS, query=alike.LIST),
    Route("GET", "/incidents/{id}", show, OPEN, "The page of an incident.", alike.DETAIL),
    Route("GET", "/assets/{id}", asset, OPEN, "A file of the pages.", alike.ASSET_ANSWERS),
    Route(
        "GET",
        "/api/events",
        events,
        OPEN,
        "Server-sent events: the changes of a page.",
        ((200, "text/event-stream"), (400, ""), (404, ""), (503, "")),
        query=(("of", TEXT),),
    ),
    Route(
        "GET",
        "/badge/{id}.svg",
        public.badge,
        OPEN,
        "A badge with the state or the uptime of a service.",
        ((200, alike.SVG), (304, ""), (400, ""), (404, alike.SVG)),
        query=alike.BADGE_QUERY,
        for_outsiders=True,
    ),
    Route(
        "GET",
        "/badge/{id}.json",
        public.badge_data,
        OPEN,
        "The same for the endpoint badge of shields.io.",
        ((200, "Badge"), (400, ""), (404, "Badge")),
        query=alike.BADGE_QUERY,
        for_outsiders=True,
    ),
    Route(
        "GET",
        "/public",
        public.page,
        OPEN,
        "The page for outsiders.",
        ((200, alike.HTML), (304, ""), (404, "")),
        for_outsiders=True,
    ),
    Route(
        "GET",
        "/public/feed.atom",
        public.feed,
        OPEN,
        "Its incidents and maintenance as an Atom feed.",
        ((200, "application/atom+xml"), (304, ""), (404, "")),
        for_outsiders=True,
    ),
    Route(
        "GET",
        "/public/assets/{id}",
        public.asset,
        OPEN,
        "Its style sheet and icons.",
        ((200, "text/css"), (200, alike.SVG), (404, "")),
        for_outsiders=True,
    ),
    Route("GET", "/metrics", exposition.metrics, OPEN, "Metrics.", alike.METRICS_ANSWERS),
    Route(
        "GET",
        "/probe",
        multitarget.probe,
        OPEN,
        "Probe any target, as blackbox_exporter does.",
        ((200, alike.PLAIN), (400, ""), (403, ""), (404, ""), (503, "")),
        query=alike.PROBE_QUERY,
    ),
    Route("GET", "/sd", services.discovery, OPEN, "Targets for http_sd.", ((200, "Discovery"),)),
    Route("GET", "/api", describe, OPEN, "The API as a page.", alike.PAGE_ANSWERS),
    Route("GET", "/openapi.json", openapi, OPEN, "This document.", ((200, "application/json"),)),
    Route("GET", "/-/healthy", status.healthy, OPEN, "Liveness.", ((200, alike.PLAIN),)),
    Route(
        "GET",
        "/-/ready",
        status.ready,
        OPEN,
        "Readiness.",
        ((200, alike.PLAIN), (503, alike.PLAIN)),
    ),
    Route(
        "POST",
        "/-/reload",
        status.reload,
        ADMIN,
        "Load the configuration again.",
        ((200, "Reloaded"), *alike.TOKEN_REFUSED, (422, "")),
    ),
    Route(
        "GET", "/api/health", status.health, OPEN, "The health of all services.", ((200, "Health"),)
    ),
    Route(
        "GET", "/api/stats", stats.stats, OPEN, "Counts of services and probes.", ((200, "Stats"),)
    ),
    Route(
        "GET",
        "/api/services",
        services.listing,
        OPEN,
        "List the services.",
        ((200, "ServiceList"), (400, "")),
        query=alike.SERVICES_QUERY,
    ),
    Route(
        "POST",
        "/api/services",
        services.register,
        ADMIN,
        "Register a service.",
        ((201, "Service"), (400, ""), *alike.TOKEN_REFUSED, (409, ""), (413, ""), (422, "")),
        body="NewService",
    ),
    Route("GET", _SERVICE, services.detail, OPEN, "One service.", ((200, "Service"), (404, ""))),
    Route(
        "PATCH",
        _SERVICE,
        services.change,
        ADMIN,
        "Change a service that the API added.",
        (
            (200, "Service"),
            (400, ""),
            *alike.TOKEN_REFUSED,
            (404, ""),
            (409, ""),
            (413, ""),
            (422, ""),
        ),
        body="ServicePatch",
    ),
    Route(
        "DELETE",
        _SERVICE,
        services.remove,
        ADMIN,
        "Remove a service that the API added.",
        ((204, ""), *alike.TOKEN_REFUSED, (404, ""), (409, "")),
    ),
    Route(
        "POST",
        _SERVICE + "/test",
        services.test,
        ADMIN,
        "Probe a service once, without counting the result.",
        ((200, "Test"), *alike.TOKEN_REFUSED, (404, ""), (409, "")),
    ),
    Route(
        "POST",
        _SERVICE + "/models/{model}/test",
        models.test,
        ADMIN,
        "Ask a model once; it counts, and counts against the budgets. Percent-encode / in its id.",
        ((200, "ModelTest"), *alike.TOKEN_REFUSED, (404, ""), (429, ""), (503, "")),
    ),
    Route(
        "PUT",
        _SERVICE + "/key",
        services.rotate,
        ADMIN,
        "Rotate a key, or roll back to the previous one.",
        (
            (200, "Rotation"),
            (400, ""),
            *alike.TOKEN_REFUSED,
            (404, ""),
            (409, ""),
            (413, ""),
            (422, ""),
        ),
        body="NewKey",
    ),
    Route(
        "DELETE",
        _SERVICE + "/key",
        services.forget_key,
        ADMIN,
        "Drop a rotated key and return to the declared one.",
        ((204, ""), *alike.TOKEN_REFUSED, (404, ""), (409, "")),
    ),
    Route(
        "POST",
        _SERVICE + "/pause",
        holds.pause,
        ADMIN,
        "Stop probing a service until it is resumed; one of a file too.",
        alike.HOLD_ANSWERS,
        body="Pausing",
    ),
    Route(
        "POST",
        _SERVICE + "/resume",
        holds.resume,
        ADMIN,
        "Probe a paused service again.",
        alike.HOLD_ANSWERS,
        body="Pausing",
    ),
    Route(
        "POST",
        _SERVICE + "/maintenance",
        holds.maintain,
        ADMIN,
        "Set a window of maintenance; of a service of a file too.",
        ((201, "Service"), *alike.HOLD_ANSWERS[1:]),
        body="NewMaintenance",
    ),
    Route(
        "DELETE",
        _SERVICE + "/maintenance",
        holds.end_maintenance,
        ADMIN,
        "Take out windows of maintenance that were set at run time.",
        ((200, "Service"), (400, ""), *alike.TOKEN_REFUSED, (404, ""), (409, "")),
        query=(("which", {"enum": list(holds.WHICH), "default": "open"}),),
    ),
    Route(
        "GET",
        _SERVICE + "/results",
        history.recent,
        OPEN,
        "The last results of a service, at most 20.",
        ((200, "Results"), (404, "")),
    ),
    Route(
        "GET",
        _SERVICE + "/history",
        history.of_service,
        OPEN,
        "The last 24 hours of a service in quarters of an hour, or 30 days in four hours each.",
        ((200, "History"), (400, ""), (404, "")),
        query=(("range", {"type": "string", "enum": list(history.RANGES), "default": "24h"}),),
    ),
    Route(
        "GET",
        _SERVICE + "/report",
        reports.report,
        OPEN,
        "The availability of a service, for its vendor: downtime, evidence, the vendor's rule.",
        alike.REPORT_ANSWERS,
        query=(("from", TEXT), ("to", TEXT), ("format", {"enum": list(FORMATS)})),
    ),
    Route(
        "GET",
        _SERVICE + "/failures",
        failures.listing,
        OPEN,
        "The last 50 failures of a service with their evidence, and both ends of each incident.",
        ((200, "FailureList"), (400, ""), (404, "")),
        query=alike.FAILURES_QUERY,
    ),
    Route(
        "GET",
        "/api/audit",
        history.audit,
        ADMIN,
        "The audit log: who changed what.",
        ((200, "Audit"), (400, ""), *alike.TOKEN_REFUSED),
        query=(("service", TEXT), ("limit", {"type": "integer", "minimum": 1, "maximum": 1000})),
    ),
    Route(
        "GET",
        "/api/incidents",
        incidents.listing,
        OPEN,
        "List the incidents, newest first.",
        ((200, "IncidentList"), (400, "")),
        query=alike.INCIDENTS_QUERY,
    ),
    Route(
        "POST",
        "/api/incidents",
        incidents.create,
        ADMIN,
        "Open an incident by hand.",
        ((201, "IncidentDetail"), (400, ""), *alike.TOKEN_REFUSED, (413, "")),
        body="NewIncident",
    ),
    Route(
        "GET",
        "/api/incidents/stats",
        incidents.stats,
        OPEN,
        "Counts of incidents, mean times to acknowledge and to resolve.",
        ((200, "IncidentStats"),),
    ),
    Route(
        "GET",
        _INCIDENT,
        incidents.detail,
        OPEN,
        "One incident.",
        ((200, "IncidentDetail"), (404, "")),
    ),
    Route(
        "POST",
        _INCIDENT + "/acknowledge",
        incidents.acknowledge,
        ADMIN,
        "Acknowledge an incident.",
        (*alike.INCIDENT_CHANGE_ANSWERS, (409, "")),
        body="Word",
    ),
    Route(
        "POST",
        _INCIDENT + "/resolve",
        incidents.resolve,
        ADMIN,
        "Resolve an incident.",
        alike.INCIDENT_CHANGE_ANSWERS,
        body="Word",
    ),
    Route(
        "POST",
        _INCIDENT + "/note",
        incidents.note,
        ADMIN,
        "Add a note to an incident.",
        alike.INCIDENT_CHANGE_ANSWERS,
        body="Note",
    ),
    Route(
        "POST",
        "/api/alertmanager",
        incidents.receive,
        RECEIVER,
        "Alertmanager's webhook, version 4.",
        ((200, "Received"), (400, ""), *alike.TOKEN_REFUSED, (413, "")),
        body="AlertmanagerMessage",
    ),
    Route(
        "POST",
        "/api/status-page/{provider}",
        status_pages.ring,
        STATUS_PAGE,
        "A webhook of a status page: the provider's page is asked at once.",
        ((202, "Rung"), *alike.TOKEN_REFUSED, (404, ""), (413, "")),
    ),
)


FOR_OUTSIDERS = frozenset(route.path for route in ROUTES if route.for_outsiders)
"""The paths that `--public-page.without-password` opens."""
