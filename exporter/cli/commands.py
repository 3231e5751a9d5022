"""Runs the command in argv. Exit codes: 0 success, 1 failure, 2 wrong usage, 130 interrupted."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

from exporter.app import VERSION
from exporter.cli.arguments import make_parser
from exporter.cli.asking import RefusedError, sentence, waiting
from exporter.cli.completion import print_completion
from exporter.cli.demo import run_demo
from exporter.cli.importing import run_import
from exporter.cli.incidents import run_incidents
from exporter.cli.listing import check_preset, print_providers, print_schema
from exporter.cli.notifying import run_notify
from exporter.cli.probing import probe_once
from exporter.cli.remote import print_services, print_stats, rotate_key
from exporter.cli.reporting import run_report
from exporter.cli.secrets import make_secrets, rotate_secret_key
from exporter.cli.serving import run_server
from exporter.cli.sources import source_of
from exporter.cli.stack import run_stack
from exporter.cli.usage import UsageError, counted
from exporter.log import places_of
from exporter.providers import use_folder
from exporter.secret import environment
from exporter.settings import SettingsError
from exporter.store import StoreError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in *argv* and return its exit code.

        main(["check-config", "config/services.yaml"])  # prints a summary and returns 0

    Without *argv* the arguments are those of the process. Wrong usage may also end in SystemExit,
    which argparse raises.
    """
    arguments = make_parser(VERSION).parse_args(argv)
    try:
        if folder := getattr(arguments, "preset_folder", None):
            use_folder(folder)
        return _COMMANDS[arguments.command](arguments)
    except UsageError as error:
        print(f"service-registry: {error}", file=sys.stderr)
        return 2
    except RefusedError as error:
        print(f"service-registry: {sentence(error.problem)}", file=sys.stderr)
        return 1
    except (SettingsError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except Exception:
        # A bug. A traceback would print the text of the exception, which may contain a key.
        location = places_of(sys.exc_info())
        print(f"service-registry: internal error, please report it: {location}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _check_config(arguments: argparse.Namespace) -> int:
    with waiting("reading"):
        configuration = source_of(arguments.files, environment(), key_files=True)()
    for warning in configuration.warnings:
        print(f"warning: {warning}")
    enabled = sum(d.raw.get("enabled", True) for d in configuration.services)
    print(
        f"ok: {counted(len(configuration.services), 'service')} ({enabled} enabled), "
        f"{counted(len(configuration.canaries), 'canary', 'canaries')}, "
        f"{counted(len(configuration.notify), '`notify` entry', '`notify` entries')}, "
        f"{counted(len(configuration.warnings), 'warning')}"
    )
    days = configuration.monitoring.metrics_retention_days
    print(f"prometheus: --storage.tsdb.retention.time={days}d")
    return 0


def _probe(arguments: argparse.Namespace) -> int:
    if arguments.timeout <= 0:
        raise UsageError("--timeout must be more than 0 seconds, such as 10")
    try:
        return probe_once(arguments, environment())
    except LookupError as error:
        raise UsageError(str(error.args[0])) from None


def _providers(arguments: argparse.Namespace) -> int:
    if arguments.check:
        return check_preset(arguments.check)
    try:
        return print_providers(arguments.name, as_json=arguments.json)
    except LookupError as error:
        raise UsageError(str(error.args[0])) from None


def _later(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    """Return a command whose module is only imported when it is used."""

    def run(arguments: argparse.Namespace) -> int:
        code: int = getattr(importlib.import_module(f"exporter.cli.{module}"), function)(arguments)
        return code

    return run


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "serve": run_server,
    "check-config": _check_config,
    "probe": _probe,
    "providers": _providers,
    "schema": lambda arguments: print_schema(),
    "services": print_services,
    "top": _later("top", "run_top"),
    "watch": _later("watch", "run_watch"),
    "add": _later("managing", "add_service"),
    "remove": _later("managing", "remove_service"),
    "pause": _later("managing", "pause_service"),
    "resume": _later("managing", "resume_service"),
    "maintenance": _later("managing", "run_maintenance"),
    "stats": print_stats,
    "incidents": run_incidents,
    "report": run_report,
    "notify": lambda arguments: run_notify(arguments, environment()),
    "stack": run_stack,
    "demo": run_demo,
    "import": run_import,
    "completion": lambda arguments: print_completion(make_parser(VERSION), arguments.shell),
    "rotate-key": rotate_key,
    "rotate-secret-key": rotate_secret_key,
    "make-secrets": make_secrets,
}
