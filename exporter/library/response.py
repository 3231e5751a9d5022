"""`registry.get_incident_response()`: incidents by the names of the original registry."""

from __future__ import annotations

from typing import Any

from exporter.library.incidents import Action, Condition, Incidents

Json = dict[str, Any]


class IncidentResponse:
    """Incidents in the words of the original registry; `registry.incidents` has the same and more.

        response = registry.get_incident_response()
        incident = await response.create_incident("billing", "critical", "nobody can pay")
        await response.resolve_incident(incident["id"], "ann", "the bank is back")

    An incident is a dict, as of `registry.incidents`.
    """

    def __init__(self, incidents: Incidents) -> None:
        self._incidents = incidents

    async def create_incident(
        self, service: str, severity: str, summary: str, description: str = ""
    ) -> Json:
        """Report an incident of *service* and tell of it as of one that was found.

            await response.create_incident("openai", "high", "answers are empty", "since 10:02")

        Raises:
            UnknownServiceError: *service* is not registered; "" is none in particular.
            ValueError: *severity* is none of critical, high, medium, low, or *summary* is empty.
        """
        return await self._incidents.create_incident(
            summary, service=service, severity=severity, description=description
        )

    def add_escalation_rule(self, name: str, condition: Condition, action: Action) -> None:
        """Await `action(incident)` for each open incident for which `condition(incident)` is true.

            response.add_escalation_rule("page", lambda i: i["severity"] == "critical", page)

        How often, and what a failure does: `Incidents.add_escalation_rule`.

        Raises:
            ValueError: there is a rule of that name.
        """
        self._incidents.add_escalation_rule(name, condition, action)

    async def get_incidents(self, *, severity: str = "", status: str = "") -> list[Json]:
        """Return the newest 100 incidents that match; an empty filter matches all.

            for incident in await response.get_incidents(severity="critical", status="open"):
                print(incident["summary"])

        *status* is open, acknowledged or resolved.
        """
        return await self._incidents.get_incidents(severity=severity, status=status)

    async def get_incident_stats(self) -> Json:
        """Return counts of incidents, and mean times to acknowledge and to resolve in seconds.

            print((await response.get_incident_stats())["mttr_seconds"])

        A mean is None as long as there is nothing to average.
        """
        return await self._incidents.get_incident_stats()

    async def acknowledge_incident(self, incident: str, by: str, note: str = "") -> Json:
        """Acknowledge an incident by its id: its time-based escalation stops.

            await response.acknowledge_incident(incident["id"], "ann", "calling the bank")

        Raises:
            UnknownIncidentError: there is no incident of that id.
            IncidentError: the incident is resolved.
        """
        return await self._incidents.acknowledge_incident(incident, by, note)

    async def resolve_incident(self, incident: str, by: str, note: str = "") -> Json:
        """Resolve an incident by its id; only an alert that starts later opens it again.

            await response.resolve_incident(incident["id"], "ann", "the bank is back")

        Raises:
            UnknownIncidentError: there is no incident of that id.
        """
        return await self._incidents.resolve_incident(incident, by, note)

    async def add_note(self, incident: str, by: str, note: str, *, public: bool = False) -> Json:
        """Add a note to an incident's timeline; a *public* one is for outsiders as well.

            await response.add_note(incident["id"], "ann", "the bank says ten minutes")

        Raises:
            UnknownIncidentError: there is no incident of that id.
        """
        return await self._incidents.add_note(incident, by, note, public=public)
