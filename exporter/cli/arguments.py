"""The command line: commands, options, and their help texts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from exporter.cli.examples import explain
from exporter.cli.remote_arguments import REMOTE
from exporter.cli.stack_arguments import add_stack
from exporter.cli.usage import meant
from exporter.listing import option_names_in

SHELLS = ("bash", "zsh", "fish")
_ENDING = """first steps:
  service-registry demo
  service-registry serve --config config/services.yaml
  service-registry probe openai --config config/services.yaml

more examples: service-registry COMMAND --help
completion: eval "$(service-registry completion bash)", or source it for zsh and fish
exit codes: 0 success, 1 failure, 2 wrong usage or no exporter answers; NO_COLOR is honoured
"""


class _Parser(argparse.ArgumentParser):
    """Shows no key in what is wrong with the arguments: argparse would quote it."""

    def error(self, message: str) -> NoReturn:
        from exporter.settings import shown_prose  # noqa: PLC0415, only what is wrong needs it

        super().error(shown_prose(message))

    # Python 3.14 can suggest a choice by itself, and no version can an option.
    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += meant(str(value), map(str, action.choices or ()))
            raise

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            options = _options_of(self, found)
            near = meant(unknown[0].partition("=")[0], options)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{near}")
        return found


def _options_of(parser: argparse.ArgumentParser, found: argparse.Namespace) -> list[str]:
    """Return the options of *parser*, and of its command and verb that were *found*."""
    options = [*parser._option_string_actions]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            chosen = action.choices.get(getattr(found, action.dest, None) or "")
            options += [] if chosen is None else _options_of(chosen, found)
    return options


def make_parser(version: str) -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog="service-registry",
        description="Probe the external APIs you depend on and expose the results to Prometheus.",
        epilog=_ENDING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(_add(commands, "serve", "run the exporter"))
    check = _add(commands, "check-config", "report every mistake in configuration files")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _add_probe(_add(commands, "probe", "probe one service or URL now"))
    providers = _add(commands, "providers", "list the provider presets, or show one")
    providers.add_argument("name", nargs="?", metavar="NAME")
    providers.add_argument("--json", action="store_true", help="print JSON")
    providers.add_argument(
        "--check", type=Path, metavar="FILE", help="report every mistake in a preset of your own"
    )
    schema = _add(commands, "schema", "print the JSON Schema of the configuration")
    for name, (summary, add_to) in REMOTE.items():
        add_to(_add(commands, name, summary))
    _add_notify(_add(commands, "notify", "try whether notifications arrive"))
    _add_import(_add(commands, "import", "convert another tool's configuration to ours"))
    add_stack(_add(commands, "stack", "run the exporter, Prometheus and Alertmanager as one"))
    _add_demo(_add(commands, "demo", "show an outage, a revoked key and a dead network, simulated"))
    for command in ("serve", "check-config", "probe", "stack"):
        _add_folder(commands.choices[command])
    _add_public_page(commands.choices["stack"])
    _add_folder(providers)
    _add_folder(schema)
    shell = _add(commands, "completion", "print the completion script for a shell")
    shell.add_argument("shell", choices=SHELLS)
    make = _add(commands, "make-secrets", "write the tokens and keys that are missing")
    make.add_argument("directory", type=Path, metavar="DIR")
    make.add_argument("--group-readable", action="store_true", help="mode 0640 instead of 0600")
    secret = _add(
        commands, "rotate-secret-key", "re-encrypt every stored key with the newest secret key"
    )
    secret.add_argument("--data-dir", type=Path, required=True, metavar="DIR")
    return parser


def _add_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--providers",
        dest="preset_folder",
        type=Path,
        metavar="DIR",
        help="presets of your own, one NAME.yaml each, beside the shipped ones",
    )


def _add_public_page(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--public-page",
        dest="public_page",
        action="store_true",
        help="serve /public, what outsiders may see; badges are then of those services only",
    )


def _add(commands: Any, name: str, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary)
    explain(parser, name, summary)
    return parser


def _add_demo(demo: argparse.ArgumentParser) -> None:
    demo.add_argument(
        "--port",
        type=int,
        default=0,
        metavar="N",
        help="port of the exporter; default any free one",
    )
    demo.add_argument(
        "--providers",
        metavar="HOST:PORT",
        help="run only the simulated providers; POST /faults/NAME/FAULT with down, key or none",
    )
    demo.add_argument(
        "--keep",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="keep everything running at the end, to look at; default on a terminal",
    )


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        action="append",
        type=Path,
        metavar="FILE",
        help="configuration file or directory; may be repeated",
    )
    parser.add_argument(
        "--listen", default="127.0.0.1:9642", metavar="HOST:PORT", help="default 127.0.0.1:9642"
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="directory for services and keys set over the API, counters, results and incidents",
    )
    parser.add_argument(
        "--from-env",
        action="store_true",
        help="register every provider whose key variable is set; the default without --config",
    )
    _add_token_file(parser, "--admin-token-file", "admin_token_file", "that changes need", "ADMIN")
    _add_chain(parser)
    _add_optional_routes(parser)
    _add_serve_flags(parser)


def _add_token_file(
    parser: argparse.ArgumentParser, option: str, dest: str, use: str, variable: str
) -> None:
    """Add *option*, which names a file with a token."""
    words = f"file with the token {use}; or set SERVICE_REGISTRY_{variable}_TOKEN_FILE"
    parser.add_argument(option, dest=dest, type=Path, metavar="FILE", help=words)


def _add_chain(parser: argparse.ArgumentParser) -> None:
    """Add the addresses of Alertmanager and Prometheus, for the incident log."""
    parser.add_argument(
        "--alertmanager.url",
        dest="alertmanagers",
        action="append",
        default=[],
        metavar="URL",
        help="Alertmanager to poll and to send manual incidents to; repeat for every peer; "
        "file:PATH reads the URL, then also with user:password@",
    )
    dest = "receiver_token_file"
    _add_token_file(parser, "--alertmanager.token-file", dest, "of its webhook", "ALERTMANAGER")
    dest, use = "status_page_token_file", "of webhooks of status pages"
    _add_token_file(parser, "--status-page.token-file", dest, use, "STATUS_PAGE")
    parser.add_argument(
        "--alertmanager.interval",
        dest="poll_interval",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="time between two polls of Alertmanager; default 30",
    )
    parser.add_argument(
        "--prometheus.url",
        dest="prometheus",
        default="",
        metavar="URL",
        help="Prometheus to query at the start for incidents missed while the exporter was down; "
        "file:PATH as above",
    )


def _add_optional_routes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--probe.enable",
        dest="probe_enable",
        action="store_true",
        help="answer /probe?target=URL&module=NAME as blackbox_exporter does",
    )
    parser.add_argument(
        "--probe.config.file",
        dest="probe_modules",
        type=Path,
        metavar="FILE",
        help="module file of /probe; default config/modules.yaml",
    )
    _add_public_page(parser)
    parser.add_argument(
        "--public-page.without-password",
        dest="public_without_password",
        action="store_true",
        help="ask for no password of --web.config.file there, and for no badge",
    )


def _add_metrics_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--metrics.compact",
        dest="compact",
        action="store_true",
        help="show only what the shipped rules and dashboards read: half of the series",
    )
    parser.add_argument(
        "--metrics.lean",
        dest="lean",
        action="store_true",
        help="omit histograms and reasons that never occurred, for very many services",
    )


def _add_serve_flags(parser: argparse.ArgumentParser) -> None:
    _add_metrics_flags(parser)
    parser.add_argument(
        "--web.config.file",
        dest="web_config",
        type=Path,
        metavar="FILE",
        help="TLS, passwords, headers and a rate limit, in the format of exporter-toolkit",
    )
    parser.add_argument(
        "--web.allowed-hosts",
        dest="allowed_hosts",
        action="append",
        default=[],
        metavar="NAME,...",
        help="names by which a browser or proxy addresses the exporter, such as "
        "status.example.com; addresses, localhost and names without a dot always work",
    )
    parser.add_argument(
        "--shard.index",
        dest="shard_index",
        type=int,
        default=0,
        metavar="I",
        help="probe only the services of this shard, from 0",
    )
    parser.add_argument(
        "--shard.count",
        dest="shard_count",
        type=int,
        default=1,
        metavar="N",
        help="how many shards share the configuration",
    )
    _add_logging(parser)


def _add_logging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log.format",
        dest="log_format",
        choices=("logfmt", "json"),
        default="logfmt",
        help="form of the log lines; default logfmt",
    )
    parser.add_argument(
        "--log.level",
        dest="log_level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="lowest level that is logged; default info",
    )


def _add_probe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="SERVICE|URL")
    parser.add_argument(
        "--config",
        action="append",
        type=Path,
        metavar="FILE",
        help="default config/services.yaml",
    )
    parser.add_argument("--model", metavar="ID", help="ask this model of the service; it costs")
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="count what a model costs in its budgets"
    )
    parser.add_argument(
        "--ca-file", metavar="FILE", help="PEM file of trusted authorities, for a URL"
    )
    parser.add_argument(
        "--timeout", type=float, default=10.0, help="seconds, for a URL; default 10"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="blackbox.yml, gatus.yaml, uptime-kuma.json or the original registry.json",
    )
    parser.add_argument(
        "--targets",
        type=Path,
        metavar="FILE",
        help="prometheus.yml with blackbox_exporter's targets",
    )
    parser.add_argument(
        "--from",
        dest="format",
        choices=option_names_in("importers/formats"),
        help="format of FILE; default: detected from its content",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="file to write; default standard output"
    )
    parser.add_argument(
        "--force", action="store_true", help="overwrite the output file if it exists"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_notify(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    test = verbs.add_parser("test", help="send a test message to every entry, or to one")
    test.add_argument("name", nargs="?", metavar="NAME", help="name of an entry; default all")
    test.add_argument(
        "--config",
        action="append",
        type=Path,
        metavar="FILE",
        help="configuration file or directory; may be repeated; default config/services.yaml",
    )
