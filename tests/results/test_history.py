"""The last day in quarters of an hour, gathered until written."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.model import Outcome, Reason, Result, Verdict, verdict_of
from exporter.registry import RegistryChange
from exporter.results.history import SPAN_SECONDS, WIDTH_SECONDS, Bucket, History, in_spans
from exporter.results.latencies import level_of
from tests.fakes import service_target

START = 1_800_000_000
QUARTER, HALF = level_of(0.25), level_of(0.5)


def result(reason: Reason = Reason.OK, at: float = START, **more: Any) -> Result:
    measured = more.get("measured", True)
    outcome = Outcome(reason=reason, duration=more.get("duration", 0.25), measured=measured)
    verdict = more.get("verdict", verdict_of(reason))
    service = more.get("service", "a")
    return Result(service=service, at=at, outcome=outcome, verdict=verdict)


def history(*results: Result) -> History:
    made = History()
    for each in results:
        made.add(each)
    return made


def test_results_of_a_quarter_are_one_row() -> None:
    made = history(
        result(at=START + 1.5),
        result(Reason.TIMEOUT, START + 30, duration=9.0),
        result(at=START + 899.9, duration=0.5),
    )

    assert made.drain() == [Bucket("a", START, 2, 1, Reason.TIMEOUT, 0.75, 0.5, QUARTER + HALF)]


def test_a_success_whose_time_says_nothing_is_left_out_of_the_latencies() -> None:
    made = history(result(), result(duration=9.0, measured=False))

    assert made.drain() == [Bucket("a", START, 1, 0, Reason.OK, 0.25, 0.25, QUARTER)]


def test_there_is_a_row_for_each_service_and_quarter() -> None:
    made = history(result(service="b"), result(at=START + WIDTH_SECONDS), result())

    rows = made.drain()

    assert sorted((row.service, row.start) for row in rows) == [
        ("a", START),
        ("a", START + WIDTH_SECONDS),
        ("b", START),
    ]


def test_only_changed_rows_are_drained_and_with_their_totals() -> None:
    made = history(result(), result(service="b"))
    made.drain()

    made.add(result())

    assert made.drain() == [Bucket("a", START, 2, 0, Reason.OK, 0.5, 0.25, 2 * QUARTER)]
    assert made.drain() == []


@pytest.mark.parametrize(
    ("reasons", "worst"),
    [
        ([Reason.OK, Reason.KEY_OK_LIMITED], Reason.KEY_OK_LIMITED),
        ([Reason.AUTH_INVALID, Reason.OK], Reason.AUTH_INVALID),
        ([Reason.SERVER_ERROR, Reason.RATE_LIMITED], Reason.SERVER_ERROR),
        ([Reason.RATE_LIMITED, Reason.DNS, Reason.OK], Reason.DNS),
        ([Reason.TIMEOUT, Reason.CONNECT], Reason.CONNECT),
        ([Reason.INTERNAL, Reason.RATE_LIMITED], Reason.RATE_LIMITED),
        ([Reason.OK, Reason.INTERNAL], Reason.INTERNAL),
    ],
)
def test_the_worst_reason_stays_the_newer_of_equals(reasons: list[Reason], worst: Reason) -> None:
    made = history(*map(result, reasons))

    assert made.drain()[0].worst is worst


def test_what_our_own_network_did_is_not_bad_and_gives_way_to_what_is() -> None:
    made = history(result(Reason.DNS, verdict=Verdict.NETWORK))
    alone = made.drain()

    made.add(result(Reason.AUTH_INVALID))

    assert alone == [Bucket("a", START, 0, 0, Reason.DNS, 0.0, 0.0)]
    assert made.drain() == [Bucket("a", START, 0, 1, Reason.AUTH_INVALID, 0.0, 0.0)]


def test_rows_that_could_not_be_written_are_drained_again() -> None:
    made = history(result(), result(at=START + WIDTH_SECONDS))
    lost = made.drain()
    made.add(result(at=START + WIDTH_SECONDS))

    made.restore(lost)

    assert {(row.start, row.ok) for row in made.drain()} == {(START, 1), (START + WIDTH_SECONDS, 2)}


def test_a_quarter_continues_after_a_restart() -> None:
    made = History()
    made.restore(history(result(), result(Reason.TIMEOUT)).drain())

    made.add(result())

    assert made.drain() == [Bucket("a", START, 2, 1, Reason.TIMEOUT, 0.5, 0.25, 2 * QUARTER)]


def test_what_is_written_is_let_go() -> None:
    made = History()

    for quarter in range(500):
        made.add(result(at=START + quarter * WIDTH_SECONDS))
        made.drain()

    assert len(made) == 2


def test_what_is_never_written_is_bounded_by_a_day() -> None:
    made = history(*(result(at=START + quarter * WIDTH_SECONDS) for quarter in range(500)))

    assert len(made) == len(made.drain()) == 96


def test_a_removed_service_leaves_no_row() -> None:
    made = history(result(), result(service="b"))

    made.follow(RegistryChange(removed=(service_target("a"),)))

    assert [row.service for row in made.drain()] == ["b"]


def test_quarters_are_joined_into_the_four_hours_in_which_they_begin() -> None:
    start = START // SPAN_SECONDS * SPAN_SECONDS
    quarters = history(
        result(at=start),
        result(Reason.TIMEOUT, start + 3600),
        result(at=start + SPAN_SECONDS - 1, duration=0.5),
        result(Reason.DNS, start + SPAN_SECONDS, verdict=Verdict.NETWORK),
    ).drain()

    spans = in_spans(sorted(quarters))

    assert spans == [
        Bucket("a", start, 2, 1, Reason.TIMEOUT, 0.75, 0.5, QUARTER + HALF),
        Bucket("a", start + SPAN_SECONDS, 0, 0, Reason.DNS, 0.0, 0.0),
    ]


@pytest.mark.parametrize(
    ("reason", "bad", "verdict"),
    [
        (Reason.OK, 0, Verdict.OK),
        (Reason.TIMEOUT, 1, Verdict.PROVIDER),
        (Reason.TIMEOUT, 0, Verdict.NETWORK),
        (Reason.INTERCEPTED, 0, Verdict.NETWORK),
        (Reason.INTERNAL, 0, Verdict.MONITORING),
        (Reason.AUTH_INVALID, 2, Verdict.CREDENTIAL),
    ],
)
def test_a_bucket_tells_whose_fault_its_worst_result_was(
    reason: Reason, bad: int, verdict: Verdict
) -> None:
    assert Bucket("a", START, 1, bad, reason, 0.1, 0.1).verdict is verdict
