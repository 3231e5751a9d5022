"""The web application: every route behind its guard, and what all answers have in common."""

from __future__ import annotations

import asyncio

from aiohttp import web

from exporter.api import exposition
from exporter.api.exposition import SCRAPES
from exporter.api.guard import MAX_BODY_BYTES, add_headers, errors, guarded
from exporter.api.guesses import GUESSES, Guesses
from exporter.api.routes import ROUTES
from exporter.clock import SystemClock


def make_application(guesses: Guesses | None = None) -> web.Application:
    """Return the web application; `app` fills in the parts that handlers reach."""
    application = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[errors])
    application.on_response_prepare.append(add_headers)
    application[SCRAPES] = asyncio.Semaphore(exposition.SCRAPES_AT_ONCE)
    application[GUESSES] = guesses or Guesses(SystemClock(), lambda what: None)
    for route in ROUTES:
        handler = guarded(route.handler, route.access)
        application.router.add_route(route.method, route.path, handler)
    return application
