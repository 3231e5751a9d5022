"""Thresholds as metric families: rows that the rules compare each service with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from exporter.config import Threshold, ThresholdKind
from exporter.metrics.family import Family, of_state
from exporter.metrics.lines import ServiceState, labelled_gauge
from exporter.model import Verdict

_LABELS = ("team", "severity", "escalation")
_Rows = Iterator[tuple[tuple[str | None, ...], float]]


def threshold(kind: ThresholdKind) -> Family:
    """Return the family of *kind* with all of its rows."""
    name = f"service_threshold_{kind}"

    def read(state: ServiceState) -> _Rows:
        return _rows(state.terms.team, _of_kind(state.terms.thresholds, kind))

    def read_sunset(state: ServiceState) -> _Rows:
        return read(state) if state.ends else iter(())

    if kind is ThresholdKind.SUNSET_REMAINING:
        # only where there is something to compare with: three rows a service are not for nothing
        return of_state(name, "gauge", kind.meaning, labelled_gauge(_LABELS, read_sunset))
    if kind is ThresholdKind.PROBE_STALE:
        return of_state(name, "gauge", kind.meaning, labelled_gauge(_LABELS, _stale))
    return of_state(name, "gauge", kind.meaning, labelled_gauge(_LABELS, read))


def compared(kind: ThresholdKind) -> Family:
    """Return the family of *kind* with the rows that something can be compared with now.

    Of failed probes in a row the lowest one is always there: it says what counts as down.
    """
    is_compared = _COMPARED.get(kind)
    if is_compared is None:
        return threshold(kind)

    def read(state: ServiceState) -> _Rows:
        rows = _of_kind(state.terms.thresholds, kind)
        if not is_compared(state):
            is_ladder = kind is ThresholdKind.CONSECUTIVE_FAILURES
            rows = sorted(rows, key=lambda row: row.value)[:1] if is_ladder else []
        return _rows(state.terms.team, rows)

    name = f"service_threshold_{kind}"
    return of_state(name, "gauge", kind.meaning, labelled_gauge(_LABELS, read))


_COMPARED: dict[ThresholdKind, Callable[[ServiceState], bool]] = {
    ThresholdKind.CONSECUTIVE_FAILURES: lambda state: state.failures_in_a_row > 0,
    ThresholdKind.ESCALATE_AFTER: lambda state: state.failures_in_a_row > 0,
    ThresholdKind.STATE_CHANGES: lambda state: state.state_changes > 0,
    ThresholdKind.KEY_INVALID: lambda state: state.keyed and state.failing_since is not None,
    ThresholdKind.KEY_REMAINING: lambda state: state.key_expiry is not None,
    ThresholdKind.RATE_LIMITED: lambda state: state.limited or state.verdict is Verdict.QUOTA,
    ThresholdKind.RATE_LIMIT_REMAINING: lambda state: bool(state.limits),
    ThresholdKind.CERTIFICATE_REMAINING: lambda state: state.certificate is not None,
}
"""Whether rows of a kind have something on the page to be compared with; of the others always.

Two are compared with what a counter grew by. An exporter that keeps nothing begins them anew when
it is restarted: then flapping and rate limits of before have ended, sooner than by their window.
"""


def _of_kind(rows: tuple[Threshold, ...], kind: ThresholdKind) -> list[Threshold]:
    return [row for row in rows if row.kind is kind]


def _rows(team: str, rows: list[Threshold]) -> _Rows:
    return (((team, row.severity, row.escalation or None), row.value) for row in rows)


def _stale(state: ServiceState) -> _Rows:
    terms = state.terms
    # A service that is probed less often than asked for may be silent for longer.
    least = state.silence if state.silence > 3 * terms.interval else 0.0
    for row in _of_kind(terms.thresholds, ThresholdKind.PROBE_STALE):
        yield (terms.team, row.severity, row.escalation or None), max(row.value, least)
