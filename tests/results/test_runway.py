"""When a quota or a limit will be used up."""

from __future__ import annotations

import pytest

from exporter.model import Limit
from exporter.results.runway import LIMIT_WINDOW_SECONDS, QUOTA_WINDOW_SECONDS, Runways

CREDITS = ("credits", "usd")
HOUR = QUOTA_WINDOW_SECONDS


def quota_end(*readings: tuple[float, float]) -> float | None:
    """Return the end of a quota after readings of (Unix time, what is left)."""
    runways = Runways()
    for at, left in readings:
        runways.take_quotas({CREDITS: left}, at)
    return runways.quotas.get(CREDITS)


def limit_end(*readings: tuple[float, float], reset: float | None = None) -> float | None:
    runways = Runways()
    for at, left in readings:
        runways.take_limits({"requests": Limit(limit=100, remaining=left, reset=reset)}, at)
    return runways.limits.get("requests")


@pytest.mark.parametrize(
    ("readings", "end"),
    [
        ([(0, 100.0)], None),
        ([(0, 100.0), (10, 90.0)], None),  # too soon to tell
        ([(0, 100.0), (600, 90.0)], 6000.0),
        ([(0, 100.0), (600, 100.0)], None),  # it does not fall
        ([(0, 100.0), (600, 90.0), (1200, 200.0)], None),  # topped up
        ([(0, 100.0), (600, 90.0), (1200, 200.0), (1800, 190.0)], 1800 + 190 * 60.0),
        ([(0, 5.0), (600, 0.0)], 600.0),
        ([(0, 0.0)], 0.0),
    ],
)
def test_a_quota_ends_where_its_fall_meets_zero(
    readings: list[tuple[float, float]], end: float | None
) -> None:
    assert quota_end(*readings) == end


def test_the_pace_is_that_of_lately() -> None:
    fast = [(n * HOUR, 1000.0 - 100 * n) for n in range(4)]
    slow = [(3 * HOUR + n * HOUR, 700.0 - n) for n in range(1, 5)]

    end = quota_end(*fast, *slow)

    assert end is not None
    assert end - 7 * HOUR == pytest.approx(696 * HOUR)


@pytest.mark.parametrize(
    ("reset", "end"),
    [
        (None, 60 + 80 * 3.0),
        (1000.0, 60 + 80 * 3.0),  # full again only after that
        (100.0, None),  # full again before it is used up
        (10.0, 60 + 80 * 3.0),  # a time that has passed says nothing
    ],
)
def test_a_limit_that_is_full_again_in_time_has_no_end(
    reset: float | None, end: float | None
) -> None:
    assert limit_end((0, 100), (60, 80), reset=reset) == end


def test_a_limit_without_a_remainder_has_no_end() -> None:
    runways = Runways()

    runways.take_limits({"requests": Limit(limit=5)}, LIMIT_WINDOW_SECONDS)

    assert runways.limits == {}
