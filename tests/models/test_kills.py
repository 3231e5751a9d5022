"""A process that is killed at any write of what checks cost passes no cap, and reserves nothing."""

from __future__ import annotations

import pytest

from tests.torture import spending


@pytest.mark.slow
def test_no_cap_is_passed_by_a_cent_over_two_hundred_kills_in_a_month() -> None:
    found = spending.totals(kills=200, seed=7)

    assert found.wrong == []
    assert found.kills >= 200
    assert found.by.keys() == {"pwrite64", "fdatasync", "asked", "paid"}
    assert found.months >= 1
    assert found.refused > found.checks / 10, "no budget was ever used up"
