"""Replayed outages against the second calculator: minutes, windows and the vendors' rules."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.providers import Counting
from exporter.reports import rules
from exporter.reports.availability import totals, windows
from exporter.reports.ledger import ledger
from tests.reports import calculator
from tests.reports.calculator import Probe, Raw
from tests.reports.replay import lived

BEGIN = 29_700_000 * 60
SOME = settings(max_examples=40)
VERDICTS = ("ok", "ok", "ok", "provider", "provider", "quota", "network", "maintenance")


@st.composite
def histories(draw: st.DrawFn, *, kills: bool) -> tuple[Raw, list[float]]:
    """Return what happened, and when it was saved."""
    interval = draw(st.sampled_from((10.0, 30.0, 60.0, 120.0, 300.0)))
    at = BEGIN + draw(st.floats(0, 59, width=32))
    probes: list[Probe] = []
    runs: list[tuple[float, float]] = []
    since = float(BEGIN - draw(st.integers(0, 90)))
    for number in range(draw(st.integers(1, 3)) if kills else 1):
        verdict = draw(st.sampled_from(VERDICTS))
        for _ in range(draw(st.integers(1, 25))):
            probes.append(Probe(at, verdict, number))
            at += interval * draw(st.sampled_from((1, 1, 1, 1, 1, 2, 5)))
            if draw(st.integers(0, 3)) == 0:
                verdict = draw(st.sampled_from(VERDICTS))
        until = at + draw(st.floats(0.5, 20, width=32)) - (interval if kills else 0)
        runs.append((since, max(since, until)))
        since = max(at, until) + draw(st.floats(1, 400, width=32))
        at = since + draw(st.floats(0, 60, width=32))
    saves = sorted(draw(st.lists(st.floats(0, 8000, width=32), max_size=8)))
    return Raw(tuple(probes), tuple(runs), interval), [BEGIN + s for s in saves]


@pytest.mark.parametrize("kills", [False, True])
def test_minutes_and_windows_are_those_of_the_second_calculator(kills: bool) -> None:
    @SOME
    @given(histories(kills=kills))
    def check(case: tuple[Raw, list[float]]) -> None:
        raw, saves = case
        start, end = BEGIN // 60 - 3, raw.end()
        stretches = ledger(start, end, lived(raw, saves, start, end))

        found = totals(stretches)

        assert found.total == max(0, end - start)
        assert found.availability == calculator.availability(raw, start, end)
        downtimes = [(one.start, one.end - 1) for one in windows(stretches)]
        assert downtimes == calculator.downtimes(raw, start, end)

    check()


@pytest.mark.parametrize("above", [Fraction(0), Fraction(1, 20), Fraction(1, 2)])
def test_a_rule_of_minutes_is_that_of_the_second_calculator(above: Fraction) -> None:
    @SOME
    @given(histories(kills=True))
    def check(case: tuple[Raw, list[float]]) -> None:
        raw, saves = case
        start, end = BEGIN // 60, max(BEGIN // 60 + 5, raw.end())
        counting = Counting(kind="minutes", above=float(above), confidence="doc")
        stretches = ledger(start, end, lived(raw, saves, start, end))
        period = rules.Period(name="", start=start, end=end)

        found = rules.availability(counting, period, stretches, raw.interval)

        assert found == calculator.by_minutes(raw, start, end, above)

    check()


@SOME
@given(histories(kills=False))
def test_an_error_rate_is_that_of_the_second_calculator(case: tuple[Raw, list[float]]) -> None:
    raw, saves = case
    start = BEGIN // 60
    end = start + -(-(max(raw.end(), start + 5) - start) // 5) * 5
    counting = Counting(kind="error_rate", window="5m", confidence="doc")
    stretches = ledger(start, end, lived(raw, saves, start, end))
    period = rules.Period(name="", start=start, end=end)

    found = rules.availability(counting, period, stretches, raw.interval)

    assert found == calculator.by_error_rate(raw, start, end)


@SOME
@given(histories(kills=True))
def test_a_restart_never_makes_an_error_rate_worse(case: tuple[Raw, list[float]]) -> None:
    raw, saves = case
    start = BEGIN // 60
    end = start + -(-(max(raw.end(), start + 5) - start) // 5) * 5
    counting = Counting(kind="error_rate", window="5m", confidence="doc")
    stretches = ledger(start, end, lived(raw, saves, start, end))
    period = rules.Period(name="", start=start, end=end)

    assert rules.availability(
        counting, period, stretches, raw.interval
    ) >= calculator.by_error_rate(raw, start, end)
