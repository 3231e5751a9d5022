"""Minutes on the disk: small, whole after kill -9, honest where something is lost."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.results import Batch, Minute, Seen
from exporter.results.minutes import DAY_MINUTES, KEPT_DAYS, PROOFS
from exporter.store.database import Database
from exporter.store.minutes import MinuteTable
from exporter.store.runs import pack, unpack

DAY = 20_000
START = DAY * DAY_MINUTES
MEGABYTE = 1_000_000


def failing(minute: int, hold: int = 1, **more: object) -> Minute:
    facts: dict[str, object] = {"probes": 1, "failed": 1, "reason": "timeout"}
    return Minute(minute, hold, Seen.FAILING, **(facts | more))  # type: ignore[arg-type]


def batch(*entries: Minute, service: str = "api", until: float = 0.0) -> Batch:
    found = Batch(minutes={(service, entry.minute): entry for entry in entries})
    found.run = (0.0, until)
    return found


@pytest.fixture
def table() -> Iterator[MinuteTable]:
    database = Database(None, 0.0)
    yield MinuteTable(database)
    database.close()


@st.composite
def days(draw: st.DrawFn) -> list[Minute]:
    """Return entries of one day, in order, none over another."""
    entries, minute = [], 0
    while minute < DAY_MINUTES and len(entries) < 20:
        minute += draw(st.integers(0, 90))
        hold, probes = draw(st.integers(1, 9)), draw(st.integers(0, 60))
        failed = draw(st.integers(0, probes))
        unseen = draw(st.sampled_from([seen for seen in Seen if seen is not Seen.FAILING]))
        if minute < DAY_MINUTES:
            entry = Minute(
                START + minute,
                hold,
                Seen.FAILING if failed else unseen,
                probes,
                failed,
                draw(st.sampled_from(("", "timeout", "server_error"))),
                draw(st.sampled_from((0, 500, 503))),
                draw(st.sampled_from(PROOFS)),
                draw(st.sampled_from(("", "operational"))),
            )
            entries.append(entry)
        minute += hold
    return entries


@settings(max_examples=40)
@given(days())
def test_a_day_is_read_as_it_was_packed(entries: list[Minute]) -> None:
    assert unpack(pack(entries), DAY) == entries


@given(st.binary(max_size=60))
def test_other_bytes_are_no_day(data: bytes) -> None:
    with pytest.raises(ValueError, match="no"):
        unpack(data, DAY)


def test_a_year_of_a_dead_service_takes_a_few_hundred_bytes_a_day(tmp_path: Path) -> None:
    database = Database(tmp_path, 0.0)
    table = MinuteTable(database)
    with database.write():  # one wait for the disk
        for day in range(365):
            first = START + day * DAY_MINUTES
            table.save(batch(*(failing(first + minute) for minute in range(DAY_MINUTES))))
    database.close()

    size = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert size < 0.5 * MEGABYTE


def test_a_day_in_which_every_minute_differs_is_under_20_megabytes_a_year() -> None:
    chance = random.Random(7)
    day = [
        failing(
            START + minute,
            probes=60,
            failed=chance.randint(1, 60),
            status=chance.choice((0, 500, 502, 503)),
            network=chance.choice(PROOFS),
            page=chance.choice(("operational", "partial_outage")),
        )
        for minute in range(DAY_MINUTES)
    ]

    assert 365 * len(pack(day)) < 20 * MEGABYTE / 2


def test_what_is_saved_again_takes_the_place_of_the_former(table: MinuteTable) -> None:
    table.save(batch(failing(START), failing(START + 1)))
    table.save(batch(failing(START + 1, probes=3, failed=2)))

    minutes = table.read("api", START, START + 10).minutes
    assert [(m.minute - START, m.probes) for m in minutes] == [(0, 1), (1, 3)]


def test_a_long_silence_is_cut_at_midnight_and_read_from_any_day(table: MinuteTable) -> None:
    table.save(batch(Minute(START - 10, 3 * DAY_MINUTES, Seen.GAP)))

    day = START + DAY_MINUTES
    (middle,) = (m for m in table.read("api", day, day + 5).minutes if m.minute == day)
    assert (middle.hold, middle.seen) == (DAY_MINUTES, Seen.GAP)


def test_services_are_apart(table: MinuteTable) -> None:
    table.save(batch(failing(START)))
    table.save(batch(failing(START), service="other"))

    assert len(table.read("api", START, START + 1).minutes) == 1


def test_a_run_has_only_whole_minutes(table: MinuteTable) -> None:
    first = Batch(run=(START * 60 + 1.0, START * 60 + 185.0))
    table.save(first)

    assert table.read("api", START, START + 9).alive == ((START + 1, START + 3),)


def test_what_is_saved_later_in_a_run_makes_it_longer(table: MinuteTable) -> None:
    for until in (60.0, 120.0, 60.0):
        table.save(Batch(run=(START * 60.0, START * 60 + until)))

    assert table.read("api", START, START + 9).alive[-1][0] == START


def test_a_service_is_watched_until_it_is_removed_and_then_anew(table: MinuteTable) -> None:
    table.save(Batch(begun={"api": START}))
    table.end_others({"other"}, START + 5)
    table.end_others({"other"}, START + 9)  # it ended once
    table.save(Batch(begun={"api": START + 20}))

    found = table.read("api", START, START + 100).watched
    assert found == ((START, START + 5), (START + 20, START + 100))


def test_evidence_of_a_removed_service_stays(table: MinuteTable) -> None:
    table.save(batch(failing(START)))
    table.end_others((), START + 5)

    assert table.read("api", START, START + 1).minutes


def test_a_day_that_cannot_be_read_is_not_good(tmp_path: Path) -> None:
    counted: list[str] = []
    database = Database(tmp_path, 0.0, counted.append)
    table = MinuteTable(database)
    table.save(batch(failing(START)))
    with database.write() as db:
        db.execute("UPDATE minutes SET packed = x'00112233'")

    (entry,) = table.read("api", START, START + 1).minutes
    assert (entry.minute, entry.hold, entry.seen) == (START, DAY_MINUTES, Seen.DAMAGED)
    assert counted == ["minutes"]

    table.save(batch(failing(START + 700)))
    minutes = table.read("api", START, START + 1).minutes
    assert [m.seen for m in minutes] == [Seen.DAMAGED, Seen.FAILING]
    database.close()


@pytest.mark.parametrize("row", [("x", 5.0), (9.0, 5.0), (-1.0, 5.0)])
def test_a_run_that_cannot_be_read_observed_nothing(row: tuple[object, object]) -> None:
    database = Database(None, 0.0)
    table = MinuteTable(database)
    with database.write() as db:
        db.execute("INSERT INTO runs VALUES (?, ?)", row)

    assert table.read("api", 0, 10).alive == ()


def test_what_is_older_than_400_days_is_not_observed_any_more(table: MinuteTable) -> None:
    first = START - (KEPT_DAYS + 1) * DAY_MINUTES
    table.save(batch(failing(first), failing(START), until=START * 60.0))

    table.prune((START - KEPT_DAYS * DAY_MINUTES) * 60)

    kept = table.read("api", first, START + 1)
    assert [m.minute for m in kept.minutes] == [START]
    assert kept.alive[0][0] == START - KEPT_DAYS * DAY_MINUTES


def test_beyond_the_most_days_the_oldest_go_and_are_not_observed(table: MinuteTable) -> None:
    for day in range(5):
        table.save(batch(failing(START + day * DAY_MINUTES), until=(START + 9999) * 60.0))

    table.prune(0.0, most=2)

    kept = table.read("api", START, START + 5 * DAY_MINUTES)
    assert [m.minute // DAY_MINUTES - DAY for m in kept.minutes] == [3, 4]
    assert kept.alive == ((START + 3 * DAY_MINUTES, START + 9999),)


def test_a_crash_loop_leaves_no_rows(table: MinuteTable) -> None:
    for number in range(50):
        table.save(Batch(run=(START * 60.0 + 10 * number, START * 60.0 + 10 * number + 5)))

    table.prune(0.0)

    with table._database.read() as db:
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_a_run_that_goes_on_does_not_bring_back_what_was_removed(table: MinuteTable) -> None:
    late = (START + 5 * DAY_MINUTES) * 60.0
    for day in range(5):
        table.save(batch(failing(START + day * DAY_MINUTES), until=late))
    table.prune(0.0, most=2)

    table.save(batch(failing(START + 5 * DAY_MINUTES), until=late + 600))

    kept = table.read("api", START, START + 6 * DAY_MINUTES)
    assert kept.since == START + 3 * DAY_MINUTES
    assert kept.alive == ((kept.since, START + 5 * DAY_MINUTES + 10),)
