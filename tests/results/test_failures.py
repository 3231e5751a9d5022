"""Failures are kept: the last of each service, both ends of each incident, bounded."""

from __future__ import annotations

import asyncio
import json
import signal
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.evidence import Evidence
from exporter.incidents.model import Incident
from exporter.model import Certificate, Outcome, Reason, Result, Verdict
from exporter.registry import Registry, RegistryChange
from exporter.results import Failures, Results
from exporter.results.failures import (
    KEPT_FAILURES,
    MOST_UNSAVED,
    SAVE_SECONDS,
    Moment,
    Row,
    ends_of,
)
from exporter.results.writing import MAX_TEXT_BYTES, result_of, text_of
from exporter.store import Store, StoreError
from exporter.store import failures as table
from tests.fakes import FakeClock, service_target
from tests.test_process import service, serving, write
from tests.vendor import Vendor, answer

NOW = 1_800_000_000.0
EVIDENCE = Evidence(
    answerer="edge",
    tls_version="TLSv1.3",
    cipher="TLS_AES_256_GCM_SHA384",
    headers=(("date", "today"), ("cf-ray", "1")),
    found=(("$.ok", "false"),),
    excerpt='{"error":"é"}',
)


def failed(at: float = NOW, service: str = "api", **changes: Any) -> Result:
    """Return a failed result."""
    usual: dict[str, Any] = {
        "reason": Reason.SERVER_ERROR,
        "detail": "status 500 instead of 200",
        "duration": 0.75,
        "phases": (0.05, 0.1, 0.2, 0.3, 0.1),
        "status": 500,
        "address": "192.0.2.1",
        "request_id": "req-1",
        "certificate": Certificate(expiry=2e9, subject="CN=a", issuer="CN=b"),
        "evidence": EVIDENCE,
    }
    outcome = Outcome(**(usual | changes))
    return Result(service=service, at=at, outcome=outcome, verdict=Verdict.PROVIDER, attempts=3)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "data", FakeClock(NOW), None)
    yield opened
    opened.close()


def kept_in(store: Store, *services: str) -> Failures:
    registry = Registry()
    registry.replace([service_target(name) for name in services or ("api",)])
    return Failures(store.failures, registry, FakeClock(NOW))


def fail(failures: Failures, *times: float, spell: float | None = None, **more: Any) -> None:
    for at in times:
        failures.add(failed(at, **more), spell=spell or times[0], until=at + 180)


# -- written and read --------------------------------------------------------------------------


def test_a_result_is_read_as_it_was_written() -> None:
    assert result_of("api", text_of(failed())) == failed()


def test_a_result_without_anything_is_read_too() -> None:
    bare = Outcome(reason=Reason.TIMEOUT, evidence=Evidence())
    made = Result(service="api", at=NOW, outcome=bare, verdict=Verdict.NETWORK)

    assert result_of("api", text_of(made)) == made


@settings(max_examples=50)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_what_is_damaged_is_not_read_and_raises_nothing(damage: Any) -> None:
    whole = json.loads(text_of(failed()))
    for name in whole:
        found = result_of("api", json.dumps(whole | {name: damage}))
        assert found is None or text_of(found)
    assert result_of("api", json.dumps(damage)) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", '{"at":1}', '"' + "x" * MAX_TEXT_BYTES + '"', "[" * 9_000]
)
def test_what_is_no_result_is_not_read(text: str) -> None:
    assert result_of("api", text) is None


def test_half_a_character_is_not_read() -> None:
    text = text_of(failed()).replace("req-1", "\\ud800")

    assert result_of("api", text) is None


# -- both ends of an incident ------------------------------------------------------------------

SPELLS = [
    *(Moment(at, 100, at + 180) for at in (100, 160, 220)),
    *(Moment(at, 1000, at + 180) for at in (1000, 1060)),
]


@pytest.mark.parametrize(
    ("began", "ended", "ends"),
    [
        (230, 300, (100, 220)),
        (230, None, (100, 1060)),
        (100, 101, (100, 100)),
        (400, 900, (100, 220)),
        (401, 900, (None, None)),
        (401, 1010, (1000, 1000)),
        (1100, None, (1000, 1060)),
        (2000, None, (None, None)),
        (50, None, (100, 1060)),
        (50, 90, (None, None)),
    ],
)
def test_an_incident_begins_with_its_spell(
    began: float, ended: float | None, ends: tuple[float | None, float | None]
) -> None:
    assert ends_of(SPELLS, began, ended) == ends


# -- what is kept ------------------------------------------------------------------------------


async def test_failures_are_read_newest_first_saved_or_not(store: Store) -> None:
    failures = kept_in(store)
    fail(failures, NOW, NOW + 60)
    await failures.save()
    fail(failures, NOW + 120)

    assert [one.at for one in await failures.newest("api")] == [NOW + 120, NOW + 60, NOW]
    assert [one.at for one in await failures.newest("api", 1, NOW + 120)] == [NOW + 60]
    assert await failures.newest("other") == []


async def test_the_last_fifty_are_kept_and_the_first_of_the_present_spell(store: Store) -> None:
    failures = kept_in(store)
    fail(failures, *(NOW + 60 * i for i in range(200)))
    await failures.save()

    times = [one.at for one in await failures.newest("api", 1000)]

    assert times == [*(NOW + 60 * i for i in range(199, 149, -1)), NOW]


@pytest.mark.parametrize("at_once", [1, 7, 500])
async def test_both_ends_of_an_incident_outlive_what_comes_later(
    store: Store, at_once: int
) -> None:
    store.incidents.put(incident(NOW + 150, NOW + 400), ())
    store.incidents.put(incident(NOW + 20_000, NOW + 20_001, id="later"), ())
    failures = kept_in(store)
    spells = [(NOW, 6), (NOW + 1000, 30), (NOW + 9000, 300)]
    number = 0
    for begin, length in spells:
        for i in range(length):
            fail(failures, begin + 60 * i, spell=begin)
            number += 1
            if number % at_once == 0:
                await failures.save()
    await failures.save()
    table._prune(store._database._db, "api")  # whatever is left to do

    times = [one.at for one in await failures.newest("api", 1000)]

    assert times[-2:] == [NOW + 300, NOW]
    assert len(times) == KEPT_FAILURES + 2 + 2, times  # of the second one, and of this spell
    ends = await failures.ends("api", NOW + 150, NOW + 400)
    assert (ends.first, ends.last) == (failed(NOW), failed(NOW + 300))


def incident(began: float, ended: float | None, **changes: Any) -> Incident:
    usual: dict[str, Any] = {
        "id": "one",
        "key": "k" + str(began),
        "alertname": "ServiceDown",
        "service": "api",
        "severity": "high",
        "reached": ("high",),
        "started_at": began,
        "resolved_at": ended,
    }
    return Incident(**(usual | changes))


async def test_the_ends_of_an_open_incident_may_not_be_saved_yet(store: Store) -> None:
    failures = kept_in(store)
    fail(failures, NOW, NOW + 60)
    await failures.save()
    fail(failures, NOW + 120, spell=NOW)

    ends = await failures.ends("api", NOW + 61, None)

    assert (ends.first, ends.last) == (failed(NOW), failed(NOW + 120))
    assert await failures.ends("", NOW, None) == (None, None)
    assert await failures.ends("other", NOW, None) == (None, None)


async def test_an_incident_of_a_provider_has_the_failures_of_its_services(store: Store) -> None:
    failures = kept_in(store, "a", "b", "c")
    for service_, at in (("b", NOW), ("a", NOW + 60), ("a", NOW + 120)):
        failures.add(failed(at, service_), spell=at, until=at + 180)
    outage = incident(NOW + 61, None, service="", provider="custom", environment="production")

    found = await failures.of_incident(outage)

    assert (found.first, found.last) == (failed(NOW, "b"), failed(NOW + 120, "a"))
    elsewhere = replace(outage, environment="staging")
    assert await failures.of_incident(elsewhere) == (None, None)
    assert await failures.of_incident(replace(outage, provider="")) == (None, None)


async def test_failures_survive_a_restart(tmp_path: Path) -> None:
    before = Store.open(tmp_path / "data", FakeClock(NOW), None)
    failures = kept_in(before)
    fail(failures, NOW)
    await failures.save()
    before.close()

    after = Store.open(tmp_path / "data", FakeClock(NOW), None)
    found = await kept_in(after).newest("api")
    after.close()

    assert found == [failed(NOW)]


async def test_failures_go_with_their_service(store: Store) -> None:
    failures = kept_in(store, "api", "other")
    fail(failures, NOW)
    fail(failures, NOW, service="other")
    await failures.save()
    fail(failures, NOW + 60)

    failures.follow(RegistryChange(removed=(service_target("api"),)))

    assert await failures.newest("api") == []
    assert await failures.ends("api", NOW, None) == (None, None)
    await failures.save()
    assert store.failures.texts("api", float("inf"), 9) == []
    assert [one.service for one in await failures.newest("other")] == ["other"]


async def test_what_was_removed_while_nothing_ran_is_forgotten(store: Store) -> None:
    failures = kept_in(store, "api", "other")
    fail(failures, NOW, service="other")
    await failures.save()

    await kept_in(store, "api").save()

    assert store.failures.texts("other", float("inf"), 9) == []


class Refusing:
    """A store whose disk refuses while it is told so."""

    def __init__(self, store: Store) -> None:
        self._table, self.refuses = store.failures, True

    def __getattr__(self, name: str) -> Any:
        if self.refuses and name in ("put", "drop", "keep_only"):
            raise StoreError("no space is left on the disk")
        return getattr(self._table, name)


async def test_what_the_disk_refuses_is_shown_bounded_and_written_later(store: Store) -> None:
    refusing, registry = Refusing(store), Registry()
    registry.replace([service_target("api")])
    failures = Failures(refusing, registry, FakeClock(NOW))
    fail(failures, *(NOW + i for i in range(MOST_UNSAVED + 10)))
    await failures.save()

    assert [one.at for one in await failures.newest("api", 1)] == [NOW + MOST_UNSAVED + 9]
    assert len(failures._unsaved) == MOST_UNSAVED
    refusing.refuses = False
    await failures.save()

    assert not failures._unsaved
    assert len(store.failures.texts("api", float("inf"), 10_000)) == KEPT_FAILURES + 0


def test_all_failures_together_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.failures, "_most", 40)
    monkeypatch.setattr(table, "_TRIM_AFTER", 30)

    for i in range(100):
        moment = Moment(NOW + i, NOW + i, NOW + i)
        store.failures.put([Row(f"s{i}", moment, text_of(failed(NOW + i)))])

    left = [store.failures.texts(f"s{i}", float("inf"), 9) for i in range(100)]
    assert sum(map(len, left)) <= 40 + 31
    assert left[99]
    assert not left[0]


async def test_a_damaged_failure_is_passed_over_and_counted(tmp_path: Path) -> None:
    counted: list[str] = []
    store = Store.open(tmp_path / "data", FakeClock(NOW), None, count=counted.append)
    failures = kept_in(store)
    fail(failures, NOW, NOW + 1, NOW + 2)
    await failures.save()
    with store._database.write() as db:
        db.execute("UPDATE failures SET text = '{' WHERE at = ?", (NOW,))
        db.execute("UPDATE failures SET until = 'x' WHERE at = ?", (NOW + 1,))

    assert [one.at for one in await failures.newest("api")] == [NOW + 2]
    assert await failures.ends("api", NOW + 2, None) == (None, failed(NOW + 2))
    assert set(counted) == {"failures"}
    store.close()


# -- a process ----------------------------------------------------------------------------------


@pytest.mark.slow
async def test_failures_survive_kill_9(tmp_path: Path, vendor: Vendor) -> None:
    vendor.on("/", answer(500, b'{"error":"kept"}', [("X-Request-Id", "req-kept")]))
    config = write(tmp_path / "services.yaml", vendor, service(vendor, "a"))
    arguments, path = ("--data-dir", str(tmp_path / "data")), "/api/services/a/failures"
    async with serving(config, *arguments) as running:
        while len(before := (await running.ask("GET", path))[1]["failures"]) < 2:
            await asyncio.sleep(0.05)
        await asyncio.sleep(2.1 * SAVE_SECONDS)  # what is older than that is on the disk
        await running.stop(signal.SIGKILL)
    vendor.on("/", answer(200, b"{}"))

    async with serving(config, *arguments) as running:
        _, found = await running.ask("GET", path)

    kept = {one["at"]: one for one in found["failures"]}
    assert all(kept[one["at"]] == one for one in before)
    assert {one["request_id"] for one in before} == {"req-kept"}
    assert {one["excerpt"] for one in before} == {'{"error":"kept"}'}


# -- memory ------------------------------------------------------------------------------------


def taken_by_a_service(reason: Reason, probes: int, count: int = 20) -> float:
    """Return how many bytes a service takes after some *probes*."""
    target = service_target("api")
    tracemalloc.start()
    results = Results()
    for number in range(count):
        for i in range(probes):
            fields: dict[str, Any] = {"duration": 0.02, "request_id": f"req-{number}-{i}"}
            if reason is not Reason.OK:
                text = f"{number} {i} ".ljust(512, "x")
                fields["evidence"] = replace(EVIDENCE, excerpt=text)
            outcome = Outcome(reason=reason, **fields)
            made = Result(service="api", at=NOW + i, outcome=outcome, verdict=Verdict.PROVIDER)
            results.of(f"s{number}").add(made, target)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken / count


def test_a_service_that_works_holds_no_evidence_and_one_that_fails_the_last() -> None:
    """2.5 KiB, as without it; one that fails holds one failure, however many there were."""
    works = taken_by_a_service(Reason.OK, 40)
    fails, longer = (taken_by_a_service(Reason.SERVER_ERROR, probes) for probes in (40, 160))

    assert works < 3.5 * 1024
    assert fails < works + 4 * 1024
    assert longer < fails * 1.05


async def test_a_failing_service_leaves_nothing_in_memory_once_it_is_saved(store: Store) -> None:
    failures = kept_in(store)
    long = replace(
        EVIDENCE, excerpt="x" * 512, headers=tuple((f"h{i}", "v" * 128) for i in range(24))
    )
    for i in range(300):
        fail(failures, NOW + i, evidence=long)
        await failures.save()

    assert not failures._unsaved
    assert max(len(text) for text in store.failures.texts("api", float("inf"), 99)) < 6_000
