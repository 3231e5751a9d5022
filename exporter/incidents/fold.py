"""How one more report about an alert changes its incidents. Pure; the caller brings the time.

A report is a webhook message, a poll of Alertmanager's list, or Prometheus' own series. Each may be
repeated, late, out of order or missing, and every sequence of them has a result:

- firing opens, extends or reopens an incident. If it is older than the known end of that alert, or
  began in an earlier incident, it is a late message and ignored, unless a poll reports it: what
  Alertmanager lists now is true;
- resolved ends its alert, and the incident with its last alert. Without a known incident a closed
  one is written, so that a lost beginning loses no incident;
- an alert that polls no longer list ended when it was first missed;
- whether an incident is open follows from its alerts: it is while one of them fires. `spells` joins
  and parts incidents when a report shows that they belong together, or do not.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from exporter.incidents.alerts import severity_of
from exporter.incidents.model import Alert, AlertState, Entry, EntryKind, Incident, Source
from exporter.incidents.spells import IncidentChange, parted, touches, with_neighbours, with_past
from exporter.incidents.states import (
    Report,
    find,
    open_again,
    opened,
    reopening,
    state_of,
    superseded,
    with_poll,
    with_start_and_severity,
    with_state,
    with_texts,
)

LONGEST_SKEW = 900.0
"""Seconds by which the clock of a source may be ahead; what is later still is taken as now."""


def fold(known: Sequence[Incident], alert: Alert, report: Report) -> list[IncidentChange]:
    """Return what *alert* changes; *known* are incidents of its key, one open first, then newest.

    They are all of those that it may touch: see `reach`.
    """
    if severity_of(alert.labels) == "none":
        return []
    alert = _bounded(alert, report)
    known = [_ended_by_now(one, report) for one in known]
    if known and known[0].manual:
        change = _of_manual(known[0], alert, report)
    elif alert.firing:
        change = _firing(known, alert, report)
    else:
        change = _ended(known, alert, report)
    if change is None:
        return []
    changes = [change] if change.incident.manual else _settled(known, change, report)
    before = {one.id: one for one in known}
    changes = [one for one in changes if one.entries or one.incident != before.get(one.incident.id)]
    return [_with_reason(one, alert.reason) for one in changes] if alert.reason else changes


def _bounded(alert: Alert, report: Report) -> Alert:
    """Return *alert* without times that are further in the future than clocks differ."""
    latest = report.now + LONGEST_SKEW
    if max(alert.starts_at, alert.ends_at or 0.0) <= latest:
        return alert
    ends = report.now if alert.ends_at is not None and alert.ends_at > latest else alert.ends_at
    starts = report.now if alert.starts_at > latest else alert.starts_at
    return replace(alert, starts_at=starts, ends_at=None if ends is None else max(starts, ends))


def _ended_by_now(incident: Incident, report: Report) -> Incident:
    """Return *incident*, not ended by a person in the future.

    One whose clock was ahead would keep it closed until then, whatever fires meanwhile. When it
    was is not known any more: after the last alert had begun.
    """
    end = incident.resolved_at
    if not incident.by_person or end is None or end <= report.now + LONGEST_SKEW:
        return incident
    begun = max((state.starts_at for state in incident.alerts), default=incident.started_at)
    return replace(incident, resolved_at=min(end, max(begun, incident.started_at)))


def _with_reason(change: IncidentChange, reason: str) -> IncidentChange:
    entries = (
        replace(one, note=f"{one.note} ({reason})" if one.note else reason)
        for one in change.entries
    )
    return replace(change, entries=tuple(entries))


def _of_manual(incident: Incident, alert: Alert, report: Report) -> IncidentChange | None:
    """Return what a poll shows of a manual incident: a person began it and ends it."""
    if incident.resolved_at is not None or not alert.firing:
        return None
    return _extended(incident, alert, report)


def _settled(
    known: Sequence[Incident], change: IncidentChange, report: Report
) -> list[IncidentChange]:
    """Return *change* with what follows: parts of their own, neighbours, open or not."""
    apart = parted(change.incident, report.source, report.new_id, report.grace)
    last = apart.pop()
    latest = _closing(last.incident, report.source)
    entries = (*change.entries, *last.entries, *latest.entries)
    found, others = [], [one for one in known if one.id != change.incident.id]
    for one in (*apart, replace(latest, entries=entries)):
        whole = with_neighbours(one, others, report.grace)
        gone = {whole.incident.id, *whole.absorbed}
        others = [*(other for other in others if other.id not in gone), whole.incident]
        found.append(whole)
    return found


# -- firing ----------------------------------------------------------------------------------


def _firing(known: Sequence[Incident], alert: Alert, report: Report) -> IncidentChange | None:
    if not known:
        return opened(alert, report)
    current, older = known[0], known[1:]
    if any(touches(one, alert.starts_at, alert.starts_at, report.grace) for one in older):
        # It began in an earlier episode. A message that says so is late; a poll says that it
        # fires now.
        if not report.is_present:
            return None
        if any(_was_over(one, alert) for one in older):
            # That time of it has ended: it belongs to the last episode, and must not move that.
            alert = replace(alert, starts_at=max(alert.starts_at, current.started_at))
    end = current.resolved_at
    if end is None:
        return _extended(current, alert, report)
    if alert.starts_at <= end:
        # Began before the end: another alert of the incident was the last to end, unless this
        # one is known to have ended as well.
        return _reopened(current, alert, report) if _goes_on(current, alert, report) else None
    if alert.starts_at - end <= report.grace:
        return _reopened(current, alert, report)
    return opened(alert, report)


def _was_over(incident: Incident, alert: Alert) -> bool:
    """Return whether the time of *alert* that began then is known to have ended in *incident*."""
    if incident.by_person and alert.starts_at <= (incident.resolved_at or 0.0):
        return True
    state = find(incident, alert)
    return state is not None and alert.starts_at <= state.spell[1]


def _goes_on(incident: Incident, alert: Alert, report: Report) -> bool:
    """Return whether *alert*, which began before the end of *incident*, fires beyond it.

    A resolution by a person holds. So does one from Prometheus, which is only asked for alerts
    that are over, but for a poll.
    """
    if incident.by_person:
        return False
    state = find(incident, alert)
    if state is None:
        return report.is_present or incident.resolved_by != Source.PROMETHEUS
    return alert.starts_at > (state.ended_at or 0.0) or report.outlives(state)


def _extended(incident: Incident, alert: Alert, report: Report) -> IncidentChange | None:
    """Fold *alert* into an incident that is not resolved."""
    state = find(incident, alert)
    if state is None:
        return _with_alert(incident, alert, report)
    end = state.ended_at
    if end is not None and alert.starts_at <= end and not report.outlives(state):
        return None
    told = state.told if state.firing else None  # it fires again: who is told of that is open
    after = incident
    if alert.starts_at > state.starts_at:
        after = with_past(after, superseded(state, alert, report))
    elif 0 < incident.started_at - alert.starts_at <= report.grace:
        # An earlier time of it, or a replica that saw it earlier.
        after = with_past(after, (alert.starts_at, alert.starts_at, state.severity))
    missed = state.missed_since is not None  # the last poll did not show it
    if alert.starts_at > state.starts_at or not state.firing or missed:
        state = replace(state, known_at=report.now)
    starts = max(state.starts_at, alert.starts_at)
    state = replace(
        state, firing=True, starts_at=starts, missed_since=None, ended_after=None, told=told
    )
    after = with_poll(with_state(after, state), alert)
    return None if after == incident else IncidentChange(incident=after)


def _with_alert(incident: Incident, alert: Alert, report: Report) -> IncidentChange:
    """Add an alert to an incident: a higher severity, or an escalation level."""
    change = with_start_and_severity(incident, alert, report.source)
    after = with_state(change.incident, state_of(alert, report))
    return IncidentChange(incident=with_poll(after, alert), entries=change.entries)


def suppression(before: str, after: Incident, source: Source, at: float) -> tuple[Entry, ...]:
    """Return the entry for a change in what is kept from people, once all was folded."""
    if before == after.suppressed or after.resolved_at is not None:
        return ()
    kind = EntryKind.SUPPRESSED if after.suppressed else EntryKind.UNSUPPRESSED
    return (Entry(at=at, kind=kind, by=source, note=after.suppressed),)


def _reopened(incident: Incident, alert: Alert, report: Report) -> IncidentChange:
    change = with_start_and_severity(incident, alert, report.source)
    before, after = find(incident, alert), change.incident
    state = before or state_of(alert, report)
    if before is not None and alert.starts_at > before.starts_at:
        after = with_past(after, before.sure_spell)
    state = replace(
        state,
        firing=True,
        known_at=report.now,
        missed_since=None,
        ended_after=None,
        suppressed=alert.suppressed or "",
        held_by=alert.held_by,
        told=alert.told,
        starts_at=max(state.starts_at, alert.starts_at),
    )
    # Who was told of the time before was not told of this one.
    former = tuple(s if s.firing else replace(s, told=None) for s in after.alerts)
    after = with_state(replace(after, alerts=former), state)
    # The description names whose fault it is, and that may have changed since.
    after = with_texts(open_again(after, incident), alert)
    entry = reopening(incident, alert, report)
    return IncidentChange(incident=after, entries=(entry, *change.entries))


# -- ended -----------------------------------------------------------------------------------


def _ended(known: Sequence[Incident], alert: Alert, report: Report) -> IncidentChange | None:
    assert alert.ends_at is not None
    found = _home(known, alert, report.grace)
    if found is None:
        return _closed(alert, report)
    if found.by_person and alert.starts_at <= (found.resolved_at or 0.0):
        return None  # a person has ended it
    if report.source is Source.PROMETHEUS and found.resolved_by != report.source:
        return None  # Prometheus is asked to fill gaps, not to correct what Alertmanager reported
    change = with_start_and_severity(found, alert, report.source)
    after, entries = change.incident, change.entries
    if found.resolved_at is not None and alert.starts_at > found.resolved_at:
        after = open_again(after, found)
        entries = (reopening(found, alert, report), *entries)
    after = _with_end(after, alert, report)
    if not found.suppressed and after.suppressed:
        # The alert that reached people has ended. Whether the others are still inhibited is not
        # known, their inhibitor may have ended with it; the next poll shows it.
        after = replace(after, alerts=tuple(replace(s, suppressed="") for s in after.alerts))
    return IncidentChange(incident=after, entries=entries)


def _home(known: Sequence[Incident], alert: Alert, grace: float) -> Incident | None:
    """Return the incident that a time of *alert* which is over belongs to."""
    assert alert.ends_at is not None
    start, end = alert.starts_at, alert.ends_at
    found = [one for one in known if touches(one, start, end, grace)]
    for one in found:
        state = find(one, alert)
        if state is not None and state.spell[1] >= start and state.starts_at <= end:
            return one
    return found[0] if found else None


def _with_end(incident: Incident, alert: Alert, report: Report) -> Incident:
    """Return *incident* with a time of *alert* that is over."""
    assert alert.ends_at is not None
    state, start, end = find(incident, alert), alert.starts_at, alert.ends_at
    if state is None:
        return with_state(incident, state_of(alert, report))
    first, last, severity = state.spell
    if end < first:
        return with_past(incident, (start, end, severity))
    if state.firing and end <= (state.ended_at or 0.0):
        return incident  # a poll showed that this end was false
    exact = state.ended_after is not None and not state.firing and state.ended_after <= end < last
    if not state.firing and not exact and end <= last:
        return with_state(incident, replace(state, starts_at=min(first, start)))
    if start > (first if state.firing else last):
        # A later time of it: of the one before no end has come yet.
        incident, first = with_past(incident, superseded(state, alert, report)), start
    state = replace(
        state,
        firing=False,
        starts_at=min(first, start),
        ended_at=end,
        heard_at=report.now,
        ended_after=None,
        missed_since=None,
        suppressed="",
    )
    return with_state(incident, state)


def _closed(alert: Alert, report: Report) -> IncidentChange:
    """Return an incident of which no report of the beginning came."""
    assert alert.ends_at is not None
    begun = opened(alert, report)
    incident = replace(begun.incident, resolved_at=alert.ends_at, resolved_by=report.source)
    entry = Entry(at=alert.ends_at, kind=EntryKind.RESOLVED, by=report.source)
    return IncidentChange(incident=incident, entries=(*begun.entries, entry))


def _closing(incident: Incident, source: Source) -> IncidentChange:
    """Resolve *incident* if none of its alerts fires any more."""
    if any(state.firing for state in incident.alerts):
        return IncidentChange(incident=incident)
    end = max(spell[1] for spell in (*incident.past, *(s.spell for s in incident.alerts)))
    if incident.resolved_at is not None:
        return IncidentChange(incident=replace(incident, resolved_at=end))
    after = replace(incident, resolved_at=end, resolved_by=source)
    return IncidentChange(
        incident=after, entries=(Entry(at=end, kind=EntryKind.RESOLVED, by=source),)
    )


def missing(
    incident: Incident, listed: Collection[str], known: Sequence[Incident], report: Report
) -> list[IncidentChange]:
    """Return what a complete poll changes that lists only the alerts *listed*."""
    if incident.manual or incident.resolved_at is not None:
        return []
    states = tuple(_without_unlisted(state, listed, report) for state in incident.alerts)
    if states == incident.alerts:
        return []
    change = IncidentChange(incident=replace(incident, alerts=states))
    return _settled(known, change, report)


def _without_unlisted(state: AlertState, listed: Collection[str], report: Report) -> AlertState:
    if not state.firing or state.fingerprint in listed:
        return state
    if state.missed_since is None:  # a message may have come while the poll was under way
        seen = max(state.ended_at or 0.0, report.seen(state))
        return replace(state, missed_since=report.now, ended_after=seen)
    end = max(state.missed_since, state.starts_at, state.ended_at or 0.0)
    return replace(
        state, firing=False, ended_at=end, heard_at=report.now, missed_since=None, suppressed=""
    )


# -- pieces ----------------------------------------------------------------------------------
