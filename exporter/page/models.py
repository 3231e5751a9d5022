"""The models of a service as its page shows them: a row each, in the words of `models`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.config import shown_money
from exporter.models import (
    REFUSED,
    ModelCondition,
    ModelState,
    condition_of,
    failure,
    in_order,
    model_advice,
    seconds,
)
from exporter.page.wording import ShownState

_STATES: Mapping[ModelCondition, ShownState] = {
    ModelCondition.FINE: ShownState.HEALTHY,
    ModelCondition.SLOW: ShownState.DEGRADED,
    ModelCondition.STALLED: ShownState.DEGRADED,
    ModelCondition.REFUSED: ShownState.DEGRADED,
    ModelCondition.FAILING: ShownState.DOWN,
    ModelCondition.UNKNOWN: ShownState.UNKNOWN,
}
_NONE = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownModel:
    """One row. Its id is text of the user's, to be escaped."""

    id: str
    state: ShownState
    """Whose picture and colour it has."""
    word: str
    why: str
    """What went wrong in the last check; empty if nothing."""
    not_asked: str
    """Why the check that was due last was not sent, since `skipped_at`; empty if it was."""
    skipped_at: float
    advice: str
    answered_by: str
    """The model that answered, if it names itself otherwise; to be escaped as well."""
    first_token: str
    usual: str
    rate: str
    checked_at: float | None
    interval: float
    spent: str
    left: str
    """Of the tightest budget, such as `97 % left`; empty without a budget."""
    most: str
    """What a check may cost."""


def shown_models(states: Sequence[ModelState]) -> tuple[ShownModel, ...]:
    """Return the rows of *states*, the worst first."""
    return tuple(_shown(state) for state in in_order(states))


def _shown(state: ModelState) -> ShownModel:
    last, model, condition = state.last, state.model, condition_of(state)
    first, usual = last.first_token if last else None, state.usual_first_token
    rate = last.reading.tokens_per_second if last and last.success else None
    return ShownModel(
        id=model.id,
        state=_STATES[condition],
        word=condition.capitalize(),
        why=failure(last) if last and not last.success else "",
        not_asked="" if state.withheld is None else REFUSED[state.withheld],
        skipped_at=state.withheld_since,
        advice=model_advice(state),
        answered_by=last.reading.model if last and last.reading.model != model.id else "",
        first_token=_NONE if first is None else seconds(first),
        usual="" if usual is None else seconds(usual),
        rate=_NONE if rate is None else f"{rate:.0f}" if rate >= 9.5 else f"{rate:.1f}",
        checked_at=last.at if last else None,
        interval=model.interval,
        spent=shown_money(state.spent, model.currency),
        left="" if state.remaining is None else f"{state.remaining * 100:.0f} % left",
        most=shown_money(model.reserve, model.currency),
    )
