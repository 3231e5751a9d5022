"""Each way to write a time, and what is no time."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.readings import TimeFormat, instant
from exporter.readings.times import number
from tests.readings.reading import NOW, TIMES, UNREADABLE


@pytest.mark.parametrize(("form", "text", "at"), TIMES)
def test_each_way_to_write_a_time_is_read(form: TimeFormat, text: str, at: float) -> None:
    assert instant(text, form, NOW) == pytest.approx(at, abs=1e-6)


def test_no_way_to_write_a_time_is_left_out_of_the_table() -> None:
    assert {form for form, _, _ in TIMES} == set(get_args(TimeFormat))


@pytest.mark.parametrize("form", get_args(TimeFormat))
@pytest.mark.parametrize("text", UNREADABLE)
def test_a_time_that_is_absurd_or_unreadable_is_left_out(text: str, form: TimeFormat) -> None:
    assert instant(text, form, NOW) is None


@given(text=st.text(max_size=70), form=st.sampled_from(get_args(TimeFormat)))
def test_no_text_makes_the_reader_of_times_raise(text: str, form: TimeFormat) -> None:
    at = instant(text, form, NOW)

    assert at is None or 0 <= at < 32503680000


def test_a_text_that_is_too_long_is_no_time_and_no_number() -> None:
    assert instant("0" * 60 + "30", "delta_s", 0.0) == 30.0
    assert instant("0" * 63 + "30", "delta_s", 0.0) is None
    assert (number("0" * 60 + "30"), number("0" * 63 + "30")) == (30.0, None)
