"""What Alertmanager and Prometheus say, in their own words, and a log that listens."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from exporter.incidents import Counts, EntryKind, Incident, IncidentLog, Query
from exporter.incidents.alerts import fingerprint, from_api
from exporter.incidents.model import Source
from exporter.store import Store
from tests.fakes import FakeClock

NOW = 1_800_000_000.0
TIMES = ("startsAt", "endsAt")
NEVER = "0001-01-01T00:00:00Z"
Json = dict[str, Any]


def iso(at: float) -> str:
    """Return *at* as Go prints it."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def labels(service: str = "stripe", severity: str = "critical", **more: str) -> dict[str, str]:
    """Return the labels of an outage; empty ones are left out."""
    usual = {
        "alertname": "ServiceDown",
        "environment": "prod",
        "provider": "stripe",
        "service": service,
        "severity": severity,
        "team": "pay",
        "category": "availability",
    }
    return {name: text for name, text in (usual | more).items() if text}


def alert(start: float, end: float | None = None, **about: str) -> Json:
    """Return an alert of a webhook message; it fires unless it has an *end*."""
    told = labels(**about)
    return {
        "status": "firing" if end is None else "resolved",
        "labels": told,
        "annotations": {"summary": f"{told['alertname']} is {told['severity']}"},
        "startsAt": iso(start),
        "endsAt": NEVER if end is None else iso(end),
        "generatorURL": "http://prometheus/graph",
        "fingerprint": fingerprint(told),
    }


def message(*alerts: Json) -> Json:
    """Return a webhook message as Alertmanager 0.25 sends it."""
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "incident-log",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts),
    }


def listed(
    start: float,
    *,
    by: str = "",
    held_by: str = "y",
    receivers: Iterable[str] = ("page", "incident-log"),
    **about: str,
) -> Json:
    """Return an alert of GET /api/v2/alerts; *by* is "silenced" or "inhibited" (by *held_by*)."""
    told = labels(**about)
    return {
        "labels": told,
        "annotations": {"summary": f"{told['alertname']} is {told['severity']}"},
        "startsAt": iso(start),
        "endsAt": iso(start + 86_400),
        "updatedAt": iso(start),
        "fingerprint": fingerprint(told),
        "receivers": [{"name": name} for name in receivers],
        "status": {
            "state": "suppressed" if by else "active",
            "silencedBy": ["x"] if by == "silenced" else [],
            "inhibitedBy": [held_by] if by == "inhibited" else [],
        },
    }


class Listener:
    """A log on a store of its own; *at* is the time on its clock, from 0."""

    def __init__(self, store: Store | None = None, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock(NOW)
        self.store = store or Store.in_memory(self.clock)
        self.shown: list[Counts] = []
        self.log = IncidentLog(self.store.incidents, self.clock, show=self.shown.append)

    async def to(self, at: float) -> None:
        """Let it be *at*."""
        await self.clock.advance(NOW + at - self.clock.now())

    async def hears(self, *alerts: Json) -> int:
        """Have the webhook called, not before the times that the alerts name."""
        times = [datetime.fromisoformat(one[n]).timestamp() for one in alerts for n in TIMES]
        ahead = max(times) - self.clock.now()
        if ahead > 0:
            self.clock._to(self.clock.tick() + ahead)
        return (await self.log.receive(message(*alerts))).changed

    async def polls(self, *alerts: Json, complete: bool = True) -> int:
        """Have a poll answered."""
        found = from_api(list(alerts))
        now = self.clock.now()
        return len(await self.log.fold(found, Source.POLL, now, complete=complete))

    async def all(self) -> list[Incident]:
        """Return every incident, the oldest first."""
        found = await self.log.find(Query(limit=10_000))
        return sorted(found, key=lambda incident: incident.started_at)

    async def one(self) -> Incident:
        """Return the only incident."""
        (found,) = await self.all()
        return found

    async def tells(self) -> list[str]:
        """Return the timeline of the only incident: kinds with seconds since the beginning."""
        return told(await self.one())


def told(incident: Incident) -> list[str]:
    return [f"{entry.kind} {entry.at - NOW:.0f}" for entry in incident.timeline]


def kinds(incident: Incident) -> list[EntryKind]:
    return [entry.kind for entry in incident.timeline]


def spans(incidents: Iterable[Incident]) -> list[tuple[float, float | None]]:
    """Return when incidents began and ended, in seconds since the beginning."""
    return [
        (one.started_at - NOW, None if one.resolved_at is None else one.resolved_at - NOW)
        for one in incidents
    ]
