"""The charts of response times: lines, axes and marks are where the results are, and in words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Reason, Verdict
from exporter.page.chart import DAY, MONTH, PLOT_HEIGHT, Chart, Scale, chart
from exporter.results import Bucket
from exporter.results.latencies import level_of

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC
SCALES = [DAY, MONTH]


def bucket(ago: int, *times: float, scale: Scale = DAY, **more: Any) -> Bucket:
    """Return the bucket *ago* parts before that of now, with successes that took *times*."""
    start = (int(NOW // scale.width) - ago) * scale.width
    usual = {"ok": len(times), "bad": 0, "worst": Reason.OK, "latency_sum": sum(times)}
    levels = b"".join(map(level_of, times))
    fields = usual | {"latency_max": max(times, default=0.0), "levels": levels} | more
    return Bucket("a", start, **fields)


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", path)]


def drawn(*buckets: Bucket, scale: Scale = DAY, threshold: float | None = None) -> Chart:
    return chart(buckets, scale, NOW, threshold)


@pytest.mark.parametrize("scale", SCALES)
def test_without_a_result_nothing_is_drawn(scale: Scale) -> None:
    empty = drawn(scale=scale, threshold=0.4)

    assert (empty.median, empty.high, empty.between, empty.rows, empty.lines) == (
        "",
        "",
        "",
        (),
        (),
    )
    assert (empty.failures, empty.threshold, empty.since) == ((), None, None)
    assert empty.label == f"last {scale.name}: no result"
    assert empty.ticks


@pytest.mark.parametrize("scale", SCALES)
def test_the_newest_part_is_at_the_right_end_and_the_oldest_at_the_left(scale: Scale) -> None:
    found = drawn(
        bucket(scale.bins - 1, 0.2, scale=scale),
        bucket(0, 0.2, scale=scale),
        bucket(scale.bins, 0.2, scale=scale),
        bucket(-1, 0.2, scale=scale),
        scale=scale,
    )

    half = 500 / scale.bins
    assert [row.x for row in found.rows] == pytest.approx([half, 1000 - half], abs=0.06)
    assert [x for x, _ in points(found.median)] == [row.x for row in found.rows]
    assert found.since is None


def test_median_and_95_percent_are_heights_of_the_axis() -> None:
    found = drawn(bucket(1, *[0.1] * 18, 0.38, 0.8), bucket(0, *[0.2] * 20))

    top, zero = found.lines[-1], found.lines[0]
    assert (zero.label, zero.y, top.label, top.y) == ("0 ms", PLOT_HEIGHT, "400 ms", 0.0)
    for path, wanted in ((found.median, [0.1, 0.2]), (found.high, [0.38, 0.2])):
        seconds = [(1 - y / PLOT_HEIGHT) * 0.4 for _, y in points(path)]
        assert seconds == pytest.approx(wanted, rel=0.03)
    words = [word for row in found.rows for word in (row.median, row.high)]
    assert [int(word.removesuffix(" ms")) for word in words] == pytest.approx(
        [100, 380, 200, 200], rel=0.03
    )
    low, high, worst = (words[0], words[2], words[1])
    assert found.label == (
        f"last 24 hours: median {low} to {high}, 95 % within {worst} at the worst, 0 bad probes"
    )


def test_a_gap_is_left_where_nothing_was_measured() -> None:
    failed = bucket(3, ok=0, bad=15, worst=Reason.TIMEOUT)
    found = drawn(bucket(5, 0.2), bucket(4, 0.2), failed, bucket(2, 0.2), bucket(0, 0.2))

    assert found.median.count("M") == found.high.count("M") == 3
    assert found.median.count("h.1") == 2
    assert found.between.count("M") == 1
    assert len(found.rows) == 5
    assert found.rows[2][2:] == ("–", "–", "0 good, 15 bad", "timeout, at fault: the provider")


@pytest.mark.parametrize(
    ("reason", "bad", "verdict"),
    [
        (Reason.TIMEOUT, 1, Verdict.PROVIDER),
        (Reason.TIMEOUT, 0, Verdict.NETWORK),
        (Reason.AUTH_INVALID, 1, Verdict.CREDENTIAL),
        (Reason.RATE_LIMITED, 1, Verdict.QUOTA),
        (Reason.CLIENT_ERROR, 1, Verdict.REQUEST),
        (Reason.INTERNAL, 0, Verdict.MONITORING),
    ],
)
def test_a_failure_is_marked_by_whose_fault_it_is(
    reason: Reason, bad: int, verdict: Verdict
) -> None:
    found = drawn(bucket(4, 0.2), bucket(1, 0.2, bad=bad, worst=reason))

    (mark,) = found.failures
    assert mark.verdict is verdict
    assert found.verdicts == (verdict,)
    assert mark.x < found.rows[1].x / 10 < mark.x + mark.width
    assert mark.middle == pytest.approx(found.rows[1].x / 10, abs=0.02)


def test_failures_in_turn_are_one_mark_of_each_verdict() -> None:
    down = {"bad": 5, "worst": Reason.TIMEOUT}
    limited = {"bad": 5, "worst": Reason.RATE_LIMITED}
    found = drawn(
        *(bucket(ago, **down) for ago in (20, 19, 18)),
        *(bucket(ago, **limited) for ago in (17, 16)),
        bucket(10, **down),
        bucket(8, **down),
    )

    width = 100 / 96
    marks = [(mark.verdict, round(mark.width / width)) for mark in found.failures]
    assert marks == [
        (Verdict.PROVIDER, 3),
        (Verdict.QUOTA, 2),
        (Verdict.PROVIDER, 1),
        (Verdict.PROVIDER, 1),
    ]
    assert found.verdicts == (Verdict.PROVIDER, Verdict.QUOTA)


def test_the_objective_is_drawn_where_the_picture_reaches_to_it() -> None:
    near, far = (drawn(bucket(0, 0.2), threshold=seconds) for seconds in (0.5, 5.0))

    assert near.threshold is not None
    assert near.threshold.label == "500 ms"
    assert 0 <= near.threshold.y < PLOT_HEIGHT / 2
    assert far.threshold is None


def test_the_axis_of_a_day_has_hours_and_that_of_a_month_has_days() -> None:
    day, month = drawn(scale=DAY), drawn(scale=MONTH)

    assert [t.label for t in day.ticks if not t.minor] == ["12:00", "18:00", "00:00", "06:00"]
    assert [t.label for t in day.ticks if t.minor] == ["09:00", "15:00", "21:00", "03:00"]
    assert "14 Jan" in [t.label for t in month.ticks]
    for found in (day, month):
        for tick in found.ticks:
            begin = found.scale.begin(NOW)
            span = found.scale.bins * found.scale.width
            assert tick.x == pytest.approx((tick.at - begin) / span * 100, abs=0.01)
    assert all(t.at % 86_400 == 0 for t in month.ticks)


def test_a_picture_that_is_not_full_tells_since_when() -> None:
    first = bucket(30, 0.2)

    assert drawn(first, bucket(0, 0.2)).since == first.start


@given(
    st.lists(
        st.tuples(
            st.integers(-2, 200),
            st.lists(st.floats(0, 400), max_size=5),
            st.integers(0, 9),
            st.sampled_from(Reason),
        ),
        max_size=20,
        unique_by=lambda one: one[0],
    ),
    st.sampled_from(SCALES),
    st.one_of(st.none(), st.floats(0.001, 300)),
)
def test_whatever_was_seen_stays_in_the_picture(
    seen: list[tuple[int, list[float], int, Reason]], scale: Scale, threshold: float | None
) -> None:
    buckets = [
        bucket(ago, *times, scale=scale, bad=bad, worst=reason)
        for ago, times, bad, reason in sorted(seen, reverse=True)
    ]

    found = chart(buckets, scale, NOW, threshold)

    for path in (found.median, found.high, found.between):
        assert re.fullmatch(r"[MLzh0-9. ]*", path)
        assert all(0 <= x <= 1000 and 0 <= y <= PLOT_HEIGHT for x, y in points(path))
    assert all(0 <= line.y <= PLOT_HEIGHT for line in found.lines)
    assert len(found.lines) in (0, 2, 3, 4, 5, 6)
    assert all(mark.x >= 0 and mark.x + mark.width <= 100.02 for mark in found.failures)
    assert [row.x for row in found.rows] == sorted({row.x for row in found.rows})


def test_the_highest_point_is_at_the_top_and_no_minus_zero() -> None:
    """Of 30.41… seconds the level is above the top by the last bit of a float."""
    found = chart([bucket(0, 30.414841321533082)], DAY, NOW, None)

    assert points(found.median)[0][1] == 0
    assert "-" not in found.median + found.high
