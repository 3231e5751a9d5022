"""What people do to an incident: acknowledge it, resolve it, add a note. Pure, like `fold`."""

from __future__ import annotations

from dataclasses import replace

from exporter.incidents.model import Entry, EntryKind, Incident
from exporter.incidents.spells import IncidentChange


def acknowledged(incident: Incident, by: str, note: str, now: float) -> IncidentChange | None:
    """Return *incident* taken by *by*; the first to take it stays."""
    if incident.acknowledged_at is not None:
        return noted(incident, by, note, now) if note else None
    # Clocks differ: an acknowledgement is never before the start, or MTTA would be negative.
    after = replace(incident, acknowledged_at=max(now, incident.started_at), acknowledged_by=by)
    entry = Entry(at=now, kind=EntryKind.ACKNOWLEDGED, by=by, note=note)
    return IncidentChange(incident=after, entries=(entry,))


def resolved(incident: Incident, by: str, note: str, now: float) -> IncidentChange | None:
    """Return *incident* ended by a person; None if it has ended already."""
    if incident.resolved_at is not None:
        return noted(incident, by, note, now) if note else None
    states = tuple(
        replace(s, firing=False, ended_at=max(now, s.starts_at)) if s.firing else s
        for s in incident.alerts
    )
    after = replace(
        incident,
        resolved_at=max(now, incident.started_at),
        resolved_by=by,
        by_person=True,
        alerts=states,
    )
    return IncidentChange(
        incident=after, entries=(Entry(at=now, kind=EntryKind.RESOLVED, by=by, note=note),)
    )


def noted(
    incident: Incident, by: str, note: str, now: float, *, public: bool = False
) -> IncidentChange:
    """Return *incident* with a note; a *public* one is for outsiders as well."""
    kind = EntryKind.UPDATE if public else EntryKind.NOTE
    return IncidentChange(incident=incident, entries=(Entry(at=now, kind=kind, by=by, note=note),))
