"""The closed vocabulary: every reason has its facts, and they agree with the design."""

from __future__ import annotations

import pytest

from exporter.model import (
    FACTS,
    OFFLINE,
    REJECTED,
    Outcome,
    Reason,
    Result,
    Verdict,
    advice_of,
    fault_of,
    verdict_of,
)

VERDICTS = {
    Verdict.OK: "ok key_ok_limited",
    Verdict.CREDENTIAL: "auth_invalid auth_expired permission ip_blocked region_blocked "
    "account_disabled",
    Verdict.QUOTA: "quota_exhausted rate_limited",
    Verdict.PROVIDER: "overloaded server_error maintenance bad_body "
    "dns connect tls timeout protocol",
    Verdict.REQUEST: "client_error redirect_refused address_refused retired",
    Verdict.NETWORK: "intercepted",
    Verdict.MONITORING: "internal",
}


@pytest.mark.parametrize(("verdict", "reasons"), VERDICTS.items())
def test_every_verdict_has_the_reasons_of_the_design(verdict: Verdict, reasons: str) -> None:
    found = {reason.value for reason in Reason if verdict_of(reason) is verdict}

    assert found == set(reasons.split())


def test_every_reason_has_facts_and_advice() -> None:
    assert set(FACTS) == set(Reason)
    assert all(facts.advice for facts in FACTS.values())


def test_every_reason_has_words_of_its_own() -> None:
    words = [facts.fault for facts in FACTS.values()]

    assert len(set(words)) == len(words)
    assert all(2 < len(one) <= 40 and "outage" not in one for one in words)


@pytest.mark.parametrize("reason", Reason)
def test_the_words_follow_the_verdict_too(reason: Reason) -> None:
    offline = fault_of(reason, verdict_of(reason, online=False))

    assert fault_of(reason, verdict_of(reason)) == FACTS[reason].fault
    assert offline == ("our network down" if reason in OFFLINE else FACTS[reason].fault)


@pytest.mark.parametrize("reason", Reason)
def test_only_the_five_silent_failures_can_be_our_own_network(reason: Reason) -> None:
    offline = verdict_of(reason, online=False) is Verdict.NETWORK

    assert offline == (reason in OFFLINE or reason is Reason.INTERCEPTED)
    assert {r.value for r in OFFLINE} == {"dns", "connect", "tls", "timeout", "protocol"}


@pytest.mark.parametrize("reason", Reason)
def test_a_retry_is_only_for_failures_of_the_provider(reason: Reason) -> None:
    assert FACTS[reason].retry == (FACTS[reason].verdict is Verdict.PROVIDER)


@pytest.mark.parametrize("reason", Reason)
def test_an_answer_about_the_key_comes_from_a_working_api(reason: Reason) -> None:
    facts = FACTS[reason]

    assert facts.key_valid is None or facts.up
    assert (facts.key_valid is False) == (reason in REJECTED)


@pytest.mark.parametrize("reason", Reason)
def test_success_is_the_verdict_ok(reason: Reason) -> None:
    verdict = verdict_of(reason)
    result = Result(service="a", at=0.0, outcome=Outcome(reason=reason), verdict=verdict)

    assert result.success == (verdict is Verdict.OK)
    assert result.reason is reason


@pytest.mark.parametrize("reason", Reason)
def test_advice_follows_the_verdict_and_not_the_reason_alone(reason: Reason) -> None:
    own = advice_of(reason, verdict_of(reason))
    offline = advice_of(reason, verdict_of(reason, online=False))

    assert own == FACTS[reason].advice
    assert offline == own if reason not in OFFLINE else "our own network" in offline
    assert "exporter" in advice_of(reason, Verdict.MONITORING)


@pytest.mark.parametrize("reason", Reason)
def test_where_nobody_knows_of_a_status_page_the_advice_is_true_with_and_without_one(
    reason: Reason,
) -> None:
    verdict = verdict_of(reason)
    unasked = advice_of(reason, verdict)
    known, unknown = (advice_of(reason, verdict, has_page=found) for found in (True, False))

    assert ("if it has one" in unasked) == ("status page" in unasked) == (known != unknown)
    assert "if it has one" not in known
    assert "status page" not in unknown
    assert unknown
    assert not any(one.strip(";, ") != one for one in (unasked, known, unknown))
