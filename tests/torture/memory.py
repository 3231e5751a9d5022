"""Too little memory while hostile services send what they can: it lives, or it comes back whole.

Under a limit of the process, where an allocation fails, and under a control group, where the
kernel kills. What was answered 201 is there afterwards, and no service that answers is blamed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import uvloop

from tests.mischief import hang, raw
from tests.programs import free_port
from tests.test_process import TOKEN, Process, eventually, serving
from tests.torture.crowd import results
from tests.vendor import Vendor, answer, head_of

TITLE = "Too little memory, 2,000 services, 60 hostile bodies of 9 MiB"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
HOSTILE = 60
BODY_LIMIT = 10 * 2**20
INTERVAL_SECONDS = 5
SPARE_BYTES = 64 * 2**20
"""A ninth of what the hostile bodies would take."""
_BODY = gzip.compress(bytes(9 * 2**20), 9)
_HEADERS = [("Content-Encoding", "gzip"), ("Content-Length", str(len(_BODY) + 1))]
HELD = raw(head_of(200, _HEADERS) + _BODY, hang)
"""A small body that unpacks to 9 MiB and never ends: it is held until the time limit."""
LIMITS = "memory.limit_in_bytes", "memory.max"
Limit = Callable[[Process], contextlib.AbstractContextManager[str]]


def _configuration(vendor: Vendor, services: int) -> str:
    check = {"interval": f"{INTERVAL_SECONDS}s", "timeout": "3s", "retries": 0}
    hostile = [
        {
            "id": f"hostile{i}",
            "base_url": vendor.url().rstrip("/"),
            "health_check": {"endpoint": "/hostile", "body_limit": BODY_LIMIT},
        }
        for i in range(HOSTILE)
    ]
    good = [{"id": f"good{i}", "base_url": vendor.url().rstrip("/")} for i in range(services)]
    defaults = {"health_check": check | {"allow_private_addresses": True}}
    return json.dumps({"defaults": defaults, "services": hostile + good})


def _memory(running: Process, field: str) -> int:
    """Return a field of /proc/PID/status in bytes."""
    text = Path(f"/proc/{running.process.pid}/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in text.splitlines() if line.startswith(field))


@contextlib.contextmanager
def process_limit(running: Process) -> Iterator[str]:
    """Let the process have `SPARE_BYTES` more than now: what it asks for beyond fails."""
    pid = running.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_DATA)
    most = _memory(running, "VmData") + SPARE_BYTES
    resource.prlimit(pid, resource.RLIMIT_DATA, (most, before[1]))
    try:
        yield "RLIMIT_DATA"
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_DATA, before)


@contextlib.contextmanager
def group_limit(running: Process) -> Iterator[str]:
    """Let the kernel kill the process at `SPARE_BYTES` more than now.

    Where no control group can be made, it is killed in the middle of it all by us.
    """
    group = _group()
    if group is None:
        timer = asyncio.get_running_loop().call_later(3.0, running.process.kill)
        yield "SIGKILL"
        timer.cancel()
        return
    limit = next(one for one in LIMITS if (group / one).exists())
    # What the process has already stays counted where it was.
    (group / limit).write_text(str(SPARE_BYTES))
    (group / "cgroup.procs").write_text(str(running.process.pid))
    try:
        yield limit
    finally:
        with contextlib.suppress(OSError):
            (group.parent / "cgroup.procs").write_text(str(running.process.pid))
        with contextlib.suppress(OSError):
            group.rmdir()


def _group() -> Path | None:
    """Return a new control group that can limit memory, of version 1 or 2, if there can be one."""
    for root in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
        group = Path(root) / f"torture-{os.getpid()}-{free_port()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if any((group / one).exists() for one in LIMITS):
            return group
        group.rmdir()
    return None


async def memory(
    folder: Path, services: int, limit: Limit, seconds: float = 12.0
) -> dict[str, str | float]:
    """Return what *limit* did to a process with *services* that answer and 60 that are hostile.

    Raises:
        AssertionError: something acknowledged is lost, a service that answers was blamed, or it
            does not probe again.
    """
    token, data = folder / "token", folder / "data"
    token.write_text(TOKEN)
    config = folder / "services.yaml"
    arguments = "--admin-token-file", str(token), "--data-dir", str(data)
    async with Vendor() as vendor:
        vendor.on("/", answer())
        vendor.on("/hostile", answer())
        config.write_text(_configuration(vendor, services))
        async with serving(config, *arguments, log_level="warning") as running:
            assert running.process.returncode is None, running.log.decode()
            await eventually(lambda: _all_good(running, services, 1), 60)
            resident = _memory(running, "VmRSS")
            with limit(running) as kind:
                vendor.on("/hostile", HELD)
                acknowledged = await _register(running, vendor, seconds)
            killed = running.process.returncode is not None
            lacked = 0.0
            vendor.on("/hostile", answer())
            try:
                if not killed:
                    name = 'exporter_probe_shortages_total{what="memory"}'
                    lacked = await running.sample(name) or 0
                    most = await _most(running)
                    await eventually(lambda: _all_good(running, services, most + 1), 60)
            except aiohttp.ClientError:  # it ended meanwhile, or this is a defect
                await asyncio.wait_for(running.process.wait(), 10)
                killed = True
        assert killed or running.process.returncode == 0, running.log.decode()[-2000:]
        async with serving(config, *arguments, log_level="warning") as again:
            await eventually(lambda: _all_good(again, services, 1), 60)
            listed = {one["id"] for one in (await again.ask("GET", "/api/services"))[1]["services"]}
            reasons = await results(again, "good")
    lost = acknowledged - listed
    assert not lost, lost
    assert set(reasons) <= {"ok", "internal"}, reasons
    return {
        "limit": kind,
        "MiB before": round(resident / 2**20),
        "killed": "yes" if killed else "no",
        "probes without memory": lacked,
        "changes acknowledged": len(acknowledged),
        "lost": len(lost),
        "probes of services that answer": sum(reasons.values()),
        "held against them": sum(reasons.values()) - reasons["ok"] - reasons["internal"],
    }


async def _register(running: Process, vendor: Vendor, seconds: float) -> set[str]:
    """Register services for *seconds*, or until the process dies; return those acknowledged."""
    loop, acknowledged = asyncio.get_running_loop(), set[str]()
    end, number = loop.time() + seconds, 0
    while loop.time() < end and running.process.returncode is None:
        number += 1
        body = {"id": f"added{number}", "base_url": vendor.url(), "enabled": False}
        body["health_check"] = {"allow_private_addresses": True}
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, ValueError):
            async with asyncio.timeout(5):
                status, _ = await running.ask("POST", "/api/services", headers=ADMIN, json=body)
            if status == 201:
                acknowledged.add(f"added{number}")
        await asyncio.sleep(0.05)
    return acknowledged


def _good(text: str) -> list[float]:
    """Return the number of good results of each service that answers."""
    return [
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith('probe_results_total{service="good') and 'reason="ok"' in line
    ]


async def _all_good(running: Process, services: int, least: float) -> bool:
    """Return whether every service that answers has *least* good results."""
    numbers = _good(await running.get("/metrics"))
    return len(numbers) == services and min(numbers) >= least


async def _most(running: Process) -> float:
    return max(_good(await running.get("/metrics")))


def run() -> dict[str, str | float]:
    """Return the figures of both limits with 2,000 services."""
    figures: dict[str, str | float] = {}
    for limit in (process_limit, group_limit):
        with tempfile.TemporaryDirectory() as folder:
            found = uvloop.run(memory(Path(folder), 2000, limit, 20.0))
        figures |= {f"{found['limit']}: {name}": value for name, value in found.items()}
    return figures
