"""The alerts about models: what they are judged by, when they fire, and in which words.

A model is asked every few minutes to once a day, so that nothing is counted over minutes here: the
states of `exporter.models` count in a row, and what is older than they allow says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from exporter.alerting.rule import Rule
from exporter.alerting.words import duration, minute
from exporter.model import WHOSE, advice_of, fault_of
from exporter.models import ModelResult, ModelState, Skip

_MINUTE = 60.0
_SLOW_CHECKS = 2
_OUT_OF_BUDGET = {
    Skip.BUDGET_ALL: (
        "The budget of all checks of models together (budgets.model_checks) has no room for"
        " another one. "
    ),
    Skip.BUDGET_MODEL: "Its own budget has no room for another check. ",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """One model at one evaluation."""

    state: ModelState
    fresh: bool
    """Whether its last check says something about now."""
    service_fails: bool
    """Whether the service's own check fails, as far as that is watched."""
    service_succeeds: bool
    """Whether that check succeeded last."""
    others: tuple[str, ...] = ()
    """Models of the service that answer in time."""

    @property
    def labels(self) -> dict[str, str]:
        """What tells its alerts from those of others."""
        target = self.state.target
        return {
            "environment": target.environment,
            "service": target.id,
            "provider": target.provider,
            "model": self.state.model.id,
            "team": target.team,
        }

    @property
    def severity(self) -> str:
        """That of the model's alerts, where the alert has none of its own."""
        return self.state.model.severity


class ModelWatch:
    """Knows how old the last check of each model is, by a clock that does not jump."""

    def __init__(self, states: Callable[[], Iterable[ModelState]]) -> None:
        self._states = states
        self._seen: dict[tuple[str, str], tuple[ModelResult, float]] = {}
        """By service and model: its last check, and the tick at which that began."""

    def look(
        self, service: Callable[[str], tuple[bool, bool]], now: float, tick: float
    ) -> Iterator[ModelFacts]:
        """Yield every model as of the Unix time *now*, the tick *tick*.

        *service* returns whether the check of a service fails, and whether it succeeded last.
        """
        states = {(one.target.id, one.model.id): one for one in self._states()}
        self._seen = {key: seen for key, seen in self._seen.items() if key in states}
        fresh = {key for key, one in states.items() if self._is_fresh(key, one, now, tick)}
        well: dict[str, list[str]] = {}
        for key in sorted(fresh):
            if states[key].in_time:
                well.setdefault(key[0], []).append(key[1])
        for key, one in states.items():
            fails, succeeds = service(one.target.id)
            yield ModelFacts(
                state=one,
                fresh=key in fresh,
                service_fails=fails,
                service_succeeds=succeeds,
                others=tuple(well.get(key[0], ())),
            )

    def _is_fresh(self, key: tuple[str, str], one: ModelState, now: float, tick: float) -> bool:
        if one.last is None:
            return False
        known = self._seen.get(key)
        if known is None or known[0] is not one.last:
            known = self._seen[key] = one.last, tick - max(0.0, now - one.last.at)
        return tick - known[1] <= one.stale_after


# -- what is measured; None: it cannot fire ---------------------------------------------------


def failures(facts: ModelFacts) -> float | None:
    """Return how many checks in a row failed, if that is the model's own trouble."""
    return facts.state.failures if _is_failing(facts) else None


def _is_failing(facts: ModelFacts) -> bool:
    return facts.fresh and not facts.service_fails and facts.state.is_down


def slow(facts: ModelFacts) -> float | None:
    """Return how long the last of two slow checks waited for its first token."""
    last = facts.state.last
    if last is None or not facts.fresh or facts.state.slow < _SLOW_CHECKS:
        return None
    first = last.first_token
    return first if first is not None and first > facts.state.model.first_token.threshold else None


def pause(facts: ModelFacts) -> float | None:
    """Return for how long the text of the last check stood still, if that was too long."""
    last = facts.state.last
    gap = last.longest_gap if last is not None and facts.fresh else None
    return gap if gap is not None and gap > facts.state.model.token_gap else None


def out_of_budget(facts: ModelFacts) -> float | None:
    return 1.0 if facts.state.withheld in _OUT_OF_BUDGET else None


# -- in words ---------------------------------------------------------------------------------


class _Summary:
    """A summary, made from what is said after the name."""

    def __init__(self, after: str) -> None:
        self._after = after

    def __call__(self, facts: ModelFacts, value: float, level: str) -> str:
        target = facts.state.target
        return f"{facts.state.model.id} of {target.id} ({target.environment}) {self._after}"


def _others(facts: ModelFacts) -> str:
    return f" Answering in time: {', '.join(facts.others)}." if facts.others else ""


def failing(facts: ModelFacts, value: float, level: str) -> str:
    """Return why it fails, whose fault that is, and what answers instead."""
    state, text = facts.state, f"{value:.0f} checks in a row have failed."
    if state.last is not None and state.failing_since is not None:
        reason, verdict = state.last.reason, state.last.verdict
        text += (
            f" Since {minute(state.failing_since)}: {fault_of(reason, verdict)}."
            f" At fault: {WHOSE[verdict]}. Advice: {advice_of(reason, verdict)}."
        )
    if facts.service_succeeds:
        text += " The service's own check succeeds: it is the model."
    return text + _others(facts)


def fault(facts: ModelFacts, value: float, level: str) -> str:
    """Return in a few words what is wrong, and whose fault that is."""
    last = facts.state.last
    if last is None or facts.state.failing_since is None:
        return ""
    return f"{fault_of(last.reason, last.verdict)}, at fault: {WHOSE[last.verdict]}"


def slow_words(facts: ModelFacts, value: float, level: str) -> str:
    """Return how long people wait, and how long they usually do."""
    usual = facts.state.usual_first_token
    known = f" (usual: {duration(usual)})" if usual is not None else ""
    return (
        "The last two checks that succeeded were too slow: the last one waited"
        f" {duration(value)} for its first visible token{known}."
        f" At fault: the provider, or the way to it.{_others(facts)}"
    )


def pause_words(facts: ModelFacts, value: float, level: str) -> str:
    """Return for how long the text stood still."""
    return (
        f"In its last check the text stood still for {duration(value)}, and then went on or broke"
        f" off. At fault: the provider; its connection was open.{_others(facts)}"
    )


def budget_words(facts: ModelFacts, value: float, level: str) -> str:
    """Return which budget is used up, and what follows."""
    withheld = facts.state.withheld
    which = _OUT_OF_BUDGET.get(withheld, "") if withheld is not None else ""
    return (
        f"{which}Until the day or the month is over (UTC) nobody knows how it does. At fault: our"
        " own setting."
    )


MODEL_RULES: tuple[Rule[ModelFacts], ...] = (
    Rule(
        alert="ModelFailing",
        category="availability",
        measure=failures,
        keep=5 * _MINUTE,
        dashboard="registry-models",
        summary=_Summary("fails its check."),
        description=failing,
        fault=fault,
    ),
    Rule(
        alert="ModelFirstTokenSlow",
        category="latency",
        measure=slow,
        keep=2 * _MINUTE,
        dashboard="registry-models",
        summary=_Summary("keeps people waiting for its first token."),
        description=slow_words,
    ),
    Rule(
        alert="ModelStalled",
        category="latency",
        measure=pause,
        keep=2 * _MINUTE,
        dashboard="registry-models",
        summary=_Summary("stops in the middle of its answer."),
        description=pause_words,
    ),
    Rule(
        alert="ModelBudgetExhausted",
        category="quota",
        measure=out_of_budget,
        severity="low",
        keep=2 * _MINUTE,
        dashboard="registry-models",
        summary=_Summary("is not checked: the budget is used up."),
        description=budget_words,
    ),
)
