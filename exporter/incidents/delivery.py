"""Who was told: what Alertmanager's counters prove about the messages of each alert. Pure.

Alertmanager serves no log of its notifications. That a message was delivered is concluded: an
integration of the alert's receiver has counted a message sent since the last poll at which the
alert was not there, or was held back. So "delivered" means that this integration works and has sent
since; where the counters do not tell receivers apart it may have been the message of another alert.
What is not certain is called unknown, never delivered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from exporter.incidents.alerts import WATCHDOG, key_of
from exporter.incidents.evidence import Counters, Group, Grouped, Key, Routing, Silence, Tally
from exporter.incidents.model import Alert, Told, ToldState

CLEAN_SECONDS = 90.0
"""Without a failed try for so long, what was sent is not another alert's: tries repeat sooner."""
_LONGEST_GAP = 90.0
_LATE = 1.005
"""Of a wait: by so much a poll that is due at its end may be later, as sending takes its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the peers that answered show together besides their alerts."""

    counters: Mapping[str, Counters | None] = field(default_factory=dict)
    """By the address of each peer; None of one that serves none or does not answer."""
    routing: Routing | None = None
    grouped: Mapping[tuple[str, str], Grouped] = field(default_factory=dict)
    silences: Mapping[str, Silence] = field(default_factory=dict)
    started: float = 0.0
    """When the youngest peer started."""


@dataclass(frozen=True, slots=True)
class _Delta:
    """What one key counted between two polls."""

    sent: bool = False
    failed: bool = False
    sure: bool = False
    """Whether nothing else can have been sent: every peer was seen both times, none restarted."""


@dataclass(slots=True)
class _Message:
    """The message about one alert to one integration of a receiver, on its way."""

    unsure: bool
    """Whether it may have been sent before the first look."""
    earliest: float = -inf
    """The tick before which it cannot have been sent: its group is new and waits."""
    mixed: bool = False
    """Whether one of several messages was sent and another was not."""
    sent_at: float | None = None
    failed_at: float | None = None
    failed_tick: float = 0.0
    failing_since: float | None = None
    delivered: bool = False

    def learn(self, delta: _Delta, now: float, tick: float, *, crowd: int, exact: bool) -> None:
        """Draw the conclusion of *delta*, with *crowd* groups waiting for the same counter.

        *tick* is when the counters were asked; *exact*: the counter is of this receiver alone.
        """
        alone = exact and crowd < 2
        self.unsure |= not delta.sure
        if tick < self.earliest:
            return  # what was sent is another group's
        if delta.failed:
            self.failed_at, self.failed_tick = now, tick
            self.failing_since = self.failing_since or now
            self.mixed |= delta.sent and crowd > 1
            self.sent_at = now if delta.sent and not self.mixed else None
        elif delta.sent:
            self.sent_at = self.sent_at or now
        clean = self.failed_at is None or tick - self.failed_tick >= CLEAN_SECONDS
        self.delivered = self.sent_at is not None and (clean or alone)

    def told(self, receiver: str, integration: str) -> Told:
        if self.delivered:
            state, at = ToldState.DELIVERED, self.sent_at
        elif self.mixed or (self.failed_at and self.sent_at):
            state, at = ToldState.UNKNOWN, None
        elif self.failed_at is not None:
            state, at = ToldState.FAILING, self.failing_since
        else:
            state, at = (ToldState.UNKNOWN if self.unsure else ToldState.PENDING), None
        return Told(receiver=receiver, integration=integration, state=state, at=at)


Line = tuple[str, str, str]
"""A fingerprint, a receiver, an integration."""


class DeliveryWatch:
    """Follows the messages about alerts from poll to poll."""

    def __init__(self, longest_gap: float = _LONGEST_GAP) -> None:
        """*longest_gap*: seconds between two polls over which a difference proves nothing."""
        self._longest_gap = longest_gap
        self._messages: dict[Line, _Message] = {}
        self._former: Evidence | None = None
        self._former_tick = 0.0

    def judged(
        self,
        alerts: Sequence[Alert],
        seen: Evidence,
        ours: frozenset[str],
        *,
        now: float,
        asked: float,
        tick: float,
    ) -> list[Alert]:
        """Return *alerts* with who was told of each; *ours* are receivers that only reach us.

        Spans are counted by the monotonic ticks at which the peers were *asked*, for the counters
        first, and all of them had answered, *tick*; the Unix time *now* is what people are shown.
        """
        recent = tick - self._former_tick <= self._longest_gap
        judging = _Judging(self._former if recent else None, seen, ours, alerts)
        known = self._messages
        waiting = [line for alert in alerts for line in judging.lines(alert)]
        crowds = defaultdict[Key, set[Group]](set)
        for fingerprint, receiver, integration in waiting:
            former = known.get((fingerprint, receiver, integration))
            if former is None or not former.delivered:
                group = judging.group(fingerprint, receiver)
                crowds[judging.key(receiver, integration)].add(group)
        self._messages = {line: known.get(line) or _Message(unsure=False) for line in waiting}
        starts = {alert.fingerprint: alert.starts_at for alert in alerts}
        waits = judging.waits(alerts)
        for line, message in self._messages.items():
            key = judging.key(*line[1:])
            if line not in known:
                # Before it started, another process may have sent what its counters do not show.
                message.unsure = self._former is None or starts[line[0]] < seen.started
                wait = waits.get(judging.group(line[0], line[1]), -inf)
                message.earliest = self._former_tick + wait * _LATE
            if not message.delivered:
                message.learn(
                    judging.delta(key), now, asked, crowd=len(crowds[key]), exact=judging.is_exact
                )
        self._former, self._former_tick = seen, tick
        found = [replace(one, told=tuple(self._told(one, judging))) for one in alerts]
        return _by_the_ladder(found)

    def _told(self, alert: Alert, judging: _Judging) -> Iterator[Told]:
        for receiver in alert.receivers:
            for integration in judging.integrations(receiver):
                line = (alert.fingerprint, receiver, integration)
                if held := judging.held(alert, receiver, integration):
                    yield held
                elif line in self._messages:
                    yield self._messages[line].told(receiver, integration)
                else:
                    yield Told(
                        receiver=receiver,
                        integration=integration,
                        state=ToldState.UNKNOWN,
                        by=judging.perhaps_muted(alert, receiver),
                    )


class _Judging:
    """What one poll shows in comparison with the one before."""

    def __init__(
        self,
        former: Evidence | None,
        seen: Evidence,
        ours: frozenset[str],
        alerts: Sequence[Alert],
    ) -> None:
        self._former, self._seen = former, seen
        self._deltas: dict[Key, _Delta] = {}
        self._groups = {one.group for one in former.grouped.values()} if former else set()
        self._names = {alert.fingerprint: alert.labels.get("alertname", "") for alert in alerts}
        routing = seen.routing or Routing(integrations={})
        self._ours = ours | routing.ours
        counted = [one for one in seen.counters.values() if one is not None]
        self.is_exact = bool(counted) and all(one.by_receiver for one in counted)
        # The log's own messages are counted too, and so they are while they cannot be told apart.
        self._noise = {"webhook"} if self._ours or routing.hidden else set[str]()
        for alert in alerts:  # the heartbeat is sent all the time
            if alert.labels.get("alertname") == WATCHDOG:
                for receiver in alert.receivers:
                    self._noise.update(routing.integrations.get(receiver, ("webhook",)))

    def integrations(self, receiver: str) -> tuple[str, ...]:
        """Return the media of *receiver* that reach somebody; ("",) if they are not known."""
        routing = self._seen.routing
        if routing is None or receiver not in routing.integrations:
            return () if receiver in self._ours else ("",)
        found = routing.integrations[receiver]
        if receiver in self._ours:
            found = tuple(name for name in found if name != "webhook")
        return found

    def lines(self, alert: Alert) -> Iterator[Line]:
        """Yield what is on its way for *alert* and can be counted."""
        for receiver in alert.receivers:
            for integration in self.integrations(receiver):
                countable = integration and (self.is_exact or integration not in self._noise)
                if not countable or self.perhaps_muted(alert, receiver):
                    continue
                if not self.held(alert, receiver, integration):
                    yield alert.fingerprint, receiver, integration

    def perhaps_muted(self, alert: Alert, receiver: str) -> str:
        """Return the time interval that may mute *alert* for all that Alertmanager says.

        Before 0.28 it does not say so. Then a message of the same medium is another alert's as
        likely as not, unless the receiver's own are counted.
        """
        grouped = self._seen.grouped.get((alert.fingerprint, receiver))
        if self.is_exact or self._seen.routing is None or (grouped and grouped.says_mutes):
            return ""
        return next(iter(self._seen.routing.limited.get(receiver, ())), "")

    def key(self, receiver: str, integration: str) -> Key:
        return integration, receiver if self.is_exact else ""

    def group(self, fingerprint: str, receiver: str) -> Group:
        grouped = self._seen.grouped.get((fingerprint, receiver))
        return (receiver, fingerprint) if grouped is None else grouped.group

    def waits(self, alerts: Sequence[Alert]) -> dict[Group, float]:
        """Return by group for how long nothing is sent of it after the poll before, in seconds.

        A group waits for its group_wait from its first alert on, which came after that poll if the
        group did. Only where that alert has fired for longer than this it is sent at once
        (dispatch.go): what Alertmanager received in time by its own clock has not.
        """
        routing = self._seen.routing
        if self._former is None or routing is None:
            return {}
        found = dict[Group, float]()
        for alert in alerts:
            for receiver in alert.receivers:
                grouped = self._seen.grouped.get((alert.fingerprint, receiver))
                if grouped is None or grouped.group in self._groups:
                    continue
                wait = routing.waits.get(receiver, 0.0)
                if alert.updated_at is None or alert.updated_at > alert.starts_at + wait:
                    wait = -inf
                found[grouped.group] = min(wait, found.get(grouped.group, inf))
        return found

    def delta(self, key: Key) -> _Delta:
        """Return what *key* counted on any peer since the poll before."""
        if key not in self._deltas:
            self._deltas[key] = self._delta(key)
        return self._deltas[key]

    def _delta(self, key: Key) -> _Delta:
        former = {} if self._former is None else self._former.counters
        sent = failed = False
        sure = bool(self._seen.counters)
        for peer, now in self._seen.counters.items():
            before = former.get(peer)
            if now is None or before is None or now.by_receiver != before.by_receiver:
                sure = False
                continue
            last, tally = before.of(key), now.of(key)
            if now.started != before.started or tally.sent < last.sent:
                sure, last = False, Tally()  # all that it counts it has sent since it restarted
            sent |= tally.sent > last.sent
            failed |= tally.failed > last.failed
        return _Delta(sent=sent, failed=failed, sure=sure)

    def held(self, alert: Alert, receiver: str, integration: str) -> Told | None:
        """Return what keeps *alert* from *receiver*, None if nothing does."""
        held = Told(receiver=receiver, integration=integration, state=ToldState.SUPPRESSED)
        if alert.suppressed == "silenced":
            found = [self._seen.silences.get(id_) for id_ in alert.silenced_by]
            last = max(filter(None, found), key=lambda one: one.until, default=None)
            if last is None:
                return replace(held, why="silenced")
            return replace(held, why="silenced", by=last.by, until=last.until)
        if alert.suppressed == "inhibited":
            causes = (self._names.get(print_, "") for print_ in alert.held_by)
            return replace(held, why="inhibited", by=next(filter(None, causes), ""))
        grouped = self._seen.grouped.get((alert.fingerprint, receiver))
        if grouped is None or not grouped.muted_by:
            return None
        active = self._seen.routing.active if self._seen.routing else frozenset()
        outside = next((name for name in grouped.muted_by if name in active), "")
        if outside:
            return replace(held, why="outside", by=outside)
        return replace(held, why="muted", by=grouped.muted_by[0])


def _by_the_ladder(alerts: Sequence[Alert]) -> list[Alert]:
    """Return *alerts*; of one trouble, what is held back has no say beside what is not.

    A trouble has an alert for each severity, and the highest holds back the others.
    """
    spoken = {
        key_of(one.labels)
        for one in alerts
        if any(told.state is not ToldState.SUPPRESSED for told in one.told or ())
    }

    def audible(alert: Alert) -> Alert:
        if key_of(alert.labels) not in spoken:
            return alert
        told = (told for told in alert.told or () if told.state is not ToldState.SUPPRESSED)
        return replace(alert, told=tuple(told))

    return [audible(alert) for alert in alerts]


def with_told(before: Sequence[Told], seen: Sequence[Told]) -> tuple[Told, ...]:
    """Return *seen* with what was known *before* and is not undone by not knowing it now."""
    known = {told.key: told for told in before}
    found = {told.key: told for told in before if told.state is ToldState.DELIVERED}
    for told in seen:
        former = known.get(told.key)
        if former is None or former.state not in (ToldState.DELIVERED, ToldState.FAILING):
            found[told.key] = told
        elif former.state is ToldState.FAILING:
            if told.state is ToldState.FAILING and former.at is not None:
                found[told.key] = replace(told, at=min(former.at, told.at or former.at))
            else:
                found[told.key] = former if told.state is ToldState.UNKNOWN else told
    return tuple(found[key] for key in sorted(found))
