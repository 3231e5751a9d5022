"""Style sheet, script and icons: read once, served under names with a hash of their content."""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from typing import NamedTuple

_TYPES = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "act.js": "text/javascript",
    "times.css": "text/css",
    "times.js": "text/javascript",
}
# A line like a pulse while all is well; else another shape and colour, and none of green and red.
_ICONS = {
    "icon.svg": ("#1f3a5f", "#8fe0d8", "M6 18h5l3-8 5 13 3-7h4"),
    "icon-down.svg": ("#b3123f", "#fff", "M9 9l14 14m0-14L9 23"),
    "icon-degraded.svg": ("#ffb52e", "#1a2129", "M16 6v12m0 5v3"),
    "icon-network.svg": ("#4d3fa3", "#fff", "M3 16h8m10 0h8M19 8l-6 16"),
}
_DRAWN = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32"'
    ' rx="7" fill="{}"/><path fill="none" stroke="{}" d="{}" stroke-width="{}"'
    ' stroke-linecap="round" stroke-linejoin="round"/></svg>'
)


class Asset(NamedTuple):
    """One file; *name* is the one it is served under, *type* its media type."""

    name: str
    type: str
    body: bytes


@functools.cache
def assets() -> dict[str, Asset]:
    """Return every file by its name in the package."""
    folder = resources.files(__package__) / "static"
    files = {name: (kind, (folder / name).read_bytes()) for name, kind in _TYPES.items()}
    for name, drawn in _ICONS.items():
        width = 2.6 if name == "icon.svg" else 4.5
        files[name] = ("image/svg+xml", _DRAWN.format(*drawn, width).encode())
    result = {}
    for name, (kind, body) in files.items():
        stem, _, suffix = name.rpartition(".")
        digest = hashlib.sha256(body).hexdigest()[:12]
        result[name] = Asset(f"{stem}.{digest}.{suffix}", kind, body)
    return result


def path_of(name: str) -> str:
    """Return the path of the asset *name*."""
    return f"/assets/{assets()[name].name}"


@functools.cache
def assets_by_served_name() -> dict[str, Asset]:
    """Return every file by the name that it is served under."""
    return {asset.name: asset for asset in assets().values()}


@functools.cache
def version() -> str:
    """Return a hash over all files; an open page of another version loads itself again."""
    names = "".join(sorted(asset.name for asset in assets().values()))
    return hashlib.sha256(names.encode()).hexdigest()[:12]
