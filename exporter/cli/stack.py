"""`stack`: exporter, Prometheus and Alertmanager in one command; everything is checked first."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from exporter.app import App, Options
from exporter.cli.serving import (
    NO_SERVICE,
    listen_address,
    loop_factory,
    prepare,
)
from exporter.cli.sources import source_of
from exporter.cli.tokens import admin_token, receiver_token
from exporter.cli.usage import UsageError, counted
from exporter.config import Configuration
from exporter.files import named
from exporter.log import Redaction, configure
from exporter.programs import (
    INSTALL_HINT,
    Program,
    ProgramError,
    alertmanager_program,
    missing_programs,
    prometheus_config,
    prometheus_program,
    reached_at,
    shipped,
    url_of,
    write_config,
)
from exporter.secret import Secret, SecretError, environment, protect_process, read_key_file
from exporter.settings.document import DocumentError
from exporter.stack import (
    Addresses,
    Layout,
    Minimal,
    Routes,
    full_routes,
    minimal_routes,
    run,
    taken,
)
from exporter.store import SECRET_KEY_VARIABLE
from exporter.version import VERSION

_INTERRUPTED = 130


def run_stack(arguments: argparse.Namespace) -> int:
    """Run everything until a signal; return 1 if a program does not start or ends by itself.

    Raises:
        UsageError: the arguments contradict each other, or a program is not installed.
        SettingsError: the configuration is wrong.
    """
    protect_process()
    medium = _medium(arguments)
    addresses = _addresses(arguments)
    if missing := missing_programs():
        raise UsageError(
            f"not installed: {', '.join(missing)} ({INSTALL_HINT}); "
            "`service-registry serve` runs the exporter alone"
        )
    source = source_of(arguments.config, environment())
    days = source().monitoring.metrics_retention_days
    if problem := taken(addresses):
        print(f"service-registry: {problem}", file=sys.stderr)
        return 1
    redaction = configure("logfmt", logging.INFO if arguments.verbose else logging.ERROR)
    try:
        stack = _Stack(arguments, addresses, medium)
        stack.build(source, days, redaction)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(stack.run())
    except ProgramError as error:
        print(f"service-registry: {error}; the others were ended too", file=sys.stderr)
    except OSError as error:
        file = error.filename
        name = f"{named(Path(str(file)), 'a named file')}: " if file else ""
        print(f"service-registry: {name}{error.strerror or error}", file=sys.stderr)
    return 1


class _Stack:
    """What is started, from the arguments."""

    def __init__(
        self, arguments: argparse.Namespace, addresses: Addresses, medium: Minimal | None
    ) -> None:
        self._verbose: bool = arguments.verbose
        self._public_page: bool = arguments.public_page
        self._from_environment = not arguments.config
        self._addresses = addresses
        self._layout = Layout(arguments.data_dir.absolute())
        given: Path | None = arguments.secrets.absolute() if arguments.secrets else None
        self._secrets = self._layout.make(given)
        self._routes = self._routed(arguments.routes, given, medium)
        self._hidden = Redaction()
        kept = (medium.webhook, medium.password) if medium else ()
        self._hidden.replace([Secret(text) for text in kept])

    def build(self, source: Callable[[], Configuration], days: int, redaction: Redaction) -> None:
        """Make the exporter of the services in *source*, and the others, which keep *days*."""
        self._app = App(self._options(source), redaction=redaction)
        self._programs = self._described(days)

    def _routed(self, file: Path | None, given: Path | None, medium: Minimal | None) -> Routes:
        token, exporter = self._secrets["exporter_token"], url_of(self._addresses.exporter)
        to = self._layout.config
        if medium is not None:
            return minimal_routes(medium, token=token, exporter=exporter, to=to)
        source = file.absolute() if file else shipped("alertmanager") / "alertmanager.yml"
        folder = given or self._layout.secrets
        try:
            return full_routes(source, secrets=folder, token=token, exporter=exporter, to=to)
        except DocumentError as error:
            raise UsageError(f"{source}:{error.line}: {error}") from None
        except ValueError as error:
            raise UsageError(f"{source}: {error}") from None

    def _options(self, source: Callable[[], Configuration]) -> Options:
        host, port = listen_address(self._addresses.exporter, "--listen")
        return Options(
            source=source,
            environment={SECRET_KEY_VARIABLE: str(self._secrets["secret_key"]), **environment()},
            host=host,
            port=port,
            admin_token=admin_token(self._secrets["admin_token"]),
            receiver_token=receiver_token(self._secrets["exporter_token"]),
            alertmanagers=(url_of(self._addresses.alertmanager),),
            prometheus=url_of(self._addresses.prometheus),
            data_dir=self._layout.exporter,
            public_page=self._public_page,
        )

    def _described(self, days: int) -> list[Program]:
        """Return Alertmanager and Prometheus with their configuration written."""
        layout, addresses = self._layout, self._addresses
        routes = write_config(layout.config / "alertmanager.yml", self._routes.config)
        rules = prometheus_config(
            exporter=reached_at(addresses.exporter),
            alertmanager=reached_at(addresses.alertmanager),
            own=reached_at(addresses.prometheus),
        )
        level = f"--log.level={'info' if self._verbose else 'warn'}"
        return [
            alertmanager_program(
                routes,
                layout.alertmanager,
                addresses.alertmanager,
                level,
                # What was sent is on the disk so soon: after a kill nothing is sent twice.
                "--data.maintenance-interval=1m",
                show=lambda line: self._shown("alertmanager", line),
            ),
            prometheus_program(
                write_config(layout.config / "prometheus.yml", rules),
                layout.prometheus,
                addresses.prometheus,
                level,
                f"--storage.tsdb.retention.time={days}d",
                "--enable-feature=exemplar-storage",  # request ids of failures
                show=lambda line: self._shown("prometheus", line),
            ),
        ]

    def _shown(self, name: str, line: str) -> str:
        line = self._hidden(line)
        if self._verbose:
            print(f"{name}: {line}", file=sys.stderr, flush=True)
        return line

    async def run(self) -> int:
        """Run until the first SIGTERM or SIGINT; the second one kills what still runs."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        programs = self._programs
        prepare(self._app)
        running = loop.create_task(run(self._app, programs, stop, self._announce))

        def end() -> None:
            if stop.is_set():
                for program in programs:
                    program.kill()
                running.cancel()
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        with contextlib.suppress(asyncio.CancelledError):
            await running
            return 0
        return _INTERRUPTED

    def _announce(self) -> None:
        addresses, routes = self._addresses, self._routes
        if routes.left_out:
            print(f"left out: {', '.join(routes.left_out)}")
        if routes.nobody:
            print("so nobody is notified: alerts are on these pages and in the incident log only")
        elif routes.silent:
            print(f"receivers without any medium: {', '.join(routes.silent)}")
        page = _shown_url(addresses.exporter)
        public = f"  for others    {page}public\n" if self._public_page else ""
        print(
            f"Service registry {VERSION}: {counted(len(self._app.registry), 'service')}\n"
            f"  page          {page}\n"
            f"{public}"
            f"  Prometheus    {_shown_url(addresses.prometheus)}\n"
            f"  Alertmanager  {_shown_url(addresses.alertmanager)}\n"
            f"  admin token   {self._secrets['admin_token']}\n"
            "Ctrl-C ends all of them",
            flush=True,
        )
        if self._from_environment and not len(self._app.registry):
            print(NO_SERVICE, flush=True)


def _shown_url(address: str) -> str:
    return f"{url_of(address).replace('127.0.0.1', 'localhost')}/"


def _addresses(arguments: argparse.Namespace) -> Addresses:
    addresses = Addresses(
        arguments.listen, arguments.prometheus_listen, arguments.alertmanager_listen
    )
    for option, address in addresses.by_option():
        if listen_address(address, option)[1] == 0:
            raise UsageError(f"{option} needs a port: the others must know it")
    return addresses


def _medium(arguments: argparse.Namespace) -> Minimal | None:
    """Return the medium of --minimal, None without it."""
    media = [arguments.webhook, arguments.webhook_file, arguments.mail]
    mail = [arguments.smtp, arguments.smtp_username, arguments.smtp_password_file]
    if not arguments.minimal:
        if any([*media, *mail]):
            raise UsageError("--webhook, --mail and --smtp need --minimal")
        return None
    if arguments.secrets or arguments.routes:
        raise UsageError("--secrets and --alertmanager.config.file are for the full routes")
    if sum(bool(one) for one in media) != 1:
        raise UsageError("--minimal needs one of --webhook, --webhook-file and --mail")
    if not arguments.mail:
        if any(mail):
            raise UsageError("--smtp and what belongs to it need --mail")
        return Minimal(webhook=_webhook(arguments))
    return _mail(arguments)


def _webhook(arguments: argparse.Namespace) -> str:
    url = arguments.webhook or _read(arguments.webhook_file, "--webhook-file")
    if not url.startswith(("http://", "https://")):
        # without the text: it may be a secret
        raise UsageError("the webhook must be an http:// or https:// URL")
    return str(url)


def _mail(arguments: argparse.Namespace) -> Minimal:
    if "@" not in arguments.mail:
        raise UsageError("--mail must be an address such as me@example.com")
    if not arguments.smtp:
        raise UsageError("--mail needs --smtp HOST:PORT, the mail server")
    listen_address(arguments.smtp, "--smtp")
    if bool(arguments.smtp_username) != bool(arguments.smtp_password_file):
        raise UsageError("--smtp.username and --smtp.password-file need each other")
    password = ""
    if arguments.smtp_password_file:
        password = _read(arguments.smtp_password_file, "--smtp.password-file")
    return Minimal(
        mail=arguments.mail,
        smtp=arguments.smtp,
        username=arguments.smtp_username or "",
        password=password,
    )


def _read(path: Path, option: str) -> str:
    """Return the only line of the file *path*."""
    try:
        return read_key_file(path).reveal()
    except SecretError as error:
        reason = str(error).replace("key file", "file")
        raise UsageError(f"{option}: {reason}") from None
