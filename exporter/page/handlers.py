"""The routes of the page: its HTML, its events, its assets."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from exporter.page.assets import served
from exporter.page.live import FullError, Live, Viewer
from exporter.page.templates import whole
from exporter.page.views import HomePage, NothingHereError, PageView, view_of
from exporter.page.wording import clock

LIVE: web.AppKey[Live] = web.AppKey("LIVE", Live)
_SMALL = 4096
"""Bytes that are compressed on the loop; more are compressed in a thread."""
_FOREVER = "public, max-age=31536000, immutable"


async def show(request: web.Request) -> web.Response:
    """Return the page of this address."""
    live = _live(request)
    try:
        view = view_of(request.rel_url.raw_path_qs)
        page = await live.page(view)
    except NothingHereError:
        return _html("nothing", live, status=404)
    given: dict[str, Any] = {"view": view, "regions": page.regions, "rows": page.rows}
    if isinstance(view, HomePage):
        given["choices"] = live.drawer.board.choices
    return _html(view.template, live, title=page.title, **given)


def _html(template: str, live: Live, *, status: int = 200, **given: Any) -> web.Response:
    now = live.sources.clock.now()
    told = {"title": "Nothing here", "now": now, "moment": clock(now, now, seconds=True)}
    text = whole(template, changes=live.sources.accepts_changes, **(told | given))
    response = web.Response(
        text=text, content_type="text/html", status=status, zlib_executor_size=_SMALL
    )
    response.enable_compression()
    response.headers["Cache-Control"] = "no-store"
    return response


async def events(request: web.Request) -> web.StreamResponse:
    """Stream what changes on the page whose address is `of`; first all of it."""
    live = _live(request)
    if "of" not in request.query:
        raise web.HTTPBadRequest(reason="of must be the path of a page")
    view = _wanted(request)
    viewer = Viewer(lambda: _hang_up(request), lambda: _is_gone(request))
    try:
        await live.enter(view, viewer)
    except NothingHereError:
        raise web.HTTPNotFound from None
    except FullError:
        return _full()
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
    )
    try:
        await response.prepare(request)
        while (event := await viewer.waiting.get()) is not None:
            await response.write(event)
    except ConnectionError:  # it is gone, or was dropped
        return response
    finally:
        live.leave(view, viewer)
    response.force_close()
    return response


def _wanted(request: web.Request) -> PageView:
    try:
        return view_of(request.query["of"])
    except NothingHereError:
        raise web.HTTPNotFound from None


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _full() -> web.Response:
    told = {"type": "about:blank", "title": "too many open pages", "status": 503}
    return web.Response(
        status=503,
        text=json.dumps(told),
        content_type="application/problem+json",
        headers={"Retry-After": "30"},
    )


async def asset(request: web.Request) -> web.Response:
    """Return style, script or icon; the name says which version."""
    _live(request)
    found = served().get(request.match_info["id"])
    if found is None:
        raise web.HTTPNotFound
    response = web.Response(
        body=found.body, content_type=found.type, charset="utf-8", zlib_executor_size=_SMALL
    )
    response.enable_compression()
    response.headers["Cache-Control"] = _FOREVER
    return response


def _live(request: web.Request) -> Live:
    """Return the page's own object; 404 if the page is off."""
    live = request.app[LIVE]
    if not live.sources.enabled():
        raise web.HTTPNotFound(reason="the page is off: monitoring.dashboard_enabled is false")
    return live
