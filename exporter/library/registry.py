"""`ServiceRegistry`: the whole exporter but its web server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from exporter.api.services import outcome_of
from exporter.api.status import service_health
from exporter.app import App, Options
from exporter.cli.sources import from_environment
from exporter.config import Configuration, Target, read_files, shown_declaration
from exporter.library.incidents import Incidents
from exporter.library.volatile import Volatile
from exporter.registry import ManagementError
from exporter.secret import Secret, environment
from exporter.sessions import ServiceSession

_WHO = "python"
Json = dict[str, Any]


class HealthMonitor:
    """Checks on demand, beside the scheduled probes."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def check_service_health(self, service: str) -> Json:
        """Probe *service* once, uncounted: `{success, reason, verdict, duration_ms, phases, ...}`.

        Raises:
            UnknownServiceError: it is not registered.
            ManagementError: it cannot be probed; the message says why.
        """
        outcome = await self._app.management.test(service)
        if outcome is None:
            raise ManagementError(self._app.registry.get(service).unprobed)
        return {**outcome_of(outcome), "success": outcome.success}


class ServiceRegistry:
    """Registered services and their monitoring; usable as an async context manager."""

    def __init__(
        self,
        config: str | Path | None = None,
        *,
        data_dir: str | Path | None = None,
        variables: Mapping[str, str] | None = None,
        from_env: bool = False,
        alertmanager: str | Sequence[str] = (),
        prometheus: str = "",
    ) -> None:
        """Prepare a registry of the services in *config*, a file or directory, or of none.

        *variables* replaces the process environment for `${NAME}`; *from_env* registers every
        provider whose key variable is set. *alertmanager*, the URL of every peer, is asked for
        alerts and told of manual incidents; *prometheus* for what was missed while away.

        Raises:
            StoreError: *data_dir* cannot be used.
        """
        known = environment() if variables is None else variables

        def source() -> Configuration:
            if config is not None:
                return read_files([Path(config)], known)
            return from_environment(known) if from_env else Configuration()

        directory = Path(data_dir) if data_dir is not None else None
        peers = (alertmanager,) if isinstance(alertmanager, str) else tuple(alertmanager)
        options = Options(
            source=source,
            environment=known,
            data_dir=directory,
            alertmanagers=peers,
            prometheus=prometheus,
        )
        self._app = App(options, storage=None if directory else Volatile())
        self._stop = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._prepared = False
        self.health_monitor = HealthMonitor(self._app)
        self.incidents = Incidents(self._app, _WHO)

    async def __aenter__(self) -> Self:
        await self.start_all_monitoring()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    # -- services ----------------------------------------------------------------------------

    async def register_service(self, service: Mapping[str, Any]) -> str:
        """Register *service*, the fields of one in a configuration file; return its id.

        Raises:
            SettingsError: with every mistake in it.
            TakenError: there is a service of that id.
        """
        self._prepare()
        return (await self._app.management.add(service, _WHO)).id

    async def update_service(self, service: str, changes: Mapping[str, Any]) -> None:
        """Merge *changes* into a registered service; None takes a field out.

        Raises:
            UnknownServiceError: it is not registered.
            InFileError: it stands in a configuration file.
            SettingsError: the result would be wrong.
        """
        self._prepare()
        await self._app.management.change(service, changes, _WHO)

    async def remove_service(self, service: str) -> None:
        """Forget *service*, its key and its results.

        Raises:
            UnknownServiceError: it is not registered.
            InFileError: it stands in a configuration file.
        """
        self._prepare()
        await self._app.management.remove(service, _WHO)

    def get_service_config(self, service: str, mask: bool = True) -> Json:
        """Return how *service* is declared; with *mask* no secret is in it, without it the key is.

        Raises:
            UnknownServiceError: it is not registered.
        """
        target = self._target(service)
        declared = self._app.loader.declared(service)
        assert declared is not None
        raw = shown_declaration(declared) if mask else dict(declared.raw)
        if target.key is not None:
            raw["api_key"] = target.key.masked() if mask else target.key.reveal()
        return raw

    # -- health ------------------------------------------------------------------------------

    def get_service_health(self, service: str) -> Json:
        """Return how *service* is: status, reason, verdict, advice and times.

        Raises:
            UnknownServiceError: it is not registered.
        """
        target = self._target(service)
        return service_health(target, self._app.results.of(target.id))

    def get_all_service_health(self) -> list[Json]:
        """Return the same of every service."""
        self._prepare()
        return [service_health(t, self._app.results.of(t.id)) for t in self._app.registry]

    async def test_service(self, service: str) -> Json:
        """Probe *service* once, uncounted; see `HealthMonitor.check_service_health`."""
        self._prepare()
        return await self.health_monitor.check_service_health(service)

    async def rotate_api_key(self, service: str, key: str, *, force: bool = False) -> None:
        """Have the provider verify *key*, then use it; *force* uses it unverified.

        Raises:
            UnknownServiceError: the service is not registered.
            KeyRefusedError: the provider rejects the key or does not answer.
        """
        self._prepare()
        await self._app.management.rotate(service, Secret(key), _WHO, force=force)

    def session(self, service: str) -> ServiceSession:
        """Return a session for the program's own calls to *service*, used like aiohttp's.

        It adds the key on the wire, keeps the service's rate limit and retry policy, and is seen
        as `service_requests_total`. Open a new one after a key was rotated.

        Raises:
            UnknownServiceError: it is not registered.
        """
        return self._app.sessions.of(self._target(service))

    async def metrics(self) -> str:
        """Return what /metrics would say, for a program that serves it itself."""
        self._prepare()
        return b"".join([piece async for piece in self._app.exposition.chunks()]).decode()

    # -- monitoring --------------------------------------------------------------------------

    async def start_all_monitoring(self) -> None:
        """Probe every service on its interval until `stop`.

        Raises:
            SettingsError: the configuration is wrong.
        """
        self._prepare()
        if self._work is None:
            self._work = asyncio.create_task(self._app.work(self._stop))

    async def stop(self) -> None:
        """Stop probing, save what is to be kept, and free everything."""
        self._stop.set()
        try:
            if self._work is not None:
                await self._work
        finally:
            await self._app.close()

    def _prepare(self) -> None:
        if not self._prepared:
            self._app.prepare()
            self._prepared = True

    def _target(self, service: str) -> Target:
        self._prepare()
        return self._app.registry.get(service)


def create_service_registry_from_env(
    variables: Mapping[str, str] | None = None,
) -> ServiceRegistry:
    """Return a registry of every provider whose key variable is set."""
    return ServiceRegistry(variables=variables, from_env=True)
