"""The commands that ask a running exporter over its API."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.cli.asking import (
    RefusedError,
    ask,
    needed_token,
    print_table,
    sentence,
    shown_time,
    waiting,
)
from exporter.cli.usage import UsageError
from exporter.results import Status
from exporter.secret import Secret, SecretError, read_key_file

_WORST = (Status.UNHEALTHY, Status.DEGRADED, Status.UNKNOWN, Status.HEALTHY)
_STYLES = {Status.HEALTHY: "green", Status.DEGRADED: "yellow", Status.UNHEALTHY: "bold red"}
_STYLE_OF = {str(status): style for status, style in _STYLES.items()}


def print_services(arguments: argparse.Namespace) -> int:
    """Print the services of a running exporter, worst first; 1 if one is not healthy."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = ask(arguments.url, "GET", f"/api/services?limit=1000&cursor={cursor}")
        rows += page["services"]
        if page["next"] is None:
            break
        cursor = page["next"]
    if arguments.json:
        print(json.dumps({"services": rows, "next": None}, indent=2))
    else:
        _print_table(sorted(rows, key=_rank))
    return int(any(row["status"] in (Status.UNHEALTHY, Status.DEGRADED) for row in rows))


def print_stats(arguments: argparse.Namespace) -> int:
    """Print the sums of a running exporter."""
    stats = ask(arguments.url, "GET", "/api/stats")
    if arguments.json:
        print(json.dumps(stats, indent=2))
        return 0
    console = Console(highlight=False)
    for name, value in stats.items():
        shown = "–" if value is None else str(value)
        if isinstance(value, dict):
            shown = ", ".join(f"{key} {number}" for key, number in sorted(value.items()))
        console.print(Text(f"{name.replace('_', ' '):<16}{shown}"))
    return 0


def rotate_key(arguments: argparse.Namespace) -> int:
    """Have a new key verified and used; 1 if the provider rejects it."""
    token = needed_token(arguments)
    body: dict[str, Any] = {"rollback": True}
    if not arguments.rollback:
        key = _new_key(arguments.key_file)
        body = {"api_key": key.reveal(), "force": arguments.force}
    path = f"/api/services/{arguments.service}/key"
    try:
        with waiting("the provider is asked"):
            done = ask(arguments.url, "PUT", path, body=body, token=token)
    except RefusedError as error:
        print(json.dumps(error.problem, indent=2) if arguments.json else sentence(error.problem))
        return 1
    if arguments.json:
        print(json.dumps(done, indent=2))
    else:
        how = "rolled back" if arguments.rollback else "rotated"
        print(f"{arguments.service}: key {how} at {shown_time(done['rotated_at'])}")
    return 0


def _new_key(source: str | None) -> Secret:
    """Return the key from a file, standard input or the terminal; never from an argument."""
    if source is None and sys.stdin.isatty():
        return Secret(getpass.getpass("new key: "))
    if source in (None, "-"):
        text = sys.stdin.readline().strip()
        if not text:
            raise UsageError("standard input holds no key")
        return Secret(text)
    try:
        return read_key_file(Path(source or ""))
    except SecretError as error:
        raise UsageError(f"{source}: {error}") from None


def _rank(row: dict[str, Any]) -> tuple[bool, int, str]:
    return not row["enabled"], _WORST.index(Status(row["status"])), row["id"]


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table("service", "environment", "state", "verdict", "ms", "last good", "what to do")
    for row in rows:
        said = row["status"] if row["enabled"] else "disabled"
        state = Text(said, _STYLE_OF.get(said, ""))
        spent = "" if row["duration_ms"] is None else f"{row['duration_ms']:.1f}"
        table.add_row(
            Text(row["id"]),
            Text(row["environment"]),
            state,
            row["verdict"] or "",
            spent,
            shown_time(row["last_success"]),
            Text(row["advice"] if row["enabled"] else ""),
        )
    print_table(table)
