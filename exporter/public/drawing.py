"""The page and the Atom feed (RFC 4287) as texts. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.config import PublicPage
from exporter.page.wording import iso
from exporter.public.assets import STYLE, icon_name, path_of
from exporter.public.bars import Bars
from exporter.public.incidents import PublicIncident
from exporter.public.markup import html, xml
from exporter.public.states import STATES, PublicState


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One service."""

    name: str
    environment: str
    state: PublicState
    bars: Bars


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One planned maintenance, of one service or of several at the same time; Unix times."""

    names: tuple[str, ...]
    start: float
    end: float

    @property
    def title(self) -> str:
        more = f" and {len(self.names) - 3} more" if len(self.names) > 3 else ""
        return f"Planned maintenance: {', '.join(self.names[:3])}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything that page and feed show."""

    settings: PublicPage
    address: str
    """Where the page for people is, for links of the feed; "" if that is not known."""
    now: float
    sentence: str
    worst: PublicState
    unseen_since: float | None
    """The Unix time since which nobody can say how services are; None if that can be said."""
    rows: Sequence[Row]
    left_out: int
    open: Sequence[PublicIncident]
    past: Sequence[PublicIncident]
    windows: Sequence[Window]

    @property
    def planned(self) -> list[Window]:
        """Those that are open or will be."""
        return [window for window in self.windows if window.end > self.now]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of the feed; what changes its text changes *updated*."""

    id: str
    title: str
    published: float
    updated: float
    paragraphs: tuple[str, ...]


def drawn_page(page: Page) -> str:
    """Return the HTML."""
    icon = path_of(icon_name(page.worst))
    return html("public.html", page=page, STATES=STATES, style=path_of(STYLE), icon=icon)


def drawn_feed(page: Page, name: uuid.UUID) -> str:
    """Return the feed; *name* is the installation's, from which all ids follow."""
    items = sorted(_items(page, name), key=lambda item: (-item.updated, item.id))
    # Without an entry: the same time as long as nothing happens.
    updated = max((item.updated for item in items), default=0.0)
    return xml("feed.atom", page=page, items=items, id=name.urn, updated=updated)


def _items(page: Page, name: uuid.UUID) -> list[Item]:
    items = [
        Item(
            id=uuid.uuid5(name, f"incident {incident.id}").urn,
            title=incident.title,
            published=incident.started_at,
            updated=incident.changed_at,
            paragraphs=_story(incident),
        )
        for incident in (*page.open, *page.past)
    ]
    for window in page.windows:
        # When it was announced is not known: it enters the feed when it begins.
        if window.start <= page.now:
            over = window.end <= page.now
            what = "began at {}, ends at {}" if not over else "was from {} to {}"
            key = f"maintenance {window.start} {window.end} {sorted(window.names)}"
            items.append(
                Item(
                    id=uuid.uuid5(name, key).urn,
                    title=window.title,
                    published=window.start,
                    updated=window.end if over else window.start,
                    paragraphs=(f"It {what.format(iso(window.start), iso(window.end))}.",),
                )
            )
    return items


def _story(incident: PublicIncident) -> tuple[str, ...]:
    """Return the paragraphs of an incident, the newest first."""
    told = [(update.at, f"{iso(update.at)}: {update.text}") for update in incident.updates]
    if (end := incident.resolved_at) is not None:
        told.append((end, f"Resolved at {iso(end)}."))
    told.sort(key=lambda one: -one[0])
    return (*(text for _, text in told), f"Began at {iso(incident.started_at)}.")
