"""What a registry runs, from `start_all_monitoring` to `stop`; the base of `ServiceRegistry`."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from exporter.library.incidents import Incidents
from exporter.library.monitor import HealthMonitor
from exporter.library.response import IncidentResponse
from exporter.library.running import Running
from exporter.library.telling import Source, tell
from exporter.secret import Secret


class Lifetime:
    """Starts and stops monitoring, dashboard and messages."""

    def __init__(self, running: Running, source: Source, author: str) -> None:
        self._running, self._source = running, source
        self.health_monitor = HealthMonitor(running)
        self.incidents = Incidents(running, author)
        self._response = IncidentResponse(self.incidents)

    async def __aenter__(self) -> Self:
        try:
            await self.start_all_monitoring()
        except BaseException:
            await self.stop()  # of a block that is not entered nobody else does
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start_all_monitoring(
        self, dashboard_port: int | None = None, incident_config: Mapping[str, Any] | None = None
    ) -> None:
        """Probe every service at its interval until `stop`; `async with` does both.

            await registry.start_all_monitoring(3001, {"webhook_url": "https://hooks.example.com"})

        With *dashboard_port* also the dashboard runs, as by `start_dashboard`. *incident_config*
        has the arguments of `start_incident_response`. If it fails, nothing was started.

        Raises:
            SettingsError: the configuration or *incident_config* is not valid.
            ManagementError: *incident_config* is given, but others tell of incidents.
            OSError: the dashboard's port cannot be bound.
        """
        self._running.enter()
        if incident_config is not None:
            entries = self._source.wanted(incident_config, "incident_config")
            tell(self._running, self._source, entries)
        if dashboard_port is not None:
            await self.start_dashboard(dashboard_port)
        await self.health_monitor.start()

    async def start_dashboard(self, port: int = 3001, host: str = "127.0.0.1") -> str:
        """Serve the status page, the HTTP API and /metrics until `stop`; return their address.

            print(await registry.start_dashboard(port=0))  # any free port

        Nobody can change anything by it. With `monitoring.dashboard_enabled: false` the page
        answers 404 and says so, API and /metrics are served. It is also `dashboard_url`.

        Raises:
            RuntimeError: it runs already.
            OSError: the address cannot be bound.
        """
        return await self._running.start_dashboard(host, port)

    async def stop_dashboard(self) -> None:
        """Close the dashboard; everything else goes on.

            await registry.stop_dashboard()

        Without one nothing happens.
        """
        await self._running.stop_dashboard()

    @property
    def dashboard_url(self) -> str | None:
        """Where the dashboard is, such as http://127.0.0.1:3001; None while it does not run."""
        return self._running.dashboard_url

    async def start_incident_response(
        self,
        webhook_url: str | Secret | None = None,
        webhook_headers: Mapping[str, str | Secret] | None = None,
        email_config: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell a webhook and mailboxes of incidents, besides the entries of `notify`.

            await registry.start_incident_response(
                webhook_url="https://hooks.example.com/incidents",
                email_config={"recipients": ["ann@example.com"], "smtp": "smtp.example.com:587"},
            )

        The webhook gets Alertmanager's message, version 4. *email_config* has `recipients` and the
        other fields of `notify[].email`. Called again, it replaces what it had added; with a
        `data_dir` call it before monitoring is started, or what waited for them is dropped.

        Raises:
            SettingsError: an argument is not valid.
            ManagementError: incidents are not decided here, so that others have to tell of them.
        """
        self._running.enter()
        given = {
            "webhook_url": webhook_url,
            "webhook_headers": webhook_headers,
            "email_config": email_config,
        }
        tell(self._running, self._source, self._source.wanted(given, "start_incident_response"))
        self._running.start()

    def get_incident_response(self) -> IncidentResponse:
        """Return the incidents, by the names of the original registry.

            response = registry.get_incident_response()
            print(await response.get_incident_stats())

        It is the same object whenever it is asked for.
        """
        return self._response

    async def stop(self) -> None:
        """Stop everything, save results and counters, and free all resources; once is enough."""
        await self._running.stop()
