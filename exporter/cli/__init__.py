"""argv in, exit code out. Exit codes: 0 good, 1 not good, 2 wrong usage."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from exporter.app import VERSION, App, Options, serve
from exporter.cli.listing import print_providers, print_schema
from exporter.cli.probing import probe_once
from exporter.cli.sources import from_environment, source_of
from exporter.log import configure
from exporter.secret import Secret, SecretError, environment, read_key_file
from exporter.settings import SettingsError
from exporter.store import StoreError

_EXAMPLES = """examples:
  service-registry serve --config config/services.yaml
  service-registry check-config config/services.yaml
  service-registry probe openai --config config/services.yaml
  service-registry probe https://example.com/health
"""


class UsageError(Exception):
    """The arguments do not fit together; the message is for the user."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in *argv* and return its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except UsageError as error:
        print(f"service-registry: {error}", file=sys.stderr)
        return 2
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="service-registry",
        description="Probe the external APIs you depend on and expose the truth to Prometheus.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"service-registry {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="run the exporter"))
    check = commands.add_parser("check-config", help="say every mistake in configuration files")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.set_defaults(run=_check_config)
    _add_probe(commands.add_parser("probe", help="probe one service or URL now"))
    providers = commands.add_parser("providers", help="list the presets, or show one")
    providers.add_argument("name", nargs="?", metavar="NAME")
    providers.add_argument("--json", action="store_true", help="for machines")
    providers.set_defaults(run=_providers)
    schema = commands.add_parser("schema", help="print the JSON Schema of the configuration")
    schema.set_defaults(run=lambda arguments: print_schema())
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", action="append", type=Path, metavar="FILE",
        help="configuration file or directory; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--listen", default="127.0.0.1:9642", metavar="HOST:PORT", help="default 127.0.0.1:9642"
    )
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR",
        help="where services and keys of the API, counters and a day of results are kept",
    )  # fmt: skip
    parser.add_argument(
        "--from-env", action="store_true",
        help="every provider whose key variable is set; the default without --config",
    )  # fmt: skip
    parser.add_argument(
        "--admin-token-file", type=Path, metavar="FILE",
        help="token for changes; or SERVICE_REGISTRY_ADMIN_TOKEN_FILE",
    )  # fmt: skip
    parser.add_argument(
        "--metrics.lean", dest="lean", action="store_true",
        help="no histogram and only the reasons seen, for very many services",
    )  # fmt: skip
    parser.add_argument(
        "--probe.enable", dest="probe_enable", action="store_true",
        help="answer /probe?target=URL&module=NAME as blackbox_exporter does",
    )  # fmt: skip
    parser.add_argument(
        "--probe.config.file", dest="probe_modules", type=Path, metavar="FILE",
        help="modules of /probe; default config/modules.yaml",
    )  # fmt: skip
    parser.add_argument(
        "--web.config.file", dest="web_config", type=Path, metavar="FILE",
        help="TLS, passwords, headers and a rate limit, as exporter-toolkit has them",
    )  # fmt: skip
    parser.add_argument(
        "--log.format", dest="log_format", choices=("logfmt", "json"), default="logfmt"
    )
    parser.add_argument(
        "--log.level", dest="log_level", choices=("debug", "info", "warning", "error"),
        default="info",
    )  # fmt: skip
    parser.set_defaults(run=_serve)


def _add_probe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="SERVICE|URL")
    parser.add_argument(
        "--config", action="append", type=Path, metavar="FILE",
        help="default config/services.yaml",
    )  # fmt: skip
    parser.add_argument("--ca-file", metavar="FILE", help="accepted authorities, for a URL")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds, for a URL")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=_probe)


def _serve(arguments: argparse.Namespace) -> int:
    if arguments.config and arguments.from_env:
        raise UsageError("give --config or --from-env, not both")
    host, port = _listen_address(arguments.listen)
    environ = environment()
    level = logging.getLevelNamesMapping()[arguments.log_level.upper()]
    redaction = configure(arguments.log_format, level)
    options = Options(
        source=source_of(arguments.config, environ),
        environment=environ,
        host=host,
        port=port,
        admin_token=_admin_token(arguments.admin_token_file),
        lean=arguments.lean,
        data_dir=arguments.data_dir,
        modules=_modules(arguments),
        web_config=arguments.web_config,
    )
    try:
        app = App(options, redaction=redaction)
    except StoreError as error:
        print(f"service-registry: {error}", file=sys.stderr)
        return 1
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve(app, _announce))
    except OSError as error:
        print(
            f"service-registry: cannot listen on {arguments.listen}: {error.strerror or error}; "
            "choose another with --listen HOST:PORT",
            file=sys.stderr,
        )
        return 1
    return 0


def _announce(app: App) -> None:
    host = app.options.host
    shown = "localhost" if host in ("", "0.0.0.0", "127.0.0.1", "::") else host  # noqa: S104
    shown = f"[{shown}]" if ":" in shown else shown
    print(
        f"Service registry {VERSION}: {len(app.registry)} services, "
        f"http{'s' * app.web.tls}://{shown}:{app.port}/ (metrics at /metrics)",
        flush=True,
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415, the import itself is the question
    except ImportError:  # PyPy and Windows: the standard loop works, a little slower
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _modules(arguments: argparse.Namespace) -> Path | None:
    named: Path | None = arguments.probe_modules
    if arguments.probe_enable:
        return named or Path("config/modules.yaml")
    if named is not None:
        raise UsageError("--probe.config.file needs --probe.enable")
    return None


def _listen_address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise UsageError("--listen must be HOST:PORT, such as 127.0.0.1:9642 or [::1]:9642")
    return host.strip("[]"), int(port)


def _admin_token(path: Path | None) -> Secret | None:
    named = path or environment().get("SERVICE_REGISTRY_ADMIN_TOKEN_FILE")
    if not named:
        return None
    try:
        token = read_key_file(Path(named))
    except SecretError as error:
        reason = str(error).replace("key file", "admin token file")
        raise UsageError(f"{named}: {reason}") from None
    if len(token.reveal()) < 16:
        raise UsageError(f"{named}: the admin token must have at least 16 characters")
    return token


def _check_config(arguments: argparse.Namespace) -> int:
    configuration = source_of(arguments.files, environment())()
    for warning in configuration.warnings:
        print(f"warning: {warning}")
    enabled = sum(d.raw.get("enabled", True) for d in configuration.services)
    print(
        f"ok: {len(configuration.services)} services ({enabled} enabled), "
        f"{len(configuration.canaries)} canaries, {len(configuration.warnings)} warnings"
    )
    return 0


def _probe(arguments: argparse.Namespace) -> int:
    if arguments.timeout <= 0:
        raise UsageError("--timeout must be more than 0")
    try:
        return probe_once(arguments, environment())
    except LookupError as error:
        raise UsageError(str(error.args[0])) from None


def _providers(arguments: argparse.Namespace) -> int:
    try:
        return print_providers(arguments.name, as_json=arguments.json)
    except LookupError as error:
        raise UsageError(str(error.args[0])) from None


__all__ = ["from_environment", "main"]
