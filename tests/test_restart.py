"""One exporter process after another on the same directory: what was said to be done is done."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.patience import within
from tests.sentinel import forms_of
from tests.test_process import Process, eventually
from tests.torture.kills import GOOD, QUIET, Starter, at_least, change, results, survive
from tests.vendor import Peer, Seen, Vendor, answer

pytestmark = pytest.mark.slow

ROUNDS, SECONDS = 10, 40.0
REGISTERED, ROTATED, REJECTED, HEADER = (
    f"sk-SENTINEL-{kind}-{end}"
    for kind, end in (
        ("reg", "q7W9xZ2mK4"),
        ("rot", "vT8nB1cD5f"),
        ("rej", "gH3jL6pR0s"),
        ("hdr", "yU2wE4rT6y"),
    )
)


@pytest.fixture
def starter(tmp_path: Path, vendor: Vendor) -> Starter:
    vendor.on("/", answer())
    return Starter(tmp_path, vendor)


async def test_what_was_acknowledged_survives_every_kill(starter: Starter, vendor: Vendor) -> None:
    stream = await survive(starter, vendor, ROUNDS, SECONDS)

    assert stream.kills >= 3
    assert len(stream.keys) > stream.kills
    assert stream.removed


async def test_sigterm_saves_every_result(starter: Starter, vendor: Vendor) -> None:
    async with starter.started() as running:
        await eventually(lambda: at_least(running, 3))
        code = await running.stop()
    asked = len(vendor.seen)

    async with starter.started() as running:
        after = await results(running)
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
        code = await within(10, second.process.wait())
        await second.stop()
        healthy = await first.get("/-/healthy")

    assert code == 1
    assert b"is used by another process; give each exporter a directory of its own" in second.log
    assert b"Traceback" not in second.log
    assert "healthy" in healthy


def _echo(vendor: Vendor, *accepted: str) -> Any:
    """Accept the keys *accepted*; say every key again wherever an answer can hold it.

    Who comes without one is told those that are in use all the time: no vendor knows a key before
    it is given, and no exporter one that was rolled back before it started.
    """

    async def behave(peer: Peer, seen: Seen) -> None:
        keys = [REGISTERED, ROTATED, REJECTED, HEADER]
        if not any(seen.holds(key) for key in keys):
            keys = [REGISTERED, HEADER] if any(one.holds(HEADER) for one in vendor.seen) else []
        good = any(seen.holds(key) for key in accepted)
        body = json.dumps({"error": {"message": f"no such key: {keys}"}})
        headers = [("X-Key", key) for key in keys]
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
    vendor.on("/", _echo(vendor, REGISTERED, ROTATED))
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
