"""The vendor's rule: what is computed, what is only said, and what is never said as theirs."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

from exporter.providers import Counting, Credit, Promise, load, presets
from exporter.reports import FORMATS, rules
from exporter.reports.ledger import ledger
from exporter.results import Kept, Minute, Seen
from tests.fakes import service_target
from tests.reports.hostile import START, report
from tests.reports.hostile import promise as some_promise

ROOT = Path(__file__).parents[2]
DOC = "doc"
EDGES = ((0.9991, 0), (0.999, 10), (0.9989, 10), (0.99, 10), (0.9899, 25))


def minutes(count: int, *, failed: int = 1, probes: int = 1, every: int = 1) -> tuple[Minute, ...]:
    return tuple(
        Minute(START + 100 + n * every, every, Seen.FAILING, probes, failed, "timeout", 0, "canary")
        for n in range(count)
    )


def kept(*entries: Minute, until: int = START + 200_000) -> Kept:
    return Kept(minutes=entries, alive=((START, until),), watched=((START, until),))


def test_months_and_quarters_are_those_of_the_calendar_in_utc() -> None:
    assert [one.name for one in rules.periods("month", START - 1, START + 1)] == [
        "2026-09",
        "2026-10",
    ]
    (quarter,) = rules.periods("quarter", START, START + 1)
    assert (quarter.name, quarter.start) == ("2026 Q4", START)
    assert quarter.end - quarter.start == (31 + 30 + 31) * 1440
    (december,) = rules.periods("month", quarter.end - 1, quarter.end)
    assert (december.name, december.end) == ("2026-12", quarter.end)


@pytest.mark.parametrize(("found", "percent"), EDGES)
def test_a_credit_begins_where_the_text_says(found: float, percent: int) -> None:
    sla = presets()["github"].sla
    assert sla is not None
    assert sla.credits is not None

    assert rules.credit(sla.credits.steps, Fraction(str(found))) == percent


def test_a_credit_below_a_limit_is_not_given_at_the_limit() -> None:
    steps = (Credit(below=0.9995, percent=10),)

    assert rules.credit(steps, Fraction("0.9995")) == 0
    assert rules.credit(steps, Fraction("0.99949999")) == 10


def test_a_month_of_twilio_by_hand() -> None:
    """44,640 minutes; 99.95 % of them are lost with the 23rd that is down."""
    sla = presets()["twilio"].sla
    for down, kept_it, credit in ((22, True, 0), (23, False, 10)):
        found = report(
            promise=sla,
            end=START + 31 * 1440,
            known=START + 31 * 1440,
            kept=kept(*minutes(down)),
        )

        (period,) = found["vendor"]["periods"]
        assert period["period"] == "2026-10"
        assert period["complete"] is True
        assert period["availability"] == pytest.approx(1 - down / 44_640, abs=1e-12)
        assert (period["kept"], period["credit_percent"]) == (kept_it, credit)
        assert period["claim_until"] == "2026-12-01T00:00:00Z"


def test_a_quarter_is_judged_whole_though_a_day_is_asked_for() -> None:
    sla = presets()["github"].sla
    found = report(
        promise=sla,
        start=START + 50_000,
        end=START + 51_440,
        known=START + 60_000,
        kept=kept(*minutes(40)),
    )

    (period,) = found["vendor"]["periods"]
    assert found["windows"] == []
    assert period["complete"] is False
    assert period["availability"] == pytest.approx(1 - 40 / (92 * 1440))


def test_minutes_that_nobody_saw_are_never_claimed() -> None:
    sla = presets()["twilio"].sla
    half = Kept(
        minutes=(
            *minutes(30),
            Minute(START + 500, 60, Seen.NETWORK),
            Minute(START + 600, 60, Seen.MAINTENANCE),
        ),
        alive=((START, START + 115), (START + 400, START + 50_000)),
        watched=((START, START + 50_000),),
    )
    found = report(promise=sla, end=START + 44_640, known=START + 44_640, kept=half)

    (period,) = found["vendor"]["periods"]
    assert period["availability"] == pytest.approx(1 - 15 / 44_640)
    assert period["unobserved_minutes"] == (400 - 115) + 120


def test_minutes_between_the_probes_of_a_slow_service_are_never_claimed() -> None:
    rule = Counting(kind="minutes", confidence=DOC)
    entries = kept(*minutes(10, every=5))
    found = report(
        promise=Promise(availability=0.999, period="month", counting=rule, confidence=DOC),
        kept=entries,
        target=service_target(interval=300.0),
    )

    (period,) = found["vendor"]["periods"]
    assert found["minutes"]["failing"] == 50
    assert period["availability"] == pytest.approx(1 - 10 / 44_640)
    said = " ".join(period["cannot_prove"])
    assert "We probe every 300 s" in said
    assert "40 minutes lie between failed probes" in said


def test_too_few_requests_prove_no_share() -> None:
    rule = Counting(kind="minutes", above=0.05, confidence=DOC)

    (said,) = rules.shortfalls(rule, 60.0, ())
    assert "It takes at least 20 requests a window" in said
    assert rules.shortfalls(rule, 3.0, ()) == []
    assert rules.shortfalls(Counting(kind="minutes", confidence=DOC), 60.0, ()) == []


def test_a_window_with_too_few_requests_does_not_count() -> None:
    rule = Counting(kind="error_rate", window="5m", minimum_requests=10, confidence=DOC)
    period = rules.Period(name="", start=START, end=START + 1440)
    few = ledger(START, START + 1440, kept(*minutes(5, probes=1, failed=1)))
    many = ledger(START, START + 1440, kept(*minutes(5, probes=2, failed=1)))

    assert rules.availability(rule, period, few, 60.0) == 1
    assert rules.availability(rule, period, many, 60.0) == 1 - Fraction(1, 2) / 288
    assert any("at least 10 requests" in said for said in rules.shortfalls(rule, 60.0, few))


@pytest.mark.parametrize("name", sorted(n for n, p in presets().items() if p.sla))
def test_a_number_that_others_repeat_is_never_shown(name: str) -> None:
    sla = presets()[name].sla
    assert sla is not None
    found = report(promise=sla)
    texts = [form.render([found]) for form in FORMATS.values()]

    vendor = found["vendor"]
    if sla.confidence == DOC:
        assert vendor["second_hand"] is False
        assert vendor["source"]
    else:
        assert vendor["second_hand"] is True
        assert (vendor["availability"], vendor["periods"], vendor["credits"]) == (None, [], None)
        assert not any("99.9" in text for text in texts)
        assert any("not from the vendor" in text for text in texts)
    for part in (sla.counting, sla.credits, sla.claim):
        if part is not None and part.confidence != DOC:
            assert None in (vendor["counting"], vendor["credits"], vendor["claim"])


@pytest.mark.parametrize("name", sorted(n for n, p in presets().items() if p.sla))
def test_a_promise_of_the_vendors_own_has_its_source(name: str) -> None:
    sla = presets()[name].sla

    assert sla is not None
    assert sla.source or sla.confidence != DOC
    if sla.counting is not None:
        assert sla.period is not None


def test_a_probe_that_is_not_the_covered_call_is_said_so() -> None:
    said = " ".join(report(promise=presets()["sendgrid"].sla)["vendor"]["cautions"])

    assert "Our probe is not the call" in said


def test_a_vendor_that_publishes_no_rule_is_judged_by_none() -> None:
    vendor = report(promise=presets()["openai"].sla)["vendor"]

    assert (vendor["availability"], vendor["periods"]) == (0.999, [])
    assert any("not published" in said for said in vendor["cautions"])


def test_without_a_canary_it_is_said_that_our_network_is_not_proven() -> None:
    without = report(promise=some_promise("x"))["vendor"]["cautions"]
    with_one = report(promise=some_promise("x"), canaries=1)["vendor"]["cautions"]

    assert any("No canary is configured" in said for said in without)
    assert not any("canary" in said for said in with_one)


def test_the_promise_in_the_documentation_is_one() -> None:
    text = (ROOT / "exporter/reports/README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    shipped = (ROOT / "exporter/providers/stripe.yaml").read_text(encoding="utf-8")
    before, _, after = shipped.partition("sla:\n")

    preset = load("stripe.yaml", before + block + after[after.index("caveats:") :])

    assert preset.sla is not None
    assert preset.sla.counting is not None
    assert (preset.sla.availability, preset.sla.counting.window) == (0.999, "5m")
