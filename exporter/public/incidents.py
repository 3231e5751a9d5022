"""What outsiders see of incidents: which, under which title, and what people wrote for them.

Pure. Nothing that an alert says is shown: summaries and descriptions may name hosts, keys and
people. A title is made here; a text is one that a person marked as public.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.config import Target
from exporter.incidents import EntryKind, Incident

_OUTAGE, _DEGRADED = "Outage", "Degraded"
KINDS: Mapping[str, str] = {
    "ServiceDown": _OUTAGE,
    "ProviderOutage": _OUTAGE,
    "ServiceFlapping": "Interruptions",
    "ServiceLatencyHigh": "Slow answers",
    "ServiceKeyRejected": _DEGRADED,
    "ServiceQuotaExhausted": _DEGRADED,
    "ServiceRateLimited": _DEGRADED,
}
"""What outsiders notice, by alert, and what it is called. Others need a public note to be shown."""
OTHER_KIND = "Incident"
_CHANGES = (EntryKind.UPDATE, EntryKind.RESOLVED, EntryKind.REOPENED)
_HELD_BACK = (EntryKind.SUPPRESSED, EntryKind.UNSUPPRESSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What a person wrote for outsiders; without the person."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicIncident:
    """One incident as outsiders see it. Times are Unix times."""

    id: str
    title: str
    started_at: float
    resolved_at: float | None
    changed_at: float
    """When anything of it that is shown last changed; it never goes back."""
    updates: tuple[Update, ...]
    """The newest first."""


def shown(
    incidents: Sequence[Incident], targets: Sequence[Target], causes: Sequence[Incident] = ()
) -> list[PublicIncident]:
    """Return those of *incidents* that affect one of *targets*, in the same order.

    *causes* are further incidents that may have held one of them back.
    """
    by_id = {target.id: [target] for target in targets}
    by_provider = defaultdict[tuple[str, str], list[Target]](list)
    for target in targets:
        by_provider[target.provider, target.environment].append(target)
    seen, found = _seen_before((*incidents, *causes)), []
    for incident in incidents:
        if incident.service:
            affected = by_id.get(incident.service, [])
        else:  # without a provider it is about the network, the exporter or the whole stack
            affected = by_provider.get((incident.provider, incident.environment), [])
        noticed = _is_noticed(incident, affected, was_seen=incident.id in seen)
        if affected and (one := _shown(incident, affected, noticed)) is not None:
            found.append(one)
    return found


def _seen_before(incidents: Sequence[Incident]) -> set[str]:
    """Return the ids of the incidents that were seen before something held them back.

    What explains an outage from its beginning, or is shown in its place, explains it for good. A
    silence, a maintenance or a network of ours that fails later ends no outage: to outsiders it
    must not seem over, nor to have been none.
    """
    holders = defaultdict[str, list[Incident]](list)
    for incident in incidents:
        for state in incident.alerts:
            holders[state.fingerprint].append(incident)
    found = set[str]()
    for one in incidents:
        muted = [entry for entry in one.timeline if entry.kind in _HELD_BACK][-1:]
        if not muted:
            continue
        at = muted[0].at
        names = {name for state in one.alerts for name in state.held_by}
        above = [cause for name in names for cause in holders[name] if _lasts(cause, at)]
        if any(cause.service or cause.provider for cause in above):
            continue
        # What is held back from the beginning comes to be known by the report that says so.
        known = min((state.known_at or 0.0 for state in one.alerts), default=at)
        if all(one.started_at < cause.started_at for cause in above) if above else known != at:
            found.add(one.id)
    return found


def _lasts(incident: Incident, at: float) -> bool:
    """Return whether *incident* lasted at the Unix time *at*."""
    return incident.started_at <= at <= (incident.resolved_at or at)


def _shown(incident: Incident, affected: Sequence[Target], noticed: bool) -> PublicIncident | None:
    updates = tuple(
        Update(at=entry.at, text=entry.note)
        for entry in reversed(incident.timeline)
        if entry.kind is EntryKind.UPDATE
    )
    if not updates and not noticed:
        return None
    times = [entry.at for entry in incident.timeline if entry.kind in _CHANGES]
    return PublicIncident(
        id=incident.id,
        title=_title(incident, affected),
        started_at=incident.started_at,
        resolved_at=incident.resolved_at,
        changed_at=max(incident.started_at, incident.resolved_at or 0.0, *times),
        updates=updates,
    )


def _is_noticed(incident: Incident, affected: Sequence[Target], *, was_seen: bool) -> bool:
    """Return whether outsiders notice it: not what another incident or a maintenance explains."""
    if incident.alertname not in KINDS:
        return False
    held_back = [entry.kind for entry in incident.timeline if entry.kind in _HELD_BACK][-1:]
    if not was_seen and (incident.suppressed or held_back == [EntryKind.SUPPRESSED]):
        return False
    return not all(target.in_maintenance(incident.started_at) for target in affected)


def _title(incident: Incident, affected: Sequence[Target]) -> str:
    names = ", ".join(target.name for target in affected[:3])
    more = f" and {len(affected) - 3} more" if len(affected) > 3 else ""
    return f"{KINDS.get(incident.alertname, OTHER_KIND)}: {names}{more}"
