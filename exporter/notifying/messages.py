"""A message: which alerts of one group are told to one entry, in Alertmanager's order. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from exporter.incidents.model import Alert
from exporter.notifying.routes import GroupKey

_RANKS = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_FIRST = ("job", "instance")
MOST_SORTED = 2000
Said = frozenset[tuple[str, bool]]
"""Fingerprints, each with whether the alert is said to fire or to be over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent, whole: every medium makes its own text of it."""

    id: str
    """Stays the same for every try: receivers can tell a repetition by it."""
    entry: str
    group: GroupKey
    at: float
    """When it was decided, a Unix time."""
    alerts: tuple[Alert, ...]
    unsure: Said = frozenset()
    """What an earlier message, in the place of which this one is, may have said."""

    @property
    def firing(self) -> list[Alert]:
        return [alert for alert in self.alerts if alert.firing]

    @property
    def resolved(self) -> list[Alert]:
        return [alert for alert in self.alerts if not alert.firing]

    @property
    def status(self) -> str:
        return "firing" if self.firing else "resolved"

    @property
    def rank(self) -> int:
        """Return how urgent it is, 0 the most."""
        return min((rank_of(alert) for alert in self.alerts), default=9)

    @property
    def content(self) -> Said:
        """Return what makes it differ from another message about its group."""
        return frozenset((alert.fingerprint, alert.firing) for alert in self.alerts)

    @property
    def dedup_key(self) -> str:
        """Return the name of the group for PagerDuty, which is also Alertmanager's (notify.Key)."""
        return hashlib.sha256(self.group.text.encode()).hexdigest()

    @property
    def common_labels(self) -> dict[str, str]:
        return _common(alert.labels for alert in self.alerts)

    @property
    def common_annotations(self) -> dict[str, str]:
        return _common(alert.annotations for alert in self.alerts)


def rank_of(alert: Alert) -> int:
    return _RANKS.get(alert.labels.get("severity", ""), 1)


def _common(texts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    first, *others = texts
    common = dict(first)
    for other in others:
        common = {name: text for name, text in common.items() if other.get(name) == text}
    return common


def in_order(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """Return *alerts* sorted as Alertmanager does: types.AlertSlice and model.LabelSet.Before.

    By job, by instance, those without last; then by the number of labels; then by the value of
    each label, the names in their order, those without first. More than `MOST_SORTED` stay as they
    are: nobody reads them, and sorting would hold the loop.
    """
    given = list(alerts)
    if len(given) > MOST_SORTED:
        return tuple(given)
    names = sorted({name for alert in given for name in alert.labels})

    def place(alert: Alert) -> tuple[object, ...]:
        labels = alert.labels
        first = [(name not in labels, labels.get(name, "")) for name in _FIRST]
        return (*first, len(labels), *[labels.get(name, "") for name in names])

    return tuple(sorted(given, key=place))


@dataclass(slots=True)
class Waiting:
    """A message on its way, and how its delivery fares; ticks are monotonic seconds."""

    message: Message
    since: float
    """The tick from which on it is tried."""
    attempts: int = 0
    not_before: float = 0.0
    """A tick."""
    failing_since: float | None = None
    """The Unix time of the first failed try; None while none has failed."""
    why: str = ""
    begun: bool = False
    """Whether it may have been received: a try was begun, or it is from before a restart."""
    under_way: bool = False
    mentioned: frozenset[str] = field(init=False)
    """Fingerprints that it, or one before it, calls firing."""

    def __post_init__(self) -> None:
        said = self.message.content | self.message.unsure
        self.mentioned = frozenset(print_ for print_, firing in said if firing)

    @property
    def perhaps(self) -> Said:
        """Return what may have been received of it, or of one before it."""
        return self.message.unsure | (self.message.content if self.begun else frozenset())

    def go_on_from(self, former: Waiting) -> None:
        """Take the place of *former*, about the same group: tries and failures count on."""
        self.since, self.attempts = former.since, former.attempts
        self.not_before, self.failing_since = former.not_before, former.failing_since

    @property
    def order(self) -> tuple[int, int, float]:
        """Return its place among those that are due: what failed least, then the worst."""
        return self.attempts, self.message.rank, self.message.at
