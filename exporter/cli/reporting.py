"""`report`: the availability of services, from a running exporter, in one file."""

from __future__ import annotations

import argparse
import sys
import urllib.parse
from pathlib import Path
from typing import Any

from exporter.cli.asking import ask, waiting
from exporter.cli.usage import UsageError
from exporter.files import named
from exporter.reports import FORMATS

MOST_SERVICES = 1000


def add_report(parser: argparse.ArgumentParser, url: str) -> None:
    """Add the options of `report`; *url* is where an exporter usually is."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("service", nargs="?", metavar="SERVICE")
    which.add_argument("--provider", metavar="P", help="all services of a provider")
    which.add_argument("--all", action="store_true", help="all services")
    parser.add_argument(
        "--from",
        dest="start",
        default="",
        metavar="TIME",
        help="2026-11, 2026-11-01, 2026-11-01T02:11:00Z, or 30d: so long ago; default: the window"
        " of the service's objectives",
    )
    parser.add_argument("--to", dest="end", default="", metavar="TIME", help="default now")
    parser.add_argument("--format", choices=tuple(FORMATS), default="text", help="default text")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="file to write; default standard output"
    )
    parser.add_argument("--url", default=url, help=f"of the exporter; default {url}")


def run_report(arguments: argparse.Namespace) -> int:
    """Print the report; return 0.

    Raises:
        UsageError: no exporter answers, nothing fits, or the file cannot be written.
        RefusedError: the exporter refuses: there is no such service, or a time is wrong.
    """
    with waiting("waiting for the exporter"):
        names = [arguments.service] if arguments.service else _names(arguments)
        reports = [_report(arguments, name) for name in names]
    text = FORMATS[arguments.format].render(reports)
    if arguments.output is None:
        sys.stdout.write(text)
        return 0
    try:
        arguments.output.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        where = named(arguments.output, "--output")
        raise UsageError(f"{where}: cannot be written: {error.strerror}") from None
    return 0


def _names(arguments: argparse.Namespace) -> list[str]:
    filters = {"limit": str(MOST_SERVICES)}
    if arguments.provider:
        filters["provider"] = arguments.provider
    page = ask(arguments.url, "GET", f"/api/services?{urllib.parse.urlencode(filters)}")
    names = [row["id"] for row in page["services"]]
    if not names:
        raise UsageError("no such service is registered")
    if page["next"] is not None:
        raise UsageError(f"there are more than {MOST_SERVICES} services: ask by --provider")
    return names


def _report(arguments: argparse.Namespace, name: str) -> Any:
    asked = {"from": arguments.start, "to": arguments.end}
    query = urllib.parse.urlencode({key: value for key, value in asked.items() if value})
    path = f"/api/services/{urllib.parse.quote(name, safe='')}/report"
    return ask(arguments.url, "GET", f"{path}?{query}")
