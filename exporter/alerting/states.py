"""From what is so to what fires: pending, firing, kept firing, over. As Prometheus does it.

Source: rules/alerting.go of Prometheus 2.42, `Eval`. Durations are counted in ticks; when an alert
began to fire is a Unix time. What fired before a restart waits until its cause is known again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from exporter.alerting.rule import Rule
from exporter.incidents.alerts import fingerprint
from exporter.incidents.model import Alert, Told

Key = tuple[str, ...]
"""The values of the labels, the alert's name and which of its rules first."""


@dataclass(slots=True)
class Finding:
    """Something that is so now."""

    rule: Rule[Any]
    labels: dict[str, str]
    facts: Any
    value: float

    @property
    def key(self) -> Key:
        return (str(id(self.rule)), *self.labels.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """An alert that fired before a restart, by its fingerprint in the incident log."""

    starts_at: float
    annotations: Mapping[str, str]
    told: tuple[Told, ...] | None = None


class Active:
    """One alert from when its cause began to be seen."""

    __slots__ = (
        "_alert",
        "active_at",
        "annotations",
        "fingerprint",
        "fired_at",
        "kept_since",
        "labels",
        "rule",
        "told",
        "value",
        "waits",
    )

    def __init__(self, rule: Rule[Any], labels: dict[str, str], tick: float) -> None:
        self.rule, self.active_at = rule, tick
        self.labels = {name: value for name, value in labels.items() if value}
        self.fingerprint = fingerprint(self.labels)
        self.fired_at: float | None = None
        """When it began to fire, as a Unix time; None while it is pending."""
        self.kept_since: float | None = None
        """The tick since which it fires although its cause is gone."""
        self.waits = False
        """Whether it fired before a restart, and nothing is known of its cause since."""
        self.value = 0.0
        self.annotations: Mapping[str, str] = {}
        self.told: tuple[Told, ...] | None = None
        self._alert: Alert | None = None

    def alert(self, holder: str) -> Alert:
        """Return it as an alert that *holder* holds back, if there is one."""
        assert self.fired_at is not None
        held_by = (holder,) if holder else ()
        found = self._alert
        if (
            found is None
            or found.annotations is not self.annotations
            or found.held_by != held_by
            or found.starts_at != self.fired_at
        ):
            found = self._alert = Alert(
                fingerprint=self.fingerprint,
                labels=self.labels,
                annotations=self.annotations,
                starts_at=self.fired_at,
                suppressed="inhibited" if holder else "",
                held_by=held_by,
                told=self.told,
            )
        return found


def labels_of(rule: Rule[Any], facts: Any, severity: str, level: str = "") -> dict[str, str]:
    """Return the labels of an alert; empty ones are those that it has not."""
    return {
        "alertname": rule.alert,
        **facts.labels,
        "category": rule.category,
        "severity": severity,
        "escalation": level,
    }


def found_by(rule: Rule[Any], facts: Any) -> Iterator[Finding]:
    """Yield what *rule* finds in the *facts* about one thing."""
    value = rule.measure(facts)
    if rule.kind is None:
        if value is not None:
            yield Finding(rule, labels_of(rule, facts, rule.severity), facts, value)
        return
    instead = None
    for row in facts.memory.rows.of(rule.kind):
        if value is not None and rule.beyond(value, row.value):
            found = value
        else:
            instead = rule.instead(facts) if instead is None else instead
            if instead is None:
                continue
            found = instead
        yield Finding(rule, labels_of(rule, facts, row.severity, row.escalation), facts, found)


class Actives:
    """The alerts about one thing, such as a service."""

    __slots__ = ("by_key",)

    def __init__(self) -> None:
        self.by_key: dict[Key, Active] = {}

    def remember(self, rule: Rule[Any], labels: dict[str, str], was: Remembered) -> None:
        """Go on with an alert that fired before a restart."""
        active = Active(rule, labels, 0.0)
        active.fired_at, active.waits = was.starts_at, True
        active.annotations, active.told = was.annotations, was.told
        self.by_key[Finding(rule, labels, None, 0.0).key] = active

    def step(self, findings: list[Finding], now: float, tick: float, *, known: float) -> None:
        """Take in everything that is so now, at the Unix time *now*, the tick *tick*.

        *known*: for how many seconds it has been watched; negative before a first result.
        """
        keys = set()
        for finding in findings:
            key = finding.key
            keys.add(key)
            active = self.by_key.get(key)
            if active is None:
                active = self.by_key[key] = Active(finding.rule, finding.labels, tick)
            _note(active, finding)
            if active.fired_at is None and tick - active.active_at >= finding.rule.hold:
                active.fired_at = now
        if len(keys) < len(self.by_key):
            for key in [key for key in self.by_key if key not in keys]:
                if _is_over(self.by_key[key], tick, known=known):
                    del self.by_key[key]

    @property
    def firing(self) -> Iterator[Active]:
        return (active for active in self.by_key.values() if active.fired_at is not None)


def _note(active: Active, finding: Finding) -> None:
    active.value, active.kept_since, active.waits = finding.value, None, False
    level = active.labels.get("escalation", "")
    annotations = finding.rule.annotations(finding.facts, finding.value, level)
    if annotations != active.annotations:
        active.annotations = annotations


def _is_over(active: Active, tick: float, *, known: float) -> bool:
    if active.fired_at is None:
        return True
    if active.waits and known < active.rule.window:
        return False
    if active.kept_since is None:
        active.kept_since = tick
    return tick - active.kept_since >= active.rule.keep
