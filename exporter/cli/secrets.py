"""The secrets of an installation: generates those it can, writes placeholders for the others."""

from __future__ import annotations

import argparse
from pathlib import Path

from exporter.cli.usage import UsageError, counted
from exporter.clock import SystemClock
from exporter.files import is_folder, named
from exporter.secret import environment
from exporter.stack import GENERATED, PLACEHOLDERS, make
from exporter.store import Store, Vault


def make_secrets(arguments: argparse.Namespace) -> int:
    """Write every secret that is missing in a directory; files that exist stay as they are."""
    folder: Path = arguments.directory
    mode = 0o640 if arguments.group_readable else 0o600
    contents = {name: new() for name, new in GENERATED.items()} | PLACEHOLDERS
    try:
        folder.mkdir(mode=0o750 if arguments.group_readable else 0o700, exist_ok=True)
        for name, content in contents.items():
            if make(folder / name, content, mode):
                what = "created" if name in GENERATED else "placeholder, to be filled in"
                print(f"{name}: {what}")
            else:
                print(f"{name}: kept")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a valid path"
        raise UsageError(f"{named(folder, 'DIR')}: {why}") from None
    return 0


def rotate_secret_key(arguments: argparse.Namespace) -> int:
    """Re-encrypt every stored key with the first, the newest, secret key of the file."""
    directory: Path = arguments.data_dir
    if not is_folder(directory):
        raise UsageError("--data-dir is not a directory; give the one that `serve` is given")
    store = Store.open(directory, SystemClock(), Vault.from_environment(environment()))
    try:
        print(f"re-encrypted {counted(store.rotate(), 'key')}; older secret keys can be removed")
    finally:
        store.close()
    return 0
