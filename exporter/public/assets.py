"""Style sheet and icons of the public page, under names with a hash of their content."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import NamedTuple

from exporter.public.states import COLOURS, PublicState

STYLE = "public.css"
_SHAPES = {
    PublicState.OUTAGE: "M10 10l12 12m0-12L10 22",
    PublicState.DEGRADED: "M16 7v11m0 5v2",
    PublicState.MAINTENANCE: "M12 9v14m8-14v14",
    PublicState.UNKNOWN: "M9 16h14",
    PublicState.OPERATIONAL: "M9 17l5 5 9-12",
    PublicState.OFF: "M9 16h14",
}
_DRAWN = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32"'
    ' rx="7" fill="{}"/><path fill="none" stroke="#fff" stroke-width="4" stroke-linecap="round"'
    ' stroke-linejoin="round" d="{}"/></svg>'
)


class Asset(NamedTuple):
    """One file: its media type, and its content."""

    type: str
    body: bytes


def icon_name(state: PublicState) -> str:
    """Return the name of the icon for the browser's tab."""
    return f"{state}.svg"


@functools.cache
def _assets() -> Mapping[str, tuple[str, Asset]]:
    """Return by name the name that each is served under, and the file."""
    style = (resources.files(__package__) / "static" / STYLE).read_bytes()
    files = {STYLE: Asset("text/css", style)}
    for state, shape in _SHAPES.items():
        drawn = _DRAWN.format(COLOURS[state], shape).encode()
        files[icon_name(state)] = Asset("image/svg+xml", drawn)
    found = {}
    for name, file in files.items():
        stem, _, suffix = name.partition(".")
        digest = hashlib.sha256(file.body).hexdigest()[:12]
        found[name] = f"{stem}.{digest}.{suffix}", file
    return found


def path_of(name: str) -> str:
    """Return the path of the asset *name*."""
    return f"/public/assets/{_assets()[name][0]}"


@functools.cache
def by_served_name() -> Mapping[str, Asset]:
    """Return every file by the name that it is served under."""
    return dict(_assets().values())
