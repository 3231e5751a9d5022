"""What was seen of models as metric families: few rows, written when they are scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from exporter.config import UNITS
from exporter.metrics.family import MetricType
from exporter.metrics.starts import sliced
from exporter.model import Reason
from exporter.models import FIRST_TOKEN_BUCKETS, ModelState, Skip
from exporter.textformat import head, labelled, number

_Samples = Iterator[tuple[str, str, float]]
"""Suffix of the name, further labels, value."""


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """One family, with labels service, environment, provider and model."""

    name: str
    kind: MetricType
    help: str
    samples: Callable[[ModelState], _Samples]


def _one(value: Callable[[ModelState], float | None]) -> Callable[[ModelState], _Samples]:
    def samples(state: ModelState) -> _Samples:
        if (found := value(state)) is not None:
            yield "", "", found

    return samples


def _success(state: ModelState) -> float | None:
    return None if state.last is None else float(state.last.success)


def _first_token(state: ModelState) -> float | None:
    return None if state.last is None else state.last.first_token


def _rate(state: ModelState) -> float | None:
    return None if state.last is None else state.last.reading.tokens_per_second


def _gap(state: ModelState) -> float | None:
    return None if state.last is None else state.last.longest_gap


def _failing(state: ModelState) -> _Samples:
    if state.failing_since is not None and state.last is not None:
        last = state.last
        yield "", f',reason="{last.reason}",verdict="{last.verdict}"', state.failing_since


def _withheld(state: ModelState) -> _Samples:
    for why in Skip:
        yield "", f',why="{why}"', float(state.withheld is why)


def _of_objective(value: Callable[[ModelState], float | None]) -> Callable[[ModelState], _Samples]:
    """Show what belongs to an objective only where there is one."""
    return _one(lambda state: value(state) if state.model.first_token.target else None)


def _reasons(state: ModelState) -> _Samples:
    for reason in Reason:
        yield "", f',reason="{reason}"', state.reasons[reason]


def _skipped(state: ModelState) -> _Samples:
    for why in Skip:
        yield "", f',why="{why}"', state.skipped[why]


def _histogram(state: ModelState) -> _Samples:
    total = 0
    for bound, count in zip((*FIRST_TOKEN_BUCKETS, "+Inf"), state.buckets, strict=True):
        total += count
        yield "_bucket", f',le="{bound}"', total
    yield "_sum", "", state.first_token_sum
    yield "_count", "", total


def _spend(state: ModelState) -> _Samples:
    yield "", f',currency="{state.model.currency}"', state.spent / UNITS


def _threshold(value: Callable[[ModelState], float]) -> Callable[[ModelState], _Samples]:
    def samples(state: ModelState) -> _Samples:
        team = labelled(team=state.target.team, severity=state.model.severity)
        yield "", f",{team}", value(state)

    return samples


MODEL_FAMILIES: tuple[ModelFamily, ...] = (
    ModelFamily(
        "model_probe_success",
        "gauge",
        "Whether the last check of the model succeeded.",
        _one(_success),
    ),
    ModelFamily(
        "model_probe_in_time",
        "gauge",
        "Whether the last check succeeded, with its first token and every pause in time.",
        _one(lambda state: None if state.last is None else float(state.in_time)),
    ),
    ModelFamily(
        "model_probe_results_total", "counter", "Checks of the model by how they ended.", _reasons
    ),
    ModelFamily(
        "model_probe_consecutive_failures",
        "gauge",
        "Failed checks in a row that are not our own fault.",
        _one(lambda state: state.failures),
    ),
    ModelFamily(
        "model_failing_since_timestamp_seconds",
        "gauge",
        "When the first failed check since the last success began; absent while it succeeds.",
        _failing,
    ),
    ModelFamily(
        "model_probe_consecutive_slow",
        "gauge",
        "Successful checks in a row whose first token came too late.",
        _one(lambda state: state.slow),
    ),
    ModelFamily(
        "model_probe_first_token_seconds",
        "gauge",
        "Time until the first visible token of the last check, if it succeeded.",
        _one(_first_token),
    ),
    ModelFamily(
        "model_probe_first_token_latency_seconds",
        "histogram",
        "Time until the first visible token of successful checks.",
        _histogram,
    ),
    ModelFamily(
        "model_probe_first_token_usual_seconds",
        "gauge",
        "Median time until the first visible token of the last 20 good checks.",
        _one(lambda state: state.usual_first_token),
    ),
    ModelFamily(
        "model_probe_output_tokens_per_second",
        "gauge",
        "Tokens per second of the last check, by the provider's own count.",
        _one(_rate),
    ),
    ModelFamily(
        "model_probe_token_gap_max_seconds",
        "gauge",
        "Longest pause of the visible text in the last check; if it broke off, until then.",
        _one(_gap),
    ),
    ModelFamily(
        "model_probe_spend_total", "counter", "What the checks of the model have cost.", _spend
    ),
    ModelFamily(
        "model_probe_budget_remaining_ratio",
        "gauge",
        "Share of the tightest budget for checks of the model that is left.",
        _one(lambda state: state.remaining),
    ),
    ModelFamily(
        "model_probe_skipped_total", "counter", "Checks that were not sent, by why.", _skipped
    ),
    ModelFamily(
        "model_probe_withheld",
        "gauge",
        "Whether the check that was last due was not sent, by why.",
        _withheld,
    ),
    ModelFamily(
        "model_sli_events_total",
        "counter",
        "Checks that count for the objective of the first token.",
        _of_objective(lambda state: state.counted),
    ),
    ModelFamily(
        "model_sli_bad_events_total",
        "counter",
        "Those of them that failed, or whose first token came too late.",
        _of_objective(lambda state: state.counted - state.good),
    ),
    ModelFamily(
        "model_slo_objective_ratio",
        "gauge",
        "Share of checks whose first token has to come in time.",
        _of_objective(lambda state: state.model.first_token.target),
    ),
    ModelFamily(
        "model_probe_last_run_timestamp_seconds",
        "gauge",
        "When the last check of the model began.",
        _one(lambda state: None if state.last is None else state.last.at),
    ),
    ModelFamily(
        "model_threshold_consecutive_failures",
        "gauge",
        "Failed checks in a row from which a model counts as failing.",
        _threshold(lambda state: state.model.failures),
    ),
    ModelFamily(
        "model_threshold_first_token_seconds",
        "gauge",
        "Time until the first visible token that is too long.",
        _threshold(lambda state: state.model.first_token.threshold),
    ),
    ModelFamily(
        "model_threshold_token_gap_seconds",
        "gauge",
        "Pause between two pieces of visible text that is too long.",
        _threshold(lambda state: state.model.token_gap),
    ),
    ModelFamily(
        "model_threshold_stale_seconds",
        "gauge",
        "Age from which the last check says nothing about now.",
        _threshold(lambda state: state.stale_after),
    ),
)


def model_pieces(
    states: Iterable[ModelState], *, openmetrics: bool, began: float | None = None
) -> Iterator[bytes]:
    """Yield the families of *states* in pieces; one without a sample is left out.

    With start times, the Unix time *began* for all, unless it is None.
    """
    labels = [
        (
            state,
            labelled(
                service=state.target.id,
                environment=state.target.environment,
                provider=state.target.provider,
                model=state.model.id,
            ),
        )
        for state in states
    ]
    for family in MODEL_FAMILIES:
        texts = (_lines(family, state, own) for state, own in labels)
        first = head(family.name, family.kind, family.help, openmetrics=openmetrics)
        yield from sliced(first, texts, began=None if family.kind == "gauge" else began)


def _lines(family: ModelFamily, state: ModelState, labels: str) -> bytes:
    samples = family.samples(state)
    return "".join(
        [
            f"{family.name}{suffix}{{{labels}{further}}} {_text(value)}\n"
            for suffix, further, value in samples
        ]
    ).encode()


def _text(value: float) -> str:
    """Return *value*; an amount of money may be a millionth of a millionth."""
    return number(value) if value == int(value) else f"{value:.12f}".rstrip("0")
