"""What one page shows, as regions: pieces of HTML by the id of their element.

A page is its shell and its regions; the stream sends those regions that changed. So there is one
way to draw anything, and a page that was open for a day looks like one that was loaded just now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from exporter.incidents import Incident, IncidentStatus, Query, UnknownIncidentError
from exporter.page.board import Board, LoopShare, ServiceSummary, Sources
from exporter.page.budgets import budgets
from exporter.page.drawing import Strip, spark, strip, waterfall
from exporter.page.incident_cache import IncidentCache
from exporter.page.templates import fragment
from exporter.page.wording import STATES, ShownState, plain, sentence, short
from exporter.probers import command_line

ROWS = 50
INCIDENTS = 50
_LONGEST_QUERY = 200
_KEPT = 2000
_DAY_AGE = 60.0
WARNED = "warned"


class NothingHereError(LookupError):
    """There is no such page, or nothing on it."""


class Page(NamedTuple):
    """One page at one moment."""

    title: str
    said: str
    """What is read out when it changes."""
    regions: Mapping[str, str]
    rows: tuple[str, ...] | None = None
    """The regions that are rows of the list, in their order."""


class PageView(Protocol):
    """One page, as often as it is wanted; equal views are one."""

    @property
    def template(self) -> str:
        """The name of its shell."""

    async def page(self, drawer: Drawer, share: LoopShare) -> Page:
        """Return the page as it is now.

        Raises:
            NothingHereError: there is nothing to see.
        """


class Drawer:
    """What views look through: the board, the incidents, and what was drawn before."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.board = Board(sources)
        self.incident_cache = IncidentCache(sources.incidents)
        self._days: dict[str, tuple[float, ShownState, Strip]] = {}
        self._rows: dict[str, tuple[ServiceSummary, Strip, int, str]] = {}

    def rest(self) -> None:
        """Forget everything: nobody looks, and old results are not worth their memory."""
        self.board.forget()
        self._days.clear()
        self._rows.clear()

    async def day(self, summary: ServiceSummary, share: LoopShare) -> Strip:
        """Return the day of a service, at most a minute old, and never of another state."""
        id_, now = summary.target.id, self.sources.clock.now()
        known = self._days.get(id_)
        if known is not None and known[1] is summary.state and 0 <= now - known[0] < _DAY_AGE:
            return known[2]
        share.rest()
        buckets = await self.sources.persistence.day(id_)
        share.resume()
        drawn = strip(buckets, now)
        if known is not None and known[2] == drawn:
            drawn = known[2]
        _keep(self._days, id_, (now, summary.state, drawn))
        return drawn

    async def row(self, summary: ServiceSummary, share: LoopShare) -> str:
        """Return the row of a service."""
        id_, day = summary.target.id, await self.day(summary, share)
        now = self.sources.clock.now()
        known, today = self._rows.get(id_), int(now // 86400)
        if known is not None and known[0] is summary and known[1] is day and known[2] == today:
            return known[3]
        tally = self.sources.results.of(id_)
        drawn = fragment(
            "parts.html", "row", summary=summary, day=day, spark=spark(tally.recent), now=now
        )
        _keep(self._rows, id_, (summary, day, today, drawn))
        return drawn


def _keep(place: dict[str, Any], id_: str, value: Any) -> None:
    place.pop(id_, None)
    place[id_] = value
    if len(place) > _KEPT:
        del place[next(iter(place))]


def view_of(address: str) -> PageView:
    """Return the view of a page's own address, its path and query.

    Raises:
        NothingHereError: no page has that address.
    """
    try:
        parts = urlsplit(address[:4096])
        query = dict(parse_qsl(parts.query, max_num_fields=20))
    except ValueError:
        raise NothingHereError from None
    match parts.path.strip("/").split("/"):
        case [""]:
            return HomePage.of(query)
        case ["services", id_]:
            return ServicePage(id=id_)
        case ["incidents"]:
            return IncidentsPage.of(query)
        case ["incidents", id_]:
            return IncidentPage(id=id_)
    raise NothingHereError


# -- home --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """All services, or those that fit a filter, the worst first."""

    q: str = ""
    state: str = ""
    environment: str = ""
    provider: str = ""
    type: str = ""
    number: int = 1
    template: str = field(default="home", init=False)

    @classmethod
    def of(cls, query: Mapping[str, str]) -> HomePage:
        """Return the view of *query*; what is not known in it means nothing."""
        state, number = query.get("state", ""), query.get("page", "")
        return cls(
            q=query.get("q", "").strip()[:_LONGEST_QUERY],
            state=state if state in {*STATES, WARNED} else "",
            environment=query.get("environment", "")[:_LONGEST_QUERY],
            provider=query.get("provider", "")[:_LONGEST_QUERY],
            type=query.get("type", "")[:_LONGEST_QUERY],
            number=int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 1,
        )

    def link(self, **changes: Any) -> str:
        """Return the address of this view, with *changes*."""
        asked = {
            "q": self.q,
            "state": self.state,
            "environment": self.environment,
            "provider": self.provider,
            "type": self.type,
            "page": self.number,
        } | changes
        if asked["page"] == 1:
            asked["page"] = ""
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"/?{query}" if query else "/"

    @property
    def filtered(self) -> bool:
        return bool(self.q or self.state or self.environment or self.provider or self.type)

    async def page(self, drawer: Drawer, share: LoopShare) -> Page:
        board, now = drawer.board, drawer.sources.clock.now()
        await board.look(share)
        found = await self._fitting(board, share)
        overview = board.overview()
        said = plain(sentence(overview))
        pages = max(1, -(-len(found) // ROWS))
        number = min(max(self.number, 1), pages)
        shown = found[(number - 1) * ROWS : number * ROWS]
        regions, rows = {}, []
        share.rest()
        await drawer.incident_cache.look()
        share.resume()
        for summary in shown:
            rows.append(f"row-{summary.target.id}")
            regions[rows[-1]] = await drawer.row(summary, share)
            await share.give_way()
        given: dict[str, dict[str, Any]] = {
            "headline": {
                "said": said,
                "warned": len(board.warned),
                "incident_cache": drawer.incident_cache,
                "refused_at": drawer.sources.refused_at(),
                "now": now,
            },
            "counts": {"counts": overview.counts, "warned": len(board.warned)},
            "side": {"board": board, "incident_cache": drawer.incident_cache, "now": now},
            "empty": {"registered": overview.total, "found": len(found)},
            "pager": {"found": len(found), "number": number, "pages": pages, "rows": ROWS},
        }
        for name, more in given.items():
            regions[name] = fragment("parts.html", name, view=self, **more)
        failing = overview.of(ShownState.DOWN, ShownState.DEGRADED)
        title = f"({failing}) Service registry" if failing else "Service registry"
        return Page(title, said, regions, tuple(rows))

    async def _fitting(self, board: Board, share: LoopShare) -> list[ServiceSummary]:
        if not self.filtered:
            return board.order
        words, found = tuple(self.q.lower().split()), []
        for summary in board.order:
            t = summary.target
            if (
                (
                    not self.state
                    or summary.state == self.state
                    or (self.state == WARNED and summary.cautions)
                )
                and self.environment in ("", t.environment)
                and self.provider in ("", t.provider)
                and self.type in ("", t.type)
                and summary.fits(words)
            ):
                found.append(summary)
            await share.give_way()
        return found


# -- one service -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePage:
    """One service: what is wrong, since when, whose fault, what to do."""

    id: str
    template: str = field(default="service", init=False)

    async def page(self, drawer: Drawer, share: LoopShare) -> Page:
        await drawer.board.look(share)
        summary = drawer.board.summaries.get(self.id)
        if summary is None:
            raise NothingHereError(self.id)
        day = await drawer.day(summary, share)
        share.rest()
        incidents = await drawer.incident_cache.of(self.id)
        share.resume()
        target, last = summary.target, summary.last
        tally, now = drawer.sources.results.of(self.id), drawer.sources.clock.now()
        recent = list(tally.recent)
        given: dict[str, dict[str, Any]] = {
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
        for name, more in given.items():
            regions[name] = fragment("service_parts.html", name, summary=summary, now=now, **more)
            await share.give_way()
        title = plain(f"{short(target.name)}: {STATES[summary.state]}")
        return Page(title, plain(f"{title}, {summary.fault}"), regions)


# -- incidents ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsPage:
    """The incidents, the newest first."""

    status: str = ""
    severity: str = ""
    service: str = ""
    before: str = ""
    template: str = field(default="incidents", init=False)

    @classmethod
    def of(cls, query: Mapping[str, str]) -> IncidentsPage:
        """Return the view of *query*; what is not known in it means nothing."""
        return cls(
            **{
                name: query.get(name, "")[:_LONGEST_QUERY]
                for name in ("status", "severity", "service", "before")
            }
        )

    def link(self, **changes: str) -> str:
        """Return the address of this view, with *changes*."""
        names = ("status", "severity", "service")
        asked = {name: getattr(self, name) for name in names} | changes
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"/incidents?{query}" if query else "/incidents"

    async def page(self, drawer: Drawer, share: LoopShare) -> Page:
        query = Query(
            status=self.status,
            severity=self.severity,
            service=self.service,
            limit=INCIDENTS + 1,
            before=_cursor(self.before),
        )
        share.rest()
        await drawer.incident_cache.look()
        found = await drawer.incident_cache.find(query)
        share.resume()
        shown, following = found[:INCIDENTS], ""
        if len(found) > len(shown):
            following = self.link(before=f"{shown[-1].started_at!r}_{shown[-1].id}")
        now, incident_cache = drawer.sources.clock.now(), drawer.incident_cache
        said = _open_words(incident_cache)
        regions = {
            "headline": fragment(
                "incident_parts.html", "headline", said=said, stats=incident_cache.stats
            ),
            "choices": fragment(
                "incident_parts.html", "choices", view=self, stats=incident_cache.stats
            ),
            "listing": fragment(
                "incident_parts.html",
                "listing",
                incidents=shown,
                now=now,
                view=self,
                following=following,
            ),
        }
        return Page("Incidents: " + said, said, regions)


def _cursor(text: str) -> tuple[float, str] | None:
    at, _, id_ = text.partition("_")
    try:
        return (float(at), id_) if id_ else None
    except ValueError:
        return None


def _open_words(incident_cache: IncidentCache) -> str:
    waiting = sum(one.status is IncidentStatus.OPEN for one in incident_cache.unresolved)
    taken = len(incident_cache.unresolved) - waiting
    if not incident_cache.unresolved:
        return "No open incident."
    noun = "incident waits" if waiting == 1 else "incidents wait"
    said = f"{waiting} {noun} for somebody" if waiting else "Every open incident is taken"
    return f"{said}, {taken} taken." if waiting and taken else f"{said}."


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentPage:
    """One incident with its timeline."""

    id: str
    template: str = field(default="incident", init=False)

    async def page(self, drawer: Drawer, share: LoopShare) -> Page:
        share.rest()
        incident = await self._incident(drawer)
        share.resume()
        now, known = drawer.sources.clock.now(), incident.service in drawer.sources.registry
        regions = {
            name: fragment("incident_parts.html", name, incident=incident, now=now, known=known)
            for name in ("head", "timeline")
        }
        title = plain(short(incident.summary or incident.alertname, 100))
        return Page(f"{title}: {incident.status}", f"Incident {incident.status}.", regions)

    async def _incident(self, drawer: Drawer) -> Incident:
        try:
            return await drawer.incident_cache.get(self.id)
        except UnknownIncidentError:
            raise NothingHereError(self.id) from None
