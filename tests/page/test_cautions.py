"""The warnings of a service, and its error budgets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exporter.model import Certificate, Limit, Outcome, Reason, Result, Verdict
from exporter.page.budgets import budgets
from exporter.page.cautions import cautions
from exporter.results import Radar, Source, Tally
from exporter.results.runway import Runways
from exporter.retirement import Notice, Retirement
from exporter.statuspages import State
from tests.page.stage import Stage, service

NOW, DAY = 1_800_000_000.0, 86400.0


def warnings(
    state: State | None = None, declared: dict[str, Any] | None = None, **measured: Any
) -> str:
    stage, tally = Stage(), Tally()
    stage.add(service("a", **(declared or {"api_key": "k" * 20})))
    for name, value in measured.items():
        setattr(tally, name, value)
    return "; ".join(cautions(stage.registry.get("a"), tally, state, NOW))


def limited(retry_after: float | None) -> Result:
    outcome = Outcome(reason=Reason.RATE_LIMITED, retry_after=retry_after)
    return Result(service="a", at=NOW, outcome=outcome, verdict=Verdict.QUOTA)


@pytest.mark.parametrize(
    ("measured", "text"),
    [
        ({}, ""),
        ({"key_expiry": NOW + 6.5 * DAY}, "key expires in 6 d"),
        ({"key_expiry": NOW - 3600}, "key expired 1 h ago"),
        ({"key_expiry": NOW + 15 * DAY}, ""),
        ({"next_key_valid": False}, "next key rejected"),
        ({"next_key_valid": True}, ""),
        ({"limits": {"r": Limit(limit=100, remaining=9)}}, "rate limit r: 9% left"),
        ({"limits": {"r": Limit(limit=100, remaining=9, reset=NOW - 1)}}, ""),
        ({"limits": {"r": Limit(limit=100, remaining=50)}}, ""),
        ({"limits": {"r": Limit(remaining=0)}}, ""),
        ({"quotas": {("credits", "usd"): 0.0}}, "quota credits: used up"),
        ({"quotas": {("credits", "usd"): 1.0}}, ""),
        ({"certificate": Certificate(expiry=NOW + 3.9 * DAY)}, "certificate expires in 3 d"),
        ({"certificate": Certificate(expiry=NOW + 30 * DAY)}, ""),
        ({"last": limited(3 * 3600.0)}, "asked to wait until 11:00 UTC"),
        ({"last": limited(0.0)}, ""),
        ({"last": limited(None)}, ""),
    ],
)
def test_a_warning_is_given_in_time(measured: dict[str, Any], text: str) -> None:
    assert warnings(**measured) == text


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (90.0, "quota credits: used up in 1 h at this pace"),  # a tenth in ten minutes
        (99.9, ""),  # a week is left
        (100.0, ""),
    ],
)
def test_a_quota_that_ends_within_a_day_is_a_warning(left: float, text: str) -> None:
    runways = Runways()
    runways.take_quotas({("credits", "usd"): 100.0}, NOW - 600)
    runways.take_quotas({("credits", "usd"): left}, NOW)

    assert warnings(runways=runways) == text


@pytest.mark.parametrize("state", State)
def test_a_bad_state_of_the_provider_s_status_page_is_a_warning(state: State) -> None:
    good = state in (State.OPERATIONAL, State.UNKNOWN)

    assert warnings(state).startswith("" if good else "provider reports")
    assert bool(warnings(state)) is not good


def test_a_missing_key_is_a_warning() -> None:
    assert warnings(declared={"api_key": "${NOT_SET_HERE}"}) == "no key: NOT_SET_HERE is not set"


def test_what_is_switched_off_warns_of_nothing() -> None:
    assert warnings(declared={"enabled": False}, next_key_valid=False) == ""


def test_without_an_objective_there_is_no_budget() -> None:
    stage = Stage()
    stage.add(service("a"))

    assert budgets(stage.registry.get("a"), Tally()) == ()


@pytest.mark.parametrize(
    ("events", "bad", "allowed", "spent", "exceeds"),
    [
        (0, 0, 43.2, 0.0, False),
        (1000, 0, 43.2, 0.0, False),
        (1000, 8, 43.2, 0.185, False),
        (86400, 86, 86.4, 0.995, True),
    ],
)
def test_a_budget_is_that_of_the_window_or_of_all_that_was_counted(
    events: int, bad: int, allowed: float, spent: float, exceeds: bool
) -> None:
    stage, tally = Stage(), Tally()
    slow = {"threshold": "400ms", "target": "99%"}
    stage.add(service("a", objectives={"availability": "99.9%", "latency": slow}))
    tally.events, tally.bad = [events, 0], [bad, 0]

    availability, latency = budgets(stage.registry.get("a"), tally)

    assert (round(availability.allowed, 3), round(availability.spent_ratio, 3)) == (allowed, spent)
    assert (availability.exceeds_window, availability.window) == (exceeds, "30 d")
    assert availability.good_ratio == (1 - bad / events if events else 1.0)
    assert (latency.name, latency.spent_ratio, latency.good_ratio) == (
        "Faster than 400 ms",
        0.0,
        1.0,
    )


def _radar(*seen: tuple[str, Source, Notice], **listed: bool) -> Radar:
    radar = Radar()
    for resource, source, notice in seen:
        radar.take(Retirement(notices={resource: notice}), source, NOW, about=resource)
    radar.listed = listed
    return radar


USED = {"provider": "openai", "api_key": "k" * 20, "uses": {"models": ["gpt-4o", "gpt-5"]}}
FACTS = (
    "model gpt-4o was to be switched off on 14 Jan 2027 (announced, read 2026-11); "
    "model gpt-5 was to be switched off on 11 Dec 2026 (announced, read 2026-11)"
)


@pytest.mark.parametrize(
    ("radar", "text"),
    [
        (None, FACTS),
        (_radar(**{"gpt-4o": False}), f"model gpt-4o is not in the provider's list; {FACTS}"),
        (
            _radar(("gpt-5", Source.LIST, Notice(sunset_at=NOW + 400 * DAY)), **{"gpt-4o": True}),
            "model gpt-4o was to be switched off on 14 Jan 2027 (announced, read 2026-11), and is"
            " still listed: that day is wrong or was moved",
        ),
        (
            _radar(
                ("gpt-4o", Source.MODEL_CHECK, Notice(sunset_at=NOW + 20.5 * DAY)),
                ("gpt-5", Source.LIST, Notice(sunset_at=NOW + DAY, deprecated_at=NOW + 2 * DAY)),
                ("api", Source.CALL, Notice(deprecated=True, links=(("sunset", "https://x"),))),
            ),
            "model gpt-4o is switched off in 20 d (by its own answer); model gpt-5 is switched off"
            " in 1 d (by the provider's list, which deprecates it only later: one of the days is"
            " wrong); API is deprecated, no answer says when it ends: see https://x",
        ),
    ],
)
def test_the_end_of_what_is_used_is_said_with_who_said_it(radar: Radar | None, text: str) -> None:
    assert warnings(declared=USED, radar=radar) == text


def test_what_was_read_too_long_ago_says_so() -> None:
    stage, later = Stage(), NOW + 150 * DAY
    stage.add(service("a", **USED))
    target = stage.registry.get("a")
    old = replace(target.uses.facts["gpt-5"], sunset="2027-07-01")
    uses = replace(target.uses, models=("gpt-5",), facts={"gpt-5": old})
    (said,) = cautions(replace(target, uses=uses), Tally(), None, later)

    assert old.good_until < later
    assert said.endswith("(announced, read 2026-11); read too long ago to rely on")
