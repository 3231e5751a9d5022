"""`services`, `stats` and `rotate-key`: commands that call the API of a running exporter."""

from __future__ import annotations

import argparse
import getpass
import json
import math
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.cli.asking import (
    all_services,
    ask,
    ask_about,
    format_time,
    lasted,
    print_table,
    require_token,
)
from exporter.cli.usage import RefusedError, UsageError, sentence
from exporter.cli.waiting import waiting
from exporter.files import named
from exporter.results import Status
from exporter.secret import Secret, SecretError, read_key_file

_WORST_FIRST = (Status.UNHEALTHY, Status.DEGRADED, Status.UNKNOWN, Status.HEALTHY)
_STYLES = {Status.HEALTHY: "green", Status.DEGRADED: "yellow", Status.UNHEALTHY: "bold red"}
_STYLE_OF = {str(status): style for status, style in _STYLES.items()}


def print_services(arguments: argparse.Namespace) -> int:
    """Print the services of a running exporter, worst first.

    Return 1 if one is unhealthy or degraded, else 0.
    """
    rows = all_services(arguments.url)
    if arguments.json:
        print(json.dumps({"services": rows, "next": None}, indent=2))
    else:
        _print_table(sorted(rows, key=_rank))
    return int(any(row["status"] in (Status.UNHEALTHY, Status.DEGRADED) for row in rows))


def print_stats(arguments: argparse.Namespace) -> int:
    """Print the totals of a running exporter."""
    stats = ask(arguments.url, "GET", "/api/stats")
    if arguments.json:
        print(json.dumps(stats, indent=2))
        return 0
    console = Console(highlight=False)
    for name, value in stats.items():
        title = name.removesuffix("_seconds").replace("_", " ")
        console.print(Text(f"{title:<16}{_shown_stat(name, value)}"))
    return 0


def _shown_stat(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{key} {number}" for key, number in sorted(value.items()))
    if name == "availability":
        # Rounded down: with a failure it is never 100 %.
        return f"{math.floor(round(value * 10_000, 6)) / 100:.2f} %"
    return lasted(value) if name.endswith("_seconds") else str(value)


def rotate_key(arguments: argparse.Namespace) -> int:
    """Have the exporter verify and use a new key; return 1 if it or the provider refuses."""
    token = require_token(arguments)
    body: dict[str, Any] = {"rollback": True}
    if not arguments.rollback:
        key = key_from(arguments.key_file)
        body = {
            "api_key": key.reveal(),
            "force": arguments.force,
            "allow_limited": arguments.allow_limited,
        }
    try:
        with waiting("waiting until the provider has answered with the new key"):
            done = ask_about(
                arguments.url, "PUT", arguments.service, "/key", body=body, token=token
            )
    except RefusedError as error:
        print(json.dumps(error.problem, indent=2) if arguments.json else sentence(error.problem))
        return 1
    if arguments.json:
        print(json.dumps(done, indent=2))
    else:
        action = "rolled back" if arguments.rollback else "rotated"
        print(f"{arguments.service}: key {action} at {format_time(done['rotated_at'])}")
        if done["next_step"]:
            print(done["next_step"])
    return 0


def key_from(source: str | None) -> Secret:
    """Return the key from a file, standard input or the terminal.

    Never from an argument: the process list and the shell's history would show it.
    """
    if source is None and sys.stdin.isatty():
        return Secret(getpass.getpass("new key: "))
    if source in (None, "-"):
        text = sys.stdin.readline().strip()
        if not text:
            raise UsageError(
                "standard input contains no key; send one, as in --key-file - < new-key"
            )
        return Secret(text)
    try:
        return read_key_file(Path(source or ""))
    except SecretError as error:
        raise UsageError(f"{named(Path(source or ''), '--key-file')}: {error}") from None


def _rank(row: dict[str, Any]) -> tuple[bool, int, str]:
    return not row["enabled"], _WORST_FIRST.index(Status(row["status"])), row["id"]


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table("service", "environment", "state", "verdict", "ms", "last good", "what to do")
    for row in rows:
        status = row["status"] if row["enabled"] else "disabled"
        state = Text(status, _STYLE_OF.get(status, ""))
        milliseconds = "" if row["duration_ms"] is None else f"{row['duration_ms']:.1f}"
        table.add_row(
            Text(row["id"]),
            Text(row["environment"]),
            state,
            row["verdict"] or "",
            milliseconds,
            format_time(row["last_success"]),
            Text(row["advice"] if row["enabled"] else ""),
        )
    print_table(table)
