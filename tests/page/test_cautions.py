"""What will hurt next, and what is left of a budget."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.model import Certificate, Limit
from exporter.page.budgets import budgets
from exporter.page.cautions import cautions
from exporter.results import Tally
from exporter.statuspages import State
from tests.page.stage import Stage, service

NOW, DAY = 1_800_000_000.0, 86400.0


def told(says: State | None = None, declared: dict[str, Any] | None = None, **seen: Any) -> str:
    stage, tally = Stage(), Tally()
    stage.add(service("a", **(declared or {"api_key": "k" * 20})))
    for name, value in seen.items():
        setattr(tally, name, value)
    return "; ".join(cautions(stage.registry.get("a"), tally, says, NOW))


@pytest.mark.parametrize(
    ("seen", "words"),
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
    ],
)
def test_a_warning_is_given_in_time(seen: dict[str, Any], words: str) -> None:
    assert told(**seen) == words


@pytest.mark.parametrize("state", State)
def test_the_provider_s_own_word_counts_if_it_is_bad(state: State) -> None:
    good = state in (State.OPERATIONAL, State.UNKNOWN)

    assert told(state).startswith("" if good else "provider reports")
    assert bool(told(state)) is not good


def test_a_missing_key_is_a_warning() -> None:
    assert told(declared={"api_key": "${NOT_SET_HERE}"}) == "no key: NOT_SET_HERE is not set"


def test_what_is_switched_off_warns_of_nothing() -> None:
    assert told(declared={"enabled": False}, next_key_valid=False) == ""


def test_without_an_objective_there_is_no_budget() -> None:
    stage = Stage()
    stage.add(service("a"))

    assert budgets(stage.registry.get("a"), Tally()) == ()


@pytest.mark.parametrize(
    ("events", "bad", "allowed", "spent", "whole"),
    [
        (0, 0, 43.2, 0.0, False),
        (1000, 0, 43.2, 0.0, False),
        (1000, 8, 43.2, 0.185, False),
        (86400, 86, 86.4, 0.995, True),
    ],
)
def test_a_budget_is_that_of_the_window_or_of_all_that_was_counted(
    events: int, bad: int, allowed: float, spent: float, whole: bool
) -> None:
    stage, tally = Stage(), Tally()
    slow = {"threshold": "400ms", "target": "99%"}
    stage.add(service("a", objectives={"availability": "99.9%", "latency": slow}))
    tally.events, tally.bad = [events, 0], [bad, 0]

    found, latency = budgets(stage.registry.get("a"), tally)

    assert (round(found.allowed, 3), round(found.spent, 3)) == (allowed, spent)
    assert (found.whole, found.window) == (whole, "30 d")
    assert found.met == (1 - bad / events if events else 1.0)
    assert (latency.name, latency.spent, latency.met) == ("Faster than 400 ms", 0.0, 1.0)
