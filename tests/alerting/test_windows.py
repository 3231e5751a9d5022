"""Counters over a time: as Prometheus counts them from samples of every evaluation."""

from __future__ import annotations

from array import array

import pytest

from exporter.alerting.windows import Count, Histogram

BOUNDS = (0.1, 0.5, 1.0)


def test_a_rise_counts_until_it_is_as_old_as_the_window() -> None:
    count = Count(60.0, 7)
    count.take(9, 100.0)
    count.take(10, 130.0)

    # At 160 the first sample in the window is the one of 100, which has the 9 already.
    assert [count.increase(at) for at in (130.0, 159.9, 160.0, 189.0, 190.0)] == [3, 3, 1, 1, 0]


def test_what_was_counted_before_the_first_look_does_not_count() -> None:
    assert Count(60.0, 7).increase(1e9) == 0


def test_a_counter_that_falls_begins_anew() -> None:
    count = Count(60.0, 7)
    count.take(9, 100.0)
    count.take(1, 110.0)
    fallen = count.increase(110.0)
    count.take(2, 120.0)

    assert (fallen, count.increase(120.0)) == (0, 1)


def _histogram(*counts: int) -> Histogram:
    histogram = Histogram(600.0, array("Q", [0, 0, 0, 0]))
    histogram.take(array("Q", counts), 100.0)
    return histogram


@pytest.mark.parametrize(
    ("counts", "rank", "value"),
    [
        ((20, 0, 0, 0), 0.95, 0.095),  # spread evenly from 0
        ((19, 1, 0, 0), 0.95, 0.1),  # exactly the share of the first bucket
        ((10, 10, 0, 0), 0.95, 0.1 + 0.4 * 0.9),
        ((0, 0, 0, 5), 0.95, 1.0),  # above the last bound nothing is known
        ((1, 0, 0, 19), 0.5, 1.0),
    ],
)
def test_a_quantile_lies_within_its_bucket(
    counts: tuple[int, ...], rank: float, value: float
) -> None:
    assert _histogram(*counts).quantile(rank, BOUNDS) == pytest.approx(value)


def test_without_an_observation_in_the_window_there_is_no_quantile() -> None:
    histogram = _histogram(5, 0, 0, 0)
    histogram.take(array("Q", [5, 0, 0, 0]), 699.0)
    before = histogram.quantile(0.95, BOUNDS)
    histogram.take(array("Q", [5, 0, 0, 0]), 700.0)

    assert before is not None
    assert histogram.quantile(0.95, BOUNDS) is None


def test_a_histogram_that_begins_anew_forgets_what_was() -> None:
    histogram = _histogram(5, 5, 0, 0)
    histogram.take(array("Q", [0, 0, 1, 0]), 110.0)

    assert histogram.quantile(0.95, BOUNDS) is None
