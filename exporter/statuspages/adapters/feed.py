"""RSS or Atom: an open incident is a newest item without a word that ends it."""

from __future__ import annotations

import re

from defusedxml import ElementTree

from exporter.statuspages.states import State

PATH = "/history.rss"
_ENDED = re.compile(r"(?i)\b(resolved|completed|closed)\b")


def read(body: bytes, component_filter: str | None) -> State:
    """Return the state of the newest item."""
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
