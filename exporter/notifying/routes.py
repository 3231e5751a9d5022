"""Who is told of an alert and in which group: the shipped alertmanager.yml as data. Pure.

Differences from that file, which decides for receivers of its own: what is not production is told
at any hour, and each entry of `notify:` is a receiver.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from exporter.config import Notification

PRODUCTION = ("", "production", "prod")
"""Environments that page; "" is an alert about the monitoring itself."""
_SEVERITIES = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How the alerts of one kind are grouped; durations are in seconds."""

    name: str
    matchers: tuple[str, ...]
    """As alertmanager.yml has them, from its root to the route: part of the group's key."""
    group_by: tuple[str, ...]
    wait: float
    """From the first alert of a group to its first message."""
    interval: float
    """Between two messages of a group about different things."""
    repeat: float
    """Between two messages that say the same."""

    @property
    def key(self) -> str:
        """Return what Alertmanager 0.25 calls the route in a group's key (dispatch/route.go)."""
        return "/".join(("{}", *(f"{{{one}}}" for one in self.matchers)))


def _route(name: str, *matchers: str, by: str, times: tuple[float, float, float]) -> Route:
    wait, interval, repeat = times
    return Route(
        name=name,
        matchers=matchers,
        group_by=tuple(by.split()),
        wait=wait,
        interval=interval,
        repeat=repeat,
    )


_CUSTOM = 'provider=~"(custom)?"'
_ESCALATION, _CRITICAL, _HIGH = 'escalation=~".+"', 'severity="critical"', 'severity="high"'
_ROOT = "alertname environment provider incident"
_LATER = (300.0, 1800.0, 86400.0)
ROUTES = {
    route.name: route
    for route in (
        _route(
            "non-production",
            'environment!~"(production|prod)?"',
            by="environment provider",
            times=(120.0, 900.0, 86400.0),
        ),
        _route(
            "escalation",
            _ESCALATION,
            by="environment provider escalation",
            times=(30.0, 300.0, 3600.0),
        ),
        _route(
            "escalation of a service",
            _ESCALATION,
            _CUSTOM,
            by="environment service escalation",
            times=(30.0, 300.0, 3600.0),
        ),
        _route(
            "critical",
            _CRITICAL,
            by="environment provider service incident",
            times=(30.0, 60.0, 14400.0),
        ),
        _route(
            "critical of the monitoring",
            _CRITICAL,
            'provider="",service=""',
            by="alertname cluster incident",
            times=(10.0, 60.0, 14400.0),
        ),
        _route("high", _HIGH, by=_ROOT, times=(180.0, 300.0, 43200.0)),
        _route(
            "high of a service",
            _HIGH,
            _CUSTOM,
            by="alertname environment service incident",
            times=(180.0, 300.0, 43200.0),
        ),
        _route("medium", 'severity="medium"', by="environment team", times=_LATER),
        _route("low", 'severity="low"', by=_ROOT, times=_LATER),
        _route("other", by=_ROOT, times=(30.0, 300.0, 14400.0)),
    )
}


def route_of(labels: Mapping[str, str]) -> Route | None:
    """Return the route of an alert with *labels*, None if it is nobody's message."""
    severity = labels.get("severity", "")
    if severity == "none" or labels.get("alertname") == "Watchdog":
        return None
    custom = labels.get("provider", "") in ("", "custom")
    if labels.get("environment", "") not in PRODUCTION:
        return ROUTES["non-production"]
    if labels.get("escalation"):
        return ROUTES["escalation of a service" if custom else "escalation"]
    if severity == "critical":
        about_us = not labels.get("service") and not labels.get("provider")
        return ROUTES["critical of the monitoring" if about_us else "critical"]
    if severity == "high":
        return ROUTES["high of a service" if custom else "high"]
    return ROUTES[severity if severity in ("medium", "low") else "other"]


@dataclass(frozen=True, slots=True)
class _Default:
    """What a medium takes where its entry does not say."""

    severities: frozenset[str]
    escalations: bool
    elsewhere: bool
    """Whether it takes what is not production."""


_DEFAULTS = {
    "webhook": _Default(frozenset({*_SEVERITIES, ""}), True, True),
    "email": _Default(frozenset({"critical", "high", "medium"}), True, False),
    "slack": _Default(frozenset({"critical", "high", "low", ""}), False, True),
    "pagerduty": _Default(frozenset({"critical"}), True, False),
}


def takes(entry: Notification, labels: Mapping[str, str]) -> bool:
    """Return whether *entry* is told of an alert with *labels*, by what it says or its medium."""
    if not _concerns(entry, labels):
        return False
    default = _DEFAULTS[entry.medium]
    production = labels.get("environment", "") in PRODUCTION
    if not production and entry.environments is None and not default.elsewhere:
        return False
    if production and (level := labels.get("escalation")):
        if entry.escalations is None:
            return default.escalations
        return level in map(str, entry.escalations)
    severity = labels.get("severity", "")
    severity = severity if severity in _SEVERITIES else ""
    if entry.severities is not None:
        return severity in entry.severities
    return severity in default.severities or not production


def _concerns(entry: Notification, labels: Mapping[str, str]) -> bool:
    """Return whether *labels* are of an environment and a team of *entry*; without one they are."""
    for name, wanted in (("environment", entry.environments), ("team", entry.teams)):
        value = labels.get(name)
        if value and wanted is not None and value not in wanted:
            return False
    return True


def receivers(entries: Iterable[Notification], labels: Mapping[str, str]) -> list[Notification]:
    """Return which of *entries* are told of an alert with *labels*.

    Where nobody would be: every one of its environment and team that is no PagerDuty and names no
    severities of its own.
    """
    entries = list(entries)
    if found := [entry for entry in entries if takes(entry, labels)]:
        return found
    return [
        entry
        for entry in entries
        if entry.medium != "pagerduty" and entry.severities is None and _concerns(entry, labels)
    ]


@dataclass(frozen=True, slots=True)
class GroupKey:
    """Which group an alert is in."""

    route: Route
    labels: tuple[tuple[str, str], ...]
    """What its alerts have in common by the route, sorted; labels that an alert lacks are not."""
    text: str = field(default="", compare=False)
    """The key as Alertmanager 0.25 writes it."""


def group_of(route: Route, labels: Mapping[str, str]) -> GroupKey:
    """Return the group of an alert with *labels* on *route*."""
    common = tuple((name, labels[name]) for name in sorted(route.group_by) if labels.get(name))
    shown = ", ".join(f"{name}={quoted(value)}" for name, value in common)
    return GroupKey(route, common, f"{route.key}:{{{shown}}}")


def quoted(text: str) -> str:
    """Return *text* as Go's %q does where it is plain, and like JSON elsewhere."""
    return json.dumps(text, ensure_ascii=False)
