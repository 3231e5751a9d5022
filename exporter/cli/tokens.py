"""The tokens that a command is given: read from the files that options or variables name."""

from __future__ import annotations

from pathlib import Path

from exporter.cli.usage import UsageError
from exporter.files import named
from exporter.secret import Secret, SecretError, environment, read_key_file

_TOKEN_OPTIONS = {
    "admin": "--admin-token-file",
    "alertmanager": "--alertmanager.token-file",
    "status page": "--status-page.token-file",
}


def admin_token(path: Path | None) -> Secret | None:
    """Return the admin token in *path* or in the file that the environment names.

    Raises:
        UsageError: the file cannot be read, or its token is shorter than 16 characters.
    """
    return _token(path, "SERVICE_REGISTRY_ADMIN_TOKEN_FILE", "admin")


def receiver_token(path: Path | None) -> Secret | None:
    return _token(path, "SERVICE_REGISTRY_ALERTMANAGER_TOKEN_FILE", "alertmanager")


def status_page_token(path: Path | None) -> Secret | None:
    return _token(path, "SERVICE_REGISTRY_STATUS_PAGE_TOKEN_FILE", "status page")


def _token(path: Path | None, variable: str, kind: str) -> Secret | None:
    text = path or environment().get(variable)
    if not text:
        return None
    file = Path(text)
    shown = named(file, _TOKEN_OPTIONS[kind] if path else variable)
    try:
        token = read_key_file(file)
    except SecretError as error:
        reason = str(error).replace("key file", f"{kind} token file")
        raise UsageError(f"{shown}: {reason}") from None
    if len(token.reveal()) < 16:
        raise UsageError(f"{shown}: the {kind} token must have at least 16 characters")
    return token
