"""What outlives a restart: messages on their way, and who knows of which alert.

The `Storage` that keeps it is given; rows hold JSON. Whatever was on its way when the process ended
may have been received, so it is sent again under the same id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from exporter.incidents.alerts import fingerprint as fingerprint_of
from exporter.incidents.model import Alert
from exporter.notifying.groups import Told
from exporter.notifying.messages import Message, in_order
from exporter.notifying.routes import GroupKey, group_of, route_of

_Item = TypeVar("_Item")


class OutboxRow(NamedTuple):
    """One message on its way; there is at most one for each entry and group."""

    entry: str
    group_key: str
    id: str
    at: float
    alerts: str
    """JSON: a list of alerts."""
    unsure: str
    """JSON: a list of fingerprints, each after + if it was said to fire, or - if to be over."""


class ToldRow(NamedTuple):
    """One alert that an entry knows as firing. Times are Unix."""

    entry: str
    fingerprint: str
    alert: str
    """JSON."""
    at: float
    """When it was first told."""
    sent_at: float
    """When it was last told."""
    ended_at: float | None
    """When it ended, of which the entry is still to be told."""


class Note(NamedTuple):
    """That an entry knows an alert, to be written. Times are Unix."""

    told: Told
    sent_at: float
    ended_at: float | None


class Written(NamedTuple):
    """What is to be written: whole entries that go, then rows that go, then rows."""

    entries: list[tuple[str]]
    no_outbox: list[tuple[str, str]]
    outbox: list[OutboxRow]
    no_told: list[tuple[str, str]]
    told: list[ToldRow]


@dataclass(slots=True)
class Changes:
    """What is to be written next, by entry and group or fingerprint; None for what goes."""

    outbox: dict[tuple[str, str], Message | None] = field(default_factory=dict)
    told: dict[tuple[str, str], Note | None] = field(default_factory=dict)
    entries: set[str] = field(default_factory=set)
    """Entries of which everything goes; before the rest."""

    def __bool__(self) -> bool:
        return bool(self.outbox or self.told or self.entries)

    def before(self, later: Changes) -> Changes:
        """Return these and what came *later*."""

        def of_others(rows: Mapping[tuple[str, str], _Item]) -> dict[tuple[str, str], _Item]:
            return {key: row for key, row in rows.items() if key[0] not in later.entries}

        return Changes(
            outbox=of_others(self.outbox) | later.outbox,
            told=of_others(self.told) | later.told,
            entries=self.entries | later.entries,
        )

    def written(self) -> Written:
        """Return the rows; with thousands of alerts that takes a while, so do it in a thread."""
        return Written(
            [(entry,) for entry in sorted(self.entries)],
            [key for key, message in self.outbox.items() if message is None],
            [_outbox_row(message) for message in self.outbox.values() if message is not None],
            [key for key, note in self.told.items() if note is None],
            [_told_row(key[0], note) for key, note in self.told.items() if note is not None],
        )


class Storage(Protocol):
    """Keeps the rows; each method waits for the disk."""

    def load(self) -> tuple[list[OutboxRow], list[ToldRow]]:
        """Return every row that can be read."""

    def save(self, rows: Written) -> None:
        """Write *rows*, all of them or none."""


def _outbox_row(message: Message) -> OutboxRow:
    alerts = ",".join(map(_written, message.alerts))
    unsure = json.dumps(sorted(f"{'+' if firing else '-'}{one}" for one, firing in message.unsure))
    key = message.group.text
    return OutboxRow(message.entry, key, message.id, message.at, f"[{alerts}]", unsure)


def _told_row(entry: str, note: Note) -> ToldRow:
    alert = note.told.alert
    text = _written(alert)
    return ToldRow(entry, alert.fingerprint, text, note.told.at, note.sent_at, note.ended_at)


def _written(alert: Alert) -> str:
    return json.dumps(
        {
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "starts_at": alert.starts_at,
            "ends_at": None if alert.firing else alert.ends_at,
            "fingerprint": alert.fingerprint,
        },
        separators=(",", ":"),
    )


def message_of(row: OutboxRow) -> Message | None:
    """Return the message that *row* keeps; None if it cannot be read or is nobody's."""
    try:
        alerts = [_alert(one) for one in json.loads(row.alerts)]
        unsure = frozenset((one[1:], one[:1] == "+") for one in map(str, json.loads(row.unsure)))
        group = key_of(alerts[0])
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
    if group is None:
        return None
    return Message(
        id=row.id,
        entry=row.entry,
        group=group,
        at=row.at,
        alerts=in_order(alerts),
        unsure=unsure,
    )


def alert_of(row: ToldRow) -> Alert | None:
    """Return the alert that *row* keeps; None if it cannot be read."""
    try:
        return _alert(json.loads(row.alert))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _alert(kept: Mapping[str, Any]) -> Alert:
    labels, notes = _texts(kept["labels"]), _texts(kept["annotations"])
    ends = kept["ends_at"]
    return Alert(
        fingerprint=str(kept.get("fingerprint") or fingerprint_of(labels)),
        labels=labels,
        annotations=notes,
        firing=ends is None,
        starts_at=float(kept["starts_at"]),
        ends_at=None if ends is None else float(ends),
    )


def _texts(kept: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(text) for name, text in kept.items()}


def key_of(alert: Alert) -> GroupKey | None:
    """Return the group that *alert* is in, None if it is nobody's message."""
    route = route_of(alert.labels)
    return None if route is None else group_of(route, alert.labels)
