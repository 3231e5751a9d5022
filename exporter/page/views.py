"""What one page shows, as regions: pieces of HTML by the id of their element.

A page is a shell with regions in it; the event stream sends the regions that changed. So everything
is drawn in one way, and a page that was open for a day looks like one that was loaded just now.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from exporter.incidents import Incident, Query, UnknownIncidentError
from exporter.page.board import Board, LoopShare, ServiceSummary, Sources
from exporter.page.budgets import budgets
from exporter.page.drawing import Strip, spark, strip, waterfall
from exporter.page.incident_cache import IncidentCache
from exporter.page.incident_listing import folded_away, open_incidents_sentence
from exporter.page.templates import fragment
from exporter.page.wording import STATES, ShownState, plain, sentence, short
from exporter.probers import command_line

ROWS_PER_PAGE = 50
_INCIDENTS_PER_PAGE = 50
_MAX_FILTER_CHARS = 200
_MAX_REMEMBERED = 2000
"""Services whose day and row are remembered: the most recently drawn."""
_DAY_MAX_AGE_SECONDS = 60.0
_WARNED = "warned"  # the filter by state has it beside the states themselves


class PageNotFoundError(LookupError):
    """No page has that address, or its service or incident does not exist."""


class Page(NamedTuple):
    """One page at one moment."""

    title: str
    announcement: str
    """What a screen reader reads out when it changes."""
    regions: Mapping[str, str]
    rows: tuple[str, ...] | None = None
    """The ids of the regions that are rows of the list, in their order."""


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
        self._days: dict[str, tuple[float, ShownState, Strip]] = {}
        self._rows: dict[str, tuple[ServiceSummary, Strip, int, str]] = {}

    def forget(self) -> None:
        """Drop summaries, days and rows: while no page is open they only take memory."""
        self.board.forget()
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
        buckets = await self.sources.persistence.day(id_)
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


def view_of(address: str) -> PageView:
    """Return the view of *address*, a path and query such as `/incidents?status=open`.

    Raises:
        PageNotFoundError: no page has that address.
    """
    try:
        parts = urlsplit(address[:4096])
        query = dict(parse_qsl(parts.query, max_num_fields=20))
    except ValueError:
        raise PageNotFoundError from None
    match parts.path.strip("/").split("/"):
        case [""]:
            return HomePage.from_query(query)
        case ["services", id_]:
            return ServicePage(id=id_)
        case ["incidents"]:
            return IncidentsPage.from_query(query)
        case ["incidents", id_]:
            return IncidentPage(id=id_)
    raise PageNotFoundError


# -- home --------------------------------------------------------------------------------------


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
            q=query.get("q", "").strip()[:_MAX_FILTER_CHARS],
            state=state if state in {*STATES, _WARNED} else "",
            environment=query.get("environment", "")[:_MAX_FILTER_CHARS],
            provider=query.get("provider", "")[:_MAX_FILTER_CHARS],
            type=query.get("type", "")[:_MAX_FILTER_CHARS],
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


# -- one service -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePage:
    """One service: what is wrong, since when, whose fault, what to do."""

    id: str
    template: str = field(default="service", init=False)

    async def page(self, drawer: Drawer, share: LoopShare) -> Page:
        await drawer.board.refresh(share)
        summary = drawer.board.summaries.get(self.id)
        if summary is None:
            raise PageNotFoundError(self.id)
        day = await drawer.day(summary, share)
        share.pause()
        incidents = await drawer.incident_cache.newest_of(self.id)
        share.resume()
        target, last = summary.target, summary.last
        tally, now = drawer.sources.results.of(self.id), drawer.sources.clock.now()
        recent = list(tally.recent)
        arguments: dict[str, dict[str, Any]] = {
            "head": {},
            "phases": {"bars": waterfall(last.outcome.phases) if last else ()},
            "pictures": {"day": day, "spark": spark(recent)},
            "budget": {"budgets": budgets(target, tally)},
            "facts": {"tally": tally, "rotated_at": drawer.sources.rotated_at(target.id)},
            "request": {"curl": command_line(target.endpoint) if target.endpoint else ""},
            "failures": {"failures": tuple(reversed(tally.failures))},
            "recent": {"recent": recent[::-1]},
            "history": {"incidents": incidents},
        }
        regions = {}
        for name, fields in arguments.items():
            regions[name] = fragment("service_parts.html", name, summary=summary, now=now, **fields)
            await share.yield_if_due()
        title = plain(f"{short(target.name)}: {STATES[summary.state]}")
        return Page(title, plain(f"{title}, {summary.fault}"), regions)


# -- incidents ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsPage:
    """The incidents, the newest first; all or those of a status, severity or service."""

    status: str = ""
    severity: str = ""
    service: str = ""
    before: str = ""
    template: str = field(default="incidents", init=False)

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> IncidentsPage:
        """Return the view of *query*; unknown names are ignored."""
        return cls(
            **{
                name: query.get(name, "")[:_MAX_FILTER_CHARS]
                for name in ("status", "severity", "service", "before")
            }
        )

    def link(self, **changes: str) -> str:
        """Return the address of this view, with *changes*."""
        names = ("status", "severity", "service")
        values = {name: getattr(self, name) for name in names} | changes
        query = urlencode({name: value for name, value in values.items() if value})
        return f"/incidents?{query}" if query else "/incidents"

    def shows(self, incident: Incident) -> bool:
        """Return whether *incident* matches the filters."""
        return (
            self.status in ("", incident.status)
            and self.severity in ("", incident.severity)
            and self.service in ("", incident.service)
        )

    async def page(self, drawer: Drawer, share: LoopShare) -> Page:
        cache = drawer.incident_cache
        share.pause()
        await cache.refresh()
        away = folded_away(cache.folded, self.shows)
        query = Query(
            status=self.status,
            severity=self.severity,
            service=self.service,
            # One more shows that there is an older page.
            limit=_INCIDENTS_PER_PAGE + 1 + len(away),
            before=_cursor(self.before),
        )
        incidents = [one for one in await cache.find(query) if one.id not in away]
        share.resume()
        shown, older_link = incidents[:_INCIDENTS_PER_PAGE], ""
        if len(incidents) > len(shown):
            older_link = self.link(before=f"{shown[-1].started_at!r}_{shown[-1].id}")
        now, stats = drawer.sources.clock.now(), cache.stats
        announcement = open_incidents_sentence(cache.folded, cache.unlisted)
        listing = {"incidents": shown, "now": now, "view": self, "older_link": older_link}
        arguments: dict[str, dict[str, Any]] = {
            "headline": {"sentence": announcement, "stats": stats},
            "choices": {"view": self, "stats": stats},
            "listing": listing | {"cache": cache},
        }
        regions = {
            name: fragment("incident_parts.html", name, **fields)
            for name, fields in arguments.items()
        }
        return Page("Incidents: " + announcement, announcement, regions)


def _cursor(text: str) -> tuple[float, str] | None:
    """Return start and id of the last incident on the page before, from a link's `before`."""
    at, _, id_ = text.partition("_")
    try:
        return (float(at), id_) if id_ else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentPage:
    """One incident with its timeline."""

    id: str
    template: str = field(default="incident", init=False)

    async def page(self, drawer: Drawer, share: LoopShare) -> Page:
        share.pause()
        incident = await self._incident(drawer)
        await drawer.incident_cache.refresh()
        share.resume()
        fields = {
            "now": drawer.sources.clock.now(),
            "registered": incident.service in drawer.sources.registry,
            "cache": drawer.incident_cache,
        }
        regions = {
            name: fragment("incident_parts.html", name, incident=incident, **fields)
            for name in ("head", "timeline")
        }
        title = plain(short(incident.summary or incident.alertname, 100))
        return Page(f"{title}: {incident.status}", f"Incident {incident.status}.", regions)

    async def _incident(self, drawer: Drawer) -> Incident:
        try:
            return await drawer.incident_cache.get(self.id)
        except UnknownIncidentError:
            raise PageNotFoundError(self.id) from None
