"""The small pictures: what is drawn, and that the label has the same content."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Reason, Verdict, verdict_of
from exporter.page.drawing import QUARTERS, kind_of, spark, strip, waterfall
from exporter.results import Bucket

NOW = 1_800_000_000.0
OK, DOWN, LIMITED = Reason.OK, Reason.TIMEOUT, Reason.RATE_LIMITED


def bucket(quarters_ago: int, ok: int = 15, bad: int = 0, worst: Reason = OK) -> Bucket:
    return Bucket("a", int(NOW // 900 - quarters_ago) * 900, ok, bad, worst, 1.0, 0.1)


def seen(
    *results: tuple[float, float, Reason], ours: bool = False
) -> list[tuple[float, float, Reason, Verdict]]:
    """Return *results* with their verdicts, as of a network of *ours* that is down."""
    return [(*one, verdict_of(one[2], online=not ours)) for one in results]


def test_without_results_the_labels_say_so() -> None:
    assert spark(()).label == "no result yet"
    assert (spark(()).line, spark(()).failures) == ("", "")
    assert strip((), NOW).label == "last 24 h: no result"
    assert strip((), NOW).paths == ()


def test_the_newest_result_is_at_the_right_end() -> None:
    drawn = spark(seen((0.0, 0.1, OK), (1.0, 0.2, OK)))

    assert drawn.line == "M74 12.0L78 3.0"
    assert drawn.label == "last 2 results: 100 ms to 200 ms"


def test_one_result_is_drawn_too() -> None:
    assert spark(seen((0.0, 0.1, OK))).line == "M78 3.0h.1"


def test_a_failure_breaks_the_line_and_is_a_mark_at_the_bottom() -> None:
    drawn = spark(seen((0.0, 0.1, OK), (1.0, 10.0, DOWN), (2.0, 0.1, OK)))

    assert drawn.line == "M70 3.0M78 3.0"
    assert drawn.failures == "M74 17v7"
    assert drawn.label == "last 3 results: 100 ms, 1 bad"


def test_only_failures_are_counted() -> None:
    assert spark(seen((0.0, 1.0, DOWN)) * 2).label == "last 2 results: 2 bad"


def test_what_failed_on_our_side_is_named_beside_what_is_bad() -> None:
    bad, hidden = seen((0.0, 1.0, DOWN)), seen((1.0, 1.0, DOWN), ours=True)
    internal = seen((2.0, 0.0, Reason.INTERNAL))

    drawn = spark(bad + hidden + internal)

    assert drawn.label == "last 3 results: 1 bad, 2 failed on our side"
    assert drawn.failures.count("M") == 3, "each is a mark"


def test_quarters_alike_are_one_piece() -> None:
    drawn = strip([bucket(n) for n in range(96)], NOW)

    assert drawn.paths == (("ok", "M0 10h96v8h-96z"),)
    assert drawn.label == "last 24 h, 96 quarters of an hour with results: none with a failure"


def test_a_failure_is_taller_and_named() -> None:
    drawn = strip([bucket(1), bucket(0, bad=1, worst=DOWN)], NOW)

    assert drawn.paths == (("ok", "M94 10h1v8h-1z"), ("down", "M95 1h1v17h-1z"))
    assert drawn.label.endswith("2 quarters of an hour with results: 1 with the provider down")


def test_a_label_counts_one_quarter_in_the_singular() -> None:
    label = strip([bucket(0)], NOW).label

    assert label == "last 24 h, 1 quarter of an hour with results: none with a failure"


def test_what_is_older_than_a_day_or_yet_to_come_is_left_out() -> None:
    assert strip([bucket(96), bucket(-1)], NOW).paths == ()


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (bucket(0), "ok"),
        (bucket(0, bad=1, worst=DOWN), "down"),
        (bucket(0, bad=1, worst=LIMITED), "degraded"),
        (bucket(0, ok=0, worst=Reason.CONNECT), "ours"),
        (bucket(0, ok=3, worst=Reason.INTERNAL), "ours"),
    ],
)
def test_a_quarter_is_as_bad_as_its_worst_result(row: Bucket, kind: str) -> None:
    assert kind_of(row) == kind


def test_phases_follow_each_other() -> None:
    bars = waterfall((0.01, 0.02, 0.03, 0.04, 0.0))

    assert [(bar.start, bar.width) for bar in bars] == [
        (0.0, 100.0),
        (100.0, 200.0),
        (300.0, 300.0),
        (600.0, 400.0),
        (1000.0, 0),
    ]
    assert [bar.label for bar in bars] == ["10 ms", "20 ms", "30 ms", "40 ms", "0 ms"]


def test_a_short_phase_can_still_be_seen() -> None:
    bars = waterfall((0.0001, 0.0, 0.0, 1.0, 0.0))

    assert (bars[0].width, bars[0].label) == (2.0, "< 1 ms")


def test_without_any_time_there_is_no_bar() -> None:
    assert {bar.width for bar in waterfall((0.0,) * 5)} == {0}


@given(
    st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e6), st.sampled_from(list(Reason)))),
    st.lists(st.tuples(st.integers(-5, 200), st.integers(0, 3), st.sampled_from(list(Reason)))),
)
def test_a_path_holds_numbers_only_and_stays_in_its_frame(
    results: list[tuple[float, float, Reason]], quarters: list[tuple[int, int, Reason]]
) -> None:
    drawn = spark(seen(*results))
    day = strip([bucket(ago, bad=bad, worst=worst) for ago, bad, worst in quarters], NOW)

    paths = [drawn.line, drawn.failures, *(path for _, path in day.paths)]
    assert all(re.fullmatch(r"[MLhvz0-9. -]*", path) for path in paths)
    assert all(0 <= float(y) <= 24 for y in re.findall(r"[ML][\d.]+ ([\d.]+)", drawn.line))
    assert sum(int(n) for _, path in day.paths for n in re.findall(r"h(\d+)v", path)) <= QUARTERS
