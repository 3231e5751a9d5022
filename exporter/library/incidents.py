"""Incidents in somebody else's program: reported, read, and escalated by its own rules."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from exporter.api.incidents import incident_of
from exporter.app import App
from exporter.incidents import SEVERITIES, Incident, Query

Json = dict[str, Any]
Condition = Callable[[Json], bool | Awaitable[bool]]
Action = Callable[[Json], Awaitable[object]]


class Incidents:
    """The incident log: what Alertmanager said and what people did.

    An incident is a dict with the fields that the HTTP API tells: `id service environment provider
    severity status summary started_at acknowledged_at acknowledged_by resolved_at timeline` and
    some more. Times are Unix times.
    """

    def __init__(self, app: App, who: str) -> None:
        self._app, self._who = app, who

    async def create_incident(
        self,
        summary: str,
        *,
        service: str = "",
        severity: str = "high",
        description: str = "",
        by: str = "",
    ) -> Json:
        """Report an incident; Alertmanager, if one is known, routes it like an alert.

        Raises:
            UnknownServiceError: *service* is not registered.
            ValueError: *severity* is none of critical, high, medium, low, or *summary* is empty.
        """
        if severity not in SEVERITIES or not summary:
            raise ValueError(f"a summary, and a severity of {', '.join(SEVERITIES)}, are needed")
        about = {"environment": "production"}
        if service:
            target = self._app.registry.get(service)
            about = {
                "service": target.id,
                "environment": target.environment,
                "provider": target.provider,
                "team": target.team,
            }
        made = await self._app.incidents.create(
            severity=severity, summary=summary, description=description, by=by or self._who, **about
        )
        self._app.reconciliation.schedule_round()
        return incident_of(await self._app.incidents.get(made.id))

    def add_escalation_rule(self, name: str, condition: Condition, action: Action) -> None:
        """Await `action(incident)` once for each open incident for which `condition(incident)`.

        It is asked whenever Alertmanager tells something new of an incident. An action that
        fails is logged and tried again, with pauses of 1 s to 15 min, also after a restart.

        Raises:
            ValueError: there is a rule of that name.
        """

        async def holds(incident: Incident) -> bool:
            found = condition(incident_of(incident))
            return bool(await found) if inspect.isawaitable(found) else bool(found)

        self._app.escalations.add(name, holds, lambda incident: action(incident_of(incident)))

    async def get_incidents(
        self, *, severity: str = "", status: str = "", service: str = "", limit: int = 100
    ) -> list[Json]:
        """Return the newest incidents that fit; *status* is open, acknowledged or resolved."""
        query = Query(severity=severity, status=status, service=service, limit=limit)
        return [incident_of(one) for one in await self._app.incidents.find(query)]

    async def get_incident_stats(self) -> Json:
        """Return counts, and mean times to acknowledge and to resolve in seconds."""
        return asdict(await self._app.incidents.stats())

    async def acknowledge_incident(self, incident: str, by: str, note: str = "") -> Json:
        """Take an incident: its time-based escalation stops.

        Raises:
            UnknownIncidentError: there is none of that id.
            IncidentError: it is resolved.
        """
        return incident_of(await self._app.incidents.acknowledge(incident, by, note))

    async def resolve_incident(self, incident: str, by: str, note: str = "") -> Json:
        """End an incident; only an alert that begins later opens it again.

        Raises:
            UnknownIncidentError: there is none of that id.
        """
        ended = await self._app.incidents.resolve(incident, by, note)
        self._app.reconciliation.schedule_round()
        return incident_of(ended)

    async def add_note(self, incident: str, by: str, note: str) -> Json:
        """Add a note to an incident's timeline.

        Raises:
            UnknownIncidentError: there is none of that id.
        """
        return incident_of(await self._app.incidents.note(incident, by, note))

    async def receive(self, message: Any) -> None:
        """Take in a webhook message of Alertmanager, for a program with a route of its own.

        Raises:
            MessageError: it is none.
            StoreError: it could not be kept; answer 503 and Alertmanager sends it again.
        """
        await self._app.incidents.receive(message)
