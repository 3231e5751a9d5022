"""The home page: all services, or those that match a filter, those that need attention first."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from exporter.characters import plain
from exporter.page.board import Board, LoopShare, ServiceSummary
from exporter.page.drawer import Drawer, Page
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
MAX_FILTER_CHARS = 200
WARNED = "warned"  # the filter by state has it beside the states themselves
_FILTERS = ("q", "state", "fault", "environment", "provider", "type")
ORDERS: Mapping[str, str] = {
    "name": "By name",
    "since": "Newest change",
    "slow": "Slowest first",
    "environment": "By environment",
    "provider": "By provider",
    "team": "By team",
}
"""What the list can be sorted by, instead of the worst first."""
_SORTED_AT_ONCE = 256
"""Services that are sorted before others may run: they take less than a millisecond."""
_GROUPS = ("environment", "provider", "team")


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
    number: int = 1
    template: str = field(default="home", init=False)

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> HomePage:
        """Return the view of *query*; unknown names and impossible values are ignored."""
        asked = {name: query.get(name, "")[:MAX_FILTER_CHARS] for name in (*_FILTERS, "sort")}
        asked["q"] = asked["q"].strip()
        for name, known in (("state", {*STATES, WARNED}), ("fault", FAULTS), ("sort", ORDERS)):
            if asked[name] not in known:
                asked[name] = ""
        number = query.get("page", "")
        plausible = number.isascii() and number.isdigit() and len(number) < 6
        return cls(**asked, number=int(number) if plausible else 1)

    def link(self, **changes: Any) -> str:
        """Return the address of this view, with *changes*."""
        values = {name: getattr(self, name) for name in (*_FILTERS, "sort")}
        values = values | {"page": self.number} | changes
        if values["page"] == 1:
            values["page"] = ""
        query = urlencode({name: value for name, value in values.items() if value})
        return f"/?{query}" if query else "/"

    @property
    def filtered(self) -> bool:
        return any(getattr(self, name) for name in _FILTERS)

    async def page(self, drawer: Drawer, share: LoopShare) -> Page:
        board, now = drawer.board, drawer.sources.clock.now()
        await board.refresh(share)
        matching = await self._matching(board, share)
        overview = board.overview()
        count = len(matching)
        pages = max(1, math.ceil(count / ROWS_PER_PAGE))
        number = min(max(self.number, 1), pages)
        shown = matching[(number - 1) * ROWS_PER_PAGE : number * ROWS_PER_PAGE]
        regions, rows = {}, []
        share.pause()
        await drawer.incident_cache.refresh()
        share.resume()
        for summary in shown:
            rows.append(f"row-{summary.target.id}")
            regions[rows[-1]] = await drawer.row(summary, share)
            await share.yield_if_due()
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
            "empty": {"registered": overview.total, "matching": count},
            "pager": {"matching": count, "number": number, "pages": pages, "rows": ROWS_PER_PAGE},
        }
        for name, fields in arguments.items():
            regions[name] = fragment("parts.html", name, view=self, **fields)
        title, icon = _title_and_icon(overview)
        return Page(title, plain(sentence(overview)), regions, tuple(rows), icon)

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
        parts, result = [], []
        for first in range(0, len(found), _SORTED_AT_ONCE):
            part = enumerate(found[first : first + _SORTED_AT_ONCE], first)
            # The place keeps those that are alike in the order of the board.
            parts.append(sorted((_rank(one, self.sort), place, one) for place, one in part))
            await share.yield_if_due()
        for _, _, summary in heapq.merge(*parts):
            result.append(summary)
            await share.yield_if_due()
        return result


def _rank(summary: ServiceSummary, order: str) -> tuple[float, str]:
    """Return what *summary* is sorted by, the first the smallest."""
    if order == "name":
        return 0.0, summary.target.name.casefold()
    if order in _GROUPS:  # the worst first within each; without a team, at the end
        group = str(getattr(summary.target, order))
        return float(not group), group.casefold()
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
    return "Service registry", "icon.svg"
