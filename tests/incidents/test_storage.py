"""Incidents on the disk: every field, every sum, all of a message or nothing."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.incidents import (
    SEVERITIES,
    Entry,
    EntryKind,
    Incident,
    IncidentStatus,
    Query,
    UnknownIncidentError,
)
from exporter.incidents.model import (
    ACKNOWLEDGE_BUCKETS,
    RESOLVE_BUCKETS,
    AlertState,
    Times,
    Told,
    ToldState,
)
from exporter.store import Store, StoreError, StoreFullError
from exporter.store.schema import STEPS, migrate
from tests.fakes import FakeClock
from tests.incidents.saying import NOW, Listener, alert, spans

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_time = st.floats(0, 4e9)
_states = st.builds(
    AlertState,
    fingerprint=_text,
    severity=st.sampled_from(SEVERITIES),
    firing=st.booleans(),
    starts_at=_time,
    ended_at=st.none() | _time,
    missed_since=st.none() | _time,
    suppressed=_text,
    held_by=st.lists(_text, max_size=2).map(tuple),
    told=st.none()
    | st.lists(
        st.builds(
            Told,
            receiver=_text,
            integration=_text,
            state=st.sampled_from(ToldState),
            at=st.none() | _time,
            why=_text,
            by=_text,
            until=st.none() | _time,
        ),
        max_size=3,
    ).map(tuple),
)
_incidents = st.builds(
    Incident,
    id=st.just("x"),
    key=_text,
    alertname=_text,
    service=_text,
    environment=_text,
    provider=_text,
    team=_text,
    category=_text,
    slo=_text,
    severity=st.sampled_from(SEVERITIES),
    reached=st.lists(st.sampled_from(SEVERITIES), min_size=1).map(tuple),
    summary=_text,
    description=_text,
    runbook_url=_text,
    started_at=_time,
    acknowledged_at=st.none() | _time,
    acknowledged_by=_text,
    resolved_at=st.none() | _time,
    resolved_by=_text,
    by_person=st.booleans(),
    reopened=st.integers(0, 99),
    manual=st.booleans(),
    receivers=st.lists(_text, max_size=3).map(tuple),
    alerts=st.lists(_states, max_size=3).map(tuple),
)
_entries = st.lists(
    st.builds(Entry, at=_time, kind=st.sampled_from(EntryKind), by=_text, note=_text), max_size=4
)


def incident(id_: str = "x", **more: Any) -> Incident:
    usual: dict[str, Any] = {
        "key": id_,
        "alertname": "ServiceDown",
        "service": "stripe",
        "environment": "prod",
        "provider": "stripe",
        "severity": "high",
        "reached": ("high",),
        "started_at": NOW,
    }
    return Incident(id=id_, **(usual | more))


@pytest.fixture
def store(clock: FakeClock) -> Store:
    return Store.in_memory(clock)


@given(_incidents, _incidents, _entries)
@settings(max_examples=60)
def test_every_field_is_read_back(first: Incident, second: Incident, entries: list[Entry]) -> None:
    table = Store.in_memory(FakeClock()).incidents

    for one in (first, second):
        table.put(one, entries)
        timeline = sorted(entries * (1 + (one is second)), key=lambda entry: entry.at)
        expected = replace(one, timeline=tuple(timeline))
        assert [replace(expected, timeline=())] == table.by_key(one.key, 20)
        assert sorted(table.get("x").timeline, key=repr) == sorted(timeline, key=repr)
        assert replace(table.get("x"), timeline=expected.timeline) == expected
        assert table.find(Query()) == [table.get("x")]
        assert table.unresolved(1000) == ([] if one.resolved_at is not None else [table.get("x")])


def test_what_an_older_or_a_newer_version_kept_is_read(store: Store) -> None:
    """Version 0.1.0 kept neither who was told nor what held an alert back."""
    state = AlertState(fingerprint="a", severity="high", firing=True, starts_at=NOW)
    store.incidents.put(incident(alerts=(state,)), ())
    older = {"fingerprint": "a", "severity": "high", "firing": True, "starts_at": NOW}
    newer = asdict(state) | {"moods": ["grim"]}

    for kept in (older, newer):
        with store.incidents.atomic() as db:
            db.execute("UPDATE incidents SET alerts = ?", (json.dumps([kept]),))  # type: ignore[attr-defined]
        assert store.incidents.get("x").alerts == (state,)
        assert store.incidents.get("x").told == ()


def test_an_unknown_one_is_told(store: Store) -> None:
    with pytest.raises(UnknownIncidentError):
        store.incidents.get("x")


def test_entries_of_one_moment_stay_in_their_order(store: Store) -> None:
    entries = [Entry(at=NOW, kind=EntryKind.NOTE, note=str(n)) for n in range(50)]
    for entry in entries:
        store.incidents.put(incident(), [entry])

    assert list(store.incidents.get("x").timeline) == entries


def test_pages_of_equal_times_miss_and_repeat_nothing(store: Store) -> None:
    rnd = random.Random(1)
    all_ = [
        incident(f"i{n}", started_at=NOW + rnd.randrange(4) / 3, resolved_at=NOW + 9)
        for n in range(700)
    ]
    for one in all_:
        store.incidents.put(one, [])

    found: list[Incident] = []
    while page := store.incidents.find(
        Query(limit=37, before=(found[-1].started_at, found[-1].id) if found else None)
    ):
        found += page

    assert found == sorted(all_, key=lambda one: (one.started_at, one.id), reverse=True)
    assert store.incidents.find(Query(limit=1000)) == found


def test_filters_are_joined(store: Store) -> None:
    rnd = random.Random(2)
    all_ = [_random(rnd, n) for n in range(300)]
    for one in all_:
        store.incidents.put(one, [])

    for severity in ("", *SEVERITIES):
        for status in ("", *IncidentStatus):
            for service in ("", "a", "b", "nobody"):
                query = Query(
                    severity=severity,
                    status=str(status),
                    service=service,
                    environment="prod",
                    limit=1000,
                )
                expected = {
                    one.id
                    for one in all_
                    if one.environment == "prod"
                    and severity in ("", one.severity)
                    and status in ("", one.status)
                    and service in ("", one.service)
                }
                assert {one.id for one in store.incidents.find(query)} == expected


def _random(rnd: random.Random, number: int) -> Incident:
    start = NOW + rnd.uniform(0, 1e6)
    severity = rnd.choice(SEVERITIES)
    return incident(
        f"i{number}",
        started_at=start,
        severity=severity,
        reached=tuple({severity, *rnd.sample(SEVERITIES, 2)}),
        service=rnd.choice(("", "a", "b")),
        environment=rnd.choice(("prod", "dev")),
        provider=rnd.choice(("p", "q")),
        manual=rnd.random() < 0.3,
        acknowledged_at=rnd.choice((None, start + rnd.expovariate(1 / 500))),
        resolved_at=rnd.choice((None, start + rnd.expovariate(1 / 5000))),
    )


def _mean(values: list[float]) -> Any:
    return pytest.approx(sum(values) / len(values)) if values else None


@pytest.mark.parametrize("number", [0, 1, 2, 400])
def test_sums_are_those_of_a_naive_count(store: Store, number: int) -> None:
    rnd = random.Random(number)
    all_ = [_random(rnd, n) for n in range(number)]
    for one in all_:
        store.incidents.put(one, [])

    stats = store.incidents.stats()

    of = [one.status for one in all_]
    assert (stats.total, stats.open, stats.acknowledged, stats.resolved) == (
        number,
        of.count(IncidentStatus.OPEN),
        of.count(IncidentStatus.ACKNOWLEDGED),
        of.count(IncidentStatus.RESOLVED),
    )
    assert stats.mttr_seconds == _mean(
        [one.resolved_at - one.started_at for one in all_ if one.resolved_at is not None]
    )
    assert stats.mtta_seconds == _mean(
        [one.acknowledged_at - one.started_at for one in all_ if one.acknowledged_at is not None]
    )
    severities = [one.severity for one in all_]
    assert stats.by_severity == {s: severities.count(s) for s in set(severities)}
    services = [one.service for one in all_ if one.service]
    assert stats.by_service == {s: services.count(s) for s in set(services)}


def test_metrics_are_those_of_a_naive_count(store: Store) -> None:
    rnd = random.Random(3)
    all_ = [_random(rnd, n) for n in range(500)]
    for one in all_:
        store.incidents.put(one, [])
    settled = NOW + 5e5

    counts = store.incidents.counts(settled)

    open_, total = dict[Any, int](), dict[Any, int]()
    resolve, take = dict[Any, list[float]](), dict[Any, list[float]]()
    for one in all_:
        row = (one.service, one.environment, one.provider)
        if one.resolved_at is None:
            open_[row, one.severity] = open_.get((row, one.severity), 0) + 1
        elif one.resolved_at <= settled:
            resolve.setdefault(row, []).append(one.resolved_at - one.started_at)
        for severity in one.reached:
            total[row, severity] = total.get((row, severity), 0) + 1
        if one.acknowledged_at is not None:
            take.setdefault(row, []).append(one.acknowledged_at - one.started_at)
    assert (counts.open, counts.total) == (open_, total)
    assert counts.resolve == _histograms(resolve, RESOLVE_BUCKETS)
    assert counts.acknowledge == _histograms(take, ACKNOWLEDGE_BUCKETS)


def _histograms(rows: dict[Any, list[float]], bounds: tuple[float, ...]) -> dict[Any, Times]:
    return {
        row: Times(
            buckets=tuple(sum(value <= bound for value in values) for bound in bounds),
            count=len(values),
            sum=pytest.approx(sum(values)),  # type: ignore[arg-type]
        )
        for row, values in rows.items()
    }


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("ServiceDown", "a", False)], False),
        ([("ServiceDown", "a", True)], True),
        ([("ServiceDown", "a", False), ("ServiceCertificateExpiringSoon", "a", True)], False),
        ([("ServiceDown", "a", True), ("ServiceCertificateExpiringSoon", "a", False)], True),
        ([("ServiceDown", "a", False), ("ServiceKeyRejected", "a", True)], True),
        ([("ServiceCertificateExpiringSoon", "a", True)], True),
        ([("ServiceDown", "a", False), ("ServiceDown", "b", True)], False),
        ([("ServiceDown", "a", False), ("ProviderOutage", "", True)], True),
        ([("ServiceDown", "a", False), ("ProviderOutage", "", False)], False),
        ([("ServiceDown", "a", False), ("MonitoringNetworkDown", "", True)], True),
    ],
)
def test_an_outage_is_taken_by_itself_or_by_what_covers_it(
    store: Store, rows: list[tuple[str, str, bool]], expected: bool
) -> None:
    for number, (name, service, taken) in enumerate(rows):
        at = NOW + 9 if taken else None
        store.incidents.put(
            incident(f"i{number}", alertname=name, service=service, acknowledged_at=at), []
        )
    store.incidents.put(
        incident("over", service="over", acknowledged_at=NOW, resolved_at=NOW + 1), []
    )

    found = store.incidents.counts(NOW).acknowledged

    assert found["a", "prod", "stripe"] is expected
    assert {row[0] for row in found} == {service for _, service, _ in rows if service}


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"alertname": "ProviderOutage", "service": "", "provider": "other"},
        {"alertname": "ProviderOutage", "service": "", "environment": "dev"},
        {"alertname": "MonitoringNetworkDown", "service": "", "environment": "dev"},
    ],
)
def test_what_is_taken_elsewhere_covers_nothing_here(
    store: Store, elsewhere: dict[str, str]
) -> None:
    store.incidents.put(incident("here"), [])
    store.incidents.put(incident("there", acknowledged_at=NOW, **elsewhere), [])

    assert store.incidents.counts(NOW).acknowledged == {("stripe", "prod", "stripe"): False}


def test_a_network_that_is_down_everywhere_covers_every_environment(store: Store) -> None:
    everywhere = {"alertname": "MonitoringNetworkDown", "service": "", "environment": ""}
    store.incidents.put(incident("here"), [])
    store.incidents.put(incident("all", acknowledged_at=NOW, **everywhere), [])

    assert store.incidents.counts(NOW).acknowledged == {("stripe", "prod", "stripe"): True}


def test_a_taken_warning_without_a_provider_does_not_stand_for_the_outage(store: Store) -> None:
    store.incidents.put(incident("outage"), [])
    warning = incident("w", alertname="ServiceVanished", provider="", acknowledged_at=NOW)
    store.incidents.put(warning, [])

    assert set(store.incidents.counts(NOW).acknowledged.values()) == {False}


def test_a_key_has_one_incident_that_is_not_resolved(store: Store) -> None:
    store.incidents.put(incident("a", key="k"), [])

    with pytest.raises(StoreError):
        store.incidents.put(incident("b", key="k"), [Entry(at=NOW, kind=EntryKind.OPENED)])
    store.incidents.put(incident("c", key="k", resolved_at=NOW), [])

    assert [one.id for one in store.incidents.by_key("k", 20)] == ["a", "c"]


def test_manual_ones_are_found_until_a_while_after_their_end(store: Store) -> None:
    for id_, manual, end in (
        ("open", True, None),
        ("just", True, 100.0),
        ("long", True, 50.0),
        ("alert", False, None),
    ):
        store.incidents.put(incident(id_, manual=manual, resolved_at=end), [])

    assert [one.id for one in store.incidents.manual(50.0)] == ["just", "open"]


def test_what_was_heard_and_done_is_remembered(store: Store) -> None:
    table = store.incidents
    table.put(incident(), [])
    table.note_contact("Watchdog", 1.5)
    table.note_contact("Watchdog", 2.5)
    for rule in ("b", "a", "b"):
        table.action_done("x", rule)

    assert (table.last_contact("Watchdog"), table.last_contact("polled")) == (2.5, None)
    assert (table.actions_done("x"), table.actions_done("y")) == ({"a", "b"}, frozenset())


# -- the disk --------------------------------------------------------------------------------


def test_the_step_that_made_the_tables_leaves_what_was_there(
    tmp_path: Path, clock: FakeClock
) -> None:
    place = tmp_path / "data"
    place.mkdir(mode=0o700)
    with contextlib.closing(sqlite3.connect(place / "registry.db", isolation_level=None)) as old:
        migrate(old, STEPS[:2])
        old.execute("INSERT INTO services VALUES ('a', '{\"id\":\"a\"}')")
        old.execute("INSERT INTO states VALUES ('a', '{\"n\":1}')")

    store = Store.open(place, clock, None)
    store.incidents.put(incident(), [])

    assert (store.services(), store.states()) == ({"a": {"id": "a"}}, {"a": {"n": 1}})
    assert store.incidents.find(Query()) == [incident()]
    assert (place / "registry.db.v2").exists()
    store.close()


async def test_an_incident_outlives_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    log = Listener(Store.open(tmp_path / "data", clock, None), clock)
    await log.hears(alert(NOW), alert(NOW, severity="high"))
    await log.log.acknowledge((await log.one()).id, "anna", "mine")
    before = await log.one()
    log.store.close()

    again = Listener(Store.open(tmp_path / "data", clock, None), clock)
    await again.hears(alert(NOW, NOW + 100), alert(NOW, NOW + 100, severity="high"))

    after = await again.one()
    assert after.timeline[:-1] == before.timeline
    assert spans([after]) == [(0, 100)]
    again.store.close()


_FULL = """
import asyncio, resource, sys
from pathlib import Path
from exporter.clock import SystemClock
from exporter.incidents import IncidentLog, Query
from exporter.store import Store, StoreError
from tests.incidents.saying import NOW, alert, message

async def main():
    store = Store.open(Path(sys.argv[1]), SystemClock(), None)
    log = IncidentLog(store.incidents, SystemClock())
    await log.receive(message(alert(NOW, service="old")))
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
    for number in range(1000):
        alerts = [alert(NOW, service=f"s{number}-{n}") for n in range(5)]
        for one in alerts:
            one["annotations"] = {"description": "d" * 4000}
        try:
            await log.receive(message(*alerts))
        except StoreError as error:
            print(error)
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(number, len(await log.find(Query(limit=10**6))))
    await log.receive(message(*alerts))
    print(len(await log.find(Query(limit=10**6))))

asyncio.run(main())
"""


def program(text: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", text, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_disk_that_refuses_keeps_nothing_of_a_message(tmp_path: Path) -> None:
    ran = program(_FULL, tmp_path / "data")

    assert (ran.returncode, ran.stderr) == (0, "")
    refusal, before, after = ran.stdout.splitlines()
    assert "reading or writing failed" in refusal
    number, found = map(int, before.split())
    assert number > 1
    assert found == 1 + 5 * number
    assert int(after) == found + 5


async def test_a_full_disk_is_told_and_the_log_recovers(small_disk: Path, clock: FakeClock) -> None:
    log = Listener(Store.open(small_disk / "data", clock, None), clock)
    await log.hears(alert(NOW, service="old"))
    many = [alert(NOW, service=f"s{n}") for n in range(200)]
    for one in many:
        one["annotations"] = {"description": "d" * 4000}
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass

    with pytest.raises(StoreFullError, match="no space is left on the disk"):
        await log.hears(*many)
    kept = [one.service for one in await log.all()]
    ballast.unlink()
    await log.hears(*many[:50])

    assert kept == ["old"]
    assert len(await log.all()) == 51
    log.store.close()


# Says "<n>" when message n is kept. Each opens five incidents and ends the five before.
_WRITER = """
import asyncio, sys
from pathlib import Path
from exporter.clock import SystemClock
from exporter.incidents import IncidentLog
from exporter.store import Store
from tests.fakes import FakeClock
from tests.incidents.saying import NOW, alert, message

async def main():
    store = Store.open(Path(sys.argv[1]), SystemClock(), None)
    assert store.moved_aside is None
    log = IncidentLog(store.incidents, FakeClock(NOW + 1e9))
    for n in range(int(sys.argv[2]), 10**9):
        opened = [alert(NOW + n, service=f"{n}-{i}") for i in range(5)]
        ended = [alert(NOW + n - 1, NOW + n, service=f"{n - 1}-{i}") for i in range(5)]
        await log.receive(message(*opened, *ended))
        print(n, flush=True)

asyncio.run(main())
"""


def _killed(place: Path, first: int) -> int:
    """Run the writer from *first* on, kill it at some moment, return the last it said."""
    command = [sys.executable, "-c", _WRITER, str(place), str(first)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, bufsize=0) as writer:
        assert writer.stdout is not None
        out = writer.stdout.readline()
        timer = threading.Timer(random.uniform(0.0, 0.15), writer.kill)
        timer.start()
        rest, errors = writer.communicate()
        timer.join()
    assert errors == b""
    assert writer.returncode == -9
    return int((out + rest).split(b"\n")[:-1][-1])


@pytest.mark.slow
def test_a_killed_log_has_every_message_that_it_took_and_none_by_half(
    tmp_path: Path, clock: FakeClock
) -> None:
    place, last, until = tmp_path / "data", -1, time.monotonic() + 10

    for _ in range(12):
        last = _killed(place, last + 1)
        store = Store.open(place, clock, None)
        found = {one.service: one for one in store.incidents.find(Query(limit=10**6))}
        store.close()
        assert store.moved_aside is None
        newest = max(int(name.rpartition("-")[0]) for name in found)
        assert last <= newest <= last + 1
        for number in range(-1, newest + 1):
            for part in range(5):
                one = found[f"{number}-{part}"]
                assert one.status == ("open" if number == newest else "resolved")
                assert [e.kind for e in one.timeline] == (
                    [EntryKind.OPENED]
                    if number == newest
                    else [EntryKind.OPENED, EntryKind.RESOLVED]
                )
        if time.monotonic() > until:
            break

    assert last > 3


# -- retention -------------------------------------------------------------------------------


def ended(number: int, at: float, **more: Any) -> Incident:
    """Return an incident that ended at *at*, ten minutes after its start."""
    usual: dict[str, Any] = {
        "id": f"i{number}",
        "key": f"k{number}",
        "alertname": "ServiceDown",
        "service": ("stripe", "openai")[number % 2],
        "environment": "prod",
        "provider": "p",
        "severity": "high",
        "reached": ("critical", "high"),
        "started_at": at - 600,
        "acknowledged_at": at - 500 if number % 3 else None,
        "resolved_at": at,
    }
    return Incident(**(usual | more))


def test_what_is_removed_stays_in_the_sums(store: Store) -> None:
    table = store.incidents
    entry = Entry(at=NOW, kind=EntryKind.OPENED)
    for number in range(40):
        table.put(ended(number, NOW + number * 100), [entry])
    table.put(ended(99, NOW, resolved_at=None), [entry])
    table.action_done("i1", "rule")
    before = table.counts(NOW + 1e6)

    removed = table.prune(NOW + 2000)

    assert removed == 20
    assert table.counts(NOW + 1e6) == before
    assert {one.id for one in table.find(Query(limit=1000))} == {
        "i99",
        *(f"i{number}" for number in range(20, 40)),
    }
    assert table.actions_done("i1") == frozenset()


def test_what_is_removed_before_it_was_counted_is_counted(store: Store) -> None:
    table = store.incidents
    for number in range(9):
        table.put(ended(number, NOW + number * 100), [])

    removed = table.prune(NOW + 500)

    assert removed == 5
    assert sum(one.count for one in table.counts(NOW + 1e6).resolve.values()) == 9


def test_removing_twice_adds_up(store: Store) -> None:
    table = store.incidents
    for number in range(9):
        table.put(ended(number, NOW + number * 100), [])
    before = table.counts(NOW + 1e6)

    removed = [table.prune(NOW + until) for until in (300, 600, 600, 1e6)]

    assert removed == [3, 3, 0, 3]
    assert table.counts(NOW + 1e6) == before
    assert table.stats().total == 0


def test_what_is_open_is_never_removed(store: Store) -> None:
    store.incidents.put(ended(1, NOW, resolved_at=None), [])

    assert store.incidents.prune(NOW + 1e9) == 0
    assert store.incidents.get("i1").status is IncidentStatus.ACKNOWLEDGED


def test_much_that_is_old_is_removed_a_thousand_at_a_time(store: Store) -> None:
    with store.incidents.atomic():
        for number in range(1100):
            store.incidents.put(ended(number, NOW), [])

    assert [store.incidents.prune(NOW + 1) for _ in range(3)] == [1000, 100, 0]
