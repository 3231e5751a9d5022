"""The request handlers for outsiders: badges, the public page, its feed and its style sheet."""

from __future__ import annotations

from aiohttp import ETag, web

from exporter.public.assets import by_served_name
from exporter.public.badges import UNKNOWN_SERVICE, Badge
from exporter.public.outsiders import Outsiders, Rendered, rendered

OUTSIDERS: web.AppKey[Outsiders] = web.AppKey("OUTSIDERS", Outsiders)
DAYS = (1, 7, 30, 90)
"""What a badge can show the uptime of."""
_NO_PAGE = "there is no public page: start with --public-page, in a program public_page=True"
_LOOP_COMPRESSION_BYTES = 4096
_CACHED_FOREVER = "public, max-age=31536000, immutable"
_CACHED = "max-age=30"
# GitHub shows images through a proxy of its own (camo), which keeps what it may: with this it asks
# each time, and the ETag makes the answer a short one.
_ASKED_EACH_TIME = "no-cache"


async def page(request: web.Request) -> web.Response:
    """Return the public page."""
    return _answer(request, await _served(request).page(), "text/html", _CACHED)


async def feed(request: web.Request) -> web.Response:
    """Return the public page's Atom feed."""
    return _answer(request, await _served(request).feed(), "application/atom+xml", _CACHED)


async def asset(request: web.Request) -> web.Response:
    """Return the style sheet or an icon by the name that holds its hash."""
    _served(request)
    file = by_served_name().get(request.match_info["id"])
    if file is None:
        raise web.HTTPNotFound
    headers = {"Cache-Control": _CACHED_FOREVER}
    return web.Response(body=file.body, content_type=file.type, charset="utf-8", headers=headers)


async def badge(request: web.Request) -> web.Response:
    """Return the badge of a service as SVG."""
    found = await _badge(request)
    return _answer(
        request,
        rendered(found.as_svg()),
        "image/svg+xml",
        _ASKED_EACH_TIME,
        status=404 if found is UNKNOWN_SERVICE else 200,
    )


async def badge_data(request: web.Request) -> web.Response:
    """Return the badge of a service as shields.io's endpoint badge takes it."""
    found = await _badge(request)
    return web.json_response(
        found.as_json(),
        status=404 if found is UNKNOWN_SERVICE else 200,
        headers={"Cache-Control": _ASKED_EACH_TIME},
    )


async def _badge(request: web.Request) -> Badge:
    outsiders, service = request.app[OUTSIDERS], request.match_info["id"]
    show, days = request.query.get("show", "state"), request.query.get("days", "30")
    if show not in ("state", "uptime"):
        raise web.HTTPBadRequest(reason="show must be state or uptime")
    if days not in map(str, DAYS):
        raise web.HTTPBadRequest(reason=f"days must be one of {', '.join(map(str, DAYS))}")
    if show == "state":
        return outsiders.state(service)
    return await outsiders.uptime(service, int(days))


def _served(request: web.Request) -> Outsiders:
    """Return the application's `Outsiders`.

    Raises:
        HTTPNotFound: the public page was not asked for.
    """
    outsiders = request.app[OUTSIDERS]
    if not outsiders.on:
        raise web.HTTPNotFound(reason=_NO_PAGE)
    return outsiders


def _answer(
    request: web.Request, made: Rendered, kind: str, cached: str, *, status: int = 200
) -> web.Response:
    """Return *made*, or 304 to a client that has it already."""
    headers = {"Cache-Control": cached, "Vary": "Accept-Encoding"}
    known = request.if_none_match or ()
    if status == 200 and any(tag.value in (made.tag, "*") for tag in known):
        response = web.Response(status=304, headers=headers)
    else:
        response = web.Response(
            text=made.body,
            content_type=kind,
            status=status,
            headers=headers,
            zlib_executor_size=_LOOP_COMPRESSION_BYTES,
        )
        response.enable_compression()
    # Weak: the same text may be compressed in different ways.
    response.etag = ETag(made.tag, is_weak=True)
    return response
