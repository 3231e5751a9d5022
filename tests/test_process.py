"""One exporter process from start to stop: signals, reloads, keys, and what it never prints."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.patience import patient, within
from tests.programs import free_port
from tests.sentinel import forms_of
from tests.vendor import Peer, Seen, Vendor, answer

TOKEN = "admin-token-0123456789"
SENTINEL = "sk-SENTINEL-q7W9xZ2mK4vT8nB1"


class Process:
    """A running `service-registry serve`, its output, and how to ask it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        base: str,
        connector: aiohttp.BaseConnector | None = None,
    ) -> None:
        self.process, self.base = process, base
        self.log = b""
        self._session = aiohttp.ClientSession(connector=connector)
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while chunk := await self.process.stdout.read(65536):
            self.log += chunk

    async def get(self, path: str, **kwargs: Any) -> str:
        async with self._session.get(self.base + path, **kwargs) as response:
            return await response.text()

    async def ask(self, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
        async with self._session.request(method, self.base + path, **kwargs) as response:
            text = await response.text()
            is_json = "json" in response.headers.get("Content-Type", "")
            return response.status, json.loads(text) if is_json else text

    async def sample(self, line_start: str) -> float | None:
        for line in (await self.get("/metrics")).splitlines():
            if line.startswith(line_start):
                return float(line.rsplit(" ", 1)[1])
        return None

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """End the process by signal *number*, if it still runs; return its exit status."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        code = await within(10, self.process.wait())
        await self._reading
        await self._session.close()
        return code


async def eventually(true: Callable[[], Any], seconds: float = 15.0) -> None:
    """Return once the coroutine function or function *true* returns something true."""
    async with patient(seconds):
        while True:
            found = true()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def serving(
    config: Path,
    *arguments: str,
    env: dict[str, str] | None = None,
    prefix: Sequence[str] = (),
    connector: aiohttp.BaseConnector | None = None,
    log_level: str = "debug",
) -> AsyncIterator[Process]:
    """Run `serve`; *prefix* is a command that runs it, *connector* reaches it where that does."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *prefix,
        sys.executable,
        "-m",
        "exporter",
        "serve",
        "--config",
        str(config),
        "--listen",
        f"127.0.0.1:{port}",
        "--log.level",
        log_level,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **(env or {})},
    )
    running = Process(process, f"http://127.0.0.1:{port}", connector)
    try:
        await eventually(lambda: b"Service registry" in running.log or process.returncode, 60)
        yield running
    finally:
        await running.stop()


def write(path: Path, vendor: Vendor, *services: str) -> Path:
    head = (
        "defaults: {health_check: {interval: 1s, timeout: 1s, retries: 0,"
        " allow_private_addresses: true}}\nservices:\n"
    )
    path.write_text(head + "".join(f"  - {s}\n" for s in services))
    return path


def service(vendor: Vendor, name: str, more: str = "") -> str:
    return f"{{id: {name}, base_url: '{vendor.url()}'{more}}}"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "services.yaml"


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return str(path)


async def test_sigterm_ends_it_cleanly_with_a_probe_under_way(config: Path, vendor: Vendor) -> None:
    vendor.on("/", answer(head_delay=30))
    write(
        config, vendor, f"{{id: slow, base_url: '{vendor.url()}', health_check: {{timeout: 1s}}}}"
    )

    async with serving(config) as running:
        await eventually(lambda: vendor.seen)
        code = await running.stop()

    assert code == 0
    assert b"Traceback" not in running.log


async def test_sighup_adds_and_removes_and_leaves_the_others_alone(
    config: Path, vendor: Vendor
) -> None:
    vendor.on("/", answer())
    write(config, vendor, service(vendor, "kept"), service(vendor, "gone"))

    async with serving(config) as running:
        labels = 'service="%s",environment="production",provider="custom"'
        good = f'probe_results_total{{{labels},reason="ok"}}'
        await eventually(lambda: _more(running, good % "kept", 1))
        before = await running.sample(good % "kept")
        write(config, vendor, service(vendor, "kept"), service(vendor, "new"))
        running.process.send_signal(signal.SIGHUP)
        await eventually(lambda: _more(running, good % "new", 1))

        page = await running.get("/metrics")
        after = await running.sample(good % "kept")

    assert 'service="gone"' not in page
    assert before is not None
    assert after is not None
    assert after >= before, "an unchanged service keeps its counters"


async def _more(running: Process, line: str, least: float) -> bool:
    return (await running.sample(line) or 0) >= least


async def test_a_bad_reload_keeps_the_old_and_reports_why(
    config: Path, vendor: Vendor, token_file: str
) -> None:
    vendor.on("/", answer())
    write(config, vendor, service(vendor, "kept"))

    async with serving(config, "--admin-token-file", token_file) as running:
        config.write_text("services:\n  - {id: kept, base_ur: x}\n")
        status, problem = await running.ask(
            "POST", "/-/reload", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        successful = await running.sample("exporter_config_last_reload_successful")
        page = await running.get("/metrics")

    assert status == 422
    assert any("did you mean base_url?" in line for line in problem["problems"])
    assert successful == 0
    assert 'service_info{service="kept"' in page


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong-token-0123456789"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
    ],
)
async def test_reload_over_http_needs_the_token(
    config: Path, vendor: Vendor, token_file: str, headers: dict[str, str], status: int
) -> None:
    write(config, vendor, service(vendor, "a"))

    async with serving(config, "--admin-token-file", token_file) as running:
        found, _ = await running.ask("POST", "/-/reload", headers=headers)

    assert found == status


async def test_without_a_token_changes_are_off_with_what_to_do(
    config: Path, vendor: Vendor
) -> None:
    write(config, vendor, service(vendor, "a"))

    async with serving(config) as running:
        status, problem = await running.ask("POST", "/-/reload")

    assert status == 403
    assert "--admin-token-file" in problem["detail"]


async def test_a_changed_key_file_is_used_at_once(
    config: Path, vendor: Vendor, tmp_path: Path
) -> None:
    vendor.on("/", answer(status=401))
    key = tmp_path / "key"
    key.write_text("old-key-0123456789\n")
    write(config, vendor, service(vendor, "a", f", api_key_file: {key}"))

    async with serving(config) as running:
        await eventually(lambda: vendor.seen)
        await eventually(lambda: _more(running, "service_up{", 1))
        assert (await running.sample("service_key_valid{")) == 0
        vendor.on("/", answer())
        key.write_text("new-key-0123456789\n")
        # A rejected key is probed once in five minutes, so this can only be the changed one.
        await eventually(lambda: _more(running, "service_key_valid{", 1))

    assert vendor.seen[-1].header("Authorization") == "Bearer new-key-0123456789"


async def test_the_next_key_is_verified_while_the_old_one_is_used(
    config: Path, vendor: Vendor
) -> None:
    old, following = "old-key-0123456789", "next-key-0123456789"
    good, bad = answer(), answer(401)

    async def behave(peer: Peer, seen: Seen) -> None:
        await (bad if seen.header("Authorization") == f"Bearer {following}" else good)(peer, seen)

    vendor.on("/", behave)
    write(config, vendor, service(vendor, "a", f", api_key: {old}, api_key_next: {following}"))

    async with serving(config) as running:
        await eventually(lambda: _more(running, "service_key_valid{", 1))
        await eventually(lambda: _is(running, "service_next_key_valid{", 0))
        valid = await running.sample("service_key_valid{")

    assert valid == 1
    assert following.encode() not in running.log


async def _is(running: Process, line: str, wanted: float) -> bool:
    return await running.sample(line) == wanted


async def test_a_wrong_configuration_ends_the_start_with_every_mistake(
    config: Path, tmp_path: Path
) -> None:
    config.write_text("services:\n  - {id: A}\n  - {id: b, base_url: 7}\n")

    async with serving(config) as running:
        code = await running.stop()

    assert code == 1
    assert running.log.count(b"services.yaml:") == 2
    assert b"Traceback" not in running.log


async def test_a_taken_port_is_reported_with_what_to_do(config: Path, vendor: Vendor) -> None:
    write(config, vendor, service(vendor, "a"))

    async with (
        serving(config) as first,
        serving(config, "--listen", first.base.removeprefix("http://")) as second,
    ):
        code = await within(10, second.process.wait())
        await second.stop()

    assert code == 1
    assert b"choose another with --listen" in second.log


async def test_no_key_leaves_except_to_its_own_origin(
    config: Path, vendor: Vendor, other: Vendor, token_file: str
) -> None:
    echo = {"error": {"message": f"bad key {SENTINEL}"}, "key": SENTINEL}
    vendor.on("/echo", answer(status=401, body=json.dumps(echo), headers={"X-Key": SENTINEL}))
    vendor.on("/away", answer(status=302, headers={"Location": other.url(f"/?k={SENTINEL}")}))
    vendor.on("/assert", answer(body=json.dumps(echo)))
    vendor.on("/query", answer(status=500, body=SENTINEL))
    other.on("/", answer())
    key = f", api_key: '${{SENTINEL_KEY}}', additional_headers: {{X-Also: {SENTINEL}-header}}"
    write(
        config,
        vendor,
        service(vendor, "echo", key + ", health_check: {endpoint: /echo}"),
        service(
            vendor,
            "basic",
            key + ", auth: {kind: basic, username: me}, health_check: {endpoint: /echo}",
        ),
        service(
            vendor,
            "away",
            key + ", health_check: {endpoint: /away, follow_redirects: 3,"
            " allow_cross_origin: true}",
        ),
        service(
            vendor,
            "asserted",
            key + ", health_check: {endpoint: /assert, assertions: [{json: $.key, equals: x}]}",
        ),
        service(
            vendor,
            "query",
            key + ", auth: {kind: query, name: key}, health_check: {endpoint: /query}",
        ),
    )

    pages = []
    async with serving(
        config, "--admin-token-file", token_file, env={"SENTINEL_KEY": SENTINEL}
    ) as running:
        for name in ("echo", "basic", "away", "asserted", "query"):
            line = f'probe_last_run_timestamp_seconds{{service="{name}"'
            await eventually(lambda line=line: _more(running, line, 1))
        config.write_text(config.read_text() + f"  - {{id: x, {SENTINEL}: {SENTINEL}}}\n")
        running.process.send_signal(signal.SIGHUP)
        await eventually(lambda: b"configuration refused" in running.log)
        authorized = {"Authorization": f"Bearer {TOKEN}"}
        _, refused = await running.ask("POST", "/-/reload", headers=authorized)
        pages.append(json.dumps(refused))
        for path in ("/", "/metrics", "/api/health", "/-/ready", "/nowhere", "/api/services"):
            pages.append(await running.get(path))
        await running.stop()

    assert vendor.seen
    assert any(seen.holds(SENTINEL) for seen in vendor.seen), "the key reaches its own origin"
    assert other.seen
    assert not any(seen.holds(f"{SENTINEL}-header") for seen in other.seen)
    assert not any(seen.header("Authorization") for seen in other.seen)
    everything = running.log + "\n".join(pages).encode()
    for form, found in forms_of(SENTINEL).items():
        assert found not in everything, f"the key leaks as {form}"
