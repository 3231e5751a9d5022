"""GET /metrics: Prometheus text or OpenMetrics by Accept, gzip by Accept-Encoding."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol, cast, runtime_checkable

from aiohttp import web
from aiohttp.http import StreamWriter

from exporter.api.accepting import prefers_openmetrics, takes_gzip
from exporter.api.app_keys import EXPOSITION, OWN
from exporter.textformat import OPENMETRICS, PROTOBUF, TEXT

SCRAPES_AT_ONCE = 4
"""Scrapes for which lines are joined; further ones wait, for milliseconds."""
SCRAPES: web.AppKey[contextlib.AbstractAsyncContextManager[None]] = web.AppKey("SCRAPES")


@runtime_checkable
class _Bounded(Protocol):
    """A connection of a server that bounds the memory of unread answers."""

    async def room(self, *, at_once: bool = False) -> bool:
        """Wait until a further answer may be made; False if that took too long."""


async def metrics(request: web.Request) -> web.StreamResponse:
    """Stream the page in slices, so that a scrape delays no probe.

    A Prometheus that looks for start times asks for protobuf first, which has a field for them:
    whatever switched it on, its Accept says so.
    """
    started = asyncio.get_running_loop().time()
    accept = request.headers.getall("Accept", ())
    openmetrics = prefers_openmetrics(accept)
    starts = openmetrics and PROTOBUF in ",".join(accept)
    gzip = takes_gzip(request.headers.getall("Accept-Encoding", ()))
    exposition = request.app[EXPOSITION]
    response = web.StreamResponse(headers={"Content-Type": OPENMETRICS if openmetrics else TEXT})
    if gzip:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept, Accept-Encoding"
    pieces = exposition.compressed if gzip else exposition.chunks
    async with contextlib.AsyncExitStack() as turn:
        await turn.enter_async_context(request.app[SCRAPES])
        if isinstance(connection := request.protocol, _Bounded):
            await connection.room(at_once=True)
        await response.prepare(request)
        await _send(request, pieces(openmetrics=openmetrics, starts=starts), turn)
    await response.write_eof()
    request.app[OWN].render_seconds.set(asyncio.get_running_loop().time() - started)
    return response


async def _send(
    request: web.Request, pieces: AsyncIterator[bytes], turn: contextlib.AsyncExitStack
) -> None:
    """Send *pieces*; give up the *turn* when the client falls behind, for it may never catch up."""
    writer = cast(StreamWriter, request.writer)  # whose interface does not declare `drain`
    async for piece in pieces:
        await writer.write(piece, drain=False)
        del piece
        await asyncio.sleep(0)  # the loop hands to the kernel what was written, then comes back
        if request.protocol.writing_paused:
            await turn.aclose()
            await writer.drain()
