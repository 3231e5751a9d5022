"""Which incident holds back which others, and what tells equal titles apart. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from exporter.incidents.alerts import MANUAL
from exporter.incidents.model import SEVERITIES, Incident, IncidentStatus

_LONGEST_DIFFERENCE = 120


def causes_of(unresolved: Sequence[Incident]) -> dict[str, str]:
    """Return by the id of an incident that is held back the id of the one that holds it.

    Alertmanager names the alert that inhibits another. Without an open incident of that alert, or
    if it is the incident's own, the incident is on its own.
    """
    by_alert = {
        state.fingerprint: incident.id
        for incident in unresolved
        for state in incident.alerts
        if state.firing
    }
    found = {}
    for incident in unresolved:
        holders = (by_alert.get(print_) for print_ in incident.held_by)
        cause = next((id_ for id_ in holders if id_ not in (None, incident.id)), None)
        if cause is not None:
            found[incident.id] = cause
    return found


def top(id_: str, causes: Mapping[str, str]) -> str:
    """Return the cause behind all others of *id_*: itself if nothing holds it back, or a circle."""
    seen = [id_]
    while (above := causes.get(seen[-1])) is not None:
        if above in seen:
            return id_
        seen.append(above)
    return seen[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Incidents with those that each of them holds back."""

    causes: tuple[Incident, ...]
    under: Mapping[str, tuple[Incident, ...]]
    """By the id of a cause: what it holds back, directly or not; only those that do."""
    above: Mapping[str, str]
    """By the id of what is held back: the one that holds it, as `causes_of` returns it."""

    @property
    def worst_first(self) -> tuple[Incident, ...]:
        """The causes by severity, those that nobody has acknowledged first, else as they were."""
        return tuple(sorted(self.causes, key=_urgency))

    @property
    def held(self) -> int:
        """Return how many are held back."""
        return sum(map(len, self.under.values()))

    @property
    def waiting(self) -> int:
        """Return how many causes nobody has acknowledged."""
        return sum(one.status is IncidentStatus.OPEN for one in self.causes)


def _urgency(incident: Incident) -> tuple[int, bool]:
    return SEVERITIES.index(incident.severity), incident.status is not IncidentStatus.OPEN


def folded(unresolved: Sequence[Incident]) -> Folded:
    """Return *unresolved*, in their order, with what is held back under its cause."""
    causes = causes_of(unresolved)
    tops, under = [], defaultdict[str, list[Incident]](list)
    for incident in unresolved:
        above = top(incident.id, causes)
        if above == incident.id:
            tops.append(incident)
        else:
            under[above].append(incident)
    held = {id_: tuple(effects) for id_, effects in under.items()}
    return Folded(causes=tuple(tops), under=held, above=causes)


def identity(incident: Incident) -> dict[str, str]:
    """Return the labels that tell what *incident* is about."""
    found = {
        "service": incident.service,
        "environment": incident.environment,
        "provider": incident.provider,
        "objective": incident.slo,
    }
    parts = incident.key.split("\x1f")[1:]  # see `alerts.key_of`
    if not incident.service:
        for part in parts:
            name, _, value = part.partition("=")
            found[name] = value
    elif len(parts) > 3 and incident.alertname != MANUAL:
        found["model"] = parts[3]
    return {name: value for name, value in found.items() if value}


def differences(incidents: Iterable[Incident]) -> dict[str, str]:
    """Return by id what tells incidents with one title apart, such as `instance=a:9093`."""
    by_title = defaultdict[str, list[Incident]](list)
    for incident in incidents:
        by_title[incident.summary or incident.alertname].append(incident)
    found = {}
    for alike in by_title.values():
        if len(alike) < 2:
            continue
        labels = {one.id: identity(one) for one in alike}
        every = {name for given in labels.values() for name in given}
        differing = [n for n in every if len({given.get(n) for given in labels.values()}) > 1]
        for one in alike:
            given = labels[one.id]
            text = ", ".join(f"{name}={given[name]}" for name in sorted(differing) if name in given)
            if text:
                found[one.id] = text[:_LONGEST_DIFFERENCE]
    return found
