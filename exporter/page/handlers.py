"""The request handlers of the page: its HTML, its event stream, its assets."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from exporter.page.assets import assets_by_served_name
from exporter.page.drawer import PageNotFoundError, PageView
from exporter.page.home import ORDERS, HomePage, choices_of_groups
from exporter.page.live import Live, Viewer, ViewerRefusedError
from exporter.page.templates import whole_page
from exporter.page.views import view_of
from exporter.page.wording import utc_time

LIVE: web.AppKey[Live] = web.AppKey("LIVE", Live)
_LOOP_COMPRESSION_BYTES = 4096
"""Up to so many bytes are compressed on the event loop, more in a thread."""
_CACHED_FOREVER = "public, max-age=31536000, immutable"


async def show(request: web.Request) -> web.Response:
    """Return the page of the request's path and query as HTML; 404 if there is none."""
    live = _live(request)
    try:
        view = view_of(request.rel_url.raw_path_qs)
        page = await live.page(view)
    except PageNotFoundError:
        return await _html("nothing", live, status=404)
    context: dict[str, Any] = {"view": view, "regions": page.regions, "icon": page.icon}
    if isinstance(view, HomePage):
        choices = live.drawer.board.choices
        context |= {"rows": page.rows, "groups": page.groups, "choices": choices, "orders": ORDERS}
        context["groupings"] = choices_of_groups(choices.get("tag", ()), view.group)
    return await _html(view.template, live, title=page.title, **context)


async def whole(request: web.Request, template: str, **context: Any) -> web.Response:
    """Return a page that is not updated; *context* is what its template needs, with a `title`.

    Raises:
        HTTPNotFound: the page is switched off.
    """
    return await _html(template, _live(request), **context)


async def _html(template: str, live: Live, *, status: int = 200, **context: Any) -> web.Response:
    await live.compiled()
    now = live.sources.clock.now()
    common = {
        "title": "Nothing here",
        "icon": "icon.svg",
        "now": now,
        "drawn_at": utc_time(now, now, seconds=True),
        "accepts_changes": live.sources.accepts_changes,
        "public_page": live.sources.public_page,
    }
    text = whole_page(template, **(common | context))
    response = web.Response(
        text=text,
        content_type="text/html",
        status=status,
        zlib_executor_size=_LOOP_COMPRESSION_BYTES,
    )
    response.enable_compression()
    response.headers["Cache-Control"] = "no-store"
    return response


async def events(request: web.Request) -> web.StreamResponse:
    """Stream the page whose address is in the query's `of`: all of it first, then what changes."""
    live = _live(request)
    if "of" not in request.query:
        raise web.HTTPBadRequest(reason="of: missing; it must be the path of a page")
    view = _view_of_query(request)
    viewer = Viewer(lambda: _abort(request), lambda: _is_disconnected(request))
    try:
        await live.enter(view, viewer)
    except PageNotFoundError:
        raise web.HTTPNotFound from None
    except ViewerRefusedError:
        return _too_many_pages()
    # Without the second header an nginx in front would hold events back in its buffer.
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
    )
    try:
        await response.prepare(request)
        while (event := await viewer.events.get()) is not None:
            await response.write(event)
    except ConnectionError:  # the browser closed the page, or it was disconnected as too slow
        return response
    finally:
        live.leave(view, viewer)
    response.force_close()
    return response


def _view_of_query(request: web.Request) -> PageView:
    try:
        return view_of(request.query["of"])
    except PageNotFoundError:
        raise web.HTTPNotFound from None


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _is_disconnected(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _too_many_pages() -> web.Response:
    problem = {"type": "about:blank", "title": "too many open pages", "status": 503}
    return web.Response(
        status=503,
        text=json.dumps(problem),
        content_type="application/problem+json",
        headers={"Retry-After": "30"},
    )


async def asset(request: web.Request) -> web.Response:
    """Return a style sheet, script or icon by the name that holds its hash."""
    await _live(request).compiled()
    file = assets_by_served_name().get(request.match_info["id"])
    if file is None:
        raise web.HTTPNotFound
    response = web.Response(
        body=file.body,
        content_type=file.type,
        charset="utf-8",
        zlib_executor_size=_LOOP_COMPRESSION_BYTES,
    )
    response.enable_compression()
    response.headers["Cache-Control"] = _CACHED_FOREVER
    return response


def _live(request: web.Request) -> Live:
    """Return the application's `Live`.

    Raises:
        HTTPNotFound: the page is switched off.
    """
    live = request.app[LIVE]
    if not live.sources.enabled():
        raise web.HTTPNotFound(
            reason="the page is switched off: monitoring.dashboard_enabled is false"
        )
    return live
