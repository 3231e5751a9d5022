"""What the checks of models say, in words: one place for the page, the API and the command line.

Pure; the caller brings the time. A model's id is text of the user's, to be shown escaped; no word
of a model's answer is in any of this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from exporter.config import ModelTarget, Target, shown_money
from exporter.model import Reason, Result, Verdict, advice_of, fault_of
from exporter.models.states import ModelResult, ModelState, Skip

_USUAL_FACTOR = 3.0
"""A first token that took so many times as long as usual is worth a word, though in time."""
_USUAL_LEAST_SECONDS = 1.0
MOST_NAMED = 6
"""Models that one sentence names; the others are counted."""

REFUSED: Mapping[Skip, str] = {
    Skip.BUDGET_MODEL: "the budget of this model has no room for a check",
    Skip.BUDGET_ALL: "the budget of all checks of models (budgets.model_checks) has no room for it",
    Skip.NO_LEDGER: "the store cannot count what it costs; see the exporter's log",
    Skip.ASKED_TO_WAIT: "the provider asked to wait",
    Skip.CANNOT_WORK: "the service's own check shows that no model can answer",
    Skip.MAINTENANCE: "the service is in maintenance",
}
"""Why a check is not sent, in a clause."""


class ModelCondition(StrEnum):
    """A model at a glance, by its last check."""

    FINE = "fine"
    SLOW = "slow"
    """It answers; its first token comes later than `first_token.threshold`."""
    STALLED = "stalled"
    """It answers, with a pause longer than `token_gap`."""
    REFUSED = "refused"
    """It does not answer us: key, access, quota or rate limit."""
    FAILING = "failing"
    UNKNOWN = "unknown"
    """It was not asked yet, or our network or the exporter failed."""


BAD = (
    ModelCondition.FAILING,
    ModelCondition.STALLED,
    ModelCondition.REFUSED,
    ModelCondition.SLOW,
)
"""The worst first."""


_FAILED: Mapping[Verdict, ModelCondition] = {
    Verdict.PROVIDER: ModelCondition.FAILING,
    Verdict.REQUEST: ModelCondition.FAILING,
    Verdict.CREDENTIAL: ModelCondition.REFUSED,
    Verdict.QUOTA: ModelCondition.REFUSED,
}


def condition_of(state: ModelState) -> ModelCondition:
    """Return how the model of *state* does, by its last check."""
    last, model = state.last, state.model
    if last is None:
        return ModelCondition.UNKNOWN
    if not last.success:
        return _FAILED.get(last.verdict, ModelCondition.UNKNOWN)
    if (gap := last.reading.gap_max) is not None and gap > model.token_gap:
        return ModelCondition.STALLED
    if last.first_token is not None and last.first_token > model.first_token.threshold:
        return ModelCondition.SLOW
    return ModelCondition.FINE


def model_sentence(state: ModelState, now: float) -> str:
    """Return what is known of one model, such as `gpt-x first token 14 s (usual 0.6)`."""
    text = _seen(state, now, failure)
    if state.withheld is None:
        return text
    return f"{text}; not asked since {clock(state.withheld_since, now)}: {REFUSED[state.withheld]}"


def _brief(state: ModelState, now: float) -> str:
    """Return the same in fewer words, as a part of a sentence about several."""
    text = _seen(state, now, lambda result: fault_of(result.reason, result.verdict))
    if state.withheld is None:
        return text
    return f"{text} (not asked since {clock(state.withheld_since, now)})"


def _seen(state: ModelState, now: float, why: Callable[[ModelResult], str]) -> str:
    last, name = state.last, state.model.id
    if last is None:
        return f"{name} not asked yet"
    first = last.first_token
    match condition_of(state):
        case ModelCondition.UNKNOWN:
            return f"{name} unknown: {fault_of(last.reason, last.verdict)}"
        case ModelCondition.REFUSED:
            return f"{name} refused: {why(last)}"
        case ModelCondition.FAILING:
            begun = state.failing_since if state.failures > 1 else None
            since = "" if begun is None else f" since {clock(begun, now)}"
            verb = "fails" if state.is_down else "failed its last check"
            return f"{name} {verb}{since}: {why(last)}"
        case ModelCondition.STALLED:
            return f"{name} paused for {seconds(last.reading.gap_max or 0.0)} between two tokens"
    usual = state.usual_first_token
    if first is None or (condition_of(state) is ModelCondition.FINE and not _unusual(first, usual)):
        return f"{name} fine"
    compared = "" if usual is None else f" (usual {seconds(usual).removesuffix(' s')})"
    return f"{name} first token {seconds(first)}{compared}"


def _unusual(first: float, usual: float | None) -> bool:
    return usual is not None and first > max(_USUAL_FACTOR * usual, _USUAL_LEAST_SECONDS)


def failure(result: ModelResult) -> str:
    """Return what went wrong in a failed check, such as `timeout, after 3 pieces of text`."""
    fault, detail = fault_of(result.reason, result.verdict), result.outcome.detail
    return f"{fault} ({detail})" if detail else fault


def models_sentence(
    target: Target, last: Result | None, states: Sequence[ModelState], now: float
) -> str:
    """Return the verdict on a service with its models; empty if none of them is asked.

    Such as `models list fine; gpt-x first token 14 s (usual 0.6); gpt-y fine: switch`. *last* is
    the newest result of the service's own check, None if it does not count as now.
    """
    if not states:
        return ""
    ordered = in_order(states)
    fine = [one for one in ordered if condition_of(one) is ModelCondition.FINE]
    is_bad = condition_of(ordered[0]) in BAD
    if len(fine) == len(states) > 1 and all(one.withheld is None for one in states):
        return f"{_own_check(target, last)}; all {len(fine)} models fine"
    named = ordered[:MOST_NAMED]
    fine.sort(key=lambda one: one.withheld is not None)  # first those that are still asked
    switch = fine[0] if is_bad and fine else None
    if switch is not None and all(one is not switch for one in named):
        named[-1] = switch
    texts = [_brief(one, now) + (": switch" if one is switch else "") for one in named]
    others = len(states) - len(named)
    more = [f"{others} more"] if others else []
    return "; ".join([_own_check(target, last), *texts, *more])


def _own_check(target: Target, last: Result | None) -> str:
    path = target.endpoint.url.partition("?")[0].rstrip("/") if target.endpoint else ""
    name = "models list" if path.endswith("/models") else "own check"
    if last is None:
        return f"{name} unknown"
    return f"{name} fine" if last.success else f"{name}: {fault_of(last.reason, last.verdict)}"


def in_order(states: Sequence[ModelState]) -> list[ModelState]:
    """Return *states* with the worst first, the others in their order."""
    order = (*BAD, ModelCondition.UNKNOWN, ModelCondition.FINE)
    return sorted(states, key=lambda state: order.index(condition_of(state)))


_TROUBLES: Mapping[ModelCondition, str] = {
    ModelCondition.FAILING: "fails",
    ModelCondition.STALLED: "stalls",
    ModelCondition.REFUSED: "is refused",
    ModelCondition.SLOW: "is slow",
}


def troubles_of(states: Sequence[ModelState]) -> tuple[str, ...]:
    """Return which models do badly, the worst first, such as `model gpt-x fails`.

    Without figures, which would change with every check.
    """
    return tuple(
        f"model {state.model.id} {_TROUBLES[condition]}"
        for state in in_order(states)
        if (condition := condition_of(state)) in _TROUBLES
    )


def unchecked_of(states: Sequence[ModelState]) -> tuple[str, ...]:
    """Return which models are not checked any more for want of money."""
    return tuple(
        f"model {state.model.id} is not checked: {_WANT[state.withheld]}"
        for state in states
        if state.withheld in _WANT
    )


_WANT: Mapping[Skip | None, str] = {
    Skip.BUDGET_MODEL: "its budget is used up",
    Skip.BUDGET_ALL: "the budget of all is used up",
    Skip.NO_LEDGER: "the store cannot count",
}


def model_advice(state: ModelState) -> str:
    """Return what a person should do about the model of *state*; empty if nothing."""
    last = state.last
    match condition_of(state):
        case ModelCondition.FAILING | ModelCondition.REFUSED | ModelCondition.UNKNOWN if (
            last is not None
        ):
            if last.reason is Reason.TIMEOUT and last.verdict is Verdict.PROVIDER:
                return "use another model until this one answers again"
            return advice_of(last.reason, last.verdict, has_page=state.target.has_page)
        case ModelCondition.SLOW | ModelCondition.STALLED:
            return "use another model until this one is as fast as usual"
    return ""


# -- figures -----------------------------------------------------------------------------------


def seconds(value: float) -> str:
    """Return a time as `0.6 s`, `14 s`."""
    if value < 0.095:
        return f"{value:.3f} s"
    return f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"


def most_of(model: ModelTarget) -> str:
    """Return what one check of *model* costs at most, in words."""
    return f"at most {shown_money(model.reserve, model.currency)}" if model.reserve else "nothing"


def clock(at: float, now: float) -> str:
    """Return a Unix time as `02:10 UTC`, with the day unless it is that of *now*."""
    moment, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    day = "" if moment.date() == today.date() else moment.strftime("%-d %b ")
    return day + moment.strftime("%H:%M UTC")
