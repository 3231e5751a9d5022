"""Too little memory while hostile services send what they can: it lives, or it comes back whole.

Twice: under a limit of the process, where an allocation fails, and under a control group, where the
kernel kills. What was answered 201 is there afterwards, and no service that answers is blamed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from tests.mischief import endless, gzip_bomb
from tests.programs import free_port
from tests.test_process import TOKEN, Process, eventually, serving
from tests.torture.crowd import results
from tests.vendor import Vendor, answer, head_of

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
HOSTILE = 60
BODY_LIMIT = 10 * 2**20
INTERVAL_SECONDS = 5
_CHUNKED = head_of(200, [("Transfer-Encoding", "chunked")])


def _configuration(vendor: Vendor, services: int) -> str:
    check = {"interval": f"{INTERVAL_SECONDS}s", "timeout": "2s", "retries": 0}
    hostile = [
        {
            "id": f"hostile{i}",
            "base_url": vendor.url().rstrip("/"),
            "health_check": {"endpoint": "/bomb" if i % 2 else "/endless", "body_limit": BODY_LIMIT},
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
def _process_limit(running: Process, spare: int) -> Iterator[str]:
    """Let the process have *spare* bytes more than now."""
    pid = running.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_DATA)
    most = _memory(running, "VmData") + spare
    resource.prlimit(pid, resource.RLIMIT_DATA, (most, before[1]))
    try:
        yield "process"
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_DATA, before)


@contextlib.contextmanager
def _group_limit(running: Process, spare: int) -> Iterator[str]:
    """Have the kernel kill the process at *spare* bytes more than now; "" where it cannot be told."""
    most = _memory(running, "VmRSS") + spare
    for root, name in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = Path(root) / f"torture-{os.getpid()}-{free_port()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / "cgroup.procs").write_text(str(running.process.pid))
            if (group / name).exists():
                # What it has counts where it was: only what comes is counted here.
                (group / name).write_text(str(most if "max" in name else spare))
                yield name
                return
        except PermissionError:
            pass
        finally:
            _leave(group, running)
    yield ""


def _leave(group: Path, running: Process) -> None:
    if running.process.returncode is None:
        with contextlib.suppress(OSError):
            (group.parent / "cgroup.procs").write_text(str(running.process.pid))
    with contextlib.suppress(OSError):
        group.rmdir()
