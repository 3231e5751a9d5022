"""The nouns: alert, incident, entry of its timeline. Frozen, no I/O, no clock; times are Unix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from typing import Self

SEVERITIES = ("critical", "high", "medium", "low")
"""From the worst to the least."""


class IncidentError(Exception):
    """An action on an incident is refused; the message has the reason."""


class UnknownIncidentError(IncidentError):
    """There is no such incident."""


class ImpossibleChangeError(Exception):
    """The storage refuses one change, and would refuse it again; others it keeps."""


class IncidentStatus(StrEnum):
    """Derived from its times, never stored."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Source(StrEnum):
    """Where a report about an alert comes from."""

    WEBHOOK = "alertmanager"
    POLL = "alertmanager poll"
    PROMETHEUS = "prometheus"
    EMBEDDED = "embedded"
    """Judged by this exporter."""


class Decider(StrEnum):
    """Who decides what is an incident: the setting `monitoring.incidents`."""

    sentence: str
    """What follows "incidents are"."""

    def __new__(cls, value: str, sentence: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    EMBEDDED = "embedded", "decided here (embedded)"
    ALERTMANAGER = "alertmanager", "decided by Prometheus and Alertmanager"
    OFF = "off", "not decided here (off)"


class EntryKind(StrEnum):
    """What an entry of a timeline records."""

    OPENED = "opened"
    RAISED = "raised"
    ESCALATED = "escalated"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    POSTED = "posted"
    """Alertmanager has a manual incident; whom it notified is another entry."""
    NOTIFIED = "notified"
    FAILING = "failing"
    """A message could not be delivered."""
    ACKNOWLEDGED = "acknowledged"
    NOTE = "note"
    UPDATE = "update"
    """A note that a person wrote for the public page too."""
    ACTION = "action"
    RESOLVED = "resolved"
    REOPENED = "reopened"


class ToldState(StrEnum):
    """Whether a message about an alert has reached a receiver, as far as is known.

    In the order in which they count where one incident has several.
    """

    DELIVERED = "delivered"
    FAILING = "failing"
    """Every try failed so far."""
    PENDING = "pending"
    """Not sent yet: it waits for its group."""
    SUPPRESSED = "suppressed"
    UNKNOWN = "unknown"
    """Alertmanager does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of one integration of one receiver."""

    receiver: str
    integration: str
    """Alertmanager's name of the medium, such as "email"; "" while it is not known."""
    state: ToldState
    at: float | None = None
    """When it was delivered, since when it fails; None in other states."""
    why: str = ""
    """Of what is suppressed: "inhibited", "silenced", "muted" in a time interval, "outside" one."""
    by: str = ""
    """The alert that inhibits, the person who silenced, the time interval."""
    until: float | None = None
    """When the silence ends."""

    @property
    def key(self) -> tuple[str, str]:
        """Return what tells it from others of its alert."""
        return self.receiver, self.integration


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert as Alertmanager or Prometheus reports it, or as it is judged here."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    firing: bool = True
    starts_at: float
    ends_at: float | None = None
    """When it ended; None while it fires."""
    updated_at: float | None = None
    """When Alertmanager last received it, by its own clock, as of a poll."""
    suppressed: str | None = None
    """"silenced", "inhibited" or "" as of a poll; None where the source does not know."""
    receivers: tuple[str, ...] = ()
    """Whom the routes name, as of a poll."""
    held_by: tuple[str, ...] = ()
    """Fingerprints of the alerts that inhibit it, as of a poll."""
    silenced_by: tuple[str, ...] = ()
    """Ids of the silences that match it, as of a poll."""
    told: tuple[Told, ...] | None = None
    """Who was told, as of a poll; None where the source does not know."""
    reason: str = ""
    """Why Alertmanager sent the message, since 0.32: "first notification" and others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """What an incident knows of one of its alerts."""

    fingerprint: str
    severity: str
    firing: bool
    starts_at: float
    ended_at: float | None = None
    """The last known end; it stays while the alert fires again."""
    missed_since: float | None = None
    """Since when polls do not list it although it should fire."""
    suppressed: str = ""
    held_by: tuple[str, ...] = ()
    """Fingerprints of the alerts that inhibit it."""
    told: tuple[Told, ...] | None = None
    """Empty if no receiver of it reaches anybody; None before the first poll."""
    heard_at: float | None = None
    """When the end came to be known here: only a later poll shows that it was false."""
    known_at: float | None = None
    """When it came to be known here that it fires: an earlier poll did not show it."""
    ended_after: float | None = None
    """Of an end that polls concluded: it was after this. A message with the true end replaces it.
    While the alert is missed: the last poll that showed it."""

    @property
    def spell(self) -> Spell:
        """Return from when to when it fired, as far as is known; without end while it fires."""
        end = inf if self.firing else max(self.starts_at, self.ended_at or 0.0)
        return self.starts_at, end, self.severity

    @property
    def sure_spell(self) -> Spell:
        """Return `spell`, of an end that polls concluded only until the last that showed it.

        As a time of the past it can only grow: the true end may come yet, and may be earlier.
        """
        if self.firing or self.ended_after is None:
            return self.spell
        return self.starts_at, max(self.starts_at, self.ended_after), self.severity


Spell = tuple[float, float, str]
"""Start, end and severity of one time in which an alert fired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a timeline."""

    at: float
    kind: EntryKind
    by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One episode of trouble: all alerts of one key from the first to fire to the last to end."""

    id: str
    key: str
    alertname: str
    service: str = ""
    environment: str = ""
    provider: str = ""
    team: str = ""
    category: str = ""
    slo: str = ""
    severity: str
    """The worst that it reached."""
    reached: tuple[str, ...] = ()
    """Every severity that it reached."""
    summary: str = ""
    description: str = ""
    runbook_url: str = ""
    started_at: float
    acknowledged_at: float | None = None
    acknowledged_by: str = ""
    resolved_at: float | None = None
    resolved_by: str = ""
    by_person: bool = False
    """Whether a person resolved it: then only alerts that begin later open it again."""
    reopened: int = 0
    manual: bool = False
    """Whether a person made it: then no poll and no message of Alertmanager ends it."""
    receivers: tuple[str, ...] = ()
    alerts: tuple[AlertState, ...] = ()
    past: tuple[Spell, ...] = ()
    """When its alerts fired before what `alerts` says of them; the oldest first."""
    timeline: tuple[Entry, ...] = ()
    """The oldest first; filled where it is asked for."""

    @property
    def status(self) -> IncidentStatus:
        if self.resolved_at is not None:
            return IncidentStatus.RESOLVED
        if self.acknowledged_at is not None:
            return IncidentStatus.ACKNOWLEDGED
        return IncidentStatus.OPEN

    def dated(self) -> Incident:
        """Return it with the last end in its timeline at the time that is known of it now.

        An end may be heard twice: when the alert is seen no more, and later with its true time.
        """
        ends = [at for at, one in enumerate(self.timeline) if one.kind is EntryKind.RESOLVED]
        if self.resolved_at is None or not ends or self.timeline[ends[-1]].at == self.resolved_at:
            return self
        entries = list(self.timeline)
        entries[ends[-1]] = replace(entries[ends[-1]], at=self.resolved_at)
        return replace(self, timeline=tuple(sorted(entries, key=lambda one: one.at)))

    @property
    def suppressed(self) -> str:
        """How its firing alerts are kept from people: "silenced", "inhibited", or "" if not all."""
        states = {state.suppressed for state in self.alerts if state.firing}
        if not states or "" in states:
            return ""
        return "silenced" if "silenced" in states else "inhibited"

    @property
    def held_by(self) -> tuple[str, ...]:
        """Return the fingerprints of what inhibits it; empty unless all of it is inhibited."""
        if self.suppressed != "inhibited" or self.resolved_at is not None:
            return ()
        found = (print_ for state in self.alerts if state.firing for print_ in state.held_by)
        return tuple(dict.fromkeys(found))

    @property
    def judged(self) -> bool:
        """Whether a poll has shown who was told, or that nobody is to be."""
        return any(state.told is not None for state in self.alerts)

    @property
    def told(self) -> tuple[Told, ...]:
        """Return what is known of each integration: the best news of any of its alerts.

        What was delivered stays; of an alert that has ended nothing else counts, unless no alert
        fires any more.
        """
        over = not any(state.firing for state in self.alerts)
        found: dict[tuple[str, str], Told] = {}
        for state in self.alerts:
            for told in state.told or ():
                if not (state.firing or over or told.state is ToldState.DELIVERED):
                    continue
                former = found.get(told.key)
                if former is None or _news(told) < _news(former):
                    found[told.key] = told
        return tuple(found[key] for key in sorted(found))


_NEWS = tuple(ToldState)


def _news(told: Told) -> tuple[int, float]:
    return _NEWS.index(told.state), told.at or 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which incidents are wanted; empty texts mean any."""

    severity: str = ""
    status: str = ""
    service: str = ""
    environment: str = ""
    limit: int = 100
    before: tuple[float, str] | None = None
    """Only what comes after this (started_at, id) in the order newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Sums over every incident kept; mean times in seconds, None without one."""

    total: int
    open: int
    acknowledged: int
    resolved: int
    mttr_seconds: float | None
    mtta_seconds: float | None
    by_severity: Mapping[str, int]
    by_service: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """A histogram of durations in seconds: how many are at most each bound, all, their sum."""

    buckets: tuple[int, ...]
    count: int
    sum: float

    def least(self, former: Times) -> Times:
        """Return these, nothing of it below *former*."""
        pairs = zip(self.buckets, former.buckets, strict=True)
        return Times(
            buckets=tuple(max(pair) for pair in pairs),
            count=max(self.count, former.count),
            sum=max(self.sum, former.sum),
        )


Row = tuple[str, str, str]
"""Service, environment, provider."""
RESOLVE_BUCKETS = (60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 86400.0)
ACKNOWLEDGE_BUCKETS = (30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 14400.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The figures of the log that are exported as metrics."""

    open: Mapping[tuple[Row, str], int] = field(default_factory=dict)
    """Incidents that are not resolved, by row and severity."""
    total: Mapping[tuple[Row, str], int] = field(default_factory=dict)
    """Incidents ever, by row and each severity that they reached."""
    acknowledged: Mapping[Row, bool] = field(default_factory=dict)
    """By service with an open incident: whether its outage is acknowledged."""
    resolve: Mapping[Row, Times] = field(default_factory=dict)
    acknowledge: Mapping[Row, Times] = field(default_factory=dict)
    changed: frozenset[Row] | None = field(default=None, compare=False)
    """The rows that differ from the counts before; None if any may."""
