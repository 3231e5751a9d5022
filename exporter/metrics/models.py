"""What was seen of models as metric families: few rows, written when they are scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from exporter.config import UNITS
from exporter.metrics.family import MetricType
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
    return None if state.last is None else state.last.reading.gap_max


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
        "model_probe_results_total", "counter", "Checks of the model by how they ended.", _reasons
    ),
    ModelFamily(
        "model_probe_consecutive_failures",
        "gauge",
        "Failed checks in a row that are not our own fault.",
        _one(lambda state: state.failures),
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
        "model_probe_output_tokens_per_second",
        "gauge",
        "Tokens per second of the last check, by the provider's own count.",
        _one(_rate),
    ),
    ModelFamily(
        "model_probe_token_gap_max_seconds",
        "gauge",
        "Longest pause between two pieces of visible text in the last check.",
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
)


def model_page(states: Iterable[ModelState], *, openmetrics: bool) -> bytes:
    """Return the families of *states*; one without a sample is left out."""
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
    pieces: list[str] = []
    for family in MODEL_FAMILIES:
        lines = [
            f"{family.name}{suffix}{{{own}{further}}} {_text(value)}\n"
            for state, own in labels
            for suffix, further, value in family.samples(state)
        ]
        if lines:
            pieces.append(head(family.name, family.kind, family.help, openmetrics=openmetrics))
            pieces += lines
    return "".join(pieces).encode()


def _text(value: float) -> str:
    """Return *value*; an amount of money may be a millionth of a millionth."""
    return number(value) if value == int(value) else f"{value:.12f}".rstrip("0")
