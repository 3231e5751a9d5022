"""What pages are drawn from: the board, the incidents, and a cache of days and rows.

A page is a shell with regions in it: pieces of HTML by the id of their element.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from exporter.page.board import Board, LoopShare, Sources
from exporter.page.chart_cache import ChartCache
from exporter.page.drawing import Strip, spark, strip
from exporter.page.incident_cache import IncidentCache
from exporter.page.summary import ServiceSummary
from exporter.page.templates import fragment
from exporter.page.wording import ShownState

_MAX_REMEMBERED = 2000
"""Services whose day and row are remembered: the most recently drawn."""
_DAY_MAX_AGE_SECONDS = 60.0


class PageNotFoundError(LookupError):
    """No page has that address, or its service or incident does not exist."""


class ShownGroup(NamedTuple):
    """One group of services on the page."""

    id: str
    """The id of its region."""
    rows: tuple[str, ...]
    """The ids of the regions that are its rows."""
    is_open: bool
    """Whether a page that is loaded now shows its rows at once."""

    @property
    def key(self) -> str:
        return self.id.removeprefix("group-")


class Page(NamedTuple):
    """One page at one moment."""

    title: str
    announcement: str
    """What a screen reader reads out when it changes."""
    regions: Mapping[str, str]
    rows: tuple[str, ...] | None = None
    """The ids of the regions that are rows of the list, in their order."""
    icon: str = "icon.svg"
    """The file of the icon in the browser's tab."""
    groups: tuple[ShownGroup, ...] | None = None
    """The groups of the list in their order; then `rows` is empty."""


class PageView(Protocol):
    """What can be drawn at one address; views that are equal are drawn once for all viewers."""

    @property
    def template(self) -> str:
        """The name of the template of its shell."""

    async def page(self, drawer: Drawer, share: LoopShare) -> Page:
        """Return the page as it is now.

        Raises:
            PageNotFoundError: its service or incident does not exist.
        """


class Drawer:
    """What views draw from: the board, the incidents, and a cache of days and rows."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.board = Board(sources)
        self.incident_cache = IncidentCache(sources.incidents)
        self.chart_cache = ChartCache(sources)
        self._days: dict[str, tuple[float, ShownState, Strip]] = {}
        self._rows: dict[str, tuple[ServiceSummary, Strip, int, str]] = {}

    def forget(self) -> None:
        """Drop summaries, days and rows: while no page is open they only take memory."""
        self.board.forget()
        self.chart_cache.forget()
        self._days.clear()
        self._rows.clear()

    async def day(self, summary: ServiceSummary, share: LoopShare) -> Strip:
        """Return the last 24 h of a service: at most a minute old, drawn anew in another state."""
        id_, now = summary.target.id, self.sources.clock.now()
        known = self._days.get(id_)
        if (
            known is not None
            and known[1] is summary.state
            and 0 <= now - known[0] < _DAY_MAX_AGE_SECONDS
        ):
            return known[2]
        share.pause()
        buckets = await self.sources.persistence.past(id_).day()
        share.resume()
        drawn = strip(buckets, now)
        if known is not None and known[2] == drawn:
            drawn = known[2]  # the same object: `row` compares by identity
        _remember(self._days, id_, (now, summary.state, drawn))
        return drawn

    async def row(self, summary: ServiceSummary, share: LoopShare) -> str:
        """Return the row of a service in the list, as HTML."""
        id_, day = summary.target.id, await self.day(summary, share)
        now = self.sources.clock.now()
        # A row shows times without their day while that is today: at midnight it is drawn anew.
        known, today = self._rows.get(id_), int(now // 86400)
        if known is not None and known[0] is summary and known[1] is day and known[2] == today:
            return known[3]
        tally = self.sources.results.of(id_)
        drawn = fragment(
            "parts.html", "row", summary=summary, day=day, spark=spark(tally.recent), now=now
        )
        _remember(self._rows, id_, (summary, day, today, drawn))
        return drawn


def _remember(cache: dict[str, Any], id_: str, value: Any) -> None:
    cache.pop(id_, None)  # so that it moves to the end, away from what is dropped
    cache[id_] = value
    if len(cache) > _MAX_REMEMBERED:
        del cache[next(iter(cache))]
