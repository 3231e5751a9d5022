"""Calls the API of a running exporter, and formats its answers for the terminal."""

from __future__ import annotations

import argparse
import base64
import getpass
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from exporter.cli.remote_arguments import ACCESS_VARIABLE
from exporter.cli.tokens import admin_token
from exporter.cli.usage import RefusedError, UsageError, meant
from exporter.secret import Secret, environment

if TYPE_CHECKING:
    from exporter.cli.access import Access


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
        UsageError: *base* is not a URL, no exporter answers there, or `read_access` refuses.
        SettingsError: the file that the environment names is wrong.
        RefusedError: the exporter answered with an error.
    """
    _check(base)
    request = urllib.request.Request(base.rstrip("/") + path, method=method)  # noqa: S310
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    access = _access()
    _identify(request, access, token)
    try:
        with _opener(access).open(request, timeout=60) as answer:
            return None if answer.status == 204 else json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise RefusedError(_problem(error)) from None
    except (OSError, ValueError) as error:
        if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
            raise UsageError(
                f"the certificate of {base} is not trusted here; set SSL_CERT_FILE to the file of"
                f" its authority (or {ACCESS_VARIABLE}), and give the name that it is for"
            ) from None
        raise UsageError(
            f"no exporter answers at {base}; start one (service-registry serve) or give --url"
        ) from None


def _check(base: str) -> None:
    if not base.startswith(("http://", "https://")):
        raise UsageError("--url must be the http:// or https:// URL of an exporter")
    if "@" in base.partition("://")[2].partition("/")[0]:
        raise UsageError("--url must not have a user or a password: others can read them there")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: urllib would take password and token along to any other host."""

    def redirect_request(self, *given: Any) -> None:
        """Refuse, so that the answer is an error like any other."""


def _access() -> Access | None:
    """Return what the file says that the environment names, if one is."""
    name = environment().get(ACCESS_VARIABLE)
    if not name:
        return None
    from exporter.cli.access import read_access  # noqa: PLC0415, few have a file to be read

    return read_access(Path(name))


def _opener(access: Access | None) -> urllib.request.OpenerDirector:
    context = access.context if access else None
    return urllib.request.build_opener(_NoRedirect(), urllib.request.HTTPSHandler(context=context))


def _identify(request: urllib.request.Request, access: Access | None, token: Secret | None) -> None:
    password = access and access.password
    if access and password:
        pair = f"{access.user}:{password.reveal()}".encode()
        request.add_header("Authorization", f"Basic {base64.b64encode(pair).decode()}")
    if token and password:
        request.add_header("X-Admin-Token", token.reveal())
    elif token:
        request.add_header("Authorization", f"Bearer {token.reveal()}")


def _problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    """Return the error's body; a proxy on the way may answer with something other than JSON."""
    try:
        body = json.load(error)
    except ValueError:
        body = None
    if 300 <= error.code < 400:
        return {"title": f"status {error.code}: give the URL that it redirects to as --url"}
    if not isinstance(body, dict):
        return {"title": f"status {error.code}"}
    if error.code == 401 and error.headers.get("WWW-Authenticate", "").startswith("Basic"):
        return {
            **body,
            "detail": f"{ACCESS_VARIABLE} names a file with basic_auth: username, password",
        }
    return body


def ask_about(
    base: str,
    method: str,
    service: str,
    tail: str = "",
    *,
    body: dict[str, Any] | None = None,
    token: Secret | None = None,
) -> Any:
    """Return the answer to a request about *service*; *tail* follows its path.

    Raises:
        UsageError: *base* is not a URL, or no exporter answers there.
        RefusedError: the exporter refuses; of an unknown service it names the one that was meant.
    """
    path = f"/api/services/{urllib.parse.quote(service, safe='')}{tail}"
    try:
        return ask(base, method, path, body=body, token=token)
    except RefusedError as error:
        if error.problem.get("status") != 404 or "no such service" not in str(error):
            raise
        names = [row["id"] for row in all_services(base)]
        near = meant(service, names).removeprefix("; ")
        detail = near or "`service-registry services` lists those that there are"
        raise RefusedError({**error.problem, "detail": detail}) from None


def all_services(base: str) -> list[dict[str, Any]]:
    """Return every service of the exporter at *base*, in the order of their ids.

    Raises:
        UsageError: *base* is not a URL, or no exporter answers there.
        RefusedError: the exporter answered with an error.
    """
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = ask(base, "GET", f"/api/services?limit=1000&cursor={cursor}")
        rows += page["services"]
        if page["next"] is None:
            return rows
        cursor = page["next"]


def lasted(seconds: float) -> str:
    """Return a length of time in its two largest units.

    >>> [lasted(seconds) for seconds in (-1, 59.9, 3600, 7530)]
    ['0s', '59s', '1h 0m', '2h 5m']
    """
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= size or (parts and len(parts) < 2):
            parts.append(f"{left // size}{unit}")
            left %= size
    return " ".join(parts[:2]) or "0s"


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
        raise UsageError(
            "give --admin-token-file FILE with the exporter's admin token; one that was started"
            " without has none: `service-registry make-secrets secrets`, then `serve"
            " --admin-token-file secrets/admin_token`"
        )
    return token


def default_author(given: str | None) -> str:
    """Return *given*, or the name of the user who types."""
    return given or getpass.getuser()


def table_width() -> int:
    """Return how many columns a table has: those of the terminal, into a file or a pipe 160."""
    console = Console()
    return console.width if console.is_terminal else 160


def print_table(table: Table) -> None:
    """Print *table* with `table_width` columns."""
    Console(width=table_width()).print(table)
