"""Simulated providers on loopback: they answer as the real ones document, with faults on demand."""

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
    """One server for all of them, by the first part of the path; and a canary at /canary."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.faults = dict.fromkeys(NAMES, Fault.NONE)
        self.revoked: set[str] = set()
        """Keys that no provider accepts any more."""
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._host, self._port = host, port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/canary", self._canary)
        application.router.add_post("/faults/{provider}/{fault}", self._fail)
        for medium in ("slack", "pagerduty", "webhook", "deadman"):
            application.router.add_post(f"/{medium}{{rest:(?:/.*)?}}", self._take)
        application.router.add_route("*", "/{provider}{rest:(?:/.*)?}", self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await self.connect()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def connect(self) -> None:
        """Take connections; the port stays the same after the first time."""
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, self._host, self._port, reuse_address=True)
        await self._site.start()
        self._port = int(self._runner.addresses[0][1])

    async def disconnect(self) -> None:
        """Refuse every connection, as if our own network were gone."""
        if self._site is not None:
            await self._site.stop()

    async def _canary(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _fail(self, request: web.Request) -> web.Response:
        """Have a provider fail, or be well again, as the path says."""
        name, fault = request.match_info["provider"], request.match_info["fault"]
        if name not in self.faults or fault not in [str(one.value) for one in Fault]:
            known = f"{'|'.join(NAMES)}/{'|'.join(str(one.value) for one in Fault)}"
            return web.Response(status=404, text=f"POST /faults/{known}\n")
        self.faults[name] = Fault(fault)
        return web.Response(text=f"{name}: {fault}\n")

    async def _take(self, request: web.Request) -> web.Response:
        """Take a notification, as Slack and PagerDuty would: the log of their stand-in has it."""
        medium = request.path.split("/")[1]
        print(f"{medium} was told: {len(await request.read())} bytes", flush=True)
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
