"""The history in spans of four hours: joined once they are over, bounded."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.model import Reason
from exporter.results.history import SPAN_SECONDS, Bucket
from exporter.results.latencies import level_of
from exporter.store import Store
from exporter.store import history as table
from exporter.store.errors import StoreError
from exporter.store.schema import STEPS, migrate, note_schema
from tests.fakes import FakeClock

DAY = 86_400
NOW = 1_800_000_000 // SPAN_SECONDS * SPAN_SECONDS
LEVELS = b"".join(level_of(0.1 * number) for number in range(1, 16))


def quarter(ago: int, service: str = "a", **more: Any) -> Bucket:
    """Return a quarter that began *ago* seconds before `NOW`."""
    usual = {"ok": 15, "bad": 0, "worst": Reason.OK, "latency_sum": 12.0, "latency_max": 1.5}
    return Bucket(service, NOW - ago, **({**usual, "levels": LEVELS} | more))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    made = Store.open(tmp_path / "data", clock, None)
    yield made
    made.close()


def test_the_quarters_of_four_hours_become_one_span(store: Store, clock: FakeClock) -> None:
    rows = [quarter(900 * number) for number in range(1, 17) if number != 8]
    failed = quarter(7200, ok=10, bad=5, worst=Reason.TIMEOUT, levels=LEVELS[:10])
    store.record_history([*rows, failed])
    clock._now = NOW + 3600

    store.prune_history(0.0)

    (span,) = store.spans("a", 0.0)
    assert (span.start, span.worst, span.bad) == (NOW - SPAN_SECONDS, Reason.TIMEOUT, 5)
    assert span.ok == sum(row.ok for row in store.history())
    assert span.percentile(0.5) == pytest.approx(0.8, rel=0.03)
    assert span.percentile(0.95) == pytest.approx(1.5, rel=0.03)


def test_what_may_still_change_is_in_no_span(store: Store, clock: FakeClock) -> None:
    store.record_history([quarter(900)])
    clock._now = NOW + 3599

    store.prune_history(0.0)
    before = store.spans("a", 0.0)
    store.record_history([quarter(900, ok=16)])
    clock._now = NOW + 3600
    store.prune_history(0.0)

    assert before == []
    assert [span.ok for span in store.spans("a", 0.0)] == [16]


def test_a_month_is_in_spans_and_two_days_in_quarters(store: Store, clock: FakeClock) -> None:
    store.record_history(quarter(900 * number) for number in range(1, 33 * 96))
    clock._now = NOW + 3600

    store.prune_history(NOW - 100 * DAY)
    spans, quarters = store.spans("a", 0.0), store.history("a")

    assert [NOW - spans[0].start, len(spans)] == [31 * DAY - SPAN_SECONDS, 31 * 6 - 1]
    assert {span.ok for span in spans} == {15 * 16}
    with_times = [NOW - row.start for row in quarters if row.levels]
    assert max(with_times) == 2 * DAY
    assert len(quarters) == 33 * 96 - 1


def test_spans_go_on_from_hour_to_hour(store: Store, clock: FakeClock) -> None:
    for hour in range(-1, 5 * 24):
        clock._now = NOW + 3600 * hour + 1
        store.record_history([quarter(-3600 * hour)])
        store.prune_history(NOW - DAY)

    spans = store.spans("a", 0.0)
    assert [span.start for span in spans[1:]] == [
        NOW + SPAN_SECONDS * n for n in range(len(spans) - 1)
    ]
    assert {span.ok for span in spans[1:]} == {60}
    assert sum(bool(row.levels) for row in store.history()) <= 2 * 24 + 5


def test_joining_that_was_killed_half_way_is_done_again(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*given: Any) -> None:
        raise KeyboardInterrupt

    names = [f"s{number}" for number in range(5)]
    monkeypatch.setattr(table, "_AT_ONCE", 2)
    store = Store.open(tmp_path, clock, None)
    store.record_history(quarter(900 * n, name) for name in names for n in range(1, 17))
    clock._now = NOW + 3600
    fold = table.HistoryTable._fold_service
    with monkeypatch.context() as patched:
        calls: list[str] = []

        def third_is_killed(self: Any, db: Any, service: str, *given: Any) -> None:
            calls.append(service)
            (killed if len(calls) > 3 else fold)(self, db, service, *given)

        patched.setattr(table.HistoryTable, "_fold_service", third_is_killed)
        with pytest.raises(KeyboardInterrupt):
            store.prune_history(0.0)
    half = [len(store.spans(name, 0.0)) for name in names]
    store.close()

    store = Store.open(tmp_path, clock, None)
    store.prune_history(0.0)
    whole = [[span.ok for span in store.spans(name, 0.0)] for name in names]
    store.close()

    assert half == [1, 1, 0, 0, 0]
    assert whole == [[240]] * 5


def test_spans_are_bounded_by_number_too(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "KEPT_SPANS", 4)
    store.record_history(quarter(900 * number) for number in range(1, 96))
    clock._now = NOW + 3600

    store.prune_history(0.0)

    assert [NOW - span.start for span in store.spans("a", 0.0)] == [
        4 * SPAN_SECONDS,
        *(SPAN_SECONDS * number for number in (3, 2, 1)),
    ]


def test_a_retention_of_a_week_holds_for_spans_too(store: Store, clock: FakeClock) -> None:
    store.record_history(quarter(900 * number) for number in range(1, 20 * 96))
    clock._now = NOW + 3600

    store.prune_history(NOW - 7 * DAY)

    assert min(span.start for span in store.spans("a", 0.0)) == NOW - 7 * DAY


def test_without_a_directory_a_day_of_quarters_and_a_month_of_spans_are_kept(
    clock: FakeClock,
) -> None:
    store = Store.in_memory(clock)
    for day in range(10):
        store.record_history(quarter(900 * n - day * DAY) for n in range(1, 97))
        clock._now = NOW + day * DAY + 3600
        store.prune_history(clock.now() - DAY)

    spans, quarters = store.spans("a", 0.0), store.history("a")
    store.close()

    assert len(spans) == 10 * 6
    assert len(quarters) <= 96


def test_spans_go_with_their_service(store: Store, clock: FakeClock) -> None:
    store.record_history([quarter(900), quarter(900, "b")])
    clock._now = NOW + 3600
    store.prune_history(0.0)

    store.keep_only({"b"})

    assert [len(store.spans(name, 0.0)) for name in ("a", "b")] == [0, 1]


@pytest.mark.parametrize(
    "change",
    ["levels = 'text'", "ok = -1", "worst = 'odd'", "latency_max = 'x'", "start = 0.5"],
)
def test_a_damaged_span_is_passed_over(store: Store, clock: FakeClock, change: str) -> None:
    store.record_history([quarter(900), quarter(900 + SPAN_SECONDS)])
    clock._now = NOW + 3600
    store.prune_history(0.0)
    with store._database.write() as db:
        db.execute(f"UPDATE history_spans SET {change} WHERE start = ?", (NOW - SPAN_SECONDS,))

    assert [span.start for span in store.spans("a", 0.0)] == [NOW - 2 * SPAN_SECONDS]


@pytest.mark.parametrize("note", ["x'ff'", "'soon'", "'99999999999'", "'-1'", "''"])
def test_a_damaged_note_of_what_is_joined_loses_nothing(
    store: Store, clock: FakeClock, note: str
) -> None:
    store.record_history(quarter(900 * number) for number in range(1, 10 * 96))
    clock._now = NOW + 3600
    store.prune_history(0.0)
    before = store.spans("a", 0.0)
    with store._database.write() as db:
        db.execute(f"UPDATE meta SET value = {note} WHERE name = 'folded'")

    store.prune_history(0.0)
    after = store.spans("a", 0.0)
    store.record_history([quarter(-900)])
    clock._now = NOW + SPAN_SECONDS + 3600
    store.prune_history(0.0)

    assert after == before
    assert all(span.percentile(0.5) for span in before)
    assert [span.start for span in store.spans("a", NOW)] == [NOW]


def test_a_store_of_before_the_spans_is_taken_over(tmp_path: Path, clock: FakeClock) -> None:
    before = next(n for n, step in enumerate(STEPS) if "history_spans" in " ".join(step))
    with sqlite3.connect(tmp_path / "registry.db", isolation_level=None) as db:
        migrate(db, STEPS[:before])
        note_schema(db)
        rows = [quarter(900 * number, levels=b"")[:-1] for number in range(1, 200)]
        db.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    db.close()

    store = Store.open(tmp_path, clock, None)
    taken_over = store.history("a")
    clock._now = NOW + 3600
    store.prune_history(0.0)
    spans = store.spans("a", 0.0)
    store.close()

    assert store.moved_aside is None
    assert [tuple(row[:-1]) for row in taken_over] == sorted(rows)
    assert len(spans) == math.ceil(199 / 16)
    assert [span.percentile(0.5) for span in spans] == [None] * len(spans)


def test_a_full_disk_loses_no_span(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.record_history(quarter(900 * number) for number in range(1, 17))
    clock._now = NOW + 3600
    with monkeypatch.context() as patched:

        def full(*given: Any) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patched.setattr(table, "_put", full)
        with pytest.raises(StoreError):
            store.prune_history(NOW)
    kept = len(store.history("a"))

    store.prune_history(0.0)

    assert kept == 16
    assert [span.ok for span in store.spans("a", 0.0)] == [240]
