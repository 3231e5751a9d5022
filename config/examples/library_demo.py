"""The library in half a minute, without the internet: a failure, an incident, a message, the end.

    python library_demo.py

It watches a server of its own, which it makes fail. Time runs 20 times as fast as yours, so that
nobody waits for what people on call are spared: a message for each short failure.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from exporter import ServiceRegistry

SPEED = 20.0


class FastClock:
    """Time that runs `SPEED` times as fast, for the registry alone."""

    def __init__(self) -> None:
        self._started, self._tick = time.time(), time.monotonic()

    def now(self) -> float:
        return self._started + self.tick() - self._tick * SPEED

    def tick(self) -> float:
        return time.monotonic() * SPEED

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


class World:
    """An API that can be broken, and a webhook that keeps what it is told."""

    def __init__(self) -> None:
        self.broken = False
        self.told: list[dict[str, Any]] = []

    async def answer(self, request: web.Request) -> web.Response:
        if self.broken:
            return web.json_response({"error": "out of paper"}, status=500)
        return web.json_response({"status": "up"})

    async def hear(self, request: web.Request) -> web.Response:
        self.told.append(await request.json())
        return web.Response()

    async def serve(self) -> tuple[web.AppRunner, str]:
        application = web.Application()
        application.router.add_get("/billing", self.answer)
        application.router.add_post("/hook", self.hear)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        return runner, f"http://{host}:{port}"


def config(url: str) -> dict[str, Any]:
    check = {"interval": "5s", "timeout": "2s", "retries": 0, "allow_private_addresses": True}
    service = {
        "id": "billing",
        "base_url": f"{url}/billing",
        "alerts": {"down_after": 2, "critical_after": 3},
    }
    return {"services": [service | {"health_check": check}]}


async def until(what: str, found: Callable[[], Awaitable[Any]]) -> Any:
    """Wait for *found* to return something, and print how long that took."""
    began = time.monotonic()
    async with asyncio.timeout(60):
        while not (value := await found()):
            await asyncio.sleep(0.05)
    print(f"{(time.monotonic() - began) * SPEED:4.0f} s  {what}", flush=True)
    return value


async def main() -> None:
    world = World()
    runner, url = await world.serve()
    async with ServiceRegistry(config(url), clock=FastClock()) as registry:
        await registry.start_incident_response(webhook_url=f"{url}/hook")

        async def status(wanted: str) -> bool:
            return registry.get_service_health("billing")["status"] == wanted

        async def incident(wanted: str) -> Any:
            return await registry.incidents.get_incidents(severity="critical", status=wanted)

        async def told(wanted: str) -> Any:
            return [one for one in world.told if one["status"] == wanted]

        await until("billing answers", lambda: status("healthy"))
        world.broken = True
        await until("billing fails: 500", lambda: status("unhealthy"))
        (found,) = await until("an incident is open", lambda: incident("open"))
        print(f"        {found['severity']}: {found['summary']}")
        await until("the webhook is told", lambda: told("firing"))
        world.broken = False
        await until("billing answers again", lambda: status("healthy"))
        await until("the incident has ended", lambda: incident("resolved"))
        await until("the webhook is told of the end", lambda: told("resolved"))
        stats = await registry.incidents.get_incident_stats()
        print(f"        resolved after {stats['mttr_seconds']:.0f} s")
    await runner.cleanup()


asyncio.run(main())
