"""The groups of every entry, who is interested in which alert, and what of it is to be kept.

No I/O and no clock: the caller brings times, ticks (monotonic seconds) and rows.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import replace

from exporter.incidents.model import Alert, Told, ToldState
from exporter.notifying import kept
from exporter.notifying.groups import Group
from exporter.notifying.groups import Told as Known
from exporter.notifying.messages import Waiting
from exporter.notifying.routes import GroupKey
from exporter.notifying.sending import GIVE_UP_SECONDS, Entry

Place = tuple[str, str]
"""The name of an entry and the key of a group."""


class Book:
    """What is known of every group."""

    def __init__(self) -> None:
        self.groups: dict[Place, Group] = {}
        self.waiting: dict[str, dict[str, Group]] = {}
        """By entry: its groups with a message on its way, by key."""
        self.current: dict[str, Alert] = {}
        """What fires as of the last evaluation; before the first, what is known to have fired."""
        self.changes = kept.Changes()
        self._members: dict[str, set[Place]] = {}
        """By fingerprint: the groups that are interested in the alert."""

    # -- alerts --------------------------------------------------------------------------------

    def add(self, alert: Alert, key: GroupKey, entry: str, tick: float, now: float) -> None:
        """Note that *alert* fires and is for *entry*."""
        group = self._group(entry, key, tick)
        if group.add(alert, tick, now):
            self._keep_told(group, (alert.fingerprint,), tick, now)
        self._members.setdefault(alert.fingerprint, set()).add((entry, key.text))

    def end(self, fingerprint: str, tick: float, now: float) -> None:
        """Note that an alert has ended."""
        for place in list(self._members.get(fingerprint, ())):
            group = self.groups[place]
            if group.end(fingerprint, tick, now):
                self._keep_told(group, (fingerprint,), tick, now)
            else:
                self._unlink(group, fingerprint)

    def leave(self, fingerprint: str, entries: Collection[str]) -> list[str]:
        """Take an alert from groups of others than *entries*, after a change of the configuration.

        Return the entries that were told of it, or may have been: they stay until its end.
        """
        staying = []
        for place in list(self._members.get(fingerprint, ())):
            group = self.groups[place]
            if place[0] in entries:
                continue
            if group.perhaps_told(fingerprint):
                staying.append(place[0])
            else:
                group.firing.pop(fingerprint, None)
                self._unlink(group, fingerprint)
        return staying

    def _group(self, entry: str, key: GroupKey, tick: float) -> Group:
        place = (entry, key.text)
        if place not in self.groups:
            self.groups[place] = Group(entry, key, tick + key.route.wait)
        return self.groups[place]

    def _unlink(self, group: Group, fingerprint: str) -> None:
        if (places := self._members.get(fingerprint)) is not None:
            places.discard((group.entry, group.key.text))
            if not places:
                del self._members[fingerprint]

    def _unlink_done(self, group: Group, fingerprints: Iterable[str]) -> None:
        """Forget those alerts in which *group* is not interested any more, and an empty group."""
        for fingerprint in fingerprints:
            if not group.holds(fingerprint):
                self._unlink(group, fingerprint)
        if group.empty:
            self.groups.pop((group.entry, group.key.text), None)

    def _keep_told(
        self, group: Group, fingerprints: Iterable[str], tick: float, now: float
    ) -> None:
        """Note for the next save what *group* knows of these alerts."""
        sent = now if group.sent is None else max(0.0, now - (tick - group.sent))
        for one in fingerprints:
            if told := group.told.get(one):
                note = kept.Note(told, sent, group.ends.get(one))
                self.changes.told[group.entry, one] = note

    # -- messages ------------------------------------------------------------------------------

    def flush(self, group: Group, tick: float, now: float) -> None:
        """Decide what is told of *group* now, in place of what waits."""
        place, former = (group.entry, group.key.text), group.waiting
        concerned = {*group.ends, *(former.mentioned if former is not None else ())}
        message = group.flush(tick, now, lambda: secrets.token_hex(16))
        if message is None:
            if former is not None and not former.perhaps:
                self._off_the_list(group)  # all of it is over before anybody was told
        elif former is None or former.message.content != message.content:
            group.waiting = Waiting(message, since=tick)
            if former is not None:
                group.waiting.go_on_from(former)
            self.waiting.setdefault(group.entry, {})[group.key.text] = group
            self.changes.outbox[place] = message
        self._unlink_done(group, concerned)

    def _off_the_list(self, group: Group) -> None:
        group.waiting = None
        self.waiting.get(group.entry, {}).pop(group.key.text, None)
        self.changes.outbox[group.entry, group.key.text] = None

    def is_current(self, group: Group, waiting: Waiting) -> bool:
        """Return whether *waiting* still is the message of *group*: its entry may have gone."""
        known = self.groups.get((group.entry, group.key.text))
        return known is group and group.waiting is waiting

    def done(self, group: Group, waiting: Waiting, *, sent: bool, tick: float, now: float) -> None:
        """Note that *waiting* was delivered, or was given up."""
        self._off_the_list(group)
        message = waiting.message
        if sent:
            group.delivered(message, tick, now)
        else:
            group.gave_up(message)
            group.failing_since = waiting.failing_since
        for alert in message.resolved:
            if alert.fingerprint not in group.told:
                self.changes.told[group.entry, alert.fingerprint] = None
        self._keep_told(group, [alert.fingerprint for alert in message.firing], tick, now)
        mentioned = (alert.fingerprint for alert in message.alerts)
        self._unlink_done(group, {*mentioned, *waiting.mentioned})

    def drop(self, entry: str) -> int:
        """Forget everything of *entry*; return how many messages were on their way."""
        for place in [place for place in self.groups if place[0] == entry]:
            group = self.groups.pop(place)
            mentioned = group.waiting.mentioned if group.waiting is not None else ()
            for fingerprint in {*group.firing, *group.told, *group.ends, *mentioned}:
                self._unlink(group, fingerprint)
        self.changes = self.changes.before(kept.Changes(entries={entry}))
        waiting = self.waiting.pop(entry, {})
        lost = len(waiting)
        waiting.clear()  # its sender has it too
        return lost

    # -- what is kept --------------------------------------------------------------------------

    def restore(
        self,
        rows: tuple[list[kept.OutboxRow], list[kept.ToldRow]],
        entries: Collection[str],
        tick: float,
        now: float,
    ) -> None:
        """Take over *rows*; those of others than *entries* go."""
        for told in rows[1]:
            self._restore_told(told, entries, tick, now)
        for row in rows[0]:
            self._restore_message(row, entries, tick, now)

    def _restore_told(
        self, row: kept.ToldRow, entries: Collection[str], tick: float, now: float
    ) -> None:
        alert = kept.alert_of(row)
        key = None if alert is None else kept.key_of(alert)
        if alert is None or key is None or row.entry not in entries:
            self.changes.told[row.entry, row.fingerprint] = None
            return
        group, fingerprint = self._group(row.entry, key, tick), alert.fingerprint
        group.told[fingerprint] = Known(alert, row.at)
        if row.ended_at is None:
            self.current.setdefault(fingerprint, alert)
        else:
            group.ends[fingerprint] = row.ended_at
        sent = tick - max(0.0, now - row.sent_at)
        group.sent = sent if group.sent is None else max(group.sent, sent)
        self._members.setdefault(fingerprint, set()).add((row.entry, key.text))

    def _restore_message(
        self, row: kept.OutboxRow, entries: Collection[str], tick: float, now: float
    ) -> None:
        message = kept.message_of(row)
        if message is None or row.entry not in entries or message.group.text != row.group_key:
            self.changes.outbox[row.entry, row.group_key] = None
            return
        key = message.group
        group = self._group(row.entry, key, tick)
        age = min(max(0.0, now - message.at), GIVE_UP_SECONDS)
        group.waiting = Waiting(message, since=tick - age, begun=True)
        self.waiting.setdefault(row.entry, {})[key.text] = group
        for alert in message.alerts:
            self._members.setdefault(alert.fingerprint, set()).add((row.entry, key.text))
            if alert.ends_at is None:
                self.current.setdefault(alert.fingerprint, alert)
            else:
                group.ends[alert.fingerprint] = alert.ends_at

    # -- what is known -------------------------------------------------------------------------

    def told(self, fingerprint: str, entries: dict[str, Entry]) -> tuple[Told, ...]:
        """Return what each of *entries* knows of an alert that it is interested in."""
        places = sorted(self._members.get(fingerprint, ()))
        return tuple(
            self._told(entries[place[0]], self.groups[place], fingerprint)
            for place in places
            if place[0] in entries
        )

    def _told(self, entry: Entry, group: Group, fingerprint: str) -> Told:
        medium = entry.setting.medium

        def told(state: ToldState, at: float | None = None) -> Told:
            return Told(receiver=entry.name, integration=medium, state=state, at=at)

        if known := group.told.get(fingerprint):
            return told(ToldState.DELIVERED, known.at)
        alert, waiting = group.firing.get(fingerprint), group.waiting
        if alert is not None and alert.suppressed:
            causes = (self.current.get(one) for one in alert.held_by)
            names = (cause.labels.get("alertname", "") for cause in causes if cause is not None)
            held = told(ToldState.SUPPRESSED)
            return replace(held, why=alert.suppressed, by=next(names, ""))
        since = group.failing_since if waiting is None else waiting.failing_since
        if waiting is not None and since is None and entry.failing_since is not None:
            since = max(entry.failing_since, waiting.message.at)
        return told(ToldState.PENDING) if since is None else told(ToldState.FAILING, since)
