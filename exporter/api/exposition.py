"""GET /metrics: Prometheus text or OpenMetrics by Accept, gzip by Accept-Encoding."""

from __future__ import annotations

import asyncio

from aiohttp import web

from exporter.api.app_keys import EXPOSITION, OWN
from exporter.textformat import OPENMETRICS, TEXT


async def metrics(request: web.Request) -> web.StreamResponse:
    """Stream the page in slices, so that a scrape delays no probe."""
    started = asyncio.get_running_loop().time()
    openmetrics = "application/openmetrics-text" in request.headers.get("Accept", "")
    gzip = "gzip" in request.headers.get("Accept-Encoding", "")
    exposition = request.app[EXPOSITION]
    response = web.StreamResponse(headers={"Content-Type": OPENMETRICS if openmetrics else TEXT})
    if gzip:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept, Accept-Encoding"
    await response.prepare(request)
    pieces = exposition.compressed if gzip else exposition.chunks
    async for piece in pieces(openmetrics=openmetrics):
        await response.write(piece)
    await response.write_eof()
    request.app[OWN].render_seconds.set(asyncio.get_running_loop().time() - started)
    return response
