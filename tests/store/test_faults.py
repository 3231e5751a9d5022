"""A system call of the store fails, or is its last: a sample; `make torture` tries every one."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.secret import Secret
from exporter.store import Store, StoreError, Vault
from exporter.store.directory import DATABASE, MOVING
from tests.fakes import FakeClock
from tests.programs import program
from tests.sentinel import forms_of
from tests.test_process import SENTINEL, eventually
from tests.torture.kills import Starter, change
from tests.torture.storage import Fault, attempt, calls_of, disturbed, sample
from tests.torture.writer import BEGINNINGS, SECRET_KEY, a_damaged_file, opened, snapshot
from tests.vendor import Vendor, answer

pytestmark = pytest.mark.slow
READING = (
    "access close faccessat2 fadvise64 fcntl fstat fstatfs fstatat getdents64 ioctl lseek lstat"
    " mmap newfstatat pread64 read readlink stat statfs statx"
)


@pytest.fixture(autouse=True)
def _may_trace() -> None:
    if os.geteuid() and "CI" not in os.environ:
        pytest.skip("only root may attach to any process; CI is root, so there it must run")


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_what_was_acknowledged_is_there_after_a_fault_at_any_call(beginning: str) -> None:
    for fault in sample(beginning, 12):
        attempt(fault)


def test_a_start_that_can_open_nothing_says_so() -> None:
    for number in range(1, calls_of("nothing")["openat"] + 1):
        attempt(Fault("nothing", "openat", number, "EMFILE"))


def test_a_disk_that_refuses_during_a_rescue_costs_no_row() -> None:
    for number in range(2, calls_of("a_damaged_file")["openat"], 5):
        attempt(Fault("a_damaged_file", "openat", number, "EIO", until=number + 9))


def test_every_kind_of_write_is_among_the_faults(tmp_path: Path) -> None:
    """A new way to write must not slip past: what is traced is compared with what is known."""
    a_damaged_file(tmp_path / "data")
    told = disturbed(tmp_path / "data", "a_damaged_file", "-e", "trace=%file,%desc")

    harmless = set(READING.split())
    assert told.any("end")
    assert set(told.calls) - harmless <= set(calls_of("a_damaged_file"))


def test_a_rescue_that_was_killed_is_taken_up_by_the_next_start(tmp_path: Path) -> None:
    """Without strace: what a kill leaves between moving the damaged file and its successor."""
    for folder in ("whole", "killed"):
        a_damaged_file(tmp_path / folder)
    store = opened(tmp_path / "whole")
    right = snapshot(store)
    store.close()
    killed = tmp_path / "killed"
    aside = killed / f"{DATABASE}.corrupt-20270101T000000Z"
    (killed / MOVING).write_text(f"{aside.name}\n")
    (killed / DATABASE).rename(aside)
    (killed / DATABASE).touch()  # as the next start makes it before it looks
    (killed / f"{DATABASE}.new").write_bytes(b"half of it")

    store = opened(killed)

    assert snapshot(store) == right
    assert store.moved_aside == aside
    store.close()
    assert sorted(path.name for path in killed.iterdir()) == [DATABASE, aside.name, "registry.lock"]


def test_a_copy_with_old_keys_that_stays_is_reported(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "data", FakeClock(), Vault(SECRET_KEY))
    store.put_key("a", Secret(SENTINEL), at=0)
    (tmp_path / "data" / f"{DATABASE}.v2").mkdir()  # no file, so it cannot be removed

    with pytest.raises(StoreError, match="copies of older versions cannot be removed: Is a dir"):
        store.rotate()

    assert store.keys()["a"].secret == Secret(SENTINEL)
    store.close()


@contextlib.asynccontextmanager
async def refusing_disk(pid: int, directory: Path, error: str) -> AsyncIterator[None]:
    """Let every write of the process to its database fail with *error* while the block runs."""
    files = [directory / f"{DATABASE}{part}" for part in ("", "-wal", "-shm")]
    paths = [argument for file in files for argument in ("-P", str(file))]
    what = ("-e", "trace=pwrite64,fdatasync", "-e", f"inject=pwrite64,fdatasync:error={error}")
    tracer = await asyncio.create_subprocess_exec(
        program("strace"),
        *("-f", "-p", str(pid), "-o", "/dev/null", *paths, *what),
        stderr=asyncio.subprocess.PIPE,
    )
    assert tracer.stderr is not None
    assert b"attached" in await tracer.stderr.readline()
    yield
    tracer.terminate()
    await tracer.communicate()


async def test_a_process_says_that_its_disk_fails_and_goes_on_when_it_is_well(
    tmp_path: Path, vendor: Vendor
) -> None:
    vendor.on("/", answer())
    starter, cause = Starter(tmp_path, vendor), "no space is left on the disk"
    asked = starter.quiet("kept", api_key=SENTINEL)
    async with starter.started() as running:
        status, _ = await change(running, "POST", "/api/services", asked)

        async def healthy(value: float) -> bool:
            return await running.sample("exporter_storage_healthy") == value

        async with refusing_disk(running.process.pid, starter.data, "ENOSPC"):
            refused, said = await change(running, "POST", "/api/services", {**asked, "id": "lost"})
            await eventually(lambda: healthy(0), 30)
            probed = await running.sample("probe_results_total")
            alive = await running.get("/-/healthy")
        accepted, _ = await change(running, "POST", "/api/services", {**asked, "id": "after"})
        await running.stop()
    async with starter.started() as again:
        _, page = await again.ask("GET", "/api/services?limit=100")

    assert (status, refused, accepted) == (201, 503, 201)
    assert said["detail"].startswith(f"the store in {starter.data}: {cause}")
    assert probed is not None
    assert "healthy" in alive
    assert {row["id"] for row in page["services"]} == {"filed", "kept", "after"}
    assert cause.encode() in running.log
    shown = running.log + str(said).encode()
    assert not [form for form, text in forms_of(SENTINEL).items() if text in shown]
