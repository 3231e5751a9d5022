"""The first look at each request: its connection, its Host, and the web page that it comes from."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from aiohttp import web

from exporter.api.guard import Handler, busy, problem
from exporter.serving.connection import Connection
from exporter.serving.hosts import HostNames

ESSENTIAL = frozenset({"/metrics", "/-/healthy", "/-/ready", "/api/alertmanager"})
"""What is answered on a reserved connection: monitoring and paging go on."""
_LONG = frozenset({"/api/events", "/probe"})
"""What takes long by its nature and has limits of its own."""
_AT_ONCE = 8
"""Answers that are made at once; the memory that they take while they are made is bounded by it."""
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """Refuses what no handler should see."""

    def __init__(self, hosts: HostNames) -> None:
        self._hosts = hosts
        self._making = asyncio.Semaphore(_AT_ONCE)

    def install(self, application: web.Application) -> None:
        """Make this the first middleware of *application*."""

        @web.middleware
        async def enter(request: web.Request, handler: Handler) -> web.StreamResponse:
            if isinstance(connection := request.protocol, Connection):
                connection.begin(request)
                if connection.slot.reserved and request.path not in ESSENTIAL:
                    return busy()
            if (refusal := self._refusal(request)) is not None:
                refusal.force_close()
                return refusal
            if request.method != "GET" or request.path in ESSENTIAL | _LONG:
                return await handler(request)
            async with self._making:
                if isinstance(connection, Connection) and not await connection.room():
                    return busy()
                return await handler(request)

        application.middlewares.insert(0, enter)

    def _refusal(self, request: web.Request) -> web.Response | None:
        if request.version < (1, 0):
            return problem(400, "HTTP/1.0 or newer is needed")
        host = request.headers.get("Host")
        if host is None:
            # HTTP/1.0 has no Host; a browser always sends one.
            return problem(400, "a Host header is needed") if request.version >= (1, 1) else None
        if not self._hosts.allows(host):
            return problem(
                421,
                "the exporter is not known by this name",
                detail="use its address, or start it with --web.allowed-hosts NAME",
            )
        if request.method not in _READING and not self._is_own_page(request, host):
            return problem(
                403,
                "a change must not come from another web site",
                detail="a proxy that changes Host needs --web.allowed-hosts with its own name",
            )
        return None

    def _is_own_page(self, request: web.Request, host: str) -> bool:
        """Return whether a request that changes something is a page's of ours, or no page's."""
        if site := request.headers.get("Sec-Fetch-Site"):
            return site in ("same-origin", "none")
        if (origin := request.headers.get("Origin")) is None:
            return True
        named = urlsplit(origin).netloc
        return bool(named) and (named.lower() == host.lower() or self._hosts.lists(named))
