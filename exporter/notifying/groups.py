"""When a group is told of what: group_wait, group_interval, repeat_interval. Pure.

As Alertmanager 0.25 decides (dispatch/dispatch.go, notify/notify.go: DedupStage), but for three
things. An alert that was told has its end told, also while another one inhibits it, and is in its
group's messages until then. An alert that ended before anybody was told of it is in none. What a
medium could not be told is told as it is when the medium is back, not as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from exporter.incidents.model import Alert
from exporter.notifying.messages import Message, Waiting, in_order, rank_of
from exporter.notifying.routes import GroupKey


@dataclass(frozen=True, slots=True)
class Told:
    """An alert that an entry knows as firing."""

    alert: Alert
    at: float
    """The Unix time of the first message about it."""


@dataclass(slots=True)
class Group:
    """The alerts of one group as one entry knows them; ticks are monotonic seconds."""

    entry: str
    key: GroupKey
    due: float
    """The tick at which it is looked at."""
    flushed: bool = False
    firing: dict[str, Alert] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    ends: dict[str, float] = field(default_factory=dict)
    """Unix times at which alerts ended that were told, or may have been."""
    sent: float | None = None
    """The tick of its last message."""
    waiting: Waiting | None = None
    failing_since: float | None = None
    """The Unix time since which no message about it could be delivered; None if none failed."""

    def add(self, alert: Alert, tick: float, now: float) -> bool:
        """Note that *alert* fires; return whether an end that was noted is undone by that."""
        known = alert.fingerprint in self.firing
        self.firing[alert.fingerprint] = alert
        route = self.key.route
        if not known and not self.flushed and alert.starts_at + route.wait < now:
            self.due = min(self.due, tick)
        return self.ends.pop(alert.fingerprint, None) is not None

    def end(self, fingerprint: str, tick: float, now: float) -> bool:
        """Note that an alert fires no more; return whether anybody is to know."""
        ended = self.firing.pop(fingerprint, None)
        if not self.perhaps_told(fingerprint):
            return False
        if self.waiting is not None and not self.waiting.begun:
            self.due = min(self.due, tick)  # what waits says that it fires
        started = ended.starts_at if ended is not None else 0.0
        self.ends[fingerprint] = max(now, started)
        return True

    def perhaps_told(self, fingerprint: str) -> bool:
        """Return whether the entry knows of the alert, or may once what waits is sent."""
        if fingerprint in self.told:
            return True
        return self.waiting is not None and fingerprint in self.waiting.mentioned

    def holds(self, fingerprint: str) -> bool:
        """Return whether the alert is still of interest to the entry."""
        return fingerprint in self.firing or self.perhaps_told(fingerprint)

    @property
    def rank(self) -> int:
        """Return how urgent it is, 0 the most."""
        return min(map(rank_of, self.firing.values()), default=9)

    @property
    def empty(self) -> bool:
        return not (self.firing or self.told or self.ends or self.waiting)

    def flush(self, tick: float, now: float, new_id: Callable[[], str]) -> Message | None:
        """Return what is to be told now instead of what waits; None if nothing is.

        What waits stays as it is if it says the same. Afterwards `due` is the next look.
        """
        self.due, self.flushed = tick + self.key.route.interval, True
        perhaps = self.waiting.perhaps if self.waiting is not None else frozenset()
        known = {print_ for print_, firing in perhaps if firing} | self.told.keys()
        over = {print_ for print_, firing in perhaps if not firing}
        for fingerprint in self.ends.keys() - known:
            del self.ends[fingerprint]  # nobody was told that it fired
        shown = [a for f, a in self.firing.items() if not a.suppressed or f in known]
        audible = [a for a in shown if not a.suppressed]
        unknown = {a.fingerprint for a in audible} - (self.told.keys() - over)
        news = bool(self.ends or unknown)
        repeat = self.sent is not None and tick - self.sent > self.key.route.repeat
        if not news and not (audible and repeat):
            return None
        alerts = in_order((*shown, *self._ended()))
        prints = {alert.fingerprint for alert in alerts}
        return Message(
            id=new_id(),
            entry=self.entry,
            group=self.key,
            at=now,
            alerts=alerts,
            unsure=frozenset(said for said in perhaps if said[0] in prints),
        )

    def _ended(self) -> list[Alert]:
        found = (
            {one.fingerprint: one for one in self.waiting.message.alerts} if self.waiting else {}
        )
        found |= {fingerprint: told.alert for fingerprint, told in self.told.items()}
        return [
            replace(found[fingerprint], firing=False, ends_at=at, suppressed="")
            for fingerprint, at in self.ends.items()
        ]

    def delivered(self, message: Message, tick: float, now: float) -> None:
        """Note that *message*, which waited, was received."""
        self.waiting, self.sent, self.failing_since = None, tick, None
        for alert in message.firing:
            former = self.told.get(alert.fingerprint)
            self.told[alert.fingerprint] = Told(alert, former.at if former else now)
        self._forget(message)

    def gave_up(self, message: Message) -> None:
        """Note that *message* will not be tried any more; what still fires is told anew."""
        self.waiting = None
        self._forget(message)

    def _forget(self, message: Message) -> None:
        for alert in message.resolved:
            self.told.pop(alert.fingerprint, None)
            self.ends.pop(alert.fingerprint, None)
        for fingerprint in self.ends.keys() - self.told.keys():
            del self.ends[fingerprint]
