"""One exporter process after another on the same directory: what was said to be done is done."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.fernet import Fernet

from exporter.store.vault import VARIABLE
from tests.sentinel import forms_of
from tests.test_process import TOKEN, Process, eventually, service, serving, write
from tests.vendor import Peer, Seen, Vendor, answer

pytestmark = pytest.mark.slow

ROUNDS, SECONDS = 10, 40.0
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
QUIET = {"enabled": False, "allow_private_addresses": True, "timeout": "2s", "retries": 0}
GOOD = 'probe_results_total{service="filed",environment="production",provider="custom",reason="ok"}'
REGISTERED, ROTATED, REJECTED, HEADER = (
    f"sk-SENTINEL-{kind}-{end}"
    for kind, end in (
        ("reg", "q7W9xZ2mK4"),
        ("rot", "vT8nB1cD5f"),
        ("rej", "gH3jL6pR0s"),
        ("hdr", "yU2wE4rT6y"),
    )
)


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


@pytest.fixture
def starter(tmp_path: Path, vendor: Vendor) -> Starter:
    vendor.on("/", answer())
    return Starter(tmp_path, vendor)


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


async def _results(running: Process) -> float:
    return await running.sample(GOOD) or 0.0


async def test_what_was_acknowledged_survives_every_kill(starter: Starter, vendor: Vendor) -> None:
    stream, end, rounds = Stream(starter), time.monotonic() + SECONDS, 0
    async with starter.started() as running:
        await eventually(lambda: _at_least(running, 3))
    saved = before = 3.0

    while rounds < ROUNDS and time.monotonic() < end:
        async with starter.started() as running:
            after = await _results(running)
            assert after >= max(saved, before - 16), "a counter went back"
            await stream.compare(running)
            work = asyncio.create_task(stream.run(running))
            await asyncio.sleep(random.uniform(0.05, 0.6))  # any moment is as good as another
            before = await _results(running)
            assert await running.stop(signal.SIGKILL) == -signal.SIGKILL
            await work
        rounds += 1
    async with starter.started() as running:
        await stream.compare(running)
        name = next(iter(stream.keys))
        await change(running, "POST", f"/api/services/{name}/test")
        assert b"Traceback" not in running.log

    assert vendor.seen[-1].holds(stream.keys[name]), "the key is in use"
    assert rounds >= 3
    assert len(stream.keys) > rounds
    assert stream.removed


async def _at_least(running: Process, least: int) -> bool:
    return await _results(running) >= least


async def test_sigterm_saves_every_result(starter: Starter, vendor: Vendor) -> None:
    async with starter.started() as running:
        await eventually(lambda: _at_least(running, 3))
        code = await running.stop()
    asked = len(vendor.seen)

    async with starter.started() as running:
        after = await _results(running)
        _, found = await running.ask("GET", "/api/services/filed")

    assert code == 0
    assert after >= asked >= 3
    assert found["status"] == "healthy"
    assert found["last_probe"] is not None


async def test_a_removed_service_begins_anew_under_its_old_id(
    starter: Starter, vendor: Vendor
) -> None:
    check = {"interval": "1s", "timeout": "1s", "allow_private_addresses": True}
    noisy = {"id": "a", "base_url": vendor.url(), "health_check": check}
    line = GOOD.replace("filed", "a")
    async with starter.started() as running:
        await change(running, "POST", "/api/services", noisy)
        await eventually(lambda: _sampled(running, line))
        await running.stop()
    async with starter.started() as running:
        await change(running, "DELETE", "/api/services/a")
        await running.stop(signal.SIGKILL)

    async with starter.started() as running:
        gone, _ = await running.ask("GET", "/api/services/a")
        await change(running, "POST", "/api/services", starter.quiet("a"))
        results = await running.sample(line)

    assert gone == 404
    assert not results


async def _sampled(running: Process, line: str) -> bool:
    return bool(await running.sample(line))


async def test_a_second_process_on_the_directory_ends_with_the_reason(starter: Starter) -> None:
    async with starter.started() as first, starter.started() as second:
        code = await asyncio.wait_for(second.process.wait(), 10)
        await second.stop()
        healthy = await first.get("/-/healthy")

    assert code == 1
    assert b"is used by another process; give each exporter a directory of its own" in second.log
    assert b"Traceback" not in second.log
    assert "healthy" in healthy


def _echo(*accepted: str) -> Any:
    """Accept the keys *accepted*; say every key again wherever an answer can hold it."""

    async def behave(peer: Peer, seen: Seen) -> None:
        everything = [REGISTERED, ROTATED, REJECTED, HEADER]
        good = any(seen.holds(key) for key in accepted)
        body = json.dumps({"error": {"message": f"no such key: {everything}"}})
        headers = [("X-Key", key) for key in everything]
        await answer(200 if good else 401, body, headers)(peer, seen)

    return behave


async def _pages(running: Process) -> list[str]:
    paths = (
        "/",
        "/metrics",
        "/sd",
        "/openapi.json",
        "/-/ready",
        "/api/health",
        "/api/stats",
        "/api/services",
        "/api/services/a",
        "/api/services/filed",
        "/nowhere",
    )
    return [await running.get(path) for path in paths]


async def test_a_key_shows_nowhere_in_its_whole_life(starter: Starter, vendor: Vendor) -> None:
    vendor.on("/", _echo(REGISTERED, ROTATED))
    check = {**QUIET, "enabled": True, "interval": "1s", "timeout": "1s"}
    headers = {"X-Also": HEADER}
    full = {**starter.quiet("a", api_key=REGISTERED, additional_headers=headers)}
    full["health_check"] = check
    key = "/api/services/a/key"
    steps: list[tuple[str, str, Any]] = [
        ("POST", "/api/services", full),
        ("POST", "/api/services", {**full, "id": "b", REJECTED: REJECTED}),
        ("POST", "/api/services", {**full, "id": REJECTED, "base_url": REJECTED, "type": REJECTED}),
        ("PUT", key, {"api_key": ROTATED}),
        ("PUT", key, {"api_key": REJECTED}),
        ("PUT", key, {"api_key": [REJECTED], "force": REJECTED}),
        ("PATCH", "/api/services/a", {"health_check": {"interval": REJECTED}}),
        ("PUT", key, {"rollback": True}),
        ("POST", "/api/services/a/test", None),
        ("POST", "/api/services/filed/test", None),
        ("GET", f"/api/services/{REJECTED}", None),
        ("GET", f"/api/services?limit={REJECTED}", None),
    ]

    said, statuses = [], []
    async with starter.started() as running:
        for method, path, body in steps:
            status, answered = await change(running, method, path, body)
            statuses.append(status)
            said.append(json.dumps(answered))
        await eventually(lambda: _sampled(running, GOOD.replace("filed", "a")))
        said += await _pages(running)
        await running.stop(signal.SIGKILL)
    async with starter.started() as again:
        said += await _pages(again)
    kept = b"".join(path.read_bytes() for path in starter.data.rglob("*") if path.is_file())

    assert statuses == [201, 422, 422, 200, 422, 400, 422, 200, 200, 200, 404, 400]
    assert vendor.seen[-1].holds(REGISTERED) or any(s.holds(REGISTERED) for s in vendor.seen)
    assert kept
    shown = running.log + again.log + "\n".join(said).encode()
    for secret in (REGISTERED, ROTATED, REJECTED, HEADER):
        for form, text in forms_of(secret).items():
            assert text not in shown, f"a key is shown as {form}"
            assert text not in kept, f"a key is kept as {form}"
