"""RSS or Atom: an incident is open unless the newest item says resolved, completed or closed."""

from __future__ import annotations

import re

from defusedxml import ElementTree

from exporter.statuspages.states import State

PATH = "/history.rss"
_ENDED = re.compile(r"(?i)\b(resolved|completed|closed)\b")


def read(body: bytes, component_filter: str | None) -> State:
    """Return OPERATIONAL if there are no items or the newest one has ended, else DEGRADED."""
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError):
        return State.UNKNOWN
    if root.tag.rpartition("}")[2] not in ("rss", "feed", "RDF"):
        return State.UNKNOWN
    items = (e for e in root.iter() if e.tag.rpartition("}")[2] in ("item", "entry"))
    newest = next(items, None)
    if newest is None or _ENDED.search(" ".join(newest.itertext())):
        return State.OPERATIONAL
    return State.DEGRADED
