"""What is said of models: one sentence each, and one of a service with all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exporter.model import Outcome, Reason, Result, Verdict, verdict_of
from exporter.models import (
    ModelCondition,
    ModelResult,
    ModelState,
    ModelStates,
    Skip,
    condition_of,
    in_order,
    model_advice,
    model_sentence,
    models_sentence,
    seconds,
    troubles_of,
)
from exporter.models.wording import MOST_NAMED
from exporter.streams import Reading
from tests.models.test_checks import Rig

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC


def new(model: str = "m") -> ModelState:
    """Return the state of a model that was not asked yet."""
    (target,) = (state.target for state in Rig().states)
    states = ModelStates()
    states.put(replace(target, models=(replace(target.models[0], id=model),)))
    (state,) = states
    return state


def asked(state: ModelState, reason: Reason = Reason.OK, *, ago: float = 60.0, **more: Any) -> None:
    first, gap = more.pop("first", 0.6), more.pop("gap", 0.02)
    result = ModelResult(
        at=NOW - ago,
        outcome=Outcome(reason=reason, detail=more.pop("detail", "")),
        reading=Reading(first_text=first, last_text=first + gap, gaps=[gap]),
        verdict=more.pop("verdict", verdict_of(reason)),
        spent=1,
    )
    state.add(result)


def fine(state: ModelState) -> None:
    for _ in range(3):
        asked(state)


def slow(state: ModelState) -> None:
    fine(state)
    asked(state, first=14.2)


def unusual(state: ModelState) -> None:
    fine(state)
    asked(state, first=3.14)


def stalled(state: ModelState) -> None:
    asked(state, gap=12.0)


def failed_once(state: ModelState) -> None:
    asked(state, Reason.SERVER_ERROR, detail="an error inside the stream, judged as status 500")


def failing(state: ModelState) -> None:
    for ago in (1200, 300):
        asked(state, Reason.TIMEOUT, ago=ago)


def key_rejected(state: ModelState) -> None:
    asked(state, Reason.AUTH_INVALID)


def offline(state: ModelState) -> None:
    asked(state, Reason.CONNECT, verdict=Verdict.NETWORK)


def out_of_money(state: ModelState) -> None:
    fine(state)
    state.skip(Skip.BUDGET_ALL, NOW - 600)
    state.skip(Skip.BUDGET_ALL, NOW)


C = ModelCondition
SAID: list[tuple[Callable[[ModelState], None], ModelCondition, str]] = [
    (lambda state: None, C.UNKNOWN, "m not asked yet"),
    (fine, C.FINE, "m fine"),
    (slow, C.SLOW, "m first token 14 s (usual 0.6)"),
    (unusual, C.FINE, "m first token 3.1 s (usual 0.6)"),
    (stalled, C.STALLED, "m paused for 12 s between two tokens"),
    (
        failed_once,
        C.FAILING,
        "m failed its last check: server error (an error inside the stream, judged as status 500)",
    ),
    (failing, C.FAILING, "m fails since 07:40 UTC: no answer in time"),
    (key_rejected, C.REFUSED, "m refused: key rejected"),
    (offline, C.UNKNOWN, "m unknown: our network down"),
    (
        out_of_money,
        C.FINE,
        "m fine; not asked since 07:50 UTC: the budget of all checks of models"
        " (budgets.model_checks) has no room for it",
    ),
]


@pytest.mark.parametrize(("happened", "condition", "said"), SAID)
def test_a_model_in_words(
    happened: Callable[[ModelState], None], condition: ModelCondition, said: str
) -> None:
    state = new()

    happened(state)

    assert (condition_of(state), model_sentence(state, NOW)) == (condition, said)
    is_well = condition is C.FINE or state.last is None
    assert bool(model_advice(state)) is not is_well


def service_result(reason: Reason) -> Result:
    outcome = Outcome(reason=reason)
    return Result(service="shop", at=NOW, outcome=outcome, verdict=verdict_of(reason))


def states(*happened: Callable[[ModelState], None]) -> list[ModelState]:
    found = [new(f"m{number}") for number in range(len(happened))]
    for state, happens in zip(found, happened, strict=True):
        happens(state)
    return found


@pytest.mark.parametrize(
    ("happened", "reason", "said"),
    [
        ((), Reason.OK, ""),
        ((fine,), Reason.OK, "models list fine; m0 fine"),
        ((fine, fine), Reason.OK, "models list fine; all 2 models fine"),
        (
            (fine, slow),
            Reason.OK,
            "models list fine; m1 first token 14 s (usual 0.6); m0 fine: switch",
        ),
        (
            (slow, failing, fine),
            Reason.OK,
            "models list fine; m1 fails since 07:40 UTC: no answer in time;"
            " m0 first token 14 s (usual 0.6); m2 fine: switch",
        ),
        (
            (failing, out_of_money, fine),
            Reason.OK,
            "models list fine; m0 fails since 07:40 UTC: no answer in time;"
            " m1 fine (not asked since 07:50 UTC); m2 fine: switch",
        ),
        ((fine,), Reason.SERVER_ERROR, "models list: server error; m0 fine"),
        ((fine,), None, "models list unknown; m0 fine"),
        ((failing,), Reason.OK, "models list fine; m0 fails since 07:40 UTC: no answer in time"),
    ],
)
def test_a_service_with_its_models_in_words(
    happened: tuple[Callable[[ModelState], None], ...], reason: Reason | None, said: str
) -> None:
    last = None if reason is None else service_result(reason)

    assert models_sentence(new().target, last, states(*happened), NOW) == said


def test_of_many_models_the_worst_are_named_and_the_one_to_switch_to() -> None:
    found = states(*[failing] * 9, fine)

    said = models_sentence(new().target, service_result(Reason.OK), found, NOW)

    parts = said.split("; ")
    assert len(parts) == 1 + MOST_NAMED + 1
    assert parts[-2:] == ["m9 fine: switch", "4 more"]


def test_troubles_come_the_worst_first_and_without_figures() -> None:
    found = states(fine, slow, stalled, failing, failed_once, key_rejected)

    assert troubles_of(found) == (
        "model m3 fails",
        "model m4 fails",
        "model m2 stalls",
        "model m5 is refused",
        "model m1 is slow",
    )
    assert [state.model.id for state in in_order(found)] == ["m3", "m4", "m2", "m5", "m1", "m0"]


@pytest.mark.parametrize(
    ("value", "said"), [(0.034, "0.034 s"), (0.6, "0.6 s"), (9.94, "9.9 s"), (14.2, "14 s")]
)
def test_times_have_the_digits_that_matter(value: float, said: str) -> None:
    assert seconds(value) == said
