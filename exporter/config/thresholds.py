"""Thresholds as data: one static rule file compares every service with its own numbers."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from exporter.config.declarations import AlertKind, Alerts

_DAY = 86400.0
_DEFAULTS: dict[AlertKind, str] = {
    "down": "high",
    "critical": "critical",
    "unresolved": "high",
    "flapping": "medium",
    "latency": "medium",
    "key_invalid": "high",
    "key_expiring": "medium",
    "rate_limited": "medium",
    "headroom": "low",
    "certificate": "high",
    "stale": "high",
}
assert set(_DEFAULTS) == set(get_args(AlertKind))


@dataclass(frozen=True, slots=True)
class Threshold:
    """One row of a family `service_threshold_<name>`; several rows make a severity ladder."""

    name: str
    severity: str
    value: float
    escalation: str = ""


def thresholds_of(alerts: Alerts, interval: float) -> tuple[Threshold, ...]:
    """Return the rows for a service that is probed every *interval* seconds."""
    return _shared(tuple(_rows(alerts, interval)))


@functools.lru_cache(maxsize=1024)
def _shared(rows: tuple[Threshold, ...]) -> tuple[Threshold, ...]:
    """Return the first of all equal *rows*: those of 10,000 services are a few."""
    return rows


def _rows(alerts: Alerts, interval: float) -> Iterator[Threshold]:
    def severity(kind: AlertKind) -> str:
        return alerts.severity.get(kind, _DEFAULTS[kind])

    yield Threshold("consecutive_failures", severity("down"), alerts.down_after)
    if severity("critical") != severity("down"):  # one row for each severity: the first to fire
        yield Threshold("consecutive_failures", severity("critical"), alerts.critical_after)
    last = len(alerts.escalate_after)
    for level, after in enumerate(alerts.escalate_after, 1):
        grade = "critical" if level == last > 1 else severity("unresolved")
        yield Threshold("escalate_after_seconds", grade, after, str(level))
    yield Threshold("state_changes_30m", severity("flapping"), alerts.flapping)
    if alerts.latency_p95 is not None:
        yield Threshold("latency_p95_seconds", severity("latency"), alerts.latency_p95)
    yield Threshold("key_invalid_seconds", severity("key_invalid"), alerts.key_invalid_after)
    yield Threshold("key_remaining_seconds", severity("key_expiring"), alerts.key_days * _DAY)
    limited = alerts.rate_limited or max(1, min(5, int(900 / interval / 2)))
    yield Threshold("rate_limited_15m", severity("rate_limited"), limited)
    yield Threshold("rate_limit_remaining_ratio", severity("headroom"), alerts.rate_limit_remaining)
    days = alerts.certificate_days
    yield Threshold("certificate_remaining_seconds", severity("certificate"), days * _DAY)
    stale = alerts.stale_after or 3 * interval
    yield Threshold("probe_stale_seconds", severity("stale"), stale)
