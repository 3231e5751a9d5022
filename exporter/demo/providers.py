"""Simulated providers: they answer as the real ones document, with faults on demand."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from aiohttp import web

_GOOD: Mapping[str, Any] = {
    "openai": {"object": "list", "data": [{"id": "gpt-5", "object": "model"}]},
    "anthropic": {"data": [{"type": "model", "id": "claude"}], "has_more": False},
    "stripe": {"object": "balance", "available": [], "pending": [], "livemode": False},
    "sendgrid": {"scopes": ["mail.send"]},
    "billing": {"status": "ok"},
}
_REJECTED = {"error": {"type": "invalid_request_error", "code": "invalid_api_key"}}
NAMES = tuple(_GOOD)


class Fault(Enum):
    """What is wrong with a provider, or with our key for it."""

    NONE = "none"
    DOWN = "down"
    KEY = "key"


class Providers:
    """One server for all providers, by the first part of the path, and for a canary at /canary."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.faults = dict.fromkeys(NAMES, Fault.NONE)
        self.revoked: set[str] = set()
        """Keys that are rejected when they are in the header Authorization."""
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._host, self._port = host, port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/canary", self._canary)
        application.router.add_post("/faults/{provider}/{fault}", self._set_fault)
        for medium in ("slack", "pagerduty", "webhook", "deadman"):
            application.router.add_post(f"/{medium}{{rest:(?:/.*)?}}", self._notification)
        application.router.add_route("*", "/{provider}{rest:(?:/.*)?}", self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await self.connect()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def connect(self) -> None:
        """Accept connections, again on the same port after `disconnect`."""
        assert self._runner is not None
        # reuse_address: after `disconnect` the port is in TIME_WAIT
        self._site = web.TCPSite(self._runner, self._host, self._port, reuse_address=True)
        await self._site.start()
        self._port = int(self._runner.addresses[0][1])

    async def disconnect(self) -> None:
        """Refuse every connection, as if our own network were gone."""
        if self._site is not None:
            await self._site.stop()

    async def _canary(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _set_fault(self, request: web.Request) -> web.Response:
        """Set the fault of a provider, both named in the path."""
        name, fault = request.match_info["provider"], request.match_info["fault"]
        faults = [str(member.value) for member in Fault]
        if name not in self.faults or fault not in faults:
            usage = f"POST /faults/{'|'.join(NAMES)}/{'|'.join(faults)}\n"
            return web.Response(status=404, text=usage)
        self.faults[name] = Fault(fault)
        return web.Response(text=f"{name}: {fault}\n")

    async def _notification(self, request: web.Request) -> web.Response:
        """Accept a notification as Slack and PagerDuty do, and print its size."""
        medium = request.path.split("/")[1]
        print(f"{medium} received {len(await request.read())} bytes", flush=True)
        return web.Response(text="ok", status=202 if medium == "pagerduty" else 200)

    async def _answer(self, request: web.Request) -> web.Response:
        name = request.match_info["provider"]
        if name not in self.faults:
            return web.Response(status=404)
        if self.faults[name] is Fault.DOWN:
            return web.json_response({"error": {"message": "try later"}}, status=503)
        sent = request.headers.get("Authorization", "")
        if self.faults[name] is Fault.KEY or any(key in sent for key in self.revoked):
            return web.json_response(_REJECTED, status=401)
        return web.json_response(_GOOD[name])
