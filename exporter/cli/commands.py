"""Runs the command in argv.

Exit codes: 0 success, 1 failure, 2 wrong usage or no exporter answers, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from exporter.cli.arguments import make_parser
from exporter.cli.usage import RefusedError, UsageError, sentence
from exporter.errors import ShownError
from exporter.log import places_of
from exporter.version import TOLD


def main(argv: Sequence[str]) -> int:
    """Run the command in *argv* as `entry.main` does."""
    arguments = make_parser(TOLD).parse_args(argv)
    try:
        return _run(arguments)
    except UsageError as error:
        print(f"service-registry: {error}", file=sys.stderr)
        return 2
    except RefusedError as error:
        print(f"service-registry: {sentence(error.problem)}", file=sys.stderr)
        return 1
    except ShownError as error:
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


def _run(arguments: argparse.Namespace) -> int:
    if folder := getattr(arguments, "preset_folder", None):
        _imported("exporter.providers", "use_folder")(folder)
    module, function = COMMANDS[arguments.command]
    code: int = _imported(f"exporter.cli.{module}", function)(arguments)
    return code


def _imported(module: str, function: str) -> Callable[..., Any]:
    """Return *function* of *module*: of all that the exporter has, a command imports its own."""
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


COMMANDS = {
    "serve": ("serving", "run_server"),
    "check-config": ("checking", "check_config"),
    "probe": ("probe", "run_probe"),
    "providers": ("listing", "run_providers"),
    "schema": ("listing", "print_schema"),
    "services": ("remote", "print_services"),
    "top": ("top", "run_top"),
    "watch": ("watch", "run_watch"),
    "add": ("managing", "add_service"),
    "remove": ("managing", "remove_service"),
    "pause": ("managing", "pause_service"),
    "resume": ("managing", "resume_service"),
    "maintenance": ("managing", "run_maintenance"),
    "stats": ("remote", "print_stats"),
    "incidents": ("incidents", "run_incidents"),
    "report": ("reporting", "run_report"),
    "notify": ("notifying", "run_notify"),
    "stack": ("stack", "run_stack"),
    "demo": ("demo", "run_demo"),
    "import": ("importing", "run_import"),
    "completion": ("completion", "print_completion"),
    "rotate-key": ("remote", "rotate_key"),
    "rotate-secret-key": ("secrets", "rotate_secret_key"),
    "make-secrets": ("secrets", "make_secrets"),
}
"""The module of each command, and the function in it that gets the arguments."""
