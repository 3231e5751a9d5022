"""The secrets of an installation: those that can be made are, the others get a place to stand."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable
from pathlib import Path

from exporter.cli.usage import UsageError
from exporter.clock import SystemClock
from exporter.secret import environment
from exporter.store import Store, Vault, new_secret_key


def _token() -> str:
    return secrets.token_urlsafe(32)


_MADE: dict[str, Callable[[], str]] = {
    "admin_token": _token,  # changes over the API
    "exporter_token": _token,  # Alertmanager's, for the incident log
    "secret_key": new_secret_key,  # keys at rest
    "grafana_admin_password": _token,
}
# Alertmanager wants a file for each medium; these lead to the demonstration until they are filled.
_PLACES = {
    "slack_webhook_url": "http://demo:9700/slack",
    "smtp_password": "not-set",
    "pagerduty_routing_key": "not-set",
    "pagerduty_routing_key_payments": "not-set",
    "webhook_token": "not-set",
}


def make_secrets(arguments: argparse.Namespace) -> int:
    """Write every secret that is missing in a directory; none that is there is touched."""
    folder: Path = arguments.directory
    mode = 0o640 if arguments.group_readable else 0o600
    try:
        folder.mkdir(mode=0o750 if arguments.group_readable else 0o700, exist_ok=True)
        for name in (*_MADE, *_PLACES):
            path = folder / name
            if path.exists():
                print(f"{name}: kept")
                continue
            path.touch(mode=0o600)
            path.chmod(mode)
            path.write_text(_MADE[name]() if name in _MADE else _PLACES[name])
            print(f"{name}: {'made' if name in _MADE else 'to be filled in'}")
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from None
    return 0


def rotate_secret_key(arguments: argparse.Namespace) -> int:
    """Encrypt every kept key with the first secret key of the file."""
    directory: Path = arguments.data_dir
    if not directory.is_dir():
        raise UsageError("--data-dir is no directory")
    store = Store.open(directory, SystemClock(), Vault.from_environment(environment()))
    try:
        print(f"encrypted {store.rotate()} keys anew; older secret keys can be removed")
    finally:
        store.close()
    return 0
