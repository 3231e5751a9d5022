"""RSS or Atom: the worst state of its incidents, each by its newest update.

The order of the items does not matter. An item without a state is an open incident, as in feeds
that list only those, unless it is much older than the newest one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from defusedxml import ElementTree

from exporter.statuspages.states import State, worst
from exporter.statuspages.updates import Phase, newest, phase_of_word, titled_phase, written_phases

PATH = "/history.rss"
_TEXTS = ("description", "summary", "content", "encoded")
_DATES = ("updated", "lastBuildDate", "pubDate", "date", "published")
# Of one feed; beyond that its state is unknown. Vendors list 25 to 100 incidents in 10 to 500 KiB.
MOST_MARKS, MOST_ITEMS, MOST_TEXT = 50_000, 500, 512 * 1024
_MOST_DATES, _LONGEST_DATE = 3, 100
_STALE_SECONDS, _MARGIN_SECONDS = 7 * 86400.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One entry; `at` is its Unix time, 0 without one. `phase` is None if it names no state."""

    key: str
    at: float
    phase: Phase | None
    is_planned: bool


def read(body: bytes, component_filter: str | None) -> State:
    """Return OPERATIONAL if every incident has ended, MAINTENANCE during one, else DEGRADED.

    A maintenance that is only announced is OPERATIONAL.
    """
    if sum(map(body.count, (b"<", b"="))) > MOST_MARKS:
        return State.UNKNOWN  # elements and attributes: a parser builds an object for each
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError):
        return State.UNKNOWN
    if _name(root) not in ("rss", "feed", "RDF"):
        return State.UNKNOWN
    outer = [root, *(child for child in root if _name(child) == "channel")]
    items = _items(child for one in outer for child in one if _name(child) in ("item", "entry"))
    return State.UNKNOWN if items is None else _worst_of(items, made_at=max(map(_time, outer)))


def _items(elements: Iterable[Any]) -> list[_Item] | None:
    """Return the items of *elements*; None if there are too many or their texts too long."""
    items: list[_Item] = []
    left = MOST_TEXT
    for element in elements:
        bodies = [text for name in _TEXTS for text in _texts(element, name)]
        left -= sum(map(len, bodies))
        if left < 0 or len(items) >= MOST_ITEMS:
            return None
        items.append(_item(element, bodies))
    return items


def _worst_of(items: list[_Item], made_at: float) -> State:
    # what begins after the feed was made, and names no state, is only announced
    items = [i for i in items if i.phase or not 0 < made_at < i.at - _MARGIN_SECONDS]
    # Stable: without dates the feed's own order, the newest first, stays.
    items.sort(key=lambda item: item.at, reverse=True)
    incidents: dict[str, list[_Item]] = {}
    for item in items:
        incidents.setdefault(item.key, []).append(item)
    # the date of an announced maintenance is in the future
    latest = max((i.at for i in items if i.phase is not Phase.ANNOUNCED), default=0.0)
    return worst(_state(updates, latest) for updates in incidents.values())


def _state(updates: list[_Item], latest: float) -> State:
    """Return the state of the incident with these *updates*, the newest first."""
    first = updates[0]
    phase = newest(update.phase for update in updates if update.phase) if first.phase else None
    if phase is None:
        is_stale = 0 < first.at < latest - _STALE_SECONDS
        return State.OPERATIONAL if is_stale else State.DEGRADED
    if phase in (Phase.ENDED, Phase.ANNOUNCED):
        return State.OPERATIONAL
    is_work = phase is Phase.WORK and any(update.is_planned for update in updates)
    return State.MAINTENANCE if is_work else State.DEGRADED


def _item(element: Any, bodies: list[str]) -> _Item:
    title = " ".join(_texts(element, "title")).strip()
    titled, rest = titled_phase(title)
    written = max(map(written_phases, bodies), key=len, default=[])
    named = [phase for child in element if (phase := phase_of_word(child.text or ""))]
    phases = [*written, *named, *([titled] if titled else [])]
    mentions = " ".join((title, *bodies)).lower()
    return _Item(
        key=_key(element, rest),
        at=_time(element),
        phase=next((p for p in phases if p is not Phase.UPDATE), phases[0] if phases else None),
        is_planned=Phase.ANNOUNCED in phases or "maintenance" in mentions,
    )


def _key(element: Any, title: str) -> str:
    """Return what the updates of one incident have in common: its address, else its title."""
    links = [child.get("href") or child.text or "" for child in element if _name(child) == "link"]
    for address in (*links, *_texts(element, "guid"), *_texts(element, "id")):
        whole = address.strip().partition("#")[0]
        # an address without a number is the page's own, the same for every incident
        if re.search("[0-9]", whole.rstrip("/").rpartition("/")[2]):
            return whole
    return title.lower()


def _time(element: Any) -> float:
    for name in _DATES:
        for text in islice(_texts(element, name), _MOST_DATES):
            if len(text) > _LONGEST_DATE:
                continue
            for parse in (parsedate_to_datetime, datetime.fromisoformat):
                try:
                    found = parse(text.strip())
                    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
                except (ValueError, TypeError, OverflowError):
                    continue
    return 0.0


def _texts(element: Any, name: str) -> Iterator[str]:
    """Yield the contents of the children called *name*; of XHTML with its tags."""
    for child in element:
        if _name(child) == name:
            yield (
                ElementTree.tostring(child, encoding="unicode") if len(child) else child.text or ""
            )


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
