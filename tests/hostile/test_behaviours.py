"""Each hostile server of the table: judged rightly, in time, and at no cost to anybody else."""

from __future__ import annotations

import asyncio

import pytest

from tests.hostile.behaviours import BEHAVIOURS, ROWS
from tests.hostile.figures import Figures, run_all
from tests.hostile.table import wrong_verdicts


@pytest.fixture(scope="module")
def figures(request: pytest.FixtureRequest) -> Figures:
    """The rows of the tests that were selected, run once: one takes seconds, the table a minute."""
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    needed = {row for test in tests if test.module is request.module for row in rows_of(test)}
    return asyncio.run(run_all(row for row in ROWS if row.id in needed))


def rows_of(test: pytest.Function) -> list[str]:
    """Return the ids of the rows without which *test* would see nothing."""
    if "figures" not in test.fixturenames:
        return []
    if test.function is test_no_key_and_no_body_reaches_another_origin:
        return [behaviour for behaviour in BEHAVIOURS if "redirect" in behaviour]
    if test.function is test_the_log_holds_no_key_and_nothing_that_a_server_sent:
        return list(BEHAVIOURS)
    return [str(test.callspec.params["behaviour"])]


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_hostile_server_harms_nobody(behaviour: str, figures: Figures) -> None:
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
