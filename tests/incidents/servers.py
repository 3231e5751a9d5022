"""Alertmanagers and a Prometheus on loopback that say what they are told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
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
        self.counted: dict[tuple[str, str], tuple[float, float]] = {}
        """Messages tried and failed, by integration and receiver; a receiver of "" is not named."""
        self.counted_next: dict[tuple[str, str], tuple[float, float]] = {}
        """Counted from the next answer on."""
        self.metrics: str | None = None
        """In place of the metrics that are made of what is counted."""
        self.groups: Any = []
        self.silences: Any = []
        self.config: str | None = None
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
        if request.path == "/metrics":
            return self._metrics()
        if request.path.endswith("/status"):
            config = {"config": {"original": self.config}} if self.config else {}
            return web.json_response(self.status or {"uptime": iso(self.started)} | config)
        if request.path.endswith("/groups"):
            return web.json_response(self.groups)
        if request.path.endswith("/silences"):
            return web.json_response(self.silences)
        if self.huge:
            return await _too_large(request)
        if self.raw is not None:
            return web.Response(body=self.raw)
        return web.json_response(self.alerts)

    def _metrics(self) -> web.Response:
        if self.metrics is None and not self.counted:
            return web.Response(status=404)
        text = self.metrics or metrics(self.counted, self.started)
        self.counted |= self.counted_next
        return web.Response(text=text)


def metrics(counted: Mapping[tuple[str, str], tuple[float, float]], started: float) -> str:
    """Return what Alertmanager's /metrics has of its messages, in the form of 0.25 and 0.35."""
    lines = [f"process_start_time_seconds {started:e}", "alertmanager_config_hash 1.2e+14"]
    for (integration, receiver), (tried, failed) in counted.items():
        named = f',receiver_name="{receiver}"' if receiver else ""
        labels = f'integration="{integration}"{named}'
        lines += [
            # Begun, and not given up yet: that is no success.
            f"alertmanager_notifications_total{{{labels}}} {tried}",
            f"alertmanager_notifications_failed_total{{{labels}}} 0",
            f"alertmanager_notification_requests_total{{{labels}}} {tried}",
            f"alertmanager_notification_requests_failed_total{{{labels}}} {failed}",
        ]
    return "\n".join(lines) + "\n"


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
