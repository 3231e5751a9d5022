"""What is kept of results, and what is counted."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Target
from exporter.config.declarations import LatencyObjective, Objectives
from exporter.model import (
    Certificate,
    Limit,
    Outcome,
    Reason,
    Result,
    Shortage,
    Verdict,
    verdict_of,
)
from exporter.results.recent import KEPT_RESULTS, REASONS, Recent
from exporter.results.tally import BUCKETS, Results, Tally
from tests.fakes import service_target

TARGET = service_target()
SLOW_TARGET = service_target(
    objectives=Objectives(latency=LatencyObjective(threshold=0.8, target=0.99))
)


def result(reason: Reason = Reason.OK, *, at: float = 1000.0, **more: Any) -> Result:
    """Return a result whose verdict follows from its reason."""
    verdict = more.pop("verdict", verdict_of(reason))
    attempts = more.pop("attempts", 1)
    outcome = Outcome(reason=reason, **more)
    return Result(service="api", at=at, outcome=outcome, verdict=verdict, attempts=attempts)


def tally(*results: Result, target: Target = TARGET, counted: bool = True) -> Tally:
    made = Tally()
    for each in results:
        made.add(each, target, counted=counted)
    return made


@pytest.mark.parametrize("reason", Reason)
def test_only_the_verdicts_ok_and_provider_are_events(reason: Reason) -> None:
    made = tally(result(reason))

    verdict = verdict_of(reason)
    assert made.events[0] == (verdict in (Verdict.OK, Verdict.PROVIDER))
    assert made.bad[0] == (verdict is Verdict.PROVIDER)


def test_a_silent_probe_while_our_network_is_down_is_no_event() -> None:
    made = tally(result(Reason.TIMEOUT, verdict=Verdict.NETWORK))

    assert (made.events, made.bad) == ([0, 0], [0, 0])
    assert made.reasons[REASONS.index(Reason.TIMEOUT)] == 1


def test_a_probe_in_maintenance_is_no_event_but_is_kept() -> None:
    made = tally(result(Reason.SERVER_ERROR), counted=False)

    assert (made.events, made.bad) == ([0, 0], [0, 0])
    assert (made.in_a_row, len(made.recent)) == (1, 1)


@pytest.mark.parametrize(("duration", "bad"), [(0.1, 0), (0.8, 0), (0.8001, 1), (9.0, 1)])
def test_a_success_above_the_threshold_is_a_bad_latency_event(duration: float, bad: int) -> None:
    made = tally(result(duration=duration), target=SLOW_TARGET)

    assert (made.events[1], made.bad[1]) == (1, bad)


def test_a_failure_or_a_target_without_objective_is_no_latency_event() -> None:
    failed = tally(result(Reason.TIMEOUT, duration=9.0), target=SLOW_TARGET)
    without = tally(result(duration=9.0))

    assert (failed.events[1], without.events[1]) == (0, 0)


def test_a_success_that_was_not_measured_is_available_and_in_no_latency() -> None:
    made = tally(result(duration=9.0, measured=False), target=SLOW_TARGET)

    assert (made.events, made.bad) == ([1, 0], [0, 0])
    assert (sum(made.buckets), made.latency_sum, made.reasons[0]) == (0, 0.0, 1)


LACKING = result(Reason.INTERNAL, shortage=Shortage.DESCRIPTORS)
LACKING_NAMES = result(Reason.DNS, shortage=Shortage.RESOLVER, verdict=Verdict.NETWORK)


@pytest.mark.parametrize("lacking", [LACKING, LACKING_NAMES])
def test_a_shortage_of_our_own_is_in_no_row_and_ends_none(lacking: Result) -> None:
    failed = result(Reason.TIMEOUT)
    alone, between = tally(lacking, lacking), tally(failed, lacking, lacking, failed)

    assert (alone.in_a_row, alone.held, alone.changes) == (0, 0, 0)
    assert (between.in_a_row, between.held) == (2, 0)
    assert (alone.events, alone.bad) == ([0, 0], [0, 0])


@pytest.mark.parametrize(
    ("reasons", "changes", "in_a_row"),
    [
        ("ok", 0, 0),
        ("timeout", 0, 1),
        ("ok ok timeout", 1, 1),
        ("timeout dns connect", 0, 3),
        ("ok key_ok_limited", 0, 0),
        ("ok timeout ok timeout timeout", 3, 2),
    ],
)
def test_changes_of_state_and_failures_in_a_row_are_counted(
    reasons: str, changes: int, in_a_row: int
) -> None:
    made = tally(*(result(Reason(reason)) for reason in reasons.split()))

    assert (made.changes, made.in_a_row) == (changes, in_a_row)


HELD = result(Reason.DNS, verdict=Verdict.NETWORK)
OK, FAILED = result(), result(Reason.SERVER_ERROR)
OURS = result(Reason.INTERCEPTED)
LIMITED = result(Reason.RATE_LIMITED)


@pytest.mark.parametrize(
    ("results", "in_a_row", "held", "changes"),
    [
        ([OK, HELD, HELD], 0, 2, 0),
        ([OK, HELD, HELD, OK], 0, 0, 0),
        ([OK, HELD, HELD, FAILED], 3, 0, 1),
        ([OK, FAILED, HELD, HELD], 1, 2, 1),
        ([OK, FAILED, HELD, FAILED], 3, 0, 1),
        ([OK, FAILED, HELD, OK], 0, 0, 2),
        ([OK, HELD, OURS], 2, 0, 1),
        ([HELD, FAILED, OK], 0, 0, 1),
        ([OK, LIMITED, OK], 0, 0, 0),
        ([OK, LIMITED, LIMITED, LIMITED], 0, 0, 0),
        ([FAILED, LIMITED, FAILED], 2, 0, 0),
        ([OK, HELD, LIMITED, FAILED], 2, 0, 1),
        ([OK, result(Reason.QUOTA_EXHAUSTED)], 1, 0, 1),
    ],
)
def test_only_what_the_provider_can_be_judged_by_is_counted_in_a_row(
    results: list[Result], in_a_row: int, held: int, changes: int
) -> None:
    made = tally(*results)

    assert (made.in_a_row, made.held, made.changes) == (in_a_row, held, changes)


def test_since_when_it_fails_is_the_first_failure_after_the_last_success() -> None:
    made, seen = Tally(), []
    for at, reason, verdict in (
        (1.0, Reason.OK, Verdict.OK),
        (2.0, Reason.TIMEOUT, Verdict.NETWORK),
        (3.0, Reason.RATE_LIMITED, Verdict.QUOTA),
        (4.0, Reason.SERVER_ERROR, Verdict.PROVIDER),
        (5.0, Reason.OK, Verdict.OK),
        (6.0, Reason.DNS, Verdict.PROVIDER),
    ):
        made.add(result(reason, at=at, verdict=verdict), TARGET)
        again = Tally()
        again.restore(made.dump())
        seen.append((made.failing_since, again.failing_since))

    assert seen == [(since, since) for since in (0.0, 2.0, 2.0, 2.0, 0.0, 6.0)]


def test_attempts_and_reasons_add_up() -> None:
    made = tally(result(attempts=3), result(Reason.DNS, attempts=2), result(Reason.DNS))

    assert made.attempts == 6
    counted = {r: made.reasons[i] for i, r in enumerate(REASONS) if made.reasons[i]}
    assert counted == {Reason.OK: 1, Reason.DNS: 2}


@pytest.mark.parametrize(("index", "bound"), list(enumerate(BUCKETS)))
def test_a_duration_at_a_bound_belongs_to_that_bucket(index: int, bound: float) -> None:
    made = tally(result(duration=bound), result(duration=bound * 1.0001))

    assert [made.buckets[index], made.buckets[index + 1]] == [1, 1]
    assert sum(made.buckets) == 2
    assert made.latency_sum == pytest.approx(2 * bound, rel=1e-3)


def test_failures_are_in_no_bucket() -> None:
    made = tally(result(Reason.TIMEOUT, duration=10.0))

    assert (sum(made.buckets), made.latency_sum) == (0, 0.0)


def test_the_last_results_are_kept_oldest_first() -> None:
    made = tally(*(result(Reason.DNS, at=float(i), duration=i / 100) for i in range(50)))

    assert len(made.recent) == KEPT_RESULTS
    newest = [(float(i), i / 100, Reason.DNS, Verdict.PROVIDER) for i in range(30, 50)]
    assert list(made.recent) == newest


def test_the_last_success_is_remembered() -> None:
    made = tally(result(at=5.0), result(Reason.DNS, at=6.0))

    assert made.last_success == 5.0
    assert made.last is not None
    assert made.last.at == 6.0


def test_since_when_the_verdict_is_the_same_is_known_and_outlives_a_restart() -> None:
    made = tally(
        result(at=1.0),
        result(Reason.TIMEOUT, at=2.0),
        result(Reason.DNS, at=3.0),
        result(Reason.SERVER_ERROR, at=4.0),
    )
    again = Tally()

    again.restore(made.dump())
    again.add(result(Reason.TIMEOUT, at=5.0), TARGET)

    assert (made.since, again.since) == (2.0, 2.0)
    again.add(result(Reason.AUTH_INVALID, at=6.0), TARGET)
    assert again.since == 6.0


def test_what_our_network_hid_leaves_what_was_observed_before_and_so_does_a_restart() -> None:
    seen, hidden = result(at=1.0), result(Reason.DNS, at=2.0, verdict=Verdict.NETWORK)
    proxy = result(Reason.INTERCEPTED, at=3.0)
    again, blind = Tally(), Tally()

    assert tally(seen).observed is seen
    assert tally(seen, hidden).observed is seen
    assert tally(seen, hidden, proxy).observed is proxy, "something was answered"
    again.restore(tally(seen).dump())
    blind.restore(tally(seen, hidden).dump())
    assert again.observed is again.last is not None
    assert blind.observed is None


def test_what_an_answer_told_is_kept_until_it_is_told_anew() -> None:
    certificate = Certificate(expiry=9.0)
    told = result(
        certificate=certificate,
        key_expiry=7.0,
        limits={"requests": Limit(limit=10), "tokens": Limit(limit=20)},
        quotas={("credits", "usd"): 3.0},
        readings={("queue", "jobs"): 4.0},
    )

    made = tally(told, result(limits={"requests": Limit(limit=11)}), result(Reason.DNS))

    assert made.certificate is certificate
    assert made.key_expiry == 7.0
    assert made.limits == {"requests": Limit(limit=11), "tokens": Limit(limit=20)}
    assert made.quotas == {("credits", "usd"): 3.0}
    assert made.readings == {("queue", "jobs"): 4.0}


def test_forgetting_a_key_leaves_the_certificate() -> None:
    told = result(certificate=Certificate(expiry=9.0), key_expiry=7.0, limits={"r": Limit()})
    made = tally(told)

    made.forget_key()

    assert (made.key_expiry, dict(made.limits), dict(made.quotas)) == (None, {}, {})
    assert made.certificate == Certificate(expiry=9.0)


def test_a_forgotten_service_begins_anew() -> None:
    results = Results()
    results.of("api").add(result(), TARGET)

    results.forget("api")
    results.forget("api")

    assert results.of("api").last is None
    assert results.of("api") is results.of("api")


@pytest.mark.parametrize(
    ("reason", "most"), [(Reason.OK, 2.1 * 1024), (Reason.TIMEOUT, 2.1 * 1024)], ids=str
)
def test_the_memory_of_a_full_tally_is_bounded(reason: Reason, most: float) -> None:
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]

    tallies = []
    for _ in range(1000):
        tallies.append(Tally())
        for i in range(25):
            phases = (0.01, i / 1e3, i / 1e4, 0.2, 0.1 + i)
            tallies[-1].add(result(reason, at=1e9 + i, duration=i / 7, phases=phases), TARGET)

    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert used / len(tallies) < most


@given(
    st.lists(
        st.tuples(
            st.floats(0, 2**40), st.floats(0, 1e5), st.sampled_from(Reason), st.booleans()
        ).map(lambda one: (*one[:3], verdict_of(one[2], online=one[3]))),
        max_size=2 * KEPT_RESULTS + 1,
    )
)
def test_what_is_packed_comes_out_exactly(seen: list[tuple[float, float, Reason, Verdict]]) -> None:
    recent = Recent()
    for at, duration, reason, verdict in seen:
        recent.append(result(reason, verdict=verdict, at=at, duration=duration))

    assert list(recent) == seen[-KEPT_RESULTS:]
    assert len(recent) == min(len(seen), KEPT_RESULTS)


@given(st.lists(st.integers(0, 2**60), min_size=len(REASONS), max_size=len(REASONS)))
def test_a_count_that_no_probes_can_add_up_to_is_not_restored(counts: list[int]) -> None:
    names = [reason.value for reason in REASONS]
    made = Tally()
    made.restore({"reasons": dict(zip(names, counts, strict=True))})

    assert made.reasons.tolist() == [count if count < 2**32 else 0 for count in counts]


def test_a_bucket_that_is_given_twice_stays_within_what_it_holds() -> None:
    made = Tally()
    made.restore({"buckets": {"0.1": 2**32 - 1, "0.10": 5}})

    assert max(made.buckets) == 2**32 - 1
