"""Golden months: lived through by the product, judged by both calculators, pinned as numbers."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import NamedTuple

import pytest

from exporter.providers import Counting
from exporter.reports import rules
from exporter.reports.availability import totals, windows
from exporter.reports.ledger import ledger
from tests.reports import calculator
from tests.reports.calculator import Probe, Raw
from tests.reports.hostile import START
from tests.reports.replay import lived

MONTH = 31 * 1440


class Golden(NamedTuple):
    """How a month goes, and what comes of it; `spells` are start, length and verdict in minutes."""

    interval: float
    spells: tuple[tuple[int, int, str], ...]
    deaths: tuple[tuple[int, int], ...] = ()
    """Minutes in which the exporter did not run."""
    noise: float = 0.0
    """Share of single probes that fail."""
    length: int = MONTH
    down: str = ""
    observed: int = 0
    windows: int = 0
    minutes: str = ""
    rate: str = ""


PACKS = {
    "one outage of half an hour": Golden(
        60.0,
        ((24_611, 31, "provider"),),
        down="31",
        observed=44_640,
        windows=1,
        minutes="0.999305556",
        rate="0.999305556",
    ),
    "outages, a limit, a dead network, two restarts": Golden(
        60.0,
        (
            (1_000, 12, "provider"),
            (5_000, 90, "quota"),
            (9_990, 30, "provider"),
            (20_000, 45, "network"),
            (31_000, 240, "maintenance"),
        ),
        deaths=((10_000, 10_060), (40_000, 40_001)),
        down="22",
        observed=44_204,
        windows=2,
        minutes="0.999507168",
        rate="0.999507168",
    ),
    "a slow service": Golden(
        300.0,
        ((7_000, 100, "provider"), (20_000, 4, "provider")),
        down="105",
        observed=44_640,
        windows=2,
        minutes="0.999529570",
        rate="0.999529570",
    ),
    "two days of a fast service that flaps": Golden(
        10.0, ((2_000, 5, "provider"),), noise=0.002, length=2_880
    ),
}


def verdict_at(golden: Golden, minute: float) -> str:
    for start, length, verdict in golden.spells:
        if start <= minute < start + length:
            return verdict
    return "ok"


def history(golden: Golden) -> Raw:
    chance = random.Random(4711)
    begins = [0, *(end for _, end in golden.deaths)]
    ends = [*(start for start, _ in golden.deaths), golden.length]
    probes: list[Probe] = []
    for run, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        count = int((end - begin) * 60 // golden.interval)
        for number in range(count):
            at = (START + begin) * 60 + 7 + number * golden.interval
            verdict = verdict_at(golden, at / 60 - START)
            if golden.noise and chance.random() < golden.noise:
                verdict = "provider"
            probes.append(Probe(at, verdict, run))
    runs = [((START + b) * 60.0, (START + e) * 60.0) for b, e in zip(begins, ends, strict=True)]
    return Raw(tuple(probes), tuple(runs), golden.interval)


@pytest.mark.parametrize("name", PACKS)
def test_a_month_is_that_of_the_second_calculator_and_of_the_table(name: str) -> None:
    golden = PACKS[name]
    end = START + golden.length
    raw = history(golden)
    stretches = ledger(START, end, lived(raw, [], START, end))
    period = rules.Period(name="2026-10", start=START, end=end)
    by_minutes = Counting(kind="minutes", confidence="doc")
    by_rate = Counting(kind="error_rate", window="5m", confidence="doc")

    sums, found = totals(stretches), windows(stretches)
    minutes = rules.availability(by_minutes, period, stretches, raw.interval)
    rate = rules.availability(by_rate, period, stretches, raw.interval)

    assert sums.availability == calculator.availability(raw, START, end)
    assert [(w.start, w.end - 1) for w in found] == calculator.downtimes(raw, START, end)
    assert minutes == calculator.by_minutes(raw, START, end, Fraction(0))
    assert rate == calculator.by_error_rate(raw, START, end)
    if golden.down:
        assert (str(sums.down), sums.observed, len(found)) == (
            golden.down,
            golden.observed,
            golden.windows,
        )
        assert (f"{float(minutes):.9f}", f"{float(rate):.9f}") == (golden.minutes, golden.rate)
