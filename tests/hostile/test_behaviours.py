"""Each hostile server of the table: judged rightly, in time, and at no cost to anybody else."""

from __future__ import annotations

import asyncio

import pytest

from tests.hostile.behaviours import BEHAVIOURS, ROWS
from tests.hostile.figures import Figures, run_all
from tests.hostile.table import wrong_verdicts


@pytest.fixture(scope="module")
def figures() -> Figures:
    """All of the table, run once."""
    return asyncio.run(run_all())


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_hostile_server_is_judged_rightly_and_harms_nobody(
    behaviour: str, figures: Figures
) -> None:
    assert not figures.rows[behaviour].faults, figures.rows[behaviour]


def test_no_key_and_no_body_reaches_another_origin(figures: Figures) -> None:
    assert figures.redirected >= 2
    assert figures.stolen == 0
    assert figures.pages_elsewhere == 0


def test_the_log_holds_no_key_and_nothing_that_a_server_sent(figures: Figures) -> None:
    assert figures.log_lines > len(ROWS)
    assert figures.log_leaks == 0


def test_the_table_is_long_and_its_verdicts_follow_from_its_reasons() -> None:
    assert len(BEHAVIOURS) == len(ROWS) >= 60
    assert not wrong_verdicts(ROWS)
