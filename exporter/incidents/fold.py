"""How one more report about an alert changes its incident. Pure; the caller brings the time.

A report is a webhook message, a poll of Alertmanager's list, or Prometheus' own series. Each may be
repeated, late, out of order or missing:

- firing opens, extends or reopens an incident. If it is older than the known end of that alert it
  is a late message and ignored, unless a poll reports it: what Alertmanager lists now is true;
- resolved ends its alert, and the incident with its last alert. Without a known incident a closed
  one is written, so that a lost beginning loses no incident;
- an alert that polls no longer list ended when it was first missed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from exporter.incidents.alerts import MANUAL, key_of, name_of, severity_of, worst
from exporter.incidents.delivery import with_told
from exporter.incidents.model import (
    SEVERITIES,
    Alert,
    AlertState,
    Entry,
    EntryKind,
    Incident,
    Source,
)

GRACE = 600.0
"""Seconds after its end in which an incident that fires again is the same one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentChange:
    """An incident as it is now and what happened to it."""

    incident: Incident
    entries: tuple[Entry, ...] = ()


def fold(
    known: Sequence[Incident],
    alert: Alert,
    source: Source,
    *,
    now: float,
    id_: str,
    grace: float = GRACE,
) -> IncidentChange | None:
    """Return what *alert* changes, None if nothing.

    *known* are the incidents of the alert's key, the newest first; a new one gets *id_*. *now* is
    when the report was made; of a poll, when it was sent.
    """
    if severity_of(alert.labels) == "none":
        return None
    if alert.firing:
        change = _firing(known, alert, _Report(source, now), id_, grace)
    else:
        change = _ended(known, alert, source, id_, grace)
    if change is None or not alert.reason:
        return change
    entries = (replace(e, note=_with_reason(e.note, alert.reason)) for e in change.entries)
    return replace(change, entries=tuple(entries))


def _with_reason(note: str, reason: str) -> str:
    return f"{note} ({reason})" if note else reason


@dataclass(frozen=True, slots=True)
class _Report:
    source: Source
    now: float

    def outlives(self, end: float) -> bool:
        """Whether it is newer evidence that an alert fires than the known *end*.

        Only a poll is: it lists what fires now. A message may have waited in a queue, and
        Prometheus is asked about the past only.
        """
        return self.source is Source.POLL and self.now > end


# -- firing ----------------------------------------------------------------------------------


def _firing(
    known: Sequence[Incident], alert: Alert, report: _Report, id_: str, grace: float
) -> IncidentChange | None:
    if not known:
        return _opened(alert, report.source, id_)
    current = known[0]
    if any(alert.starts_at <= (incident.resolved_at or 0.0) for incident in known[1:]):
        # It began in an earlier episode. A message that says so is late; a poll says that it
        # fires now, so it belongs to the last episode, which it must not move back in time.
        if report.source is not Source.POLL:
            return None
        alert = replace(alert, starts_at=max(alert.starts_at, current.started_at))
    end = current.resolved_at
    if end is None:
        return _extended(current, alert, report)
    if current.manual:
        return None  # a person ended it; Alertmanager repeats the alert that we posted for it
    if alert.starts_at <= end:
        # Began before the end: another alert of the incident was the last to end, unless this
        # one is known to have ended as well.
        reopens = not _has_ended(current, alert) or (report.outlives(end) and not current.by_person)
        return _reopened(current, alert, report.source) if reopens else None
    if alert.starts_at - end <= grace:
        return _reopened(current, alert, report.source)
    return _opened(alert, report.source, id_)


def _has_ended(incident: Incident, alert: Alert) -> bool:
    """Return whether *alert*, which began before the end of *incident*, is known to have ended too.

    A resolution by a person holds, and so does one from Prometheus, which is only asked for alerts
    that are over.
    """
    if incident.by_person or incident.resolved_by == Source.PROMETHEUS:
        return True
    state = _find(incident, alert)
    return state is not None and alert.starts_at <= (state.ended_at or 0.0)


def _opened(alert: Alert, source: Source, id_: str) -> IncidentChange:
    labels, severity = alert.labels, severity_of(alert.labels)
    incident = Incident(
        id=id_,
        key=key_of(labels),
        alertname=name_of(labels),
        service=labels.get("service", ""),
        environment=labels.get("environment", ""),
        provider=labels.get("provider", ""),
        team=labels.get("team", ""),
        category=labels.get("category", ""),
        slo=labels.get("slo", ""),
        severity=severity,
        reached=(severity,),
        started_at=alert.starts_at,
        # A manual alert of another exporter, or of a log that is lost, is an alert like others:
        # posted again as ours, with a new id, it would come back as yet another incident.
        manual=labels.get("alertname") == MANUAL and labels.get("incident") == id_,
        receivers=alert.receivers,
        alerts=(_state(alert),),
    )
    incident = _with_texts(incident, alert)
    entry = Entry(at=alert.starts_at, kind=EntryKind.OPENED, by=source, note=severity)
    return IncidentChange(incident=incident, entries=(entry,))


def _with_texts(incident: Incident, alert: Alert) -> Incident:
    """Return *incident* with the texts of *alert*."""
    notes = alert.annotations
    shown = " ".join(filter(None, (incident.alertname, incident.service, incident.environment)))
    return replace(
        incident,
        summary=notes.get("summary") or incident.summary or shown,
        description=notes.get("description") or incident.description,
        runbook_url=notes.get("runbook_url") or incident.runbook_url,
    )


def _state(alert: Alert) -> AlertState:
    return AlertState(
        fingerprint=alert.fingerprint,
        severity=severity_of(alert.labels),
        firing=alert.firing,
        starts_at=alert.starts_at,
        ended_at=alert.ends_at,
        suppressed=alert.suppressed or "",
        held_by=alert.held_by,
        told=alert.told,
    )


def _extended(incident: Incident, alert: Alert, report: _Report) -> IncidentChange | None:
    """Fold *alert* into an incident that is not resolved."""
    state = _find(incident, alert)
    if state is None:
        return _with_alert(incident, alert, report.source)
    end = state.ended_at
    if end is not None and alert.starts_at <= end and not report.outlives(end):
        return None
    starts = max(state.starts_at, alert.starts_at)
    told = state.told if state.firing else None  # it fires again: who is told of that is open
    state = replace(state, firing=True, starts_at=starts, missed_since=None, told=told)
    after = _with_poll(_with(incident, state), alert)
    return None if after == incident else IncidentChange(incident=after)


def _with_alert(incident: Incident, alert: Alert, source: Source) -> IncidentChange:
    """Add an alert to an incident: a higher severity, or an escalation level."""
    change = _with_start_and_severity(incident, alert, source)
    after = _with(change.incident, _state(alert))
    return IncidentChange(incident=_with_poll(after, alert), entries=change.entries)


def _with_start_and_severity(incident: Incident, alert: Alert, source: Source) -> IncidentChange:
    """Return *incident* with the earliest start and the worst severity, *alert* included."""
    severity = severity_of(alert.labels)
    after = replace(
        incident,
        started_at=min(incident.started_at, alert.starts_at),
        reached=_reached(incident.reached, severity),
        severity=worst((incident.severity, severity)),
    )
    level = alert.labels.get("escalation")
    if level and _find(incident, alert) is None:
        kind, note = EntryKind.ESCALATED, f"level {level}"
    elif after.severity != incident.severity:
        after = _with_texts(after, alert)
        kind, note = EntryKind.RAISED, severity
    else:
        return IncidentChange(incident=after)
    entry = Entry(at=alert.starts_at, kind=kind, by=source, note=note)
    return IncidentChange(incident=after, entries=(entry,))


def _with_poll(incident: Incident, alert: Alert) -> Incident:
    """Return *incident* with the earliest start and with what only a poll knows of *alert*."""
    incident = replace(incident, started_at=min(incident.started_at, alert.starts_at))
    if alert.suppressed is None:
        return incident
    state = _find(incident, alert)
    assert state is not None
    told = state.told if alert.told is None else with_told(state.told or (), alert.told)
    held_by = alert.held_by if alert.suppressed == "inhibited" else ()
    state = replace(state, suppressed=alert.suppressed, held_by=held_by, told=told)
    incident = _with(incident, state)
    return replace(incident, receivers=tuple(sorted({*incident.receivers, *alert.receivers})))


def suppression(before: str, after: Incident, source: Source, at: float) -> tuple[Entry, ...]:
    """Return the entry for a change in what is kept from people, once all was folded."""
    if before == after.suppressed or after.resolved_at is not None:
        return ()
    kind = EntryKind.SUPPRESSED if after.suppressed else EntryKind.UNSUPPRESSED
    return (Entry(at=at, kind=kind, by=source, note=after.suppressed),)


def _reopened(incident: Incident, alert: Alert, source: Source) -> IncidentChange:
    change = _with_start_and_severity(incident, alert, source)
    state = _find(incident, alert) or _state(alert)
    state = replace(
        state,
        firing=True,
        missed_since=None,
        suppressed=alert.suppressed or "",
        held_by=alert.held_by,
        told=alert.told,
        starts_at=max(state.starts_at, alert.starts_at),
    )
    # Who was told of the time before was not told of this one.
    before = tuple(s if s.firing else replace(s, told=None) for s in change.incident.alerts)
    after = replace(
        _with(replace(change.incident, alerts=before), state),
        resolved_at=None,
        resolved_by="",
        by_person=False,
        reopened=incident.reopened + 1,
    )
    at = max(alert.starts_at, incident.resolved_at or 0.0)
    entry = Entry(at=at, kind=EntryKind.REOPENED, by=source)
    # The description names whose fault it is, and that may have changed since.
    return IncidentChange(incident=_with_texts(after, alert), entries=(entry, *change.entries))


# -- ended -----------------------------------------------------------------------------------


def _ended(
    known: Sequence[Incident], alert: Alert, source: Source, id_: str, grace: float
) -> IncidentChange | None:
    assert alert.ends_at is not None
    found = next((one for one in known if _overlaps(one, alert, grace)), None)
    if found is None:
        if alert.labels.get("alertname") == MANUAL and any(one.manual for one in known):
            return None
        return _closed(alert, source, id_)
    if found.manual or _ended_by_person(found, alert):
        return None  # a person began it, or has ended it
    if source is Source.PROMETHEUS and found.resolved_by != source:
        return None  # Prometheus is asked to fill gaps, not to correct what Alertmanager reported
    again = found.resolved_at is not None and alert.starts_at > found.resolved_at
    begun = (_reopened if again else _with_start_and_severity)(found, alert, source)
    after = _with(begun.incident, _end_of(_find(begun.incident, alert), alert))
    if not found.suppressed and after.suppressed:
        # The alert that reached people has ended. Whether the others are still inhibited is not
        # known, their inhibitor may have ended with it; the next poll shows it.
        after = replace(after, alerts=tuple(replace(s, suppressed="") for s in after.alerts))
    change = _closing(after, source)
    if change.incident == found:
        return None
    return IncidentChange(incident=change.incident, entries=(*begun.entries, *change.entries))


def _end_of(state: AlertState | None, alert: Alert) -> AlertState:
    """Return *state* with the end of *alert*, unless it is that of an earlier time."""
    if state is None:
        return _state(alert)
    assert alert.ends_at is not None
    newer = state.ended_at is None or alert.ends_at > state.ended_at
    if not newer or (state.firing and alert.ends_at < state.starts_at):
        return state
    return replace(state, firing=False, ended_at=alert.ends_at, missed_since=None, suppressed="")


def _ended_by_person(incident: Incident, alert: Alert) -> bool:
    """Whether a person has ended *incident* after *alert* began."""
    end = incident.resolved_at
    return incident.by_person and end is not None and alert.starts_at <= end


def _overlaps(incident: Incident, alert: Alert, grace: float) -> bool:
    assert alert.ends_at is not None
    if alert.ends_at < incident.started_at - grace:
        return False
    return incident.resolved_at is None or alert.starts_at <= incident.resolved_at + grace


def _closed(alert: Alert, source: Source, id_: str) -> IncidentChange:
    """Return an incident of which no report of the beginning came."""
    assert alert.ends_at is not None
    opened = _opened(alert, source, id_)
    incident = replace(opened.incident, resolved_at=alert.ends_at, resolved_by=source)
    entry = Entry(at=alert.ends_at, kind=EntryKind.RESOLVED, by=source)
    return IncidentChange(incident=incident, entries=(*opened.entries, entry))


def _closing(incident: Incident, source: Source) -> IncidentChange:
    """Resolve *incident* if none of its alerts fires any more."""
    if any(state.firing for state in incident.alerts):
        return IncidentChange(incident=incident)
    end = max(state.ended_at or 0.0 for state in incident.alerts)
    if incident.resolved_at is not None:
        return IncidentChange(
            incident=replace(incident, resolved_at=max(end, incident.resolved_at))
        )
    after = replace(incident, resolved_at=end, resolved_by=source)
    return IncidentChange(
        incident=after, entries=(Entry(at=end, kind=EntryKind.RESOLVED, by=source),)
    )


def missing(incident: Incident, listed: Collection[str], now: float) -> IncidentChange | None:
    """Return what a complete poll at *now* changes that lists only the alerts *listed*."""
    if incident.manual or incident.resolved_at is not None:
        return None
    states = tuple(_without_unlisted(state, listed, now) for state in incident.alerts)
    if states == incident.alerts:
        return None
    return _closing(replace(incident, alerts=states), Source.POLL)


def _without_unlisted(state: AlertState, listed: Collection[str], now: float) -> AlertState:
    if not state.firing or state.fingerprint in listed:
        return state
    if state.missed_since is None:  # a message may have come while the poll was under way
        return replace(state, missed_since=now)
    end = max(state.missed_since, state.starts_at, state.ended_at or 0.0)
    return replace(state, firing=False, ended_at=end, missed_since=None, suppressed="")


# -- pieces ----------------------------------------------------------------------------------


def _find(incident: Incident, alert: Alert) -> AlertState | None:
    return next((s for s in incident.alerts if s.fingerprint == alert.fingerprint), None)


def _with(incident: Incident, state: AlertState) -> Incident:
    """Return *incident* with *state* in the place of a former one of it, or added."""
    states = {s.fingerprint: s for s in incident.alerts}
    states[state.fingerprint] = state
    return replace(incident, alerts=tuple(states.values()))


def _reached(before: tuple[str, ...], severity: str) -> tuple[str, ...]:
    return tuple(s for s in SEVERITIES if s in before or s == severity)
