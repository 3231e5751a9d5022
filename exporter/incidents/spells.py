"""The times in which alerts fired, put together into incidents: one result for any order. Pure.

Spells with at most the grace between them are one incident. What is known of a spell only grows,
so incidents are joined when a spell between them comes late, and parted when what seemed to hold
them together has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from exporter.incidents.alerts import worst
from exporter.incidents.model import SEVERITIES, AlertState, Entry, EntryKind, Incident, Spell

MOST_PAST = 64
"""Spells that an incident remembers beside the last of each alert; older ones become one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentChange:
    """An incident as it is now and what happened to it."""

    incident: Incident
    entries: tuple[Entry, ...] = ()
    absorbed: tuple[str, ...] = ()
    """Ids of incidents that are part of it now."""


@dataclass(slots=True)
class _Part:
    """Spells that belong together."""

    start: float
    end: float
    states: list[AlertState] = field(default_factory=list)
    past: list[Spell] = field(default_factory=list)

    @property
    def reached(self) -> tuple[str, ...]:
        found = {state.severity for state in self.states} | {spell[2] for spell in self.past}
        return ranked(found)


def ranked(severities: Iterable[str]) -> tuple[str, ...]:
    """Return each of *severities* once, the worst first."""
    found = set(severities)
    return tuple(severity for severity in SEVERITIES if severity in found)


def touches(incident: Incident, start: float, end: float, grace: float) -> bool:
    """Return whether *incident* and what lasted from *start* to *end* are one incident."""
    until = inf if incident.resolved_at is None else incident.resolved_at
    return start - until <= grace and incident.started_at - end <= grace


def with_past(incident: Incident, spell: Spell) -> Incident:
    """Return *incident* with a former *spell* of one of its alerts, unless that adds nothing."""
    start, end, severity = spell
    for s, e, what in incident.past:
        if s <= start and end <= e and what == severity:
            return incident
    return replace(incident, past=tuple(sorted((*incident.past, spell))))


def parts(incident: Incident, grace: float) -> list[_Part]:
    """Return the spells of *incident*, those that belong together as one; the oldest first."""
    given: list[tuple[Spell, AlertState | None]] = [(spell, None) for spell in incident.past]
    given += [(state.spell, state) for state in incident.alerts]
    first = min(spell[0] for spell, _ in given)
    if incident.started_at < first:  # as older versions kept it: the spells before are not known
        given.append(((incident.started_at, first, incident.severity), None))
    found: list[_Part] = []
    for spell, state in sorted(given, key=lambda one: one[0][:2]):
        start, end, _ = spell
        if not found or start - found[-1].end > grace:
            found.append(_Part(start, end))
        part = found[-1]
        part.end = max(part.end, end)
        if state is None:
            part.past.append(spell)
        else:
            part.states.append(state)
    for part in found:
        part.past = _shortened(part.past, grace)
    return found


def _shortened(past: list[Spell], grace: float) -> list[Spell]:
    """Return *past* with spells of one severity that never part again as one."""
    found: list[Spell] = []
    last: dict[str, int] = {}
    for start, end, severity in past:
        at = last.get(severity)
        if at is not None and start - found[at][1] <= grace:
            found[at] = (found[at][0], max(found[at][1], end), severity)
        else:
            last[severity] = len(found)
            found.append((start, end, severity))
    while len(found) > MOST_PAST:
        (start, end, one), (_, until, other) = found[:2]
        found[:2] = [(start, max(end, until), worst((one, other)))]
    return found


def parted(
    incident: Incident, source: str, new_id: Callable[[], str], grace: float
) -> list[IncidentChange]:
    """Return *incident* as its spells say: what is over and has nothing to do with the rest apart.

    The newest part keeps the id: that is what people look at.
    """
    found = parts(incident, grace)
    newest = found[-1]
    order = {state.fingerprint: at for at, state in enumerate(incident.alerts)}
    if not newest.states:  # spells of the past alone: an incident has the state of an alert
        return [IncidentChange(incident=incident)]
    after = replace(
        incident,
        started_at=newest.start,
        alerts=tuple(sorted(newest.states, key=lambda state: order[state.fingerprint])),
        past=tuple(newest.past),
    )
    if len(found) == 1:
        return [IncidentChange(incident=after)]
    older = [_apart(incident, part, source, new_id()) for part in found[:-1]]
    ids = ", ".join(change.incident.id for change in older)
    taken = incident.acknowledged_at
    after = replace(
        after,
        severity=worst(newest.reached),
        reached=newest.reached,
        acknowledged_at=None if taken is None else max(taken, newest.start),
    )
    note = Entry(
        at=newest.start, kind=EntryKind.NOTE, by=source, note=f"what was before it is {ids}"
    )
    return [*older, IncidentChange(incident=after, entries=(note,))]


def _apart(incident: Incident, part: _Part, source: str, id_: str) -> IncidentChange:
    taken = incident.acknowledged_at is not None and incident.acknowledged_at <= part.end
    start, end, severity = part.start, part.end, worst(part.reached)
    states = tuple(part.states) or (
        AlertState(fingerprint="", severity=severity, firing=False, starts_at=start, ended_at=end),
    )
    after = replace(
        incident,
        id=id_,
        severity=severity,
        reached=part.reached,
        started_at=start,
        resolved_at=end,
        resolved_by=source,
        by_person=False,
        reopened=0,
        acknowledged_at=incident.acknowledged_at if taken else None,
        acknowledged_by=incident.acknowledged_by if taken else "",
        alerts=states,
        past=tuple(part.past) if part.states else (),
        timeline=(),
    )
    opened = Entry(at=start, kind=EntryKind.OPENED, by=source, note=severity)
    resolved = Entry(at=end, kind=EntryKind.RESOLVED, by=source)
    return IncidentChange(incident=after, entries=(opened, resolved))


def joined(one: Incident, other: Incident) -> Incident:
    """Return both as one incident with the id of the older: as if all had come in its order."""
    older, newer = sorted((one, other), key=lambda incident: (incident.started_at, incident.id))
    states: dict[str, AlertState] = {state.fingerprint: state for state in older.alerts}
    past = [*older.past, *newer.past]
    for state in newer.alerts:
        former = states.setdefault(state.fingerprint, state)
        if former is not state:
            first, last = sorted((former, state), key=lambda one: (one.firing, one.starts_at))
            states[state.fingerprint] = last
            past += [first.sure_spell] if first.spell[1] < inf else []
    open_ = any(state.firing for state in states.values())
    latest = max(older, newer, key=lambda incident: incident.resolved_at or inf)
    takers = [one for one in (older, newer) if one.acknowledged_at is not None]
    taken = min(takers, key=lambda one: one.acknowledged_at or 0.0, default=older)
    reopens = older.resolved_at is not None and newer.started_at > older.resolved_at
    return replace(
        newer,
        id=older.id,
        started_at=older.started_at,
        severity=worst((older.severity, newer.severity)),
        reached=ranked((*older.reached, *newer.reached)),
        acknowledged_at=taken.acknowledged_at,
        acknowledged_by=taken.acknowledged_by,
        resolved_at=None if open_ else latest.resolved_at,
        resolved_by="" if open_ else latest.resolved_by,
        by_person=not open_ and latest.by_person,
        reopened=older.reopened + newer.reopened + reopens,
        receivers=tuple(sorted({*older.receivers, *newer.receivers})),
        alerts=tuple(states.values()),
        past=tuple(sorted(past)),
    )


def with_neighbours(
    change: IncidentChange, known: Sequence[Incident], grace: float
) -> IncidentChange:
    """Return *change* with all of *known* that it reaches now."""
    incident, absorbed = change.incident, list(change.absorbed)
    waiting = [one for one in known if one.id != incident.id and not one.manual]
    while True:
        end = inf if incident.resolved_at is None else incident.resolved_at
        start = incident.started_at
        found = next((one for one in waiting if touches(one, start, end, grace)), None)
        if found is None:
            return replace(change, incident=incident, absorbed=tuple(absorbed))
        waiting.remove(found)
        both = joined(incident, found)
        absorbed.append(incident.id if both.id == found.id else found.id)
        incident = both
