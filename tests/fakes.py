"""Stand-ins that tests hand in: a clock that moves when told, and small factories."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Coroutine
from typing import Any, TypeVar

from exporter.config import Target
from exporter.probers import Endpoint, Request

KEY = "sk-sentinel-0123456789-do-not-leak"

_T = TypeVar("_T")


async def beside_sleeps(work: Coroutine[Any, Any, _T]) -> tuple[_T, float]:
    """Return what *work* returns and by how many seconds sleeps beside it were late together.

    A busy machine is to blame for those, and not what is tested.
    """
    loop, running, late = asyncio.get_running_loop(), asyncio.create_task(work), 0.0
    while not running.done():
        begun = loop.time()
        await asyncio.sleep(0.002)
        late += max(0.0, loop.time() - begun - 0.004)
    return running.result(), late


class FakeClock:
    """`exporter.clock.Clock` in the hands of a test; nothing passes unless `advance` is called."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now, self._tick = now, 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self._now

    def tick(self) -> float:
        return self._tick

    async def sleep(self, seconds: float) -> None:
        done = asyncio.get_running_loop().create_future()
        at = self._tick + max(0.0, seconds)
        heapq.heappush(self._sleepers, (at, next(self._numbers), done))
        await done

    @property
    def sleeping(self) -> int:
        """How many wait for time to pass."""
        return sum(not done.done() for _, _, done in self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Let *seconds* pass: sleepers wake in the order of their time, one after the other."""
        end = self._tick + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, done = heapq.heappop(self._sleepers)
            if done.done():
                continue
            self._to(at)
            done.set_result(None)
            await settle()
        self._to(end)

    def _to(self, tick: float) -> None:
        self._now += max(0.0, tick - self._tick)
        self._tick = max(self._tick, tick)


async def settle(rounds: int = 25) -> None:
    """Let everything that is ready on the loop run; I/O with others is not waited for."""
    for _ in range(rounds):
        await asyncio.sleep(0)


def make_endpoint(url: str, **changes: Any) -> Endpoint:
    """Return an endpoint that may be on loopback and is given up after two seconds."""
    usual: dict[str, Any] = {
        "shown": url.partition("?")[0],
        "headers": (("User-Agent", "test"), ("Accept", "*/*")),
        "timeout": 2.0,
        "allow_private": True,
    }
    return Endpoint(url=url, **(usual | changes))


def make_request(url: str, **changes: Any) -> Request:
    """Return a plain GET that may be on loopback."""
    usual: dict[str, Any] = {
        "method": "GET",
        "headers": (),
        "timeout": 2.0,
        "allow_private": True,
    }
    return Request(url=url, **(usual | changes))


def service_target(id_: str = "api", endpoint: Endpoint | None = None, **changes: Any) -> Target:
    """Return a target of no provider in production."""
    usual: dict[str, Any] = {
        "name": id_,
        "type": "api",
        "provider": "custom",
        "environment": "production",
        "endpoint": endpoint or make_endpoint("http://127.0.0.1:1/"),
    }
    return Target(id=id_, **(usual | changes))
