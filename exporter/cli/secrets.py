"""The secrets of an installation: generates those it can, writes placeholders for the others."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable
from pathlib import Path

from exporter.cli.usage import UsageError, counted
from exporter.clock import SystemClock
from exporter.secret import environment
from exporter.store import Store, Vault, new_secret_key


def _token() -> str:
    return secrets.token_urlsafe(32)


_GENERATED: dict[str, Callable[[], str]] = {
    "admin_token": _token,  # for changes over the API
    "exporter_token": _token,  # for Alertmanager's webhook to the incident log
    "secret_key": new_secret_key,  # encrypts stored keys
    "grafana_admin_password": _token,
}
# The shipped alertmanager.yml names these files, so they must exist. The Slack URL is that of the
# demonstration.
_PLACEHOLDERS = {
    "slack_webhook_url": "http://demo:9700/slack",
    "smtp_password": "not-set",
    "pagerduty_routing_key": "not-set",
    "pagerduty_routing_key_payments": "not-set",
    "webhook_token": "not-set",
}


def make_secrets(arguments: argparse.Namespace) -> int:
    """Write every secret that is missing in a directory; files that exist stay as they are."""
    folder: Path = arguments.directory
    mode = 0o640 if arguments.group_readable else 0o600
    try:
        folder.mkdir(mode=0o750 if arguments.group_readable else 0o700, exist_ok=True)
        for name in (*_GENERATED, *_PLACEHOLDERS):
            path = folder / name
            if path.exists():
                print(f"{name}: kept")
                continue
            # Set the mode before writing, so that nobody else can read the content in between.
            path.touch(mode=0o600)
            path.chmod(mode)
            path.write_text(_GENERATED[name]() if name in _GENERATED else _PLACEHOLDERS[name])
            print(f"{name}: {'created' if name in _GENERATED else 'placeholder, to be filled in'}")
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from None
    return 0


def rotate_secret_key(arguments: argparse.Namespace) -> int:
    """Re-encrypt every stored key with the first, the newest, secret key of the file."""
    directory: Path = arguments.data_dir
    if not directory.is_dir():
        raise UsageError("--data-dir is not a directory")
    store = Store.open(directory, SystemClock(), Vault.from_environment(environment()))
    try:
        print(f"re-encrypted {counted(store.rotate(), 'key')}; older secret keys can be removed")
    finally:
        store.close()
    return 0
