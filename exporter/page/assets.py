"""Style sheet, script and icon: read once, served under names with a hash of their content."""

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
    """One file; *name* is the one it is served under, *type* its media type."""

    name: str
    type: str
    body: bytes


@functools.cache
def assets() -> dict[str, Asset]:
    """Return every file by its name in the package."""
    folder = resources.files(__package__) / "static"
    result = {}
    for name, kind in _TYPES.items():
        body = (folder / name).read_bytes()
        stem, _, suffix = name.rpartition(".")
        digest = hashlib.sha256(body).hexdigest()[:12]
        result[name] = Asset(f"{stem}.{digest}.{suffix}", kind, body)
    return result


@functools.cache
def assets_by_served_name() -> dict[str, Asset]:
    """Return every file by the name that it is served under."""
    return {asset.name: asset for asset in assets().values()}


@functools.cache
def version() -> str:
    """Return a hash over all files; an open page of another version loads itself again."""
    names = "".join(sorted(asset.name for asset in assets().values()))
    return hashlib.sha256(names.encode()).hexdigest()[:12]
