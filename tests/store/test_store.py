"""What the store keeps, who may open it, and what it does with a bad disk or file."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from exporter.model import Reason
from exporter.results import Bucket
from exporter.secret import Secret
from exporter.store import AuditEntry, Store, StoreError, StoreFullError, Vault
from exporter.store.schema import STEPS, migrate
from tests.fakes import KEY, FakeClock

NOW = 1_800_000_000
Opener = Callable[[], Store]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def opened(place: Path, clock: FakeClock) -> Iterator[Opener]:
    """Open the store anew, as after a restart, always with the same vault."""
    vault = Vault(Fernet.generate_key().decode())
    stores: list[Store] = []

    def again() -> Store:
        if stores:
            stores[-1].close()
        stores.append(Store.open(place, clock, vault))
        return stores[-1]

    yield again
    for store in stores:
        store.close()


def bucket(service: str = "a", start: int = NOW, **more: Any) -> Bucket:
    usual = {"ok": 3, "bad": 1, "worst": Reason.TIMEOUT, "latency_sum": 0.6, "latency_max": 0.3}
    return Bucket(service, start, **(usual | more))


def modes(directory: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


def program(text: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", text, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_services_outlive_a_restart_in_their_order(opened: Opener) -> None:
    store = opened()
    store.put_service("b", {"id": "b", "base_url": "https://b.example"})
    store.put_service("a", {"id": "a", "health_check": {"interval": 30}})
    store.put_service("b", {"id": "b", "team": "web"})
    store.put_service("c", {"id": "c"})
    store.delete_service("c")

    services = opened().services()

    assert list(services.items()) == [
        ("b", {"id": "b", "team": "web"}),
        ("a", {"id": "a", "health_check": {"interval": 30}}),
    ]


@pytest.mark.parametrize("raw", [{"api_key": KEY}, {"x": Secret(KEY)}, {"x": math.nan}])
def test_a_service_is_plain_json_without_its_key(opened: Opener, raw: dict[str, Any]) -> None:
    store = opened()

    with pytest.raises(ValueError, match=r"key|JSON") as caught:
        store.put_service("a", raw)

    assert KEY not in str(caught.value)
    assert store.services() == {}


def test_the_audit_shows_the_newest_first_and_can_be_narrowed(opened: Opener) -> None:
    store = opened()
    for number, service in enumerate("aba"):
        store.audit(float(number), "admin", "rotate", service, f"0000000{number}")

    entries = opened().audit_entries()
    last = opened().audit_entries("a", limit=1)

    assert [(entry.at, entry.service) for entry in entries] == [(2, "a"), (1, "b"), (0, "a")]
    assert last == [
        AuditEntry(at=2.0, who="admin", action="rotate", service="a", fingerprint="00000002")
    ]


def test_states_are_kept_per_service_and_dropped_with_it(opened: Opener) -> None:
    store = opened()
    store.save_states({"a": {"attempts": 1}, "b": b'{"attempts":2}'})
    store.save_states({"a": {"attempts": 3}})
    store.record_history([bucket("a"), bucket("b")])

    store = opened()
    before = store.states()
    store.keep_only({"a"})

    assert before == {"a": {"attempts": 3}, "b": {"attempts": 2}}
    assert store.states() == {"a": {"attempts": 3}}
    assert store.history() == [bucket("a")]


def test_a_bucket_replaces_its_former_version_and_never_a_fuller_one(opened: Opener) -> None:
    store = opened()
    store.record_history([bucket(ok=3)])
    store.record_history([bucket(ok=9, worst=Reason.OK, bad=0), bucket("b")])
    store.record_history([bucket(ok=1, bad=0)])

    history = opened().history("a")

    assert history == [bucket(ok=9, worst=Reason.OK, bad=0)]


def test_history_is_pruned_by_age(opened: Opener) -> None:
    store = opened()
    store.record_history([bucket(start=NOW), bucket(start=NOW + 900)])

    store.prune_history(NOW + 1)

    assert [each.start for each in store.history("a")] == [NOW + 900]
    assert store.history(since=NOW + 901) == []


def test_history_is_pruned_by_number_the_oldest_first(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.store.history.KEPT_BUCKETS", 3)
    store = opened()
    store.record_history([bucket(start=NOW + 900 * number) for number in range(5)])

    store.prune_history(0.0)

    assert [each.start for each in store.history("a")] == [NOW + 900 * n for n in (2, 3, 4)]


def test_a_row_that_cannot_be_read_takes_no_other_with_it(
    opened: Opener, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened()
    store.save_states({"a": {"n": 1}, "b": {"n": 2}, "c": {}})
    store.record_history([bucket("a"), bucket("b")])
    store.close()
    with sqlite3.connect(place / "registry.db") as db:
        db.execute("UPDATE states SET state = '{' WHERE service = 'a'")
        db.execute("UPDATE states SET state = '[]' WHERE service = 'c'")
        db.execute("UPDATE history SET worst = 'of another version' WHERE service = 'a'")
    db.close()

    store = opened()

    assert store.states() == {"b": {"n": 2}}
    assert store.history() == [bucket("b")]
    assert caplog.messages == ["a stored row is unreadable"] * 3


def test_several_calls_can_be_one_write(opened: Opener) -> None:
    store = opened()

    def register(service: str, who: Any) -> None:
        with store.atomic():
            store.put_service(service, {})
            store.audit(1.0, who, "register", service)

    with pytest.raises(StoreError):
        register("a", None)
    register("b", "admin")

    assert list(store.services()) == ["b"]
    assert [entry.service for entry in store.audit_entries()] == ["b"]


def test_a_failed_part_undoes_the_whole_write(opened: Opener) -> None:
    store = opened()

    def careless() -> None:
        with store.atomic():
            store.put_service("a", {})
            with pytest.raises(StoreError):
                store.audit(1.0, "admin", None, "a")  # type: ignore[arg-type]
            with pytest.raises(StoreError, match="an earlier part failed"):
                store.put_service("b", {})

    with pytest.raises(StoreError, match="a part of the change failed"):
        careless()
    store.put_service("c", {})

    assert list(store.services()) == ["c"]


def test_threads_share_the_store(opened: Opener) -> None:
    store = opened()

    def work(name: str) -> None:
        for number in range(20):
            with store.atomic():
                store.put_service(f"{name}{number}", {})
                store.audit(0.0, name, "register", f"{name}{number}")

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(store.services()) == len(store.audit_entries()) == 80


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_all_files_are_for_us_alone(opened: Opener, place: Path, umask: int) -> None:
    former = os.umask(umask)
    try:
        store = opened()
        store.put_service("a", {})
        found = modes(place)
    finally:
        os.umask(former)

    assert set(found) == {"registry.db", "registry.db-wal", "registry.db-shm", "registry.lock"}
    assert set(found.values()) == {0o600}
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_an_open_directory_of_the_store_is_closed(opened: Opener, place: Path) -> None:
    opened().close()
    place.chmod(0o755)
    (place / "registry.db").chmod(0o644)

    opened()

    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert set(modes(place).values()) == {0o600}


def test_a_directory_that_holds_other_things_is_refused(opened: Opener, place: Path) -> None:
    place.mkdir()
    place.chmod(0o755)
    (place / "photo.jpg").touch()

    with pytest.raises(StoreError, match="give the store a directory of its own"):
        opened()

    assert stat.S_IMODE(place.stat().st_mode) == 0o755


@pytest.mark.parametrize("name", ["file", "a\0b"])
def test_a_directory_that_cannot_be_made_is_told(
    tmp_path: Path, clock: FakeClock, name: str
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match=r"cannot be opened: (File exists|no valid path)"):
        Store.open(tmp_path / name, clock, None)


_SECOND = """
import sys
from pathlib import Path
from exporter.clock import SystemClock
from exporter.store import Store, StoreError
try:
    Store.open(Path(sys.argv[1]), SystemClock(), None)
except StoreError as error:
    print(error)
"""


def test_a_second_process_is_refused(opened: Opener, place: Path) -> None:
    store = opened()
    store.put_service("a", {})

    told = program(_SECOND, place).stdout
    store.close()
    after = program(_SECOND, place)

    assert f"the store in {place} is used by another process" in told
    assert (after.stdout, after.returncode) == ("", 0)


def test_a_second_store_in_this_process_is_refused_too(
    opened: Opener, place: Path, clock: FakeClock
) -> None:
    opened()

    with pytest.raises(StoreError, match="is used by another process"):
        Store.open(place, clock, None)


def test_a_closed_store_says_so(opened: Opener) -> None:
    store = opened()
    store.close()
    store.close()

    with pytest.raises(StoreError, match="the database fails"):
        store.services()


def test_tables_of_a_newer_version_are_refused_and_left_alone(opened: Opener, place: Path) -> None:
    opened().close()
    with sqlite3.connect(place / "registry.db") as db:
        db.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
        db.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (str(len(STEPS) + 1),))
    db.close()

    before = (place / "registry.db").read_bytes()
    with pytest.raises(StoreError, match="written by a newer version"):
        opened()

    assert (place / "registry.db").read_bytes() == before
    assert not list(place.glob("*corrupt*"))


def test_tables_of_an_older_version_are_brought_up_and_a_copy_is_kept(
    opened: Opener, place: Path
) -> None:
    place.mkdir(mode=0o700)
    old = sqlite3.connect(place / "registry.db", isolation_level=None)
    migrate(old, STEPS[:1])
    old.execute("INSERT INTO services VALUES ('a', '{\"id\":\"a\"}')")
    old.close()

    store = opened()
    store.save_states({"a": {"n": 1}})

    assert store.services() == {"a": {"id": "a"}}
    copy = sqlite3.connect(place / "registry.db.v1")
    assert copy.execute("SELECT service FROM services").fetchall() == [("a",)]
    copy.close()
    assert set(modes(place).values()) == {0o600}


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    migrate(db, STEPS[:1])

    with pytest.raises(sqlite3.OperationalError):
        migrate(db, (STEPS[0], ("CREATE TABLE x (y)",), ("CREATE TABLE broken",)))

    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    assert not db.execute("SELECT * FROM sqlite_master WHERE name = 'x'").fetchall()
    db.close()


def _garbage(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))


def _half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _hole(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : len(content)] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [_garbage, _half, _hole])
def test_a_damaged_database_is_moved_aside_and_told(
    opened: Opener,
    place: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
) -> None:
    store = opened()
    for number in range(100):
        store.put_service(f"s{number}", {"text": "x" * 500})
    store.close()
    damage(place / "registry.db")
    damaged = (place / "registry.db").read_bytes()

    with caplog.at_level(logging.ERROR):
        store = opened()
    store.put_service("new", {})

    assert store.moved_aside == place / "registry.db.corrupt-20270115T080000Z"
    assert store.moved_aside.read_bytes() == damaged
    assert list(store.services()) == ["new"]
    assert len(caplog.messages) == 1
    assert opened().moved_aside is None


def test_a_second_damaged_database_does_not_replace_the_first(opened: Opener, place: Path) -> None:
    for _ in range(2):
        opened().close()
        _garbage(place / "registry.db")

    store = opened()

    assert store.moved_aside == place / "registry.db.corrupt-20270115T080000Z-2"
    assert len(list(place.glob("*corrupt*"))) == 2


_FULL = """
import resource, sys
from pathlib import Path
from exporter.clock import SystemClock
from exporter.store import Store, StoreError
store = Store.open(Path(sys.argv[1]), SystemClock(), None)
store.put_service("old", {"n": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    for number in range(1000):
        store.put_service("big", {"n": number, "text": "x" * 50_000})
        kept = number
except StoreError as error:
    print(type(error).__name__, error)
assert store.services()["old"] == {"n": 1}
assert store.services()["big"]["n"] == kept
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.put_service("after", {"n": 2})
"""


def test_a_write_that_the_disk_refuses_leaves_what_was_there(opened: Opener, place: Path) -> None:
    ran = program(_FULL, place, 400_000)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"StoreError the store in {place}: reading or writing failed" in ran.stdout
    assert opened().services().keys() == {"old", "big", "after"}


def test_a_full_disk_is_told_and_the_store_recovers(small_disk: Path, clock: FakeClock) -> None:
    store = Store.open(small_disk / "data", clock, None)
    store.put_service("old", {"n": 1})
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass

    with pytest.raises(StoreFullError, match="no space is left on the disk"):
        store.put_service("new", {"text": "x" * 200_000})
    kept = store.services()
    ballast.unlink()
    store.put_service("new", {"n": 2})

    assert kept == {"old": {"n": 1}}
    assert store.services() == {"old": {"n": 1}, "new": {"n": 2}}
    store.close()
