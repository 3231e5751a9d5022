"""Thresholds as data: one static rule file compares every service with its own numbers."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Self, get_args

from exporter.config.declarations import AlertKind, Alerts
from exporter.config.shared import shared

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
    "sunset": "high",
}
_EARLY = ("low", "medium")
"""The severities of the first steps of `sunset_days`."""
assert set(_DEFAULTS) == set(get_args(AlertKind))


class ThresholdKind(StrEnum):
    """What is compared: the metric family is `service_threshold_` and the value of the member."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    CONSECUTIVE_FAILURES = (
        "consecutive_failures",
        "Failed probes in a row from which a service counts as down.",
    )
    ESCALATE_AFTER = (
        "escalate_after_seconds",
        "Time unresolved after which an escalation level is reached.",
    )
    STATE_CHANGES = (
        "state_changes_30m",
        "State changes in 30 minutes from which a service flaps.",
    )
    LATENCY_P95 = (
        "latency_p95_seconds",
        "Highest accepted 95th percentile of the latency.",
    )
    KEY_INVALID = (
        "key_invalid_seconds",
        "Time a key may be rejected before somebody is notified.",
    )
    KEY_REMAINING = (
        "key_remaining_seconds",
        "Time before a key's expiry from which it expires soon.",
    )
    RATE_LIMITED = (
        "rate_limited_15m",
        "Probes answered with a rate limit in 15 minutes that are too many.",
    )
    RATE_LIMIT_REMAINING = (
        "rate_limit_remaining_ratio",
        "Share of a rate limit below which headroom is low.",
    )
    CERTIFICATE_REMAINING = (
        "certificate_remaining_seconds",
        "Time before a certificate's expiry that is soon.",
    )
    PROBE_STALE = (
        "probe_stale_seconds",
        "Time without a result after which a service is not probed.",
    )
    SUNSET_REMAINING = (
        "sunset_remaining_seconds",
        "Time before something that is used is switched off from which it is to be replaced.",
    )


@dataclass(frozen=True, slots=True)
class Threshold:
    """One row of a threshold family; several rows of a kind make a severity ladder."""

    kind: ThresholdKind
    severity: str
    value: float
    escalation: str = ""


def thresholds_of(alerts: Alerts, interval: float) -> tuple[Threshold, ...]:
    """Return the rows for a service that is probed every *interval* seconds."""
    return _of_defaults(interval) if alerts == _DEFAULT else shared(tuple(_rows(alerts, interval)))


_DEFAULT = Alerts()


@functools.lru_cache(maxsize=256)
def _of_defaults(interval: float) -> tuple[Threshold, ...]:
    """Return the rows of a service that declares none: most of 10,000, each at every load."""
    return shared(tuple(_rows(_DEFAULT, interval)))


def _rows(alerts: Alerts, interval: float) -> Iterator[Threshold]:
    def severity(kind: AlertKind) -> str:
        return alerts.severity.get(kind, _DEFAULTS[kind])

    of = ThresholdKind
    yield Threshold(of.CONSECUTIVE_FAILURES, severity("down"), alerts.down_after)
    if severity("critical") != severity("down"):  # one row for each severity: the first to fire
        yield Threshold(of.CONSECUTIVE_FAILURES, severity("critical"), alerts.critical_after)
    last = len(alerts.escalate_after)
    for level, after in enumerate(alerts.escalate_after, 1):
        grade = "critical" if level == last > 1 else severity("unresolved")
        yield Threshold(of.ESCALATE_AFTER, grade, after, str(level))
    yield Threshold(of.STATE_CHANGES, severity("flapping"), alerts.flapping)
    if alerts.latency_p95 is not None:
        yield Threshold(of.LATENCY_P95, severity("latency"), alerts.latency_p95)
    yield Threshold(of.KEY_INVALID, severity("key_invalid"), alerts.key_invalid_after)
    yield Threshold(of.KEY_REMAINING, severity("key_expiring"), alerts.key_days * _DAY)
    limited = alerts.rate_limited or max(1, min(5, int(900 / interval / 2)))
    yield Threshold(of.RATE_LIMITED, severity("rate_limited"), limited)
    yield Threshold(of.RATE_LIMIT_REMAINING, severity("headroom"), alerts.rate_limit_remaining)
    days = alerts.certificate_days
    yield Threshold(of.CERTIFICATE_REMAINING, severity("certificate"), days * _DAY)
    stale = alerts.stale_after or 3 * interval
    yield Threshold(of.PROBE_STALE, severity("stale"), stale)
    *early, last_days = alerts.sunset_days
    grades = _EARLY[len(_EARLY) - len(early) :]
    for grade, days in zip(grades, early, strict=True):
        if grade != severity("sunset"):  # one row for each severity: the first to fire
            yield Threshold(of.SUNSET_REMAINING, grade, days * _DAY)
    yield Threshold(of.SUNSET_REMAINING, severity("sunset"), last_days * _DAY)
