"""`serve`: starts the exporter from its arguments and runs it until a signal."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from exporter.app import App, Options
from exporter.cli.addresses import server_url
from exporter.cli.sources import sharded, source_of
from exporter.cli.tokens import admin_token, receiver_token, status_page_token
from exporter.cli.usage import UsageError, counted
from exporter.collection import no_collection
from exporter.log import configure
from exporter.registry import RegistryChange
from exporter.secret import environment, protect_process
from exporter.serving import Supervisor, is_host_pattern, stop_on_signals
from exporter.store import StoreError
from exporter.version import VERSION

MANY_SERVICES = 500
"""With so many services, one pass of the cycle collector takes 12 ms, which delays probes."""

NO_SERVICE = "no key variable of a provider is set: set one, or give --config FILE"


def run_server(arguments: argparse.Namespace) -> int:
    """Serve until a signal; return the exit code.

    Raises:
        UsageError: the arguments contradict each other, or a token file cannot be used.
        SettingsError: the configuration is wrong.
    """
    protect_process()
    if arguments.config and arguments.from_env:
        raise UsageError("give --config or --from-env, not both")
    if not 0 <= arguments.shard_index < arguments.shard_count:
        raise UsageError("--shard.index must be from 0 to --shard.count minus 1")
    if not 0.5 <= arguments.poll_interval <= 300:
        raise UsageError("--alertmanager.interval must be from 0.5 to 300 seconds")
    if arguments.public_without_password and not arguments.public_page:
        raise UsageError("--public-page.without-password needs --public-page")
    level = logging.getLevelNamesMapping()[arguments.log_level.upper()]
    redaction = configure(arguments.log_format, level)
    options = _options(arguments)
    try:
        with no_collection():
            app = App(options, redaction=redaction)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve(app, partial(_announce, from_environment=not arguments.config)))
    except StoreError as error:  # before OSError, which it is: the port is not to blame
        print(f"service-registry: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"service-registry: cannot listen on {arguments.listen}: {error.strerror or error}; "
            "choose another with --listen HOST:PORT",
            file=sys.stderr,
        )
        return 1
    return 0


async def serve(app: App, started: Callable[[App], None]) -> None:
    """Run *app* until SIGTERM or SIGINT, a second of which ends it at once; SIGHUP reloads."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    supervisor = Supervisor(environment())
    prepare(app)

    def tell(app: App) -> None:
        started(app)
        supervisor.ready()

    with stop_on_signals(partial(loop.call_soon_threadsafe, stop.set), app.watchdog.silent_for):
        beating = asyncio.create_task(supervisor.beat())
        try:
            await app.run(stop, tell)
        finally:
            supervisor.stopping()
            beating.cancel()


def prepare(app: App) -> None:
    """Let SIGHUP reload the configuration of *app*, and a large one cost no delays."""
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[object]] = set()

    def reload() -> None:
        # The loop keeps only weak references to tasks; without this set one could vanish.
        task = loop.create_task(app.loader.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    app.registry.subscribe(_freeze_many)
    app.exposition.subscribe(_freeze)


def _freeze_many(change: RegistryChange) -> None:
    """Exempt a large configuration that was just loaded from the cycle collector: it stays."""
    if len(change.current) >= MANY_SERVICES:
        _freeze()


def _freeze() -> None:
    """Exempt what is in memory, most of which stays, from the cycle collector.

    A pass over 10,000 services blocks the loop, and so every running probe, for a quarter of a
    second, about once a minute. Services dropped later are still freed by reference counting.
    """
    gc.freeze()


def _options(arguments: argparse.Namespace) -> Options:
    host, port = listen_address(arguments.listen, "--listen")
    environ = environment()
    source = source_of(arguments.config, environ)
    prometheus: str = arguments.prometheus
    return Options(
        source=sharded(source, arguments.shard_index, arguments.shard_count),
        environment=environ,
        host=host,
        port=port,
        admin_token=admin_token(arguments.admin_token_file),
        receiver_token=receiver_token(arguments.receiver_token_file),
        status_page_token=status_page_token(arguments.status_page_token_file),
        alertmanagers=tuple(
            server_url(url, "--alertmanager.url") for url in arguments.alertmanagers
        ),
        poll_interval=arguments.poll_interval,
        prometheus=server_url(prometheus, "--prometheus.url") if prometheus else "",
        lean=arguments.lean,
        compact=arguments.compact,
        data_dir=arguments.data_dir,
        modules=_modules(arguments),
        web_config=arguments.web_config,
        allowed_hosts=_allowed_hosts(arguments.allowed_hosts),
        public_page=arguments.public_page,
        public_without_password=arguments.public_without_password,
    )


def _announce(app: App, *, from_environment: bool) -> None:
    host = app.options.host
    shown = "localhost" if host in ("", "0.0.0.0", "127.0.0.1", "::") else host  # noqa: S104
    shown = f"[{shown}]" if ":" in shown else shown
    print(
        f"Service registry {VERSION}: {counted(len(app.registry), 'service')}, "
        f"http{'s' * app.web.tls}://{shown}:{app.port}/ (metrics at /metrics)",
        flush=True,
    )
    if from_environment and not len(app.registry):
        print(NO_SERVICE, flush=True)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes an event loop, the fastest that is installed."""
    try:
        import uvloop  # noqa: PLC0415, optional
    except ImportError:  # not available for PyPy and Windows; the standard loop is a little slower
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _modules(arguments: argparse.Namespace) -> Path | None:
    path: Path | None = arguments.probe_modules
    if arguments.probe_enable:
        return path or Path("config/modules.yaml")
    if path is not None:
        raise UsageError("--probe.config.file needs --probe.enable")
    return None


def listen_address(text: str, option: str) -> tuple[str, int]:
    """Return host and port of *text*, the value of *option*.

    Raises:
        UsageError: it is not HOST:PORT.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{option} must be HOST:PORT, such as 127.0.0.1:9642 or [::1]:9642")
    return host.strip("[]"), int(port)


def _allowed_hosts(texts: list[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for text in texts for name in text.split(","))
    if not all(map(is_host_pattern, names)):
        raise UsageError(
            "--web.allowed-hosts must be names such as status.example.com or *.example.com, or *"
        )
    return names
