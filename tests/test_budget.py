"""Sliding windows that are exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.budget import Budget
from tests.clocks import most_in_window

limits = st.none() | st.integers(1, 20)
pauses = st.lists(st.floats(0, 900, allow_nan=False), max_size=120)


def sent(budget: Budget, pauses: list[float], *, patient: bool) -> list[float]:
    """Return when requests are sent; the *patient* wait for budget, others go without."""
    now, ticks = 1000.0, []
    for pause in pauses:
        now += pause
        wait = budget.wait(now)
        if wait and not patient:
            continue
        now += wait
        assert budget.wait(now) == 0
        budget.spend(now)
        ticks.append(now)
    return ticks


@given(limits, limits, pauses, st.booleans())
def test_no_window_ever_holds_more_than_its_limit(
    minute: int | None, hour: int | None, pauses: list[float], patient: bool
) -> None:
    ticks = sent(Budget(minute, hour), pauses, patient=patient)

    assert most_in_window(ticks, 60) <= (minute or len(ticks))
    assert most_in_window(ticks, 3600) <= (hour or len(ticks))


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), pauses)
def test_no_window_holds_more_than_the_largest_of_limits_that_follow_each_other(
    minutes: list[int], pauses: list[float]
) -> None:
    budget, now, ticks = Budget(minutes[0], None), 1000.0, list[float]()
    for number, pause in enumerate(pauses):
        now += pause
        budget = budget.changed(minutes[number % len(minutes)], None)
        if not budget.wait(now):
            budget.spend(now)
            ticks.append(now)

    assert most_in_window(ticks, 60) <= max(minutes)


@given(st.integers(1, 20), pauses)
def test_the_wait_is_no_longer_than_needed(limit: int, pauses: list[float]) -> None:
    budget = Budget(limit, None)
    ticks = sent(budget, pauses, patient=False)
    now = 1000.0 + sum(pauses)

    wait = budget.wait(now)

    due = ticks[-limit] + 60 if len(ticks) >= limit else 0.0
    assert wait == max(0.0, due - now)


@pytest.mark.parametrize(("minute", "hour"), [(None, None), (10**9, None)])
def test_without_a_limit_or_far_below_it_nothing_waits(
    minute: int | None, hour: int | None
) -> None:
    budget = Budget(minute, hour)

    for _ in range(1000):
        budget.spend(5.0)

    assert budget.wait(5.0) == 0


def test_the_longer_of_both_waits_counts() -> None:
    budget = Budget(1, 1)
    budget.spend(100.0)

    waits = [budget.wait(at) for at in (100.0, 160.0, 3700.0)]

    assert waits == [3600.0, 3540.0, 0.0]
