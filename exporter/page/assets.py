"""Style, script and icon: read once, served under names that change with what is in them."""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from typing import NamedTuple

_TYPES = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """One file."""

    name: str
    type: str
    body: bytes


@functools.cache
def assets() -> dict[str, Asset]:
    """Return every file by its name in the package."""
    folder = resources.files(__package__) / "static"
    found = {}
    for name, kind in _TYPES.items():
        body = (folder / name).read_bytes()
        stem, _, suffix = name.rpartition(".")
        found[name] = Asset(f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}.{suffix}", kind, body)
    return found


@functools.cache
def served() -> dict[str, Asset]:
    """Return every file by the name that it is served under."""
    return {asset.name: asset for asset in assets().values()}


@functools.cache
def version() -> str:
    """Return what changes with any of them."""
    names = "".join(sorted(asset.name for asset in assets().values()))
    return hashlib.sha256(names.encode()).hexdigest()[:12]
