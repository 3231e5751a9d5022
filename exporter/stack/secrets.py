"""The secrets that are made here, and those that only a person can fill in."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from exporter.files import read_text
from exporter.store import new_secret_key


def _token() -> str:
    return secrets.token_urlsafe(32)


GENERATED: dict[str, Callable[[], str]] = {
    "admin_token": _token,  # for changes over the API
    "exporter_token": _token,  # for Alertmanager's webhook to the incident log
    "status_page_token": _token,  # for vendors' webhooks of their status pages
    "secret_key": new_secret_key,  # encrypts stored keys
    "grafana_admin_password": _token,
}
PLACEHOLDERS = {
    "slack_webhook_url": "http://demo:9700/slack",  # that of the demonstration
    "slack_bot_token": "not-set",
    "smtp_password": "not-set",
    "pagerduty_routing_key": "not-set",
    "pagerduty_routing_key_payments": "not-set",
    "webhook_token": "not-set",
}
"""The shipped routes name these files, so `make-secrets` writes them too."""


def make(path: Path, content: str, mode: int = 0o600) -> bool:
    """Write *content* to *path* unless the file exists; return whether it was written."""
    if path.exists():
        return False
    # Set the mode before writing, so that nobody else can read the content in between.
    path.touch(mode=0o600)
    path.chmod(mode)
    path.write_text(content)
    return True


def is_set(path: Path) -> bool:
    """Return whether *path* holds a secret that somebody filled in."""
    try:
        content = read_text(path).strip()
    except (OSError, UnicodeDecodeError):
        return False
    return content not in {"", PLACEHOLDERS.get(path.name)}
