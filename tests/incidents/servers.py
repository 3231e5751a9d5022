"""Alertmanagers and a Prometheus on loopback that say what they are told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from tests.incidents.saying import NOW, iso

Json = dict[str, Any]


class Alertmanager:
    """Lists *alerts*; keeps what is posted; *broken* answers everything with garbage."""

    def __init__(self) -> None:
        self.url = ""
        self.alerts: list[Any] = []
        self.started = NOW - 86_400
        self.status: Any = None
        self.posted: list[list[Json]] = []
        self.refuses = self.hangs = self.dead = False
        self.raw: bytes | None = None
        """In place of the list of alerts."""
        self.huge = False
        self.asked: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path_qs}")
        if self.hangs:
            await asyncio.sleep(60)
        if self.dead:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if request.method == "POST":
            self.posted.append(await request.json())
            return web.Response(status=400 if self.refuses else 200)
        if request.path.endswith("/status"):
            return web.json_response(self.status or {"uptime": iso(self.started)})
        if self.huge:
            return await _too_large(request)
        if self.raw is not None:
            return web.Response(body=self.raw)
        return web.json_response(self.alerts)


async def _too_large(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    piece = b"[" + b" " * (1 << 20)
    with contextlib.suppress(OSError):
        for _ in range(80):
            await answer.write(piece)
    return answer


class Prometheus:
    """Answers query_range with *series*."""

    def __init__(self) -> None:
        self.url = ""
        self.series: Any = []
        self.dead = False
        self.raw: bytes | None = None
        self.asked: list[dict[str, str]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        if self.dead:
            return web.Response(status=503)
        if self.raw is not None:
            return web.Response(body=self.raw)
        return web.json_response({"status": "success", "data": {"result": self.series}})


@contextlib.asynccontextmanager
async def serving(server: Alertmanager | Prometheus) -> AsyncIterator[None]:
    """Serve on a loopback port of its own until the block ends."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(
        application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield
    finally:
        await runner.cleanup()
