"""Calls the API of a running exporter, and formats its answers for the terminal."""

from __future__ import annotations

import argparse
import json
import urllib.error
import urllib.request
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from exporter.cli.serving import admin_token
from exporter.cli.usage import UsageError
from exporter.secret import Secret


class RefusedError(Exception):
    """The exporter refused the request; `problem` is its RFC 9457 body."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("title", "refused"))
        self.problem = problem


def ask(
    base: str,
    method: str,
    path: str,
    *,
    body: dict[str, Any] | None = None,
    token: Secret | None = None,
) -> Any:
    """Return the JSON answer of the exporter at *base* to a request.

    Raises:
        UsageError: *base* is not a URL, or no exporter answers there.
        RefusedError: the exporter answered with an error.
    """
    if not base.startswith(("http://", "https://")):
        raise UsageError("--url must be the http:// or https:// URL of an exporter")
    if "@" in base.partition("://")[2].partition("/")[0]:
        raise UsageError("--url must not have a user or a password: others can read them there")
    request = urllib.request.Request(base.rstrip("/") + path, method=method)  # noqa: S310
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token.reveal()}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise RefusedError(_problem(error)) from None
    except (OSError, ValueError):
        raise UsageError(f"no exporter answers at {base}; start one or give --url") from None


def _problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    """Return the error's body; a proxy on the way may answer with something other than JSON."""
    try:
        body = json.load(error)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {"title": f"status {error.code}"}


def sentence(problem: dict[str, Any]) -> str:
    """Return title, reason and detail of *problem* in one line."""
    parts = [str(problem.get(name)) for name in ("title", "reason", "detail") if problem.get(name)]
    return ": ".join(parts)


def format_time(at: float | None) -> str:
    """Return a Unix time as `2026-12-01 22:00:00Z`, and nothing for None."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def require_token(arguments: argparse.Namespace) -> Secret:
    """Return the admin token.

    Raises:
        UsageError: no token file is named, or it cannot be used.
    """
    token = admin_token(arguments.admin_token_file)
    if token is None:
        raise UsageError("give --admin-token-file FILE with the exporter's admin token")
    return token


def waiting(activity: str) -> AbstractContextManager[object]:
    """Show a spinner with *activity* on a terminal; do nothing if standard error is not one."""
    console = Console(stderr=True)
    return console.status(activity) if console.is_terminal else nullcontext()


def print_table(table: Table) -> None:
    """Print *table* as wide as the terminal, or 160 columns wide into a file or pipe."""
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)
