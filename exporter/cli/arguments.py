"""The command line: what may be typed, and what --help says."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from exporter.cli.completion import SHELLS
from exporter.cli.examples import explain
from exporter.importers import FORMATS

_SEVERITIES = ("critical", "high", "medium", "low")
DEFAULT_URL = "http://127.0.0.1:9642"
_ENDING = """first steps:
  service-registry demo
  service-registry serve --config config/services.yaml
  service-registry probe openai --config config/services.yaml

more of them: service-registry COMMAND --help
completion: eval "$(service-registry completion bash)", or source it for zsh and fish
exit codes: 0 good, 1 not good, 2 wrong usage; NO_COLOR is honoured
"""


def make_parser(version: str) -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="service-registry",
        description="Probe the external APIs you depend on and expose the truth to Prometheus.",
        epilog=_ENDING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"service-registry {version}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(_add(commands, "serve", "run the exporter"))
    check = _add(commands, "check-config", "say every mistake in configuration files")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _add_probe(_add(commands, "probe", "probe one service or URL now"))
    providers = _add(commands, "providers", "list the presets, or show one")
    providers.add_argument("name", nargs="?", metavar="NAME")
    providers.add_argument("--json", action="store_true", help="for machines")
    _add(commands, "schema", "print the JSON Schema of the configuration")
    _add_remote(commands)
    _add_incidents(_add(commands, "incidents", "the incident log: list, take, end"))
    _add_import(_add(commands, "import", "another tool's configuration as one of ours"))
    _add_demo(_add(commands, "demo", "an outage, told as it happens, with simulated providers"))
    shell = _add(commands, "completion", "print what a shell needs to complete commands")
    shell.add_argument("shell", choices=SHELLS)
    make = _add(commands, "make-secrets", "write the tokens and keys that are missing")
    make.add_argument("directory", type=Path, metavar="DIR")
    make.add_argument("--group-readable", action="store_true", help="mode 0640 instead of 0600")
    secret = _add(commands, "rotate-secret-key", "encrypt every kept key anew")
    secret.add_argument("--data-dir", type=Path, required=True, metavar="DIR")
    return parser


def _add(commands: Any, name: str, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what)
    explain(parser, name, what)
    return parser


def _add_demo(demo: argparse.ArgumentParser) -> None:
    demo.add_argument(
        "--port", type=int, default=0, metavar="N", help="of the exporter; default any"
    )
    demo.add_argument(
        "--providers",
        metavar="HOST:PORT",
        help="only the simulated providers; POST /faults/NAME/down, /key or /none makes them fail",
    )
    demo.add_argument("--keep", action="store_true", help="let everything run on at the end")


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
        help="where services and keys of the API, counters and a day of results are kept",
    )
    parser.add_argument(
        "--from-env",
        action="store_true",
        help="every provider whose key variable is set; the default without --config",
    )
    parser.add_argument(
        "--admin-token-file",
        type=Path,
        metavar="FILE",
        help="token for changes; or SERVICE_REGISTRY_ADMIN_TOKEN_FILE",
    )
    _add_chain(parser)
    _add_probe_route(parser)
    _add_serve_flags(parser)


def _add_chain(parser: argparse.ArgumentParser) -> None:
    """Add where Alertmanager and Prometheus are, for the incident log."""
    parser.add_argument(
        "--alertmanager.url",
        dest="alertmanagers",
        action="append",
        default=[],
        metavar="URL",
        help="asked what it lists, told of manual incidents; repeated for every peer",
    )
    parser.add_argument(
        "--alertmanager.token-file",
        dest="receiver_token_file",
        type=Path,
        metavar="FILE",
        help="token of its webhook; or SERVICE_REGISTRY_ALERTMANAGER_TOKEN_FILE",
    )
    parser.add_argument(
        "--alertmanager.interval",
        dest="poll_interval",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="between two looks; default 30",
    )
    parser.add_argument(
        "--prometheus.url",
        dest="prometheus",
        default="",
        metavar="URL",
        help="asked at the start for incidents that came and went meanwhile",
    )


def _add_probe_route(parser: argparse.ArgumentParser) -> None:
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
        help="modules of /probe; default config/modules.yaml",
    )


def _add_serve_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--metrics.lean",
        dest="lean",
        action="store_true",
        help="no histogram and only the reasons seen, for very many services",
    )
    parser.add_argument(
        "--web.config.file",
        dest="web_config",
        type=Path,
        metavar="FILE",
        help="TLS, passwords, headers and a rate limit, as exporter-toolkit has them",
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
    parser.add_argument(
        "--log.format", dest="log_format", choices=("logfmt", "json"), default="logfmt"
    )
    parser.add_argument(
        "--log.level",
        dest="log_level",
        choices=("debug", "info", "warning", "error"),
        default="info",
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
    parser.add_argument("--ca-file", metavar="FILE", help="accepted authorities, for a URL")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds, for a URL")
    parser.add_argument("--json", action="store_true", help="for machines")


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="blackbox.yml, gatus.yaml or uptime-kuma.json"
    )
    parser.add_argument(
        "--targets", type=Path, metavar="FILE", help="prometheus.yml: what blackbox_exporter probes"
    )
    parser.add_argument(
        "--from",
        dest="format",
        choices=FORMATS,
        help="default: from the content",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="default standard output")
    parser.add_argument("--force", action="store_true", help="overwrite --output")
    parser.add_argument("--json", action="store_true", help="for machines")


def _add_remote(commands: Any) -> None:
    """Add the commands that ask a running exporter."""
    for name, text in (
        ("services", "list the services of a running exporter, worst first"),
        ("stats", "sum up a running exporter"),
        ("rotate-key", "verify a new key with the provider and switch to it"),
    ):
        parser = _add(commands, name, text)
        _add_asking(parser, DEFAULT_URL)
        if name == "rotate-key":
            _add_rotate(parser)


def _add_rotate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument(
        "--key-file",
        metavar="FILE|-",
        help="where the new key is; - is standard input; asked for on a terminal without it",
    )
    parser.add_argument("--force", action="store_true", help="use it even if it is rejected")
    parser.add_argument("--rollback", action="store_true", help="return to the key before")
    _add_token(parser)


def _add_token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--admin-token-file",
        type=Path,
        metavar="FILE",
        help="the admin token; or SERVICE_REGISTRY_ADMIN_TOKEN_FILE",
    )


def _add_incidents(parser: argparse.ArgumentParser) -> None:
    _add_listing(parser, DEFAULT_URL, "50", None)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    # What stands before the verb holds if nothing stands after it.
    quiet = argparse.SUPPRESS
    _add_listing(verbs.add_parser("list", help="the newest first; the default"), *[quiet] * 3)
    show = verbs.add_parser("show", help="one with its timeline")
    create = verbs.add_parser("create", help="report one by hand; it is routed like an alert")
    create.add_argument("summary", metavar="TEXT")
    create.add_argument("--severity", choices=_SEVERITIES, default="high")
    for name in ("service", "environment", "description"):
        create.add_argument(f"--{name}")
    words = (
        ("ack", "take one: its escalation stops", "?"),
        ("resolve", "end one", "?"),
        ("note", "add a note", None),
    )
    changes = []
    for verb, text, number in words:
        changes.append(verbs.add_parser(verb, help=text))
        changes[-1].add_argument("id", metavar="ID")
        changes[-1].add_argument("note", metavar="TEXT", nargs=number)
    show.add_argument("id", metavar="ID")
    for one in (create, *changes):
        one.add_argument("--by", help="who; default the name of the user")
        _add_token(one)
    for one in (show, create, *changes):
        _add_asking(one, quiet)


def _add_asking(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--url", default=default, help=f"default {DEFAULT_URL}")
    json_default = default if default == argparse.SUPPRESS else False
    parser.add_argument("--json", action="store_true", default=json_default, help="for machines")


def _add_listing(parser: argparse.ArgumentParser, url: str, limit: str, other: str | None) -> None:
    _add_asking(parser, url)
    parser.add_argument("--severity", choices=_SEVERITIES, default=other)
    parser.add_argument("--status", choices=("open", "acknowledged", "resolved"), default=other)
    parser.add_argument("--service", default=other)
    parser.add_argument("--environment", default=other)
    parser.add_argument("--limit", default=limit, metavar="N", help="default 50, at most 1000")
