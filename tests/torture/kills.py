"""Kill -9 at any moment while services are registered, keys rotated, results counted."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.fernet import Fernet

from exporter.store.vault import VARIABLE
from tests.test_process import TOKEN, Process, eventually, service, serving, write
from tests.vendor import Vendor, answer

TITLE = "kill -9 while services, keys and counters change"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
QUIET = {"enabled": False, "allow_private_addresses": True, "timeout": "2s", "retries": 0}
GOOD = 'probe_results_total{service="filed",environment="production",provider="custom",reason="ok"}'


class Starter:
    """Starts processes on one configuration and one directory."""

    def __init__(self, folder: Path, vendor: Vendor) -> None:
        self.data, self.vendor = folder / "data", vendor
        self.config = write(folder / "services.yaml", vendor, service(vendor, "filed"))
        self.token, self.secret_key = folder / "token", folder / "secret-key"
        self.token.write_text(TOKEN)
        self.secret_key.write_bytes(Fernet.generate_key())

    @contextlib.asynccontextmanager
    async def started(self) -> AsyncIterator[Process]:
        arguments = ("--admin-token-file", str(self.token), "--data-dir", str(self.data))
        env = {VARIABLE: str(self.secret_key)}
        async with serving(self.config, *arguments, env=env) as running:
            yield running

    def quiet(self, name: str, **more: Any) -> dict[str, Any]:
        base = self.vendor.url().rstrip("/")
        return {"id": name, "base_url": base, "health_check": QUIET, **more}


async def change(running: Process, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    return await running.ask(method, path, headers=ADMIN, json=body)


class Stream:
    """Registers, rotates and removes until the process is gone; knows what was acknowledged."""

    def __init__(self, starter: Starter) -> None:
        self._starter = starter
        self._number = 0
        self.keys: dict[str, str] = {}
        """The key of every service that was acknowledged."""
        self.removed: set[str] = set()
        self.doubtful = ""
        """The service of the last request, which was not answered."""
        self.doubtful_key = ""
        self.kills = self.acknowledged = 0

    async def run(self, running: Process) -> None:
        with contextlib.suppress(aiohttp.ClientError):
            while True:
                await self._step(running)

    async def _step(self, running: Process) -> None:
        self._number += 1
        name, key = f"s{self._number}", f"sk-registered-{self._number:06}"
        await self._ask(
            running, "POST", "/api/services", (name, key), self._starter.quiet(name, api_key=key)
        )
        for chosen in random.sample(sorted(self.keys), min(2, len(self.keys))):
            self._number += 1
            fresh = f"sk-rotated-{self._number:06}"
            where = f"/api/services/{chosen}/key"
            await self._ask(running, "PUT", where, (chosen, fresh), {"api_key": fresh})
        if self._number % 4 == 0:
            chosen = random.choice(sorted(self.keys))
            await self._ask(running, "DELETE", f"/api/services/{chosen}", (chosen, ""))

    async def _ask(
        self,
        running: Process,
        method: str,
        path: str,
        change_of: tuple[str, str],
        body: Any = None,
    ) -> None:
        self.doubtful, self.doubtful_key = name, key = change_of
        status, said = await change(running, method, path, body)
        assert status < 300, said
        if key:
            self.keys[name] = key
        else:
            del self.keys[name]
            self.removed.add(name)
        self.doubtful = ""
        self.acknowledged += 1

    async def compare(self, running: Process) -> None:
        """Assert that *running* has what was acknowledged; take over what is doubtful."""
        _, page = await running.ask("GET", "/api/services?limit=1000")
        there = {row["id"] for row in page["services"]} - {"filed"}
        known = set(self.keys) - {self.doubtful}
        assert known <= there, "an acknowledged service is lost"
        assert there <= set(self.keys) | {self.doubtful}, "a removed service is back"
        for name in sorted(there):
            _, found = await running.ask("GET", f"/api/services/{name}")
            masked = {f"{key[:3]}…{key[-4:]}": key for key in self._possible(name)}
            assert found["key"]["masked"] in masked, f"{name}: an acknowledged key is lost"
            self.keys[name] = masked[found["key"]["masked"]]
        self.keys = {name: key for name, key in self.keys.items() if name in there}
        self.doubtful = ""

    def _possible(self, name: str) -> set[str]:
        possible = {self.keys[name]} if name in self.keys else set()
        return possible | ({self.doubtful_key} if name == self.doubtful else set()) - {""}


async def results(running: Process) -> float:
    return await running.sample(GOOD) or 0.0


async def at_least(running: Process, least: int) -> bool:
    return await results(running) >= least


async def survive(starter: Starter, vendor: Vendor, most: int, seconds: float) -> Stream:
    """Kill up to *most* processes within *seconds*; assert that each next one has everything."""
    stream, end = Stream(starter), time.monotonic() + seconds
    async with starter.started() as running:
        await eventually(lambda: at_least(running, 3))
    before = 3.0
    while stream.kills < most and time.monotonic() < end:
        async with starter.started() as running:
            assert await results(running) >= max(3.0, before - 16), "a counter went back"
            await stream.compare(running)
            work = asyncio.create_task(stream.run(running))
            await asyncio.sleep(random.uniform(0.05, 0.6))  # any moment is as good as another
            before = await results(running)
            assert await running.stop(signal.SIGKILL) == -signal.SIGKILL
            await work
        stream.kills += 1
    async with starter.started() as running:
        await stream.compare(running)
        name = next(iter(stream.keys))
        await change(running, "POST", f"/api/services/{name}/test")
        assert b"Traceback" not in running.log
    assert vendor.seen[-1].holds(stream.keys[name]), "the key is in use"
    return stream


async def _run(seconds: float) -> Stream:
    async with Vendor() as vendor:
        vendor.on("/", answer())
        with tempfile.TemporaryDirectory() as folder:
            return await survive(Starter(Path(folder), vendor), vendor, 1000, seconds)


def run() -> dict[str, str | float]:
    """Kill for a minute and a half; raise AssertionError if anything acknowledged is lost."""
    stream = asyncio.run(_run(90.0))
    return {
        "kills": stream.kills,
        "changes acknowledged": stream.acknowledged,
        "acknowledged and lost": 0,
    }
