"""The pieces of a fold: what one alert is in an incident, and how that is written down. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from exporter.incidents.alerts import MANUAL, key_of, name_of, severity_of, worst
from exporter.incidents.delivery import with_told
from exporter.incidents.model import Alert, AlertState, Entry, EntryKind, Incident, Source, Spell
from exporter.incidents.spells import IncidentChange, ranked, with_past

GRACE = 600.0
"""Seconds after its end in which an incident that fires again is the same one."""
MOST_ALERTS = 200
"""Alerts of one incident whose states are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """When and how something was reported."""

    source: Source
    now: float
    """When the report was made; of a poll, when it was sent."""
    new_id: Callable[[], str]
    """Returns the id of a further incident."""
    grace: float = GRACE
    polled_at: float | None = None
    """When a complete poll was last sent: what fired and was not missed fired then."""

    @property
    def is_present(self) -> bool:
        """Whether it says what fires now, and not what fired when it was written."""
        return self.source in (Source.POLL, Source.EMBEDDED)

    def seen(self, state: AlertState) -> float:
        """Return when a poll last showed that *state* fires; its start if none did."""
        shown = self.polled_at is not None and (state.known_at or 0.0) <= self.polled_at
        return max(state.starts_at, (self.polled_at or 0.0) if shown else 0.0)

    def outlives(self, state: AlertState) -> bool:
        """Whether it is newer evidence that an alert fires than the end in *state*.

        Only a poll is: it lists what fires now. A message may have waited in a queue, and
        Prometheus is asked about the past only.
        """
        known = state.ended_at if state.heard_at is None else state.heard_at
        return self.is_present and self.now > (known or 0.0)


def opened(alert: Alert, report: Report) -> IncidentChange:
    labels, severity, id_ = alert.labels, severity_of(alert.labels), report.new_id()
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
        alerts=(state_of(alert, report),),
    )
    incident = with_texts(incident, alert)
    entry = Entry(at=alert.starts_at, kind=EntryKind.OPENED, by=report.source, note=severity)
    return IncidentChange(incident=incident, entries=(entry,))


def state_of(alert: Alert, report: Report) -> AlertState:
    return AlertState(
        fingerprint=alert.fingerprint,
        severity=severity_of(alert.labels),
        firing=alert.firing,
        starts_at=alert.starts_at,
        ended_at=alert.ends_at,
        suppressed=alert.suppressed or "",
        held_by=alert.held_by,
        told=alert.told,
        heard_at=None if alert.firing else report.now,
        known_at=report.now,
    )


def with_texts(incident: Incident, alert: Alert) -> Incident:
    """Return *incident* with the texts of *alert*."""
    notes = alert.annotations
    shown = " ".join(filter(None, (incident.alertname, incident.service, incident.environment)))
    return replace(
        incident,
        summary=notes.get("summary") or incident.summary or shown,
        description=notes.get("description") or incident.description,
        runbook_url=notes.get("runbook_url") or incident.runbook_url,
    )


def find(incident: Incident, alert: Alert) -> AlertState | None:
    return next((s for s in incident.alerts if s.fingerprint == alert.fingerprint), None)


def with_state(incident: Incident, state: AlertState) -> Incident:
    """Return *incident* with *state* in the place of a former one of it, or added.

    Where there are too many, the oldest that has ended makes room; if all fire, one more is not
    remembered: the next poll lists it.
    """
    states = {s.fingerprint: s for s in incident.alerts}
    if state.fingerprint not in states and len(states) >= MOST_ALERTS:
        over = [s for s in states.values() if not s.firing]
        if not over:
            return incident
        oldest = min(over, key=lambda s: s.starts_at)
        del states[oldest.fingerprint]
        incident = with_past(incident, oldest.sure_spell)
    states[state.fingerprint] = state
    return replace(incident, alerts=tuple(states.values()))


def with_start_and_severity(incident: Incident, alert: Alert, source: Source) -> IncidentChange:
    """Return *incident* with the earliest start and the worst severity, *alert* included."""
    severity = severity_of(alert.labels)
    after = replace(
        incident,
        started_at=min(incident.started_at, alert.starts_at),
        reached=ranked((*incident.reached, severity)),
        severity=worst((incident.severity, severity)),
    )
    level = alert.labels.get("escalation")
    if level and find(incident, alert) is None:
        kind, note = EntryKind.ESCALATED, f"level {level}"
    elif after.severity != incident.severity:
        after = with_texts(after, alert)
        kind, note = EntryKind.RAISED, severity
    else:
        return IncidentChange(incident=after)
    entry = Entry(at=alert.starts_at, kind=kind, by=source, note=note)
    return IncidentChange(incident=after, entries=(entry,))


def with_poll(incident: Incident, alert: Alert) -> Incident:
    """Return *incident* with what only a poll knows of *alert*."""
    if alert.suppressed is None:
        return incident
    state = find(incident, alert)
    if state is None:  # more alerts than are remembered
        return incident
    told = state.told if alert.told is None else with_told(state.told or (), alert.told)
    held_by = alert.held_by if alert.suppressed == "inhibited" else ()
    state = replace(state, suppressed=alert.suppressed, held_by=held_by, told=told)
    incident = with_state(incident, state)
    return replace(incident, receivers=tuple(sorted({*incident.receivers, *alert.receivers})))


def superseded(state: AlertState, alert: Alert, report: Report) -> Spell:
    """Return the time before of an alert that fires anew, as long as it was seen to fire."""
    if not state.firing:
        return state.sure_spell
    seen = state.ended_after if state.missed_since is not None else report.seen(state)
    end = min(max(state.starts_at, seen or 0.0), alert.starts_at)
    return state.starts_at, end, state.severity


def open_again(after: Incident, before: Incident) -> Incident:
    return replace(
        after, resolved_at=None, resolved_by="", by_person=False, reopened=before.reopened + 1
    )


def reopening(incident: Incident, alert: Alert, report: Report) -> Entry:
    at = max(alert.starts_at, incident.resolved_at or 0.0)
    return Entry(at=at, kind=EntryKind.REOPENED, by=report.source)
