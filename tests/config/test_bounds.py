"""A declaration full of mistakes: each costs the same, however many there are."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.config import check_patch, read_request, read_text
from exporter.settings import SettingsError
from exporter.settings.check import MAX_SUGGESTIONS
from tests.steps import steps_of

SERVICE = {"id": "shop", "base_url": "https://api.example.com"}


def with_unknown(count: int) -> dict[str, Any]:
    return {**SERVICE, **{f"timeoutt-x{i % 100}-y{i // 100}": 1 for i in range(count)}}


def with_assertions(count: int) -> dict[str, Any]:
    wrong = [{f"jsonn-x{i % 100}-y{i // 100}": "$", "type": "strin"} for i in range(count)]
    return {**SERVICE, "health_check": {"assertions": wrong}}


def mistakes(raw: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_request(raw, "body")
    return [problem.what for problem in caught.value.problems]


# to look for a name that is similar takes some thousand steps, so that is not done for each
@pytest.mark.parametrize(("make", "most"), [(with_unknown, 250), (with_assertions, 750)])
def test_a_mistake_costs_the_same_however_many_there_are(make: Any, most: int) -> None:
    def steps(count: int) -> int:
        return steps_of(lambda: mistakes(make(count)))

    mistakes(make(1))

    assert (steps(500) - steps(400)) / 100 < most
    assert (steps(2_000) - steps(1_900)) / 100 < most


def test_a_wrong_service_costs_the_same_however_many_there_are() -> None:
    def steps(count: int) -> int:
        check = "{interval: 5s, timeout: 9s, assertions: [{json: '$[', equals: 1, typo: 1}]}"
        rows = [
            f"- {{id: s-{i}, base_url: https://a.example, health_check: {check}}}"
            for i in range(count)
        ]

        def attempt() -> None:
            with pytest.raises(SettingsError):
                read_text("services:\n" + "\n".join(rows), "x.yaml", {})

        return steps_of(attempt)

    steps(1)

    assert steps(1_000) - steps(900) < 1.5 * (steps(200) - steps(100))


def test_the_first_unknown_fields_get_a_suggestion_and_all_are_named() -> None:
    found = mistakes(with_unknown(200))

    assert len(found) == 200
    assert sum("did you mean timeout" in what or "allowed:" in what for what in found) <= (
        MAX_SUGGESTIONS
    )
    assert sum(what.startswith("unknown field timeoutt-x") for what in found) == 200


def test_a_patch_of_unknown_fields_is_bounded_too() -> None:
    def steps(count: int) -> int:
        def check() -> None:
            with pytest.raises(SettingsError):
                check_patch(
                    {f"timeoutt-x{i % 100}-y{i // 100}": None for i in range(count)}, "body"
                )

        return steps_of(check)

    steps(1)

    assert (steps(2_000) - steps(1_900)) / 100 < 50


def test_a_check_has_a_bounded_number_of_assertions() -> None:
    fine = {"json": "$.a", "exists": True}
    check = {"health_check": {"assertions": [fine] * 200}}
    assert read_request({**SERVICE, **check}, "body")

    check["health_check"]["assertions"].append(fine)
    assert mistakes({**SERVICE, **check}) == ["must have at most 200 items"]
