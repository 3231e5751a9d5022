"""The texts of the page: the sentence in each situation, states, times, and odd characters."""

from __future__ import annotations

import re
from typing import Any

import pytest

from exporter.characters import plain
from exporter.model import FACTS, OFFLINE, Reason, Verdict
from exporter.page.wording import (
    STATES,
    Failing,
    Overview,
    ShownState,
    ago,
    fault,
    headline,
    iso,
    sentence,
    short,
    span,
    took,
    utc_time,
)
from exporter.results import Status, kind_of

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC
STRIPE = Failing(name="Stripe", fault="provider: server error", since=NOW - 3600)
OPENAI = Failing(name="OpenAI", fault="key rejected", since=NOW - 86400)


def sentence_of(
    failing: tuple[Failing, ...] = (), *, without_result: int = 0, **counts: int
) -> str:
    by_state = {ShownState(name): number for name, number in counts.items()}
    overview = Overview(now=NOW, counts=by_state, failing=failing, without_result=without_result)
    return sentence(overview)


@pytest.mark.parametrize(
    ("overview", "text"),
    [
        ({}, "No service is registered yet."),
        ({"healthy": 12}, "All 12 services are healthy."),
        ({"healthy": 1}, "The one service is healthy."),
        ({"off": 3}, "None of the 3 services is probed."),
        ({"off": 1}, "The one service is not probed."),
        ({"unknown": 3, "without_result": 3}, "3 services registered, no result yet."),
        ({"unknown": 1, "without_result": 1, "off": 1}, "2 services registered, no result yet."),
        ({"unknown": 2, "without_result": 1}, "No service is failing: 2 unknown."),
        (
            {"healthy": 9, "unknown": 1, "maintenance": 1, "off": 1},
            "No service is failing: 9 healthy, 1 unknown, 1 in planned maintenance, 1 not probed.",
        ),
        (
            {"failing": (STRIPE,), "unhealthy": 1, "healthy": 11},
            "1 of 12 fails: Stripe, provider: server error since 07:00 UTC.",
        ),
        (
            {"failing": (STRIPE, OPENAI), "unhealthy": 1, "degraded": 1, "healthy": 10},
            "2 of 12 fail: Stripe, provider: server error since 07:00 UTC;"
            " OpenAI, key rejected since 14 Jan 08:00 UTC.",
        ),
        (
            {"failing": (STRIPE,), "unhealthy": 1, "unknown": 2},
            "1 of 3 fails: Stripe, provider: server error since 07:00 UTC; 2 unknown.",
        ),
        (
            {"failing": (STRIPE,), "unhealthy": 1},
            "1 of 1 fails: Stripe, provider: server error since 07:00 UTC.",
        ),
    ],
)
def test_each_situation_has_its_sentence(overview: dict[str, Any], text: str) -> None:
    assert sentence_of(overview.pop("failing", ()), **overview) == text


def test_three_are_named_and_the_others_counted() -> None:
    text = sentence_of((STRIPE, OPENAI, STRIPE, OPENAI), unhealthy=40)

    assert text.count("since") == 3
    assert text.endswith("; and 37 more.")


def test_a_failure_of_unknown_age_has_no_since() -> None:
    assert sentence_of((Failing(name="A", fault="rate limited"),), degraded=1).endswith(
        "A, rate limited."
    )


def test_our_own_network_comes_before_everything_it_hides() -> None:
    counts = {ShownState.UNKNOWN: 11, ShownState.DOWN: 1}
    overview = Overview(
        now=NOW, counts=counts, failing=(STRIPE,), offline_since=NOW - 60, hidden=11
    )

    assert sentence(overview) == (
        "Our network is down since 07:59 UTC: nobody can say how 11 of 12 services are."
    )


def test_where_more_services_fail_than_our_network_hides_they_are_counted() -> None:
    counts = {ShownState.UNKNOWN: 2, ShownState.DOWN: 12, ShownState.HEALTHY: 286}
    causes = {("provider", "openai"): 10, ("key rejected", "kit"): 2}
    overview = Overview(now=NOW, counts=counts, causes=causes, offline_since=NOW - 60, hidden=2)

    assert headline(overview) == (
        "Our network is down since 07:59 UTC: nobody can say how 2 of 300 services are;"
        " 12 of 300 fail: 10 provider (all openai), 2 keys rejected."
    )


def test_where_no_service_is_known_the_network_hides_the_services() -> None:
    overview = Overview(now=NOW, counts={ShownState.UNKNOWN: 3}, offline_since=NOW, hidden=3)

    assert headline(overview) == (
        "Our network is down since 08:00 UTC: nobody can say how the services are."
    )


def test_the_network_is_blamed_where_it_hides_no_service() -> None:
    counts = {ShownState.HEALTHY: 10, ShownState.DOWN: 1, ShownState.UNKNOWN: 1}
    causes = {("provider", "stripe"): 1}
    overview = Overview(
        now=NOW, counts=counts, causes=causes, failing=(STRIPE,), offline_since=NOW - 60
    )

    assert headline(overview) == (
        "Our network is down since 07:59 UTC: no canary answers; 1 of 12 fails: 1 provider."
    )


def test_the_headline_counts_the_causes_and_stays_short() -> None:
    causes = {
        ("rate limited", "kit"): 5,
        ("provider", "openai"): 8,
        ("provider", "hubspot"): 2,
        ("key rejected", "stripe"): 5,
    }
    counts = {ShownState.DOWN: 10, ShownState.DEGRADED: 10, ShownState.HEALTHY: 280}
    overview = Overview(now=NOW, counts=counts, causes=causes, failing=(STRIPE, OPENAI, STRIPE))

    assert headline(overview) == (
        "20 of 300 fail: 10 provider (8 of them openai), 5 keys rejected, 5 rate limited."
    )


def test_the_headline_names_one_failing_service() -> None:
    counts = {ShownState.DOWN: 1, ShownState.HEALTHY: 11}
    overview = Overview(
        now=NOW, counts=counts, causes={("provider", "stripe"): 1}, failing=(STRIPE,)
    )

    assert headline(overview) == sentence(overview)
    assert headline(overview).startswith("1 of 12 fails: Stripe, provider: server error since")


@pytest.mark.parametrize("reason", set(Reason) - {Reason.OK, Reason.KEY_OK_LIMITED})
def test_every_failure_is_counted_in_the_headline(reason: Reason) -> None:
    for verdict in {FACTS[reason].verdict, Verdict.MONITORING}:
        counts = {ShownState.DOWN: 2, ShownState.UNKNOWN: 1}
        overview = Overview(now=NOW, counts=counts, causes={kind_of(reason, verdict, ""): 2})

        assert re.fullmatch(r"2 of 3 fail: 2 [a-z ]+; 1 unknown\.", headline(overview))


def test_a_long_name_does_not_fill_the_sentence() -> None:
    text = sentence_of((Failing(name="x" * 128, fault="provider: server error"),), unhealthy=1)

    assert "x" * 39 + "…, provider: server error" in text


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_short_text_that_says_whose_fault_it_is(reason: Reason) -> None:
    verdict = FACTS[reason].verdict
    words = fault(reason, verdict)

    assert 4 < len(words) < 40
    assert words.removeprefix("provider: ") == FACTS[reason].fault
    assert words.startswith("provider: ") == (verdict is Verdict.PROVIDER)
    if reason in OFFLINE:
        assert fault(reason, Verdict.NETWORK) == "our network down"


@pytest.mark.parametrize(
    ("reason", "verdict", "text"),
    [
        (Reason.TLS, Verdict.PROVIDER, "provider: certificate expired on 3 Nov 2026"),
        (Reason.TLS, Verdict.NETWORK, "our network down"),
        (Reason.DNS, Verdict.PROVIDER, "provider: name does not resolve"),
    ],
)
def test_an_expired_certificate_is_the_fault(reason: Reason, verdict: Verdict, text: str) -> None:
    assert fault(reason, verdict, "certificate expired on 3 Nov 2026") == text


def test_the_states_are_those_of_the_api_and_two_more() -> None:
    assert {str(state) for state in STATES} == {*map(str, Status), "maintenance", "off"}


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (NOW, "08:00 UTC"),
        (NOW - 8 * 3600 - 1, "14 Jan 23:59 UTC"),
        (NOW - 400 * 86400, "11 Dec 2025 08:00 UTC"),
        (-5.0, "1 Jan 1970 00:00 UTC"),
        (1e18, "31 Dec 9999 23:59 UTC"),
    ],
)
def test_a_time_shows_its_day_unless_it_is_today(at: float, words: str) -> None:
    assert utc_time(at, NOW) == words


def test_a_time_for_machines() -> None:
    assert iso(NOW) == "2027-01-15T08:00:00Z"
    assert utc_time(NOW, NOW, seconds=True) == "08:00:00 UTC"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0004, "0 ms"), (0.2314, "231 ms"), (0.9996, "1.00 s"), (1.239, "1.24 s"), (30.2, "30 s")],
)
def test_a_duration_has_three_digits(seconds: float, words: str) -> None:
    assert took(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (59, "59 s"), (119, "1 min"), (7200, "2 h"), (6.9 * 86400, "6 d")],
)
def test_a_span_is_shown_in_its_largest_unit(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "just now"), (-9, "in a moment"), (61, "1 min ago"), (-90000, "in 1 d"), (50, "50 s ago")],
)
def test_an_age_is_relative_to_now(seconds: float, words: str) -> None:
    assert ago(NOW - seconds, NOW) == words


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\x00", "\x85", "\u2028", "\ud800"])
def test_characters_that_are_not_text_are_replaced(mark: str) -> None:
    assert plain(f"a{mark}b") == "a\ufffdb"


def test_text_of_every_language_stays() -> None:
    text = "مدفوعات Оплата 支付 क्ष 👩‍💻\n\t"

    assert plain(text) == text
    assert short(text, 8) == "مدفوعات…"
