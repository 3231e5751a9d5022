"""Why services fail, counted: the causes, their order, and the one provider that is named."""

from __future__ import annotations

import re

import pytest

from exporter.model import FACTS, OFFLINE, Reason, Verdict
from exporter.results import causes_in_words, kind_of

P, KEY = "provider", "key rejected"


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ({}, ""),
        ({(P, "openai"): 1}, "1 provider"),
        ({(P, "openai"): 2}, "2 provider (both openai)"),
        ({(P, "openai"): 3, (KEY, "kit"): 1}, "3 provider (all openai), 1 key rejected"),
        ({(P, "openai"): 8, (P, "kit"): 2}, "10 provider (8 of them openai)"),
        ({(P, "openai"): 2, (P, "kit"): 2}, "4 provider"),
        ({(P, f"host-{n}"): 1 for n in range(9)}, "9 provider"),
        ({("our network", ""): 5}, "5 our network"),
    ],
)
def test_the_provider_that_explains_most_of_a_cause_is_named(
    kinds: dict[tuple[str, str], int], words: str
) -> None:
    assert causes_in_words(kinds) == words


def test_one_provider_is_named_in_all_where_it_explains_most_failures() -> None:
    kinds = {(P, "openai"): 4, (P, "kit"): 3, (KEY, "stripe"): 5, ("rate limited", "kit"): 2}

    assert causes_in_words(kinds) == "7 provider, 5 keys rejected (all stripe), 2 rate limited"


@pytest.mark.parametrize("reason", set(Reason) - {Reason.OK, Reason.KEY_OK_LIMITED})
def test_every_failure_is_counted_whoever_it_hits(reason: Reason) -> None:
    verdicts = {FACTS[reason].verdict} | ({Verdict.NETWORK} if reason in OFFLINE else set())
    for verdict in verdicts:
        words = causes_in_words({kind_of(reason, verdict, "openai"): 2})

        ours = verdict in (Verdict.NETWORK, Verdict.MONITORING)
        assert re.fullmatch(r"2 [a-z ]+" + ("" if ours else r" \(both openai\)"), words)


def test_a_reason_of_a_newer_exporter_is_counted_by_its_verdict() -> None:
    assert kind_of("unheard_of", "credential", "kit") == ("access refused", "kit")
    assert kind_of("auth_expired", "credential", "kit") == (KEY, "kit")
    assert kind_of("unheard_of", "unheard_of", "kit") == ("exporter", "")
