"""`add`, `remove`, `pause`, `resume`, `maintenance`: change the services of a running exporter."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from exporter.cli.asking import ask, ask_about, default_author, format_time, require_token
from exporter.cli.remote import key_from
from exporter.cli.usage import UsageError, counted
from exporter.config import Service, merged
from exporter.settings import shown_prose, split_secrets, value_of

_NAMED = ("provider", "base_url", "environment", "team", "name")


def add_service(arguments: argparse.Namespace) -> int:
    """Register a service.

    Raises:
        UsageError: a setting is no FIELD=VALUE or is a secret, or no exporter answers.
        RefusedError: the exporter refuses; with every mistake.
    """
    body: dict[str, Any] = {"id": arguments.id}
    for setting in arguments.settings:
        _put(body, setting)
    body |= {name: value for name in _NAMED if (value := getattr(arguments, name))}
    # Before the key is asked for: a mistake in the arguments should not cost typing it.
    token = require_token(arguments)
    if arguments.key_file is not None:
        body["api_key"] = key_from(arguments.key_file).reveal()
    added = ask(arguments.url, "POST", "/api/services", body=body, token=token)
    if arguments.json:
        print(json.dumps(added, indent=2))
        return 0
    print(f"{added['id']}: registered, probed every {added['interval_seconds']:g} s")
    for warning in added["warnings"]:
        print(f"warning: {warning}")
    if added["warnings"]:
        print(
            f"to mend it: service-registry remove {added['id']}, and add it again with"
            " --set FIELD=VALUE, such as --set health_check.allow_private_addresses=true"
        )
    if added["limited"]:
        print(f"limited: {added['limited']}")
    print(f"see its results: service-registry watch {added['id']}")
    return 0


def remove_service(arguments: argparse.Namespace) -> int:
    """Remove a service with its key, after a question.

    Raises:
        UsageError: nobody can be asked, or no exporter answers.
        RefusedError: the exporter refuses.
    """
    token = require_token(arguments)
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise UsageError("remove asks first; without a terminal give --yes")
        asked = f"remove {shown_prose(arguments.service)} with its key and its results? [y/N] "
        if input(asked).strip().lower() not in ("y", "yes"):
            print("kept")
            return 1
    ask_about(arguments.url, "DELETE", arguments.service, token=token)
    print(f"{arguments.service}: removed")
    return 0


def pause_service(arguments: argparse.Namespace) -> int:
    """Stop probing a service."""
    body = {"by": default_author(arguments.by), "reason": arguments.reason}
    found = _change(arguments, "POST", "/pause", body)
    if not arguments.json:
        pause = found["pause"]
        print(
            f"{found['id']}: paused since {format_time(pause['at'])} by {pause['by']}; it is not"
            f" probed and alerts nobody until `service-registry resume {found['id']}`"
        )
    return 0


def resume_service(arguments: argparse.Namespace) -> int:
    """Probe a paused service again."""
    found = _change(arguments, "POST", "/resume", {"by": default_author(arguments.by)})
    if not arguments.json:
        print(f"{found['id']}: {'probed again' if found['enabled'] else 'still switched off'}")
    return 0


def run_maintenance(arguments: argparse.Namespace) -> int:
    """Set, end or show windows of maintenance."""
    match arguments.verb:
        case "start" | "plan":
            given = {
                name: value
                for name in ("start", "end", "duration", "reason")
                if (value := getattr(arguments, name, None))
            }
            body = {**given, "by": default_author(arguments.by)}
            found = _change(arguments, "POST", "/maintenance", body)
        case "stop":
            found = _change(arguments, "DELETE", "/maintenance?which=open", None)
        case "cancel":
            found = _change(arguments, "DELETE", "/maintenance?which=planned", None)
        case _:
            found = ask_about(arguments.url, "GET", arguments.service)
            if arguments.json:
                print(json.dumps(found["maintenance"], indent=2))
    if not arguments.json:
        _print_windows(found)
    return 0


def _change(
    arguments: argparse.Namespace, method: str, tail: str, body: dict[str, Any] | None
) -> Any:
    token = require_token(arguments)
    found = ask_about(arguments.url, method, arguments.service, tail, body=body, token=token)
    if arguments.json:
        print(json.dumps(found, indent=2))
    return found


def _print_windows(found: dict[str, Any]) -> None:
    state = "in maintenance" if found["in_maintenance"] else "not in maintenance"
    print(f"{found['id']}: {state}, {counted(len(found['maintenance']), 'window')}")
    for window in sorted(found["maintenance"], key=lambda one: one["start"]):
        by = f"by {window['by']}" if window["by"] else "declared"
        reason = f": {window['reason']}" if window["reason"] else ""
        print(f"  {format_time(window['start'])} to {format_time(window['end'])} {by}{reason}")


def _put(body: dict[str, Any], setting: str) -> None:
    """Put the FIELD=VALUE of *setting* in its place in *body*.

    Raises:
        UsageError: it is none, or a field that may hold a secret: others can read arguments.
    """
    path, equals, text = setting.partition("=")
    steps = path.split(".")
    if not equals or not all(steps):
        raise UsageError("--set must be FIELD=VALUE, such as health_check.interval=30s")
    given: Any = value_of(text)
    for step in reversed(steps):
        given = {step: given}
    if _holds_secret(given):
        raise UsageError(
            "--set is for no key, header, body or proxy: every process of the machine can read"
            " arguments; give the key with --key-file, and the rest to POST /api/services"
        )
    body |= merged(body, given)


def _holds_secret(given: dict[str, Any]) -> bool:
    try:
        return bool(split_secrets(Service, given)[1])
    except (KeyError, TypeError):  # no such field: the exporter says which is meant
        return False
