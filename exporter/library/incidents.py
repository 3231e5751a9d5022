"""Incidents for a Python program: report, read and change them, escalate by rules of its own."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from exporter.api.incidents import incidents_of
from exporter.incidents import SEVERITIES, Incident, Query
from exporter.library.running import Running

Json = dict[str, Any]
Condition = Callable[[Json], bool | Awaitable[bool]]
Action = Callable[[Json], Awaitable[object]]


class Incidents:
    """The incident log: what was found or reported, and what people did; `registry.incidents`.

    An incident is a dict with the fields of the HTTP API: `id service environment provider
    severity status summary started_at acknowledged_at acknowledged_by resolved_at timeline` and
    some more. Times are Unix times.

        for incident in await registry.incidents.get_incidents(status="open"):
            print(incident["severity"], incident["summary"])
    """

    def __init__(self, running: Running, author: str) -> None:
        self._running, self._app, self._author = running, running.app, author

    async def create_incident(
        self,
        summary: str,
        *,
        service: str = "",
        severity: str = "high",
        description: str = "",
        by: str = "",
    ) -> Json:
        """Report an incident; it is routed like an alert, by Alertmanager if one is configured.

            incident = await incidents.create_incident(
                "nobody can pay", service="billing", severity="critical", by="ann"
            )
            print(incident["id"], incident["status"])

        Raises:
            UnknownServiceError: *service* is not registered.
            ValueError: *severity* is none of critical, high, medium, low, or *summary* is empty.
        """
        if severity not in SEVERITIES or not summary:
            allowed = ", ".join(SEVERITIES)
            raise ValueError(f"summary must not be empty, severity must be one of {allowed}")
        self._running.enter()
        about = {"environment": "production"}
        if service:
            target = self._app.registry.get(service)
            about = {
                "service": target.id,
                "environment": target.environment,
                "provider": target.provider,
                "team": target.team,
            }
        created = await self._app.incidents.create(
            severity=severity,
            summary=summary,
            description=description,
            by=by or self._author,
            **about,
        )
        self._app.reconciliation.schedule_round()
        return await self._shown(await self._app.incidents.get(created.id))

    def add_escalation_rule(self, name: str, condition: Condition, action: Action) -> None:
        """Await `action(incident)` for each open incident for which `condition(incident)` is true.

            async def page(incident):
                await phone.call("+1 555 0100", incident["summary"])

            incidents.add_escalation_rule(
                "page", lambda incident: incident["severity"] == "critical", page
            )

        The condition is evaluated for the incidents that are open now and whenever one changes.
        An action runs at least once for each incident, also after a restart, where *name*
        identifies the rule. One that fails is logged and tried again with pauses of 1 s to 15 min,
        seven times in all.

        Raises:
            ValueError: there is a rule of that name.
        """
        self._running.prepare()

        async def holds(incident: Incident) -> bool:
            result = condition(await self._shown(incident))
            return bool(await result) if inspect.isawaitable(result) else bool(result)

        async def act(incident: Incident) -> None:
            await action(await self._shown(incident))

        self._app.escalations.add(name, holds, act)

    async def _shown(self, incident: Incident) -> Json:
        """Return *incident* in the form of the API."""
        return (await incidents_of(self._app.incidents, [incident]))[0]

    async def get_incidents(
        self, *, severity: str = "", status: str = "", service: str = "", limit: int = 100
    ) -> list[Json]:
        """Return the newest incidents that match; *status* is open, acknowledged or resolved.

            critical = await incidents.get_incidents(severity="critical", status="open", limit=10)

        An empty filter matches every incident.
        """
        self._running.enter()
        query = Query(severity=severity, status=status, service=service, limit=limit)
        log = self._app.incidents
        return await incidents_of(log, await log.find(query))

    async def get_incident_stats(self) -> Json:
        """Return counts of incidents, and mean times to acknowledge and to resolve in seconds.

            stats = await incidents.get_incident_stats()
            print(stats["open"], stats["mttr_seconds"])

        A mean is None as long as there is nothing to average.
        """
        self._running.enter()
        return asdict(await self._app.incidents.stats())

    async def acknowledge_incident(self, incident: str, by: str, note: str = "") -> Json:
        """Acknowledge an incident: its time-based escalation stops.

            await incidents.acknowledge_incident(incident["id"], "ann", "calling the bank")

        Raises:
            UnknownIncidentError: there is no incident of that id.
            IncidentError: the incident is resolved.
        """
        self._running.enter()
        return await self._shown(await self._app.incidents.acknowledge(incident, by, note))

    async def resolve_incident(self, incident: str, by: str, note: str = "") -> Json:
        """Resolve an incident; only an alert that starts later opens it again.

            await incidents.resolve_incident(incident["id"], "ann", "the bank is back")

        Raises:
            UnknownIncidentError: there is no incident of that id.
        """
        self._running.enter()
        resolved = await self._app.incidents.resolve(incident, by, note)
        self._app.reconciliation.schedule_round()
        return await self._shown(resolved)

    async def add_note(self, incident: str, by: str, note: str, *, public: bool = False) -> Json:
        """Add a note to an incident's timeline; a *public* one is for outsiders as well.

            await incidents.add_note(incident["id"], "ann", "the bank says ten minutes")

        Raises:
            UnknownIncidentError: there is no incident of that id.
        """
        self._running.enter()
        return await self._shown(await self._app.incidents.note(incident, by, note, public=public))

    async def receive(self, message: Any) -> None:
        """Record a webhook message of Alertmanager, for a program with a route of its own.

            async def webhook(request):
                await registry.incidents.receive(await request.json())

        Raises:
            MessageError: *message* is not one of Alertmanager, version 4.
            StoreError: it could not be stored; answer 503 and Alertmanager sends it again.
        """
        self._running.enter()
        await self._app.incidents.receive(message)
