"""When a page is to be expected."""

from __future__ import annotations

import pytest

from exporter.metrics.rhythm import Rhythm


def _turns(rhythm: Rhythm, count: int) -> list[bool]:
    return [rhythm.expects_one() for _ in range(count)]


def _after(*gaps: int) -> Rhythm:
    rhythm = Rhythm()
    rhythm.note()
    for gap in gaps:
        _turns(rhythm, gap)
        rhythm.note()
    return rhythm


def test_nothing_is_expected_before_the_second_page() -> None:
    assert not any(_turns(Rhythm(), 50))
    assert not any(_turns(_after(), 50))


@pytest.mark.parametrize("gap", [1, 2, 7, 30])
def test_a_page_is_expected_in_the_turn_before_it_and_as_long_again(gap: int) -> None:
    expected = [*[False] * (gap - 1), *[True] * (gap + 1), *[False] * 20]

    assert _turns(_after(gap), len(expected)) == expected


def test_two_readers_each_find_little_left() -> None:
    rhythm = _after(2, 6, 2, 6)

    seen = _turns(rhythm, 2)

    assert seen == [False, True]


def test_pages_within_one_turn_count_as_one() -> None:
    rhythm = _after(4)
    rhythm.note()

    assert _turns(rhythm, 4) == [False, False, False, True]


def test_a_slower_rhythm_is_followed_after_two_pages() -> None:
    rhythm = _after(2, 8, 8)

    assert _turns(rhythm, 8) == [*[False] * 7, True]
