"""Which minutes are kept: what failed, what nobody saw, and nothing of what is good."""

from __future__ import annotations

import sys

import pytest

from exporter.config import Target
from exporter.model import Outcome, Reason, Result, Shortage, Verdict, verdict_of
from exporter.registry import RegistryChange
from exporter.results import Batch, Minute, Minutes, Seen
from exporter.results.minutes import MOST_UNSAVED, overlaid
from tests.fakes import service_target

M = 29_700_000
"""A minute that begins a slot of five."""


class Stage:
    """One service, probed at chosen times."""

    def __init__(self, interval: float = 60.0, network: str = "", page: str = "") -> None:
        self.target: Target = service_target("api", interval=interval)
        self.minutes = Minutes(network=lambda: network, page=lambda target: page)
        self.before: float | None = None

    def probe(self, minute: float, reason: Reason = Reason.OK, **more: object) -> None:
        """Probe *minute* minutes after `M`."""
        counted = bool(more.pop("counted", True))
        verdict = more.pop("verdict", verdict_of(reason))
        at = (M + minute) * 60
        outcome = Outcome(reason=reason, **more)  # type: ignore[arg-type]
        result = Result(service="api", at=at, outcome=outcome, verdict=verdict)  # type: ignore[arg-type]
        self.minutes.add(self.target, result, counted=counted, before=self.before)
        self.before = at

    def kept(self) -> list[tuple[int, int, Seen]]:
        """Return minute after `M`, length and state of every entry, in order."""
        entries = overlaid((), self.minutes.drain(0.0).minutes.values())
        return [(entry.minute - M, entry.hold, entry.seen) for entry in entries]


def test_good_minutes_leave_nothing() -> None:
    stage = Stage()
    for minute in range(20):
        stage.probe(minute)

    assert stage.kept() == []


def test_a_failing_minute_is_kept_with_the_good_ones_of_its_slot() -> None:
    stage = Stage()
    for minute in range(12):
        stage.probe(minute, Reason.SERVER_ERROR if minute == 7 else Reason.OK)

    good, failing = Seen.GOOD, Seen.FAILING
    assert stage.kept() == [(5, 1, good), (6, 1, good), (7, 1, failing), (8, 1, good), (9, 1, good)]


def test_an_entry_says_what_failed_and_what_was_known_then() -> None:
    stage = Stage(network="canary", page="operational")
    stage.probe(0, Reason.OK)
    stage.probe(0.2, Reason.TIMEOUT)
    stage.probe(0.4, Reason.SERVER_ERROR, status=503)

    (entry,) = stage.minutes.unsaved("api")
    assert entry == Minute(M, 1, Seen.FAILING, 3, 2, "server_error", 503, "canary", "operational")


@pytest.mark.parametrize(
    ("network", "reasons", "proof"),
    [
        ("", [Reason.SERVER_ERROR], "answer"),
        ("", [Reason.TIMEOUT], ""),
        ("canary", [Reason.TIMEOUT], "canary"),
        ("canary", [Reason.SERVER_ERROR, Reason.TIMEOUT], "canary"),
        ("", [Reason.SERVER_ERROR, Reason.TIMEOUT, Reason.SERVER_ERROR], ""),
    ],
)
def test_a_minute_has_the_weakest_proof_that_our_network_worked(
    network: str, reasons: list[Reason], proof: str
) -> None:
    stage = Stage(network=network)
    for number, reason in enumerate(reasons):
        stage.probe(number / 10, reason)

    assert stage.minutes.unsaved("api")[0].network == proof


@pytest.mark.parametrize(
    ("reason", "seen"),
    [
        (Reason.RATE_LIMITED, Seen.QUOTA),
        (Reason.AUTH_INVALID, Seen.CREDENTIAL),
        (Reason.CLIENT_ERROR, Seen.REQUEST),
        (Reason.INTERNAL, Seen.MONITORING),
        (Reason.INTERCEPTED, Seen.NETWORK),
    ],
)
def test_a_fault_of_ours_is_a_minute_that_nobody_saw(reason: Reason, seen: Seen) -> None:
    stage = Stage()
    stage.probe(0, reason)

    assert stage.kept() == [(0, 1, seen)]


@pytest.mark.parametrize(
    ("reason", "verdict", "status", "proof"),
    [
        (Reason.SERVER_ERROR, Verdict.PROVIDER, 503, "answer"),
        (Reason.TIMEOUT, Verdict.PROVIDER, 0, "canary"),
        (Reason.AUTH_INVALID, Verdict.CREDENTIAL, 401, "answer"),
        (Reason.CLIENT_ERROR, Verdict.REQUEST, 404, "answer"),
        (Reason.ADDRESS_REFUSED, Verdict.REQUEST, 0, ""),
        (Reason.CONNECT, Verdict.NETWORK, 0, ""),
        (Reason.INTERCEPTED, Verdict.NETWORK, 407, ""),
        (Reason.INTERNAL, Verdict.MONITORING, 0, ""),
    ],
)
def test_what_proves_our_network_at_a_failure(
    reason: Reason, verdict: Verdict, status: int, proof: str
) -> None:
    outcome = Outcome(reason=reason, status=status)
    result = Result(service="api", at=M * 60.0, outcome=outcome, verdict=verdict)

    assert Minutes(network=lambda: "canary").proof_of(result) == proof


def test_our_dead_network_is_no_failure_of_the_provider() -> None:
    stage = Stage()
    stage.probe(0, Reason.TIMEOUT, verdict=Verdict.NETWORK, shortage=Shortage.RESOLVER)

    assert stage.kept() == [(0, 1, Seen.NETWORK)]


def test_maintenance_hides_what_fails_in_it_and_what_works() -> None:
    stage = Stage()
    stage.probe(0, Reason.SERVER_ERROR, counted=False)
    stage.probe(1, Reason.OK, counted=False)

    assert stage.kept() == [(0, 1, Seen.MAINTENANCE), (1, 1, Seen.MAINTENANCE)]


def test_a_good_probe_makes_a_minute_seen_in_which_another_was_ours() -> None:
    stage = Stage()
    stage.probe(0, Reason.RATE_LIMITED)
    stage.probe(0.5)

    assert stage.kept() == [(0, 1, Seen.GOOD)]


def test_a_failure_of_a_slow_service_holds_until_its_next_probe() -> None:
    stage = Stage(interval=300)
    for minute, reason in ((0, Reason.TIMEOUT), (5, Reason.TIMEOUT), (10, Reason.OK)):
        stage.probe(minute, reason)

    assert stage.kept() == [(0, 5, Seen.FAILING), (5, 5, Seen.FAILING)]


def test_what_three_intervals_do_not_explain_was_not_seen() -> None:
    stage = Stage(interval=60)
    stage.probe(0, Reason.TIMEOUT)
    stage.probe(9)

    assert stage.kept() == [(0, 1, Seen.FAILING), (1, 8, Seen.GAP)]


def test_minutes_without_a_probe_across_a_restart_were_not_seen() -> None:
    stage = Stage(interval=300)
    stage.before = (M + 1) * 60.0
    stage.probe(4)

    assert stage.kept() == [(2, 2, Seen.GAP)]


def test_a_late_result_belongs_to_the_minute_in_which_its_probe_began() -> None:
    stage = Stage()
    stage.probe(0.9, Reason.TIMEOUT, duration=55.0)
    stage.probe(1.9)

    assert stage.kept()[0] == (0, 1, Seen.FAILING)


def test_minutes_that_come_twice_are_not_seen_whatever_they_show() -> None:
    stage = Stage()
    for minute in range(10):
        stage.probe(minute, Reason.SERVER_ERROR if minute == 6 else Reason.OK)
    for minute in (5, 6, 7, 8):  # the clock was set back by five minutes
        stage.probe(minute, Reason.SERVER_ERROR)
    stage.probe(4, Reason.SERVER_ERROR)  # and by four more
    stage.probe(10)

    assert (4, 6, Seen.CLOCK) in stage.kept()
    assert not any(seen is Seen.FAILING and minute > 6 for minute, _, seen in stage.kept())


def test_a_clock_that_was_wrong_by_days_begins_anew() -> None:
    stage = Stage()
    stage.probe(9000)
    stage.probe(0, Reason.SERVER_ERROR)
    stage.probe(1, Reason.SERVER_ERROR)

    assert [minute for minute, _, _ in stage.kept()] == [0, 1]


def test_the_first_result_begins_a_watch_and_one_of_before_does_not() -> None:
    stage, resumed = Stage(), Stage()
    resumed.before = M * 60.0
    stage.probe(3)
    resumed.probe(3)

    assert stage.minutes.drain(0.0).begun == {"api": M + 3}
    assert resumed.minutes.drain(0.0).begun == {}


def test_what_is_drained_is_still_there_until_it_is_written() -> None:
    stage = Stage()
    stage.probe(0, Reason.TIMEOUT)

    stage.minutes.drain(0.0)
    assert len(stage.minutes.unsaved("api")) == 1
    assert stage.minutes.begun("api") == M

    stage.minutes.written()
    assert stage.minutes.unsaved("api") == []
    assert stage.minutes.begun("api") is None


def test_what_a_disk_refuses_is_written_the_next_time() -> None:
    stage = Stage()
    stage.probe(0, Reason.TIMEOUT)
    stage.minutes.drain(0.0)
    stage.probe(0.5, Reason.TIMEOUT)
    stage.minutes.restore()

    batch = stage.minutes.drain(0.0)
    assert [entry.failed for entry in batch.minutes.values()] == [2]
    assert batch.begun == {"api": M}


def test_a_disk_that_refuses_for_too_long_makes_time_that_nobody_saw() -> None:
    minutes = Minutes()
    minutes.start_run(100.0)
    batch: Batch = minutes.drain(200.0)
    entry = Minute(0, 1, Seen.GAP)
    batch.minutes = {("api", n): entry for n in range(MOST_UNSAVED + 1)}

    minutes.restore()

    assert minutes.drain(900.0).minutes == {}
    assert minutes.run(900.0) == (900.0, 900.0)


def test_a_removed_service_is_watched_anew() -> None:
    stage = Stage()
    stage.probe(0, Reason.TIMEOUT)
    stage.minutes.follow(RegistryChange(removed=(stage.target,)))

    stage.before = None
    stage.minutes.drain(0.0)
    stage.minutes.written()
    stage.probe(90)

    assert stage.minutes.begun("api") == M + 90
    assert stage.kept() == []


def test_a_good_service_takes_less_than_half_a_kibibyte() -> None:
    stage = Stage()
    stage.probe(0)
    watch = stage.minutes._watches["api"]

    assert sys.getsizeof(watch) + sys.getsizeof(watch.good) < 300
