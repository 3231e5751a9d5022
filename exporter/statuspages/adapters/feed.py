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

from exporter.matching import pattern_matches
from exporter.statuspages.incidents import (
    IMPACT_OF,
    LONGEST_TITLE,
    MOST_INCIDENTS,
    UNREADABLE,
    PageIncident,
    Reading,
    instant,
    made,
)
from exporter.statuspages.states import State, worst
from exporter.statuspages.updates import Phase, newest, phase_of_word, titled_phase, written_phases

PATH = "/history.rss"
_TEXTS = ("description", "summary", "content", "encoded")
_DATES = ("updated", "lastBuildDate", "pubDate", "date", "published")
# Of one feed; beyond that its state is unknown. Vendors list 25 to 100 incidents in 10 to 500 KiB.
MOST_MARKS, MOST_ITEMS, MOST_TEXT = 50_000, 500, 512 * 1024
_MOST_DATES, _LONGEST_DATE, _MOST_CATEGORIES, _MOST_LINKS = 3, 100, 10, 10
_HOST = re.compile(r"^[a-z]{1,10}://[^/]*", re.IGNORECASE)
_STALE_SECONDS, _MARGIN_SECONDS = 7 * 86400.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One entry; `at` is its Unix time, 0 without one. `phase` is None if it names no state."""

    key: str
    at: float
    phase: Phase | None
    is_planned: bool
    title: str = ""
    posted: float | None = None
    """Atom's `published`; the `pubDate` of RSS is in many feeds that of the last update."""


def read(body: bytes, component_filter: str | None, now: float) -> Reading:
    """Return OPERATIONAL if every incident has ended, MAINTENANCE during one, else DEGRADED.

    A maintenance that is only announced is OPERATIONAL. With a filter an item counts if its title
    or one of its categories matches.
    """
    if sum(map(body.count, (b"<", b"="))) > MOST_MARKS:
        return UNREADABLE  # elements and attributes: a parser builds an object for each
    try:
        # what is before the declaration makes it no XML, and is in many feeds of PHP all the same
        root = ElementTree.fromstring(body.lstrip())
    except (ElementTree.ParseError, ValueError, LookupError):
        return UNREADABLE
    if _name(root) not in ("rss", "feed", "RDF"):
        return UNREADABLE
    outer = [root, *(child for child in root if _name(child) == "channel")]
    # RSS has a channel, Atom an id at least: what has neither is no feed in which all is well
    if not len(root) or (len(outer) == 1 and _name(root) != "feed"):
        return UNREADABLE
    entries = (
        child
        for one in outer
        for child in one
        if _name(child) in ("item", "entry") and _matches(component_filter, child)
    )
    items = _items(entries, frozenset(link for one in outer for link in _links(one)))
    if items is None:
        return UNREADABLE
    made_at = max(map(_time, outer))
    incidents, latest = _grouped(items, made_at)
    states = {key: _state(updates, latest) for key, updates in incidents.items()}
    found = (_page_incident(key, incidents[key], state) for key, state in states.items())
    return Reading(
        state=worst(states.values()),
        incidents=tuple(islice(filter(None, found), MOST_INCIDENTS)),
        made_at=instant(made_at),
    )


def _matches(component_filter: str | None, element: Any) -> bool:
    if component_filter is None:
        return True
    texts = (*_texts(element, "title"), *islice(_texts(element, "category"), _MOST_CATEGORIES))
    return any(pattern_matches(component_filter, text[:LONGEST_TITLE]) for text in texts)


def _page_incident(key: str, updates: list[_Item], state: State) -> PageIncident | None:
    if state is State.MAINTENANCE or any(one.phase is Phase.ANNOUNCED for one in updates):
        return None
    is_open = state is not State.OPERATIONAL
    posted = min((one.posted for one in updates if one.posted), default=None)
    return made(
        key,
        updates[0].title,
        impact=IMPACT_OF[State.DEGRADED],
        is_open=is_open,
        posted=posted,
        updated=updates[0].at,
        resolved=updates[0].at,
    )


def _items(elements: Iterable[Any], own: frozenset[str]) -> list[_Item] | None:
    """Return the items of *elements*; None if there are too many or their texts too long.

    *own* are the addresses of the page itself.
    """
    items: list[_Item] = []
    left = MOST_TEXT
    for element in elements:
        bodies = [text for name in _TEXTS for text in _texts(element, name)]
        left -= sum(map(len, bodies))
        if left < 0 or len(items) >= MOST_ITEMS:
            return None
        items.append(_item(element, bodies, own))
    return items


def _grouped(items: list[_Item], made_at: float) -> tuple[dict[str, list[_Item]], float]:
    """Return the updates of each incident, the newest first, and the time of the newest of all."""
    # what begins after the feed was made, and names no state, is only announced
    items = [i for i in items if i.phase or not 0 < made_at < i.at - _MARGIN_SECONDS]
    # Stable: without dates the feed's own order, the newest first, stays.
    items.sort(key=lambda item: item.at, reverse=True)
    incidents: dict[str, list[_Item]] = {}
    for item in items:
        incidents.setdefault(item.key, []).append(item)
    # the date of an announced maintenance is in the future
    latest = max((i.at for i in items if i.phase is not Phase.ANNOUNCED), default=0.0)
    return incidents, latest


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


def _item(element: Any, bodies: list[str], own: frozenset[str]) -> _Item:
    title = " ".join(_texts(element, "title")).strip()
    titled, rest = titled_phase(title)
    written = max(map(written_phases, bodies), key=len, default=[])
    named = [phase for child in element if (phase := phase_of_word(child.text or ""))]
    phases = [*written, *named, *([titled] if titled else [])]
    mentions = " ".join((title, *bodies)).lower()
    return _Item(
        key=_key(element, rest, own),
        at=_time(element),
        phase=next((p for p in phases if p is not Phase.UPDATE), phases[0] if phases else None),
        is_planned=Phase.ANNOUNCED in phases or "maintenance" in mentions,
        title=rest or title,
        posted=_time(element, ("published",)) if _name(element) == "entry" else None,
    )


def _key(element: Any, title: str, own: frozenset[str]) -> str:
    """Return what the updates of one incident have in common: its address, else its title."""
    for address in (*_links(element), *_texts(element, "guid"), *_texts(element, "id")):
        whole = address.strip().partition("#")[0].rstrip("/")
        # an address without a number is the page's own, the same for every incident
        if whole not in own and re.search("[0-9]", _HOST.sub("", whole).rpartition("/")[2]):
            return whole
    return title.lower()


def _links(element: Any) -> list[str]:
    found = (child.get("href") or child.text or "" for child in element if _name(child) == "link")
    return [link.strip().rstrip("/") for link in islice(found, _MOST_LINKS)]


def _time(element: Any, names: Iterable[str] = _DATES) -> float:
    for name in names:
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
