"""A flipped bit costs the row that it is in: the exporter starts, and all other rows are there."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from exporter.app import App
from exporter.cli.commands import main
from exporter.incidents.model import AlertState, Entry, EntryKind, Incident, Query
from exporter.model import Outcome, Reason, Result, Verdict
from exporter.registry import Overlay, Registry
from exporter.results import Bucket, History, Persistence, Results, Tally
from exporter.secret import Secret
from exporter.store import Store, StoreError, Upkeep, Vault
from exporter.store.schema import STEPS
from tests.fakes import FakeClock, service_target

NOW = 1_800_000_000
VAULT = Vault(Fernet.generate_key().decode())
STATES = 3
PAGE = 4096
Rows = dict[tuple[Any, ...], Any]


def incident(number: int, **more: Any) -> Incident:
    alert = AlertState(fingerprint="f", severity="high", firing=True, starts_at=1.0)
    usual: dict[str, Any] = {"key": f"k{number}", "started_at": 1.0, "alerts": (alert,)}
    usual |= {"severity": "high", "reached": ("high",)}
    return Incident(id=f"i{number}", alertname="A", **(usual | more))


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory: what is not tested here is that a disk was waited for."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as place:
        yield Path(place)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database in which every table has rows; each test takes what it needs of its bytes."""
    place, clock = tmp_path_factory.mktemp("made"), FakeClock()
    store = Store.open(place, clock, VAULT)
    tally = Tally()
    outcome = Outcome(reason=Reason.OK, duration=0.1)
    result = Result(service="s0", at=float(NOW), outcome=outcome, verdict=Verdict.OK)
    tally.add(result, service_target("s0"))
    for number in range(STATES):
        name = f"s{number}"
        store.put_service(name, {"id": name, "base_url": f"https://{name}.example"})
        store.put_key(name, Secret(f"sk-former-{number}"), at=NOW)
        store.put_key(name, Secret(f"sk-present-{number}"), at=NOW)
        store.save_states({name: tally.dump()})
        store.audit(NOW, "admin", "rotate", name)
        store.incidents.put(incident(number), [Entry(at=1.0, kind=EntryKind.OPENED)])
        store.record_history([Bucket(name, NOW, 3, 1, Reason.TIMEOUT, 0.6, 0.3)])
    store.incidents.put(incident(9, resolved_at=2.0), [])
    store.incidents.prune(3.0)
    store.incidents.note_contact("polled", NOW)
    store.close()
    return (place / "registry.db").read_bytes()


@pytest.fixture
def opened(tmp_path: Path, clock: FakeClock) -> Callable[[bytes], Store]:
    def start(content: bytes) -> Store:
        place = tmp_path / "tried"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700)
        (place / "registry.db").write_bytes(content)
        return Store.open(place, clock, VAULT)

    return start


@pytest.fixture
def changed(tmp_path: Path, made: bytes) -> Callable[[str], bytes]:
    """Return the database after a statement of SQL."""

    def change(statement: str) -> bytes:
        path = tmp_path / "changed.db"
        path.write_bytes(made)
        db = sqlite3.connect(path)
        db.execute(statement)
        db.commit()
        db.close()
        return path.read_bytes()

    return change


def rows_of(store: Store) -> Rows:
    """Read all that a start reads, and return it row by row."""
    overlay, found = Overlay(), Rows()
    overlay.restore(store)
    found |= {("service", one.raw["id"]): one.raw for one in overlay.services()}
    found |= {("key", name): kept.secret for name, kept in store.keys().items()}
    found |= {("state", name): state for name, state in store.states().items()}
    for state in store.states().values():
        Tally().restore(state)
    found |= {("history", row.service): row for row in store.history()}
    found |= {("incident", one.id): one for one in store.incidents.find(Query())}
    found |= {("audit", one.service): one for one in store.audit_entries()}
    found["counts",] = store.incidents.counts(NOW).total
    assert json.dumps(str(store.incidents.stats()))
    return found


def go_on(store: Store) -> None:
    """Write to every table, as a day of operation does."""
    for number in range(STATES):
        store.put_service(f"s{number}", {"id": f"s{number}"})
        store.put_key(f"s{number}", Secret("sk-new"), at=NOW)
        store.save_states({f"s{number}": {"n": 1}})
        store.record_history([Bucket(f"s{number}", NOW, 9, 1, Reason.TIMEOUT, 0.6, 0.3)])
        store.incidents.put(incident(number + 20), [])
        for known in store.incidents.by_key(f"k{number}", 20):
            store.incidents.put(known, [])
        # One that is unreadable must not be in the way of the next of its key.
        if not store.incidents.by_key(f"k{number}", 20):
            store.incidents.put(incident(number + 40, key=f"k{number}"), [])
    store.audit(NOW, "admin", "rotate", "s0")
    store.incidents.prune(NOW)
    store.prune_history(NOW + 1)
    store.keep_only({"s0"})


def lost(before: Rows, store: Store) -> set[tuple[Any, ...]]:
    after = rows_of(store)
    go_on(store)
    return {key for key in before if after.get(key) != before[key]}


@pytest.mark.slow
def test_a_flipped_bit_anywhere_costs_one_row_at_most_or_what_shares_its_place(
    made: bytes, opened: Callable[[bytes], Store]
) -> None:
    store = opened(made)
    before = rows_of(store)
    store.close()
    rng = random.Random(20270115)
    used = [at for at in range(PAGE, len(made)) if made[at]]
    places = rng.sample(used, 250)

    for at in places:
        content = bytearray(made)
        content[at] ^= 1 << rng.randrange(8)
        store = opened(bytes(content))
        gone = lost(before, store)
        store.close()
        # A page's own header leads to all of its rows; each of these tables has one page.
        assert len({kind for kind, *_ in gone} - {"counts"}) <= 1, (at, gone)
        assert len(gone - {("counts",)}) <= 1 or at % PAGE < 64, (at, gone)


@pytest.mark.slow
def test_every_byte_of_the_header_can_be_wrong(
    made: bytes, opened: Callable[[bytes], Store]
) -> None:
    store = opened(made)
    before = rows_of(store)
    store.close()

    for at in range(100):
        for bit in (1, 0x40):
            content = bytearray(made)
            content[at] ^= bit
            store = opened(bytes(content))
            assert not lost(before, store), at
            store.close()


@pytest.mark.slow
def test_a_wrong_byte_of_the_schema_costs_nothing(
    made: bytes, opened: Callable[[bytes], Store]
) -> None:
    store = opened(made)
    before = rows_of(store)
    store.close()
    rng = random.Random(20270116)
    pages = [at for at in range(0, len(made), PAGE) if b"CREATE " in made[at : at + PAGE]]
    used = [at for page in pages for at in range(page, page + PAGE) if made[at]]

    for at in (*range(100, 113), *rng.sample(used, 80)):
        content = bytearray(made)
        content[at] = rng.randrange(256)
        store = opened(bytes(content))
        assert not lost(before, store), at
        store.close()


@pytest.mark.parametrize(
    "place",
    [
        "services.raw",
        "states.state",
        "incidents.alerts",
        "incidents.reached",
        "incidents.summary",
        "timeline.kind",
        "incident_sums.value",
        "incident_counted.text",
        "incidents.past",
        "absorbed.incident",
        "heard.at",
        "meta.value",
        "keys.at",
        "keys.token",
        "former_keys.until",
        "history.ok",
        "history.worst",
        "audit.who",
    ],
)
@pytest.mark.parametrize("value", ["CAST(x'ff7b' AS TEXT)", "x'00'", "-1e300", "'[[1]'", "''"])
def test_a_value_of_another_kind_is_passed_over(
    changed: Callable[[str], bytes],
    opened: Callable[[bytes], Store],
    caplog: pytest.LogCaptureFixture,
    place: str,
    value: str,
) -> None:
    table, column = place.split(".")

    store = opened(changed(f"UPDATE {table} SET {column} = {value}"))
    rows_of(store)
    go_on(store)
    store.close()

    assert "sk-" not in caplog.text
    assert "[[1]" not in caplog.text


@pytest.mark.parametrize("number", ["-1", "-1e300", "1e300"])
def test_a_number_out_of_its_range_is_not_read(
    changed: Callable[[str], bytes], opened: Callable[[bytes], Store], number: str
) -> None:
    store = opened(changed(f"UPDATE history SET latency_sum = {number} WHERE service = 's1'"))

    rows = [store.history(service) for service in ("s0", "s1")]
    store.close()

    assert [bool(found) for found in rows] == [True, False]


def test_damage_is_logged_once_counted_and_set_aside(
    tmp_path: Path, clock: FakeClock, made: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    place, counted = tmp_path / "tried", list[str]()
    place.mkdir(mode=0o700)
    (place / "registry.db").write_bytes(made)
    db = sqlite3.connect(place / "registry.db")
    db.execute("UPDATE incidents SET alerts = '[sk-secret' WHERE id = 'i1'")
    db.execute("UPDATE history SET ok = -1 WHERE service = 's1'")
    db.commit()
    db.close()

    with caplog.at_level(logging.ERROR):
        store = Store.open(place, clock, VAULT, count=counted.append)
        for _ in range(3):
            store.history()
    store.close()

    assert counted == ["incidents", "history"]
    assert len(caplog.records) == 2
    assert "'i1'" in str(caplog.records[0].__dict__)
    assert "sk-secret" not in str([record.__dict__ for record in caplog.records])
    db = sqlite3.connect(place / "registry.db")
    kept = db.execute("SELECT origin, row FROM damaged").fetchall()
    assert [row[0] for row in kept] == ["incidents"]
    assert "sk-secret" in kept[0][1]
    assert db.execute("SELECT ok FROM history WHERE service = 's1'").fetchone() == (-1,)
    db.close()


@pytest.mark.parametrize("number", [0, 1, 3, len(STEPS) + 1, 2**30])
def test_the_version_in_the_header_is_no_reason_to_refuse(
    made: bytes, opened: Callable[[bytes], Store], number: int
) -> None:
    content = bytearray(made)
    content[60:64] = number.to_bytes(4)

    store = opened(bytes(content))

    assert store.moved_aside is None
    assert store.keys().keys() == {"s0", "s1", "s2"}
    store.close()


def test_what_can_be_read_of_a_damaged_file_is_kept_with_its_keys(
    made: bytes, opened: Callable[[bytes], Store], tmp_path: Path
) -> None:
    path = tmp_path / "changed.db"
    path.write_bytes(made)
    db = sqlite3.connect(path)
    find = "SELECT rootpage FROM sqlite_schema WHERE name = 'states'"
    page = db.execute(find).fetchone()[0] - 1
    db.close()
    content = bytearray(made)
    content[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)

    store = opened(bytes(content))

    assert store.moved_aside is not None
    assert store.moved_aside.read_bytes() == bytes(content)
    assert store.states() == {}
    assert {name: kept.secret for name, kept in store.keys().items()} == {
        f"s{number}": Secret(f"sk-present-{number}") for number in range(STATES)
    }
    assert store.rollback("s0") == Secret("sk-former-0")
    assert not list(store.moved_aside.parent.glob("*salvage*"))
    store.close()


# -- while it runs ---------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Any:
    opened = Store.open(tmp_path / "data", clock, VAULT)
    yield opened
    opened.close()


@pytest.mark.parametrize("whole", [True, False], ids=["the directory", "its files"])
def test_a_removed_store_is_written_again_with_all_that_it_had(
    store: Store, tmp_path: Path, clock: FakeClock, whole: bool
) -> None:
    store.put_key("a", Secret("sk-a"), at=NOW)
    for path in [] if whole else list((tmp_path / "data").iterdir()):
        path.unlink()
    if whole:
        shutil.rmtree(tmp_path / "data")

    store.save_states({"a": {"n": 1}})
    store.close()

    again = Store.open(tmp_path / "data", clock, VAULT)
    assert again.states() == {"a": {"n": 1}}
    assert again.keys()["a"].secret == Secret("sk-a")
    again.close()


def test_while_there_is_no_place_for_it_nothing_is_said_to_be_written(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "data").rename(tmp_path / "aside")
    (tmp_path / "data").write_text("a file")

    for _ in range(2):
        with pytest.raises(StoreError, match="cannot be opened: File exists"):
            store.save_states({"a": {"n": 1}})

    (tmp_path / "data").unlink()
    store.save_states({"a": {"n": 2}})
    assert store.states() == {"a": {"n": 2}}


def test_another_database_in_its_place_is_left_alone(
    store: Store, tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "data").rename(tmp_path / "aside")
    other = Store.open(tmp_path / "data", clock, None)
    other.save_states({"other": {}})
    other.close()

    with pytest.raises(StoreError, match="another file is in the place of its database"):
        store.save_states({"a": {"n": 1}})

    other = Store.open(tmp_path / "data", clock, None)  # its lock is free
    assert other.states() == {"other": {}}
    other.close()


def test_a_directory_that_cannot_be_written_is_reported(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("exporter.files.os.access", lambda path, mode: False)
        with pytest.raises(StoreError, match="it cannot be written"):
            store.save_states({})

    store.save_states({})


async def test_damage_that_comes_while_it_runs_is_found_within_a_day(
    store: Store, tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    shown = list[bool]()
    for number in range(100):
        store.put_service(f"s{number}", {"text": "x" * 500})
    upkeep = Upkeep(store, clock, shown.append)
    await upkeep.look()
    store._database.flush()
    path = tmp_path / "data" / "registry.db"
    content = bytearray(path.read_bytes())
    content[-4 * PAGE :] = random.Random(1).randbytes(4 * PAGE)
    path.write_bytes(content)

    await upkeep.look()

    assert shown == [True, False]
    assert "a restart moves it aside" in caplog.text


async def test_the_look_at_the_file_is_bounded(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3000):
        store.record_history([Bucket("a", NOW + 900 * number, 3, 1, Reason.OK, 0.6, 0.3)])
    monkeypatch.setattr("exporter.store.upkeep.LONGEST_SECONDS", 0.0)
    shown = list[bool]()

    await Upkeep(store, clock, shown.append).look()

    assert shown == []


async def test_a_directory_may_be_named_from_here(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = list[bool]()
    store = Store.open(Path("data"), clock, VAULT)

    await Upkeep(store, clock, shown.append).look()
    store.close()

    assert shown == [True]


async def test_the_metric_of_the_store_follows_its_directory_within_a_save(
    store: Store, tmp_path: Path, clock: FakeClock
) -> None:
    said = list[bool]()
    saving = Persistence(store, Results(), History(), Registry(), clock, on_saved=said.append)
    await saving.save()
    (tmp_path / "data").rename(tmp_path / "aside")
    (tmp_path / "data").write_text("a file")
    await saving.save()
    (tmp_path / "data").unlink()

    await saving.save()

    assert said == [True, False, True]


def test_a_fault_of_the_store_is_not_blamed_on_the_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: App) -> None:
        raise StoreError("the store in data: its file is damaged")

    (tmp_path / "services.yaml").write_text("services: []\n")
    monkeypatch.setattr(App, "prepare", broken)

    code = main(["serve", "--config", str(tmp_path / "services.yaml"), "--listen", "127.0.0.1:0"])

    shown = capsys.readouterr().err
    assert code == 1
    assert "the store in data: its file is damaged" in shown
    assert "cannot listen" not in shown


def test_a_lost_incident_is_no_longer_counted_as_open(
    changed: Callable[[str], bytes], opened: Callable[[bytes], Store]
) -> None:
    store = opened(changed("UPDATE incidents SET alerts = '[[' WHERE id = 'i1'"))

    counts, stats = store.incidents.counts(NOW), store.incidents.stats()
    store.close()

    assert sum(counts.open.values()) == stats.open == STATES - 1
    assert sum(counts.total.values()) == STATES + 1  # what only grows stays


@pytest.mark.parametrize("kept", ["null", "[]", '{"id": "other"}', '{"base_url": 1}'])
def test_a_service_that_does_not_fit_takes_no_other_with_it(
    changed: Callable[[str], bytes], opened: Callable[[bytes], Store], kept: str
) -> None:
    store = opened(changed(f"UPDATE services SET raw = '{kept}' WHERE service = 's1'"))
    overlay = Overlay()

    overlay.restore(store)
    store.close()

    assert [one.raw["id"] for one in overlay.services()] == ["s0", "s2"]


def test_a_key_that_is_damaged_too_is_not_shown(
    changed: Callable[[str], bytes],
    opened: Callable[[bytes], Store],
    caplog: pytest.LogCaptureFixture,
) -> None:
    opened(
        changed("UPDATE states SET service = '{\"api_key\": 1}', state = '' WHERE service = 's1'")
    )

    assert "(damaged too)" in str(caplog.records[0].__dict__)
    assert "api_key" not in str([record.__dict__ for record in caplog.records])


@pytest.mark.parametrize("hidden", ['{"id": "other"}', "[1]", "null", "{"])
def test_what_is_hidden_of_a_service_is_checked_as_well(store: Store, hidden: str) -> None:
    for name in ("s1", "s2"):
        store.put_service(name, {"id": name, "base_url": f"https://{name}.example"})
    store.put_key("s1#hidden", Secret(hidden), at=NOW)
    overlay = Overlay()

    overlay.restore(store)

    assert [one.raw["id"] for one in overlay.services()] == ["s2"]


def test_damage_that_comes_while_it_runs_costs_the_row_alone(store: Store) -> None:
    for number in range(2):
        store.incidents.put(incident(number), [Entry(at=1.0, kind=EntryKind.OPENED)])
        store.save_states({f"s{number}": {}})
    with store._database.write() as db:
        db.execute("UPDATE incidents SET started_at = 'x' WHERE id = 'i0'")
        db.execute("UPDATE timeline SET kind = 'x' WHERE incident = 'i1'")
        db.execute("UPDATE heard SET at = 'x'")
        db.execute("UPDATE states SET state = '' WHERE service = 's0'")

    found = store.incidents.unresolved(100)

    assert [(one.id, one.timeline) for one in found] == [("i1", ())]
    assert list(store.states()) == ["s1"]
    assert store.incidents.by_key("k0", 20) == []
