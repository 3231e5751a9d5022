"""`incidents`: lists, shows and changes the incidents of a running exporter."""

from __future__ import annotations

import argparse
import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.cli.asking import (
    ask,
    default_author,
    format_time,
    lasted,
    print_table,
    require_token,
)
from exporter.clock import SystemClock

_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
_VERBS = {"ack": "acknowledge", "resolve": "resolve", "note": "note"}
_FILTERS = ("severity", "status", "service", "environment", "limit")


def run_incidents(arguments: argparse.Namespace) -> int:
    """List, show or change incidents.

    Raises:
        UsageError: no exporter answers, or the token is missing.
        RefusedError: the exporter refuses the request.
    """
    match arguments.verb:
        case None | "list":
            filters = {name: getattr(arguments, name) for name in _FILTERS}
            query = urllib.parse.urlencode({n: v for n, v in filters.items() if v})
            page = ask(arguments.url, "GET", f"/api/incidents?{query}")
            _show(arguments, page, _print_page)
        case "show":
            incident = ask(arguments.url, "GET", f"/api/incidents/{_quoted(arguments.id)}")
            _show(arguments, incident, _print_incident)
        case "create":
            names = ("summary", "severity", "service", "environment", "description")
            report = {name: value for name in names if (value := getattr(arguments, name))}
            _show(arguments, _send(arguments, "/api/incidents", report), _print_incident)
        case verb:
            path = f"/api/incidents/{_quoted(arguments.id)}/{_VERBS[verb]}"
            body: dict[str, Any] = {"note": arguments.note} if arguments.note else {}
            if getattr(arguments, "public", False):
                body["public"] = True
            _show(arguments, _send(arguments, path, body), _print_incident)
    return 0


def _send(arguments: argparse.Namespace, path: str, body: dict[str, Any]) -> Any:
    body["by"] = default_author(arguments.by)
    return ask(arguments.url, "POST", path, body=body, token=require_token(arguments))


def _quoted(id_: str) -> str:
    return urllib.parse.quote(id_, safe="")


def _show(arguments: argparse.Namespace, answer: Any, print_text: Any) -> None:
    if arguments.json:
        print(json.dumps(answer, indent=2))
    else:
        print_text(answer)


def _print_page(page: dict[str, Any]) -> None:
    rows = page["incidents"]
    if not rows:
        print("no incidents")
        return
    table = Table(
        "id", "severity", "state", "since", "lasted", "summary", "who was told", "taken by"
    )
    for row, depth in under_causes(rows):
        table.add_row(
            "  " * depth + row["id"],
            Text(row["severity"], _STYLES.get(row["severity"], "")),
            _state(row),
            format_time(row["started_at"]),
            _duration(row),
            Text(row["summary"]),
            Text(_told(row)),
            Text(row["acknowledged_by"] or ""),
        )
    print_table(table)
    if page["next"] is not None:
        print("there are older incidents: --limit shows up to 1000, the API returns all of them")


def under_causes(rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """Return the rows with how deep each is held back by one above it."""
    known = {row["id"]: row for row in rows}
    under: dict[str | None, list[dict[str, Any]]] = {}
    for row in rows:
        cause = row.get("held_back_by")
        under.setdefault(cause if cause in known else None, []).append(row)
    found: list[tuple[dict[str, Any], int]] = []
    waiting = [(row, 0) for row in reversed(under.pop(None, []))]
    while waiting:
        row, depth = waiting.pop()
        found.append((row, depth))
        effects = under.pop(row["id"], [])
        waiting += [(effect, depth + 1) for effect in reversed(effects)]
    # What is held back in a circle has no end that is not: it is on its own.
    return found + [(row, 0) for rest in under.values() for row in rest]


def _told(row: dict[str, Any]) -> str:
    return str(row.get("told_sentence", ""))  # an older exporter does not say


def _print_incident(row: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(row["summary"], "bold"))
    facts = {
        "id": row["id"],
        "severity": row["severity"],
        "state": _state(row),
        "since": f"{format_time(row['started_at'])} ({_duration(row)})",
        "about": ", ".join(filter(None, (row["service"], row["environment"], row["provider"]))),
        "taken by": row["acknowledged_by"],
        "notified": _told(row),
        "held by": row.get("held_back_by"),
        "details": row["description"],
        "runbook": row["runbook_url"],
    }
    for name, value in facts.items():
        if value:
            console.print(Text(f"  {name:<10}{value}"))
    for at, text in sorted([*_entries(row), *_failures(row)], key=lambda entry: entry[0]):
        console.print(Text(f"  {format_time(at)}  {text}"))


def _entries(row: dict[str, Any]) -> Iterator[tuple[float, str]]:
    for entry in row["timeline"]:
        by = f" by {entry['by']}" if entry["by"] else ""
        note = f": {entry['note']}" if entry["note"] else ""
        yield entry["at"], f"{entry['kind']}{by}{note}"


def _failures(row: dict[str, Any]) -> Iterator[tuple[float, str]]:
    """Yield the failures at both ends; an older exporter does not tell them."""
    for which, seen in (row.get("evidence") or {}).items():
        if seen is not None:
            status = f"HTTP {seen['status']}" if seen["status"] else seen["detail"]
            parts = [seen["reason"], status, seen["address"] and f"from {seen['address']}"]
            parts += [seen["request_id"] and f"request id {seen['request_id']}", seen["excerpt"]]
            yield seen["at"], f"{which} failure: {', '.join(filter(None, parts))}"


def _state(row: dict[str, Any]) -> str:
    return " ".join(filter(None, (row["status"], row["suppressed"] and f"({row['suppressed']})")))


def _duration(row: dict[str, Any]) -> str:
    return lasted((row["resolved_at"] or SystemClock().now()) - row["started_at"])
