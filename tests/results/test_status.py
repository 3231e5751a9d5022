"""A service at a glance, and silence that is noticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exporter.model import FACTS, Outcome, Reason, Result, Verdict, verdict_of
from exporter.results import Results, Status, Tally, current_advice, status_of
from exporter.statuspages import StatusPage
from tests.fakes import service_target

TARGET = service_target(interval=30.0)


def result(reason: Reason, verdict: Verdict | None = None, at: float = 1000.0) -> Result:
    outcome = Outcome(reason=reason)
    return Result(service="api", at=at, outcome=outcome, verdict=verdict or verdict_of(reason))


def expected(reason: Reason) -> Status:
    if reason is Reason.INTERNAL:
        return Status.UNKNOWN
    if FACTS[reason].verdict is Verdict.OK:
        return Status.HEALTHY
    return Status.DEGRADED if FACTS[reason].up else Status.UNHEALTHY


@pytest.mark.parametrize("reason", Reason)
def test_the_status_follows_from_the_last_reason(reason: Reason) -> None:
    made = Tally()
    made.add(result(reason), TARGET)

    assert status_of(TARGET, made) is expected(reason)


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.AUTH_INVALID, "degraded"),
        (Reason.RATE_LIMITED, "degraded"),
        (Reason.SERVER_ERROR, "unhealthy"),
        (Reason.TIMEOUT, "unhealthy"),
        (Reason.CLIENT_ERROR, "degraded"),
        (Reason.KEY_OK_LIMITED, "healthy"),
    ],
)
def test_some_states_word_by_word(reason: Reason, status: str) -> None:
    assert expected(reason) == status


def test_a_failure_of_our_own_network_says_nothing_about_the_service() -> None:
    made = Tally()
    made.add(result(Reason.TIMEOUT, Verdict.NETWORK), TARGET)

    assert status_of(TARGET, made) is Status.UNKNOWN


@pytest.mark.parametrize(
    "changes", [{"enabled": False}, {"endpoint": None}], ids=["disabled", "unprobed"]
)
def test_a_service_that_is_not_probed_is_unknown(changes: dict[str, Any]) -> None:
    made = Tally()
    made.add(result(Reason.OK), TARGET)

    assert status_of(replace(TARGET, **changes), made) is Status.UNKNOWN


def test_a_service_without_or_with_old_results_is_unknown() -> None:
    made = Tally()
    before = status_of(TARGET, made)
    made.add(result(Reason.OK), TARGET)
    made.stale = True

    assert (before, status_of(TARGET, made)) == (Status.UNKNOWN, Status.UNKNOWN)


@pytest.mark.parametrize("reason", Reason)
def test_nobody_is_sent_to_a_status_page_that_is_not_known(reason: Reason) -> None:
    made, page = (
        Tally(),
        StatusPage(url="https://status.example.com", adapter="statuspage", confidence="doc"),
    )
    made.add(result(reason), TARGET)
    without = current_advice(TARGET, made)
    beside = current_advice(replace(TARGET, status_page=page), made)

    assert "status page" not in without
    assert without
    assert beside == FACTS[reason].advice.replace(", if it has one", "")
    assert ("status page" in beside) == (without != beside)


class Watch:
    """`Results` looked at now and then."""

    def __init__(self, target: Any = TARGET) -> None:
        self.results, self.target = Results(), target

    def add(self, reason: Reason, at: float) -> None:
        self.results.of("api").add(result(reason, at=at), self.target)

    def look(self, at: float) -> bool:
        """Return whether the service is newly found silent."""
        return self.results.grown_stale(self.target, at, at)


def test_three_intervals_without_a_result_are_told_once() -> None:
    watch = Watch()
    watch.add(Reason.OK, 1010)

    assert [watch.look(at) for at in (1010, 1100, 1100.1, 1101, 2000)] == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert watch.results.of("api").stale


def test_a_result_ends_the_silence_and_a_new_one_is_told_again() -> None:
    watch = Watch()
    watch.look(1000)
    watch.look(1200)

    watch.add(Reason.OK, 1210)

    assert not watch.results.of("api").stale
    assert [watch.look(1215), watch.look(1306)] == [False, True]


def test_a_service_never_heard_of_is_silent_three_intervals_after_it_was_first_seen() -> None:
    watch = Watch()

    assert [watch.look(at) for at in (5000, 5090, 5091)] == [False, False, True]


@pytest.mark.parametrize(
    "changes", [{"enabled": False}, {"endpoint": None}], ids=["disabled", "unprobed"]
)
def test_a_service_that_is_not_probed_is_never_silent(changes: dict[str, Any]) -> None:
    watch = Watch(replace(TARGET, **changes))

    assert [watch.look(at) for at in (1000, 2000, 9000)] == [False, False, False]


def test_a_service_enabled_again_has_three_intervals_for_its_first_result() -> None:
    watch = Watch()
    watch.add(Reason.OK, 1000)
    watch.look(1000)
    watch.target = replace(TARGET, enabled=False)
    watch.look(4000)

    watch.target = TARGET

    assert [watch.look(at) for at in (5000, 5090, 5091)] == [False, False, True]


def test_the_slow_pace_of_a_rejected_key_is_no_silence() -> None:
    watch = Watch()
    watch.look(1000)
    watch.add(Reason.AUTH_INVALID, 1010)
    watch.look(1010)

    assert [watch.look(at) for at in (1310, 1900, 1911)] == [False, False, True]
