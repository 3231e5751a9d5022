"""Response times as bytes: what is read back of them, and how few they are."""

from __future__ import annotations

import math
import random

import pytest

from exporter.results.latencies import counts, in_runs, joined, level_of, percentile

SHARES = (0.0, 0.5, 0.95, 0.99, 1.0)


def text_of(times: list[float]) -> bytes:
    text = b""
    for seconds in times:
        text = joined(text, level_of(seconds))
    return text


def exact(times: list[float], share: float) -> float:
    return sorted(times)[max(1, math.ceil(share * len(times))) - 1]


@pytest.mark.parametrize("number", [1, 2, 15, 255, 256, 900, 14_400])
def test_a_percentile_is_one_that_was_measured_to_a_fortieth(number: int) -> None:
    chance = random.Random(number)
    times = [chance.lognormvariate(-2, 1) for _ in range(number)]

    text = text_of(times)

    for share in SHARES:
        assert percentile(counts(text), share) == pytest.approx(exact(times, share), rel=0.0251)
        assert percentile(counts(in_runs(text)), share) == percentile(counts(text), share)


@pytest.mark.parametrize("seconds", [0.0005, 0.001, 0.0499, 0.05, 1.0, 9.99, 59.0, 117.0])
def test_every_level_is_within_a_fortieth(seconds: float) -> None:
    assert percentile(counts(level_of(seconds)), 0.5) == pytest.approx(seconds, rel=0.0251)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-9, 0.0005])
def test_what_is_very_short_is_in_the_first_level(seconds: float) -> None:
    assert level_of(seconds) == b"\0"


@pytest.mark.parametrize("seconds", [121.0, 300.0, 1e9])
def test_what_is_very_long_is_in_the_last_level(seconds: float) -> None:
    assert level_of(seconds) == b"\xfe"


def test_a_level_never_falls_as_the_time_grows() -> None:
    levels = [level_of(0.0004 * 1.01**step) for step in range(1400)]

    assert levels == sorted(levels)
    assert len(set(levels)) == 255


def test_many_times_stay_few_bytes() -> None:
    chance = random.Random(1)

    a_second_each = text_of([chance.lognormvariate(-2, 0.4) for _ in range(900)])
    of_all_lengths = text_of([0.0004 * 1.05 ** (step % 258) for step in range(20_000)])

    assert len(a_second_each) <= 512
    assert counts(a_second_each).total() == 900
    assert len(in_runs(a_second_each)) < 200
    assert counts(of_all_lengths).total() == 20_000
    assert len(in_runs(of_all_lengths)) <= 3 * 255


def test_two_texts_after_each_other_are_the_text_of_both() -> None:
    one, other = text_of([0.1] * 700 + [0.2]), text_of([0.1, 3.0])

    assert counts(one + other) == counts(one) + counts(other)
    assert percentile(counts(joined(one, other)), 1.0) == pytest.approx(3.0, rel=0.0251)


def test_without_a_time_there_is_no_percentile() -> None:
    assert percentile(counts(b""), 0.5) is None
    assert in_runs(b"") == b""


@pytest.mark.parametrize("text", [b"\xff", b"a\xff", b"a\xffb", b"\xff\xff\xff\xff"])
def test_a_run_that_is_cut_off_breaks_nothing(text: bytes) -> None:
    assert sum(counts(text).values()) in (0, 1, 255)
