"""The home page: all services, or those that match a filter, those that need attention first."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

from exporter.characters import plain
from exporter.page.board import Board, LoopShare
from exporter.page.choices import Ignored, without_unknown
from exporter.page.drawer import Drawer, Page, ShownGroup
from exporter.page.groups import FIELDS, TAG, Group, grouped, is_known, noun_of
from exporter.page.summary import ServiceSummary
from exporter.page.templates import fragment
from exporter.page.wording import (
    FAILING,
    FAULTS,
    STATES,
    Overview,
    ShownState,
    headline,
    sentence,
)

ROWS_PER_PAGE = 50
GROUPS_PER_PAGE = 20
ROWS_PER_GROUP = 8
"""Services of each group that are listed under it at most; a link has the others."""
MAX_FILTER_CHARS = 200
WARNED = "warned"  # the filter by state has it beside the states themselves
_FILTERS = ("q", "state", "fault", "environment", "provider", "type")
_KEPT = (*_FILTERS, "sort", "group", "only")
"""What links keep, besides the number of the page."""
ORDERS: Mapping[str, str] = {
    "name": "By name",
    "since": "Newest change",
    "slow": "Slowest first",
}
"""What the list can be sorted by, instead of the worst first."""
_SORTED_AT_ONCE = 256
"""Services that are sorted before others may run: they take less than a millisecond."""

_T = TypeVar("_T")


class _Listing(NamedTuple):
    """What one page of the list shows, and of how much."""

    asked: int
    """The number of the page that was asked for."""
    length: int
    """How many rows or groups there are."""
    per_page: int
    matching: int
    """How many services there are."""
    only: Group | None = None
    rows: tuple[str, ...] = ()
    groups: tuple[ShownGroup, ...] = ()

    @property
    def pages(self) -> int:
        return max(1, math.ceil(self.length / self.per_page))

    @property
    def number(self) -> int:
        return min(max(self.asked, 1), self.pages)

    @property
    def part(self) -> slice:
        """Which of the rows or groups are on the page."""
        return slice((self.number - 1) * self.per_page, self.number * self.per_page)


def choices_of_groups(tags: Sequence[str], chosen: str) -> dict[str, str]:
    """Return what services can be grouped by, with its words; *chosen* is among them."""
    choices = {name: f"By {name}" for name in FIELDS}
    choices |= {f"{TAG}{name}": f"By tag {name}" for name in tags}
    return choices | ({chosen: f"By tag {noun_of(chosen)}"} if chosen.startswith(TAG) else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """All services, or those that match a filter, those that need attention first."""

    q: str = ""
    state: str = ""
    fault: str = ""
    environment: str = ""
    provider: str = ""
    type: str = ""
    sort: str = ""
    group: str = ""
    """What services are grouped by; empty for one list."""
    only: str = ""
    """The one group whose services are listed, all of them."""
    number: int = 1
    ignored: Ignored = ()
    template: str = field(default="home", init=False)

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> HomePage:
        """Return the view of *query*; unknown names are ignored, impossible values in words."""
        asked = {name: query.get(name, "")[:MAX_FILTER_CHARS] for name in _KEPT}
        asked["q"] = asked["q"].strip()
        known = {"state": (*STATES, WARNED), "fault": FAULTS, "sort": ORDERS}
        asked, ignored = without_unknown(asked, known)
        if not is_known(asked["group"]):
            if asked["group"]:
                ignored = (*ignored, ("group", f"{', '.join(FIELDS)}, {TAG}NAME"))
            asked["group"] = asked["only"] = ""
        number = query.get("page", "")
        plausible = number.isascii() and number.isdigit() and len(number) < 6
        return cls(**asked, ignored=ignored, number=int(number) if plausible else 1)

    def link(self, **changes: Any) -> str:
        """Return the address of this view, with *changes*."""
        values = {name: getattr(self, name) for name in _KEPT}
        values = values | {"page": self.number} | changes
        if values["page"] == 1:
            values["page"] = ""
        query = urlencode({name: value for name, value in values.items() if value})
        return f"/?{query}" if query else "/"

    @property
    def filtered(self) -> bool:
        return any(getattr(self, name) for name in (*_FILTERS, "only"))

    @property
    def everything(self) -> str:
        """The address of this view without a filter."""
        return self.link(page=1, only="", **dict.fromkeys(_FILTERS, ""))

    async def page(self, drawer: Drawer, share: LoopShare) -> Page:
        board, now = drawer.board, drawer.sources.clock.now()
        await board.refresh(share)
        matching = await self._matching(board, share)
        overview = board.overview()
        share.pause()
        await drawer.incident_cache.refresh()
        share.resume()
        regions: dict[str, str] = {}
        listing = await self._list(drawer, matching, regions, share)
        arguments: dict[str, dict[str, Any]] = {
            "headline": {
                "sentence": plain(headline(overview)),
                "warned": len(board.warned),
                "incident_cache": drawer.incident_cache,
                "sources": drawer.sources,
                "now": now,
            },
            "counts": {"counts": overview.counts, "warned": len(board.warned)},
            "side": {"board": board, "incident_cache": drawer.incident_cache, "now": now},
            "within": {"group": listing.only, "now": now},
            "empty": {"registered": overview.total, "matching": listing.matching},
            "pager": {"listing": listing},
        }
        for name, fields in arguments.items():
            file = "groups.html" if name == "within" else "parts.html"
            regions[name] = fragment(file, name, view=self, **fields)
        title, icon = _title_and_icon(overview)
        said = plain(sentence(overview))
        return Page(title, said, regions, listing.rows, icon, listing.groups)

    async def _list(
        self,
        drawer: Drawer,
        matching: list[ServiceSummary],
        regions: dict[str, str],
        share: LoopShare,
    ) -> _Listing:
        """Draw one page of *matching* into *regions*: the rows, or the groups and their rows."""
        groups = await grouped(matching, self.group, share) if self.group else []
        if self.group and not self.only:
            listing = _Listing(self.number, len(groups), GROUPS_PER_PAGE, len(matching))
            part = (await self._in_order(groups, share))[listing.part]
            return listing._replace(groups=await self._draw_groups(drawer, part, regions, share))
        only = next((group for group in groups if group.name == self.only), None)
        if self.only:
            matching = only.members if only else []
        listing = _Listing(self.number, len(matching), ROWS_PER_PAGE, len(matching), only)
        rows = await _draw_rows(drawer, matching[listing.part], regions, share)
        return listing._replace(rows=rows)

    async def _draw_groups(
        self, drawer: Drawer, groups: Sequence[Group], regions: dict[str, str], share: LoopShare
    ) -> tuple[ShownGroup, ...]:
        """Draw *groups* with their first rows into *regions*; return what is where."""
        now, shown, unfolded = drawer.sources.clock.now(), [], 0
        for group in groups:
            first = group.first(ROWS_PER_GROUP)
            rows = await _draw_rows(drawer, first, regions, share)
            is_open = group.has_several_causes and not self.sort
            # What is open has to be laid out: not more than a page without groups.
            unfolded += len(rows) if is_open else 0
            is_open = is_open and unfolded <= ROWS_PER_PAGE
            shown.append(ShownGroup(f"group-{group.key}", rows, is_open))
            regions[f"group-{group.key}"] = fragment("groups.html", "frame", shown=shown[-1])
            for name in ("line", "more"):
                regions[f"{name}-{group.key}"] = fragment(
                    "groups.html", name, view=self, group=group, shown=len(first), now=now
                )
            await share.yield_if_due()
        return tuple(shown)

    async def _in_order(self, groups: list[Group], share: LoopShare) -> list[Group]:
        if self.sort == "name":
            return await _sorted_by(groups, lambda one: one.rank[2:], share)
        if self.sort:
            return groups  # as their first members
        return await _sorted_by(groups, lambda one: one.rank, share)

    async def _matching(self, board: Board, share: LoopShare) -> list[ServiceSummary]:
        if not self.filtered:
            return await self._sorted(board.order, share)
        words, result = tuple(self.q.lower().split()), []
        for summary in board.order:
            t = summary.target
            if (
                (
                    not self.state
                    or summary.state == self.state
                    or (self.state == WARNED and summary.cautions)
                )
                and self.fault in ("", summary.verdict)
                and self.environment in ("", t.environment)
                and self.provider in ("", t.provider)
                and self.type in ("", t.type)
                and summary.matches(words)
            ):
                result.append(summary)
            await share.yield_if_due()
        return await self._sorted(result, share)

    async def _sorted(self, found: list[ServiceSummary], share: LoopShare) -> list[ServiceSummary]:
        if not self.sort:
            return found
        return await _sorted_by(found, lambda one: _rank(one, self.sort), share)


async def _sorted_by(found: list[_T], key: Callable[[_T], Any], share: LoopShare) -> list[_T]:
    """Return *found* sorted by *key*, a part at a time; those that are alike keep their order."""
    parts, result = [], []
    for first in range(0, len(found), _SORTED_AT_ONCE):
        part = enumerate(found[first : first + _SORTED_AT_ONCE], first)
        parts.append(sorted((key(one), place) for place, one in part))
        await share.yield_if_due()
    for _, place in heapq.merge(*parts):
        result.append(found[place])
        await share.yield_if_due()
    return result


async def _draw_rows(
    drawer: Drawer, summaries: Sequence[ServiceSummary], regions: dict[str, str], share: LoopShare
) -> tuple[str, ...]:
    """Draw the rows of *summaries* into *regions*; return their ids."""
    ids = []
    for summary in summaries:
        ids.append(f"row-{summary.target.id}")
        regions[ids[-1]] = await drawer.row(summary, share)
        await share.yield_if_due()
    return tuple(ids)


def _rank(summary: ServiceSummary, order: str) -> tuple[float, str]:
    """Return what *summary* is sorted by, the first the smallest."""
    if order == "name":
        return 0.0, summary.target.name.casefold()
    if order == "since":
        return -summary.since, ""
    last = summary.last
    known = last is not None and last.success and not summary.stale
    return (-last.outcome.duration, "") if last and known else (1.0, "")


def _title_and_icon(overview: Overview) -> tuple[str, str]:
    """Return the title with what is wrong, for a tab that is not looked at, and its icon."""
    if overview.offline_since is not None:
        return "(network down) Service registry", "icon-network.svg"
    if failing := overview.count(*FAILING):
        icon = "icon-down.svg" if overview.count(ShownState.DOWN) else "icon-degraded.svg"
        return f"({failing}) Service registry", icon
    if overview.models:
        return "(models) Service registry", "icon-degraded.svg"
    return "Service registry", "icon.svg"
