"""`ServiceRegistry`: the exporter as an object in a Python program, without its web server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.api.status import service_health
from exporter.app import App, Options
from exporter.cli.sources import from_environment
from exporter.clock import Clock
from exporter.config import Configuration, Given, Target, read_files, shown_declaration
from exporter.library.lifetime import Lifetime
from exporter.library.monitor import rotated
from exporter.library.running import Running
from exporter.library.telling import Source
from exporter.library.volatile import Volatile
from exporter.registry import KeyRefusedError
from exporter.secret import Secret, environment
from exporter.sessions import Calls, ServiceSession

if TYPE_CHECKING:
    from exporter.sessions.transport import AsyncBaseTransport, BaseTransport

_AUTHOR = "python"
Json = dict[str, Any]


def _texts(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


class ServiceRegistry(Lifetime):
    """Registered services and their monitoring; usable as an async context manager.

        async with ServiceRegistry("services.yaml", data_dir="data") as registry:
            print(registry.get_all_service_health())

    The configuration is read by the first method that needs it, not by the constructor; that
    method raises SettingsError if the configuration is not valid. A registry belongs to one event
    loop; one that was made has to be stopped, also if it was never started.
    """

    def __init__(
        self,
        config: str | Path | Mapping[str, Any] | None = None,
        *,
        data_dir: str | Path | None = None,
        variables: Mapping[str, str] | None = None,
        from_env: bool = False,
        alertmanager: str | Sequence[str] = (),
        prometheus: str = "",
        public_page: bool = False,
        clock: Clock | None = None,
    ) -> None:
        """Prepare a registry of the services in *config*: a file, a directory, or a mapping.

            ServiceRegistry({"services": [{"id": "openai", "provider": "openai", "api_key": key}]})

        A mapping has the fields of a file (`services`, `defaults`, `monitoring`, `canaries`,
        `notify`) and is copied; `monitoring` may hold `health_check_defaults`, which are
        `defaults.health_check`. *data_dir* keeps services, keys and results over a restart.
        *variables* replaces the process environment for `${NAME}`; *from_env* without *config*
        registers every provider whose key variable is set. *alertmanager*, the URL of every peer,
        is polled for alerts and receives manual incidents; without one incidents are decided here,
        unless `monitoring.incidents` says otherwise. *prometheus* is queried for alerts missed
        while not running. With *public_page* the dashboard also serves /public, what outsiders may
        see. *clock* replaces the time, for tests.

        Raises:
            StoreError: *data_dir* cannot be used.
        """
        environ = environment() if variables is None else variables
        source = Source(_reader(config, environ, from_env=from_env), environ)
        directory = Path(data_dir) if data_dir is not None else None
        options = Options(
            source=source,
            environment=environ,
            data_dir=directory,
            alertmanagers=_texts(alertmanager),
            prometheus=prometheus,
            public_page=public_page,
        )
        self._app = App(options, clock=clock, storage=None if directory else Volatile())
        super().__init__(Running(self._app), source, _AUTHOR)

    # -- services ----------------------------------------------------------------------------

    async def register_service(self, service: Mapping[str, Any]) -> str:
        """Register *service*, with the fields of one in a configuration file; return its id.

            await registry.register_service(
                {"id": "billing", "base_url": "https://billing.example.com", "api_key": key}
            )

        Raises:
            SettingsError: *service* is not valid; it has every mistake.
            TakenError: there is a service of that id.
        """
        self._running.enter()
        return (await self._app.management.add(service, _AUTHOR)).id

    async def update_service(self, service: str, changes: Mapping[str, Any]) -> None:
        """Merge *changes* into a registered service; None removes a field.

            await registry.update_service("billing", {"team": None, "environment": "staging"})

        Raises:
            UnknownServiceError: *service* is not registered.
            InFileError: it is declared in a configuration file, where it has to be changed.
            SettingsError: the result would not be valid.
        """
        self._running.enter()
        await self._app.management.change(service, changes, _AUTHOR)

    async def remove_service(self, service: str) -> None:
        """Remove *service*, its key and its results.

            await registry.remove_service("billing")

        Raises:
            UnknownServiceError: *service* is not registered.
            InFileError: it is declared in a configuration file, where it has to be removed.
        """
        self._running.enter()
        await self._app.management.remove(service, _AUTHOR)

    def get_service_config(self, service: str, mask: bool = True) -> Json:
        """Return the declaration of *service*; without *mask* it contains the key in clear text.

            registry.get_service_config("openai")["api_key"]  # "sk-…x9Qz"

        Raises:
            UnknownServiceError: *service* is not registered.
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
        """Return status, reason, verdict, advice and times of *service*, from its last probes.

            health = registry.get_service_health("openai")
            print(health["status"], health["advice"])

        Times are Unix times; those of a service that was never probed are None.

        Raises:
            UnknownServiceError: *service* is not registered.
        """
        target = self._target(service)
        return service_health(target, self._app.results.of(target.id), self._app.clock.now())

    def get_all_service_health(self) -> list[Json]:
        """Return the health of every service, each as `get_service_health` does.

            for health in registry.get_all_service_health():
                print(health["id"], health["status"])

        Disabled services are included; their `enabled` is false.
        """
        self._running.prepare()
        now, results = self._app.clock.now(), self._app.results
        return [service_health(t, results.of(t.id), now) for t in self._app.registry]

    async def test_service(self, service: str) -> Json:
        """Probe *service* once, without counting it, as `HealthMonitor.check_service_health` does.

            print((await registry.test_service("openai"))["success"])

        Raises:
            UnknownServiceError: *service* is not registered.
            ManagementError: it cannot be probed; the message says why.
        """
        return await self.health_monitor.check_service_health(service)

    async def rotate_api_key(
        self, service: str, key: str | Secret, *, force: bool = False, allow_limited: bool = False
    ) -> Json:
        """Probe with *key*, use it if the reason is `ok`, and return how that went.

            done = await registry.rotate_api_key("openai", new_key)
            print(done["next_step"] if done["success"] else done["advice"])

        `success` is whether the new key is used now; if not, the old one stays, and `message` says
        why. `reason`, `verdict`, `advice`, `duration_ms` and others are those of the probe, or None
        if there was none. `rotated_at` (Unix time) and `next_step`, what remains to be done with
        the old key, are those of a success, else None. With *allow_limited* the reason
        `key_ok_limited` will do, with *force* any.

        Raises:
            UnknownServiceError: *service* is not registered.
            ManagementError: the key cannot be proven, as no probe sends one.
            StoreError: with a `data_dir`: it cannot be kept there.
        """
        self._running.enter()
        new = key if isinstance(key, Secret) else Secret(key)
        try:
            rotation = await self._app.management.rotate(
                service, new, _AUTHOR, force=force, allow_limited=allow_limited
            )
        except KeyRefusedError as error:
            return rotated(error.outcome, message=str(error))
        return rotated(rotation.outcome, rotation)

    def session(self, service: str) -> ServiceSession:
        """Return a session for the program's own calls to *service*, used like aiohttp's.

            async with registry.session("openai") as session:
                async with session.get("/v1/models") as response:
                    print(await response.json())

        It adds the key to each request, keeps the service's rate limit and retry policy, and
        counts in `service_requests_total`. Open a new one after a key was rotated. What is repeated
        and when is described in exporter/library/README.md.

        Raises:
            UnknownServiceError: *service* is not registered.
        """
        return self._app.sessions.of(self._target(service))

    def httpx_transport(self, service: str) -> AsyncBaseTransport:
        """Return a transport for the async client of a vendor, such as OpenAI's or Anthropic's.

            client = AsyncOpenAI(
                api_key="not used",
                http_client=httpx2.AsyncClient(transport=registry.httpx_transport("openai")),
            )

        It replaces the client's key by that of the service, also after a rotation, refuses every
        other origin, keeps the service's rate limit and counts in `service_requests_total`. It
        repeats nothing: that is the client's. One for each client, which closes it; `stop` does so
        too. See exporter/library/README.md.

        Raises:
            UnknownServiceError: *service* is not registered.
            ImportError: neither httpx2 nor httpx is installed.
        """
        from exporter.sessions.transport import ServiceTransport  # noqa: PLC0415, optional

        return ServiceTransport(self._calls(service))

    def httpx_sync_transport(self, service: str) -> BaseTransport:
        """Return a transport for a client without `await`, to be used in other threads.

            client = OpenAI(
                api_key="not used",
                http_client=httpx2.Client(transport=registry.httpx_sync_transport("openai")),
            )
            answer = await asyncio.to_thread(client.models.list)

        Otherwise as `httpx_transport`: the requests are sent by the event loop in which this is
        called, so that loop has to run, and its own thread cannot use the client.

        Raises:
            UnknownServiceError: *service* is not registered.
            ImportError: neither httpx2 nor httpx is installed.
            RuntimeError: this is not called in an event loop.
        """
        from exporter.sessions.transport import ServiceSyncTransport  # noqa: PLC0415, optional

        return ServiceSyncTransport(self._calls(service), asyncio.get_running_loop())

    async def metrics(self) -> str:
        """Return the text of /metrics, for a program that serves it itself.

            async def metrics(request):
                return web.Response(text=await registry.metrics())

        It is in Prometheus' text format.
        """
        self._running.enter()
        return b"".join([piece async for piece in self._app.exposition.chunks()]).decode()

    def _calls(self, service: str) -> Calls:
        self._target(service)  # a wrong name is an error here, not at the first call
        return self._app.sessions.calls(lambda: self._app.registry.get(service))

    def _target(self, service: str) -> Target:
        self._running.prepare()
        return self._app.registry.get(service)


def _reader(
    config: str | Path | Mapping[str, Any] | None,
    variables: Mapping[str, str],
    *,
    from_env: bool,
) -> Callable[[], Configuration]:
    """Return what reads *config* whenever it is to be read."""
    if isinstance(config, Mapping):
        given = Given(config)
        return lambda: given.read(variables)
    if config is not None:
        path = Path(config)
        return lambda: read_files([path], variables)
    return lambda: from_environment(variables) if from_env else Configuration()


def create_service_registry_from_env(
    variables: Mapping[str, str] | None = None,
) -> ServiceRegistry:
    """Return a registry of every provider whose key variable is set.

        registry = create_service_registry_from_env({"OPENAI_API_KEY": key})

    *variables* replaces the process environment.
    """
    return ServiceRegistry(variables=variables, from_env=True)
