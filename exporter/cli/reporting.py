"""`report`: the availability of services, from a running exporter, in one file."""

from __future__ import annotations

import argparse
import sys
import urllib.parse
from typing import Any

from exporter.cli.asking import ask
from exporter.cli.usage import UsageError
from exporter.cli.waiting import waiting
from exporter.files import named
from exporter.reports import FORMATS

MOST_SERVICES = 1000


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
