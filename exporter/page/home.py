"""The home page: all services, or those that match a filter, those that need attention first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from exporter.page.board import Board, LoopShare, ServiceSummary
from exporter.page.drawer import Drawer, Page
from exporter.page.templates import fragment
from exporter.page.wording import STATES, ShownState, plain, sentence

ROWS_PER_PAGE = 50
MAX_FILTER_CHARS = 200
_WARNED = "warned"  # the filter by state has it beside the states themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """All services, or those that match a filter, those that need attention first."""

    q: str = ""
    state: str = ""
    environment: str = ""
    provider: str = ""
    type: str = ""
    number: int = 1
    template: str = field(default="home", init=False)

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> HomePage:
        """Return the view of *query*; unknown names and impossible values are ignored."""
        state, number = query.get("state", ""), query.get("page", "")
        return cls(
            q=query.get("q", "").strip()[:MAX_FILTER_CHARS],
            state=state if state in {*STATES, _WARNED} else "",
            environment=query.get("environment", "")[:MAX_FILTER_CHARS],
            provider=query.get("provider", "")[:MAX_FILTER_CHARS],
            type=query.get("type", "")[:MAX_FILTER_CHARS],
            number=int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 1,
        )

    def link(self, **changes: Any) -> str:
        """Return the address of this view, with *changes*."""
        values = {
            "q": self.q,
            "state": self.state,
            "environment": self.environment,
            "provider": self.provider,
            "type": self.type,
            "page": self.number,
        } | changes
        if values["page"] == 1:
            values["page"] = ""
        query = urlencode({name: value for name, value in values.items() if value})
        return f"/?{query}" if query else "/"

    @property
    def filtered(self) -> bool:
        return bool(self.q or self.state or self.environment or self.provider or self.type)

    async def page(self, drawer: Drawer, share: LoopShare) -> Page:
        board, now = drawer.board, drawer.sources.clock.now()
        await board.refresh(share)
        matching = await self._matching(board, share)
        overview = board.overview()
        announcement = plain(sentence(overview))
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
                "sentence": announcement,
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
        failing = overview.count(ShownState.DOWN, ShownState.DEGRADED)
        title = f"({failing}) Service registry" if failing else "Service registry"
        return Page(title, announcement, regions, tuple(rows))

    async def _matching(self, board: Board, share: LoopShare) -> list[ServiceSummary]:
        if not self.filtered:
            return board.order
        words, result = tuple(self.q.lower().split()), []
        for summary in board.order:
            t = summary.target
            if (
                (
                    not self.state
                    or summary.state == self.state
                    or (self.state == _WARNED and summary.cautions)
                )
                and self.environment in ("", t.environment)
                and self.provider in ("", t.provider)
                and self.type in ("", t.type)
                and summary.matches(words)
            ):
                result.append(summary)
            await share.yield_if_due()
        return result
