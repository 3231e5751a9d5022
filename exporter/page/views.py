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
from exporter.model import advice_of
from exporter.page.board import Board, Brief, Sources, Turn
from exporter.page.budgets import budgets
from exporter.page.desk import Desk
from exporter.page.drawing import Strip, spark, strip, waterfall
from exporter.page.templates import fragment
from exporter.page.wording import STATES, State, plain, sentence, short
from exporter.probers.shown import curl_line

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


class View(Protocol):
    """One page, as often as it is wanted; equal views are one."""

    @property
    def template(self) -> str:
        """The name of its shell."""

    async def page(self, eye: Eye, turn: Turn) -> Page:
        """Return the page as it is now.

        Raises:
            NothingHereError: there is nothing to see.
        """


class Eye:
    """What views look through: the board, the incidents, and what was drawn before."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.board = Board(sources)
        self.desk = Desk(sources.incidents)
        self._days: dict[str, tuple[float, State, Strip]] = {}
        self._rows: dict[str, tuple[Brief, Strip, int, str]] = {}

    def rest(self) -> None:
        """Forget everything: nobody looks, and old results are not worth their memory."""
        self.board.forget()
        self._days.clear()
        self._rows.clear()

    async def day(self, brief: Brief, turn: Turn) -> Strip:
        """Return the day of a service, at most a minute old, and never of another state."""
        id_, now = brief.target.id, self.sources.clock.now()
        known = self._days.get(id_)
        if known is not None and known[1] is brief.state and 0 <= now - known[0] < _DAY_AGE:
            return known[2]
        turn.rest()
        buckets = await self.sources.persistence.day(id_)
        turn.resume()
        drawn = strip(buckets, now)
        if known is not None and known[2] == drawn:
            drawn = known[2]
        _keep(self._days, id_, (now, brief.state, drawn))
        return drawn

    async def row(self, brief: Brief, turn: Turn) -> str:
        """Return the row of a service."""
        id_, day = brief.target.id, await self.day(brief, turn)
        now = self.sources.clock.now()
        known, today = self._rows.get(id_), int(now // 86400)
        if known is not None and known[0] is brief and known[1] is day and known[2] == today:
            return known[3]
        tally = self.sources.results.of(id_)
        drawn = fragment(
            "parts.html", "row", brief=brief, day=day, spark=spark(tally.recent), now=now
        )
        _keep(self._rows, id_, (brief, day, today, drawn))
        return drawn


def _keep(place: dict[str, Any], id_: str, value: Any) -> None:
    place.pop(id_, None)
    place[id_] = value
    if len(place) > _KEPT:
        del place[next(iter(place))]


def view_of(address: str) -> View:
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
            return Home.of(query)
        case ["services", id_]:
            return One(id=id_)
        case ["incidents"]:
            return Incidents.of(query)
        case ["incidents", id_]:
            return OneIncident(id=id_)
    raise NothingHereError


# -- home --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """All services, or those that fit a filter, the worst first."""

    q: str = ""
    state: str = ""
    environment: str = ""
    provider: str = ""
    type: str = ""
    number: int = 1
    template: str = field(default="home", init=False)

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Home:
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

    async def page(self, eye: Eye, turn: Turn) -> Page:
        board, now = eye.board, eye.sources.clock.now()
        await board.look(turn)
        found = await self._fitting(board, turn)
        sight = board.sight()
        said = plain(sentence(sight))
        pages = max(1, -(-len(found) // ROWS))
        number = min(max(self.number, 1), pages)
        shown = found[(number - 1) * ROWS : number * ROWS]
        regions, rows = {}, []
        turn.rest()
        await eye.desk.look()
        turn.resume()
        for brief in shown:
            rows.append(f"row-{brief.target.id}")
            regions[rows[-1]] = await eye.row(brief, turn)
            await turn.give_way()
        given: dict[str, dict[str, Any]] = {
            "headline": {
                "said": said,
                "warned": len(board.warned),
                "desk": eye.desk,
                "refused": eye.sources.refused(),
                "now": now,
            },
            "counts": {"counts": sight.counts, "warned": len(board.warned)},
            "side": {"board": board, "desk": eye.desk, "now": now},
            "empty": {"registered": sight.total, "found": len(found)},
            "pager": {"found": len(found), "number": number, "pages": pages, "rows": ROWS},
        }
        for name, more in given.items():
            regions[name] = fragment("parts.html", name, view=self, **more)
        failing = sight.of(State.DOWN, State.DEGRADED)
        title = f"({failing}) Service registry" if failing else "Service registry"
        return Page(title, said, regions, tuple(rows))

    async def _fitting(self, board: Board, turn: Turn) -> list[Brief]:
        if not self.filtered:
            return board.order
        words, found = tuple(self.q.lower().split()), []
        for brief in board.order:
            t = brief.target
            if (
                (
                    not self.state
                    or brief.state == self.state
                    or (self.state == WARNED and brief.cautions)
                )
                and self.environment in ("", t.environment)
                and self.provider in ("", t.provider)
                and self.type in ("", t.type)
                and brief.fits(words)
            ):
                found.append(brief)
            await turn.give_way()
        return found


# -- one service -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """One service: what is wrong, since when, whose fault, what to do."""

    id: str
    template: str = field(default="service", init=False)

    async def page(self, eye: Eye, turn: Turn) -> Page:
        await eye.board.look(turn)
        brief = eye.board.briefs.get(self.id)
        if brief is None:
            raise NothingHereError(self.id)
        day = await eye.day(brief, turn)
        turn.rest()
        incidents = await eye.desk.of(self.id)
        turn.resume()
        target, last = brief.target, brief.last
        tally, now = eye.sources.results.of(self.id), eye.sources.clock.now()
        recent = list(tally.recent)
        advice = advice_of(last.reason, last.verdict) if last and not brief.stale else ""
        given: dict[str, dict[str, Any]] = {
            "head": {"advice": advice},
            "phases": {"bars": waterfall(last.outcome.phases) if last else ()},
            "pictures": {"day": day, "spark": spark(recent)},
            "budget": {"budgets": budgets(target, tally)},
            "facts": {"tally": tally, "rotated": eye.sources.rotated(target)},
            "request": {"curl": curl_line(target.endpoint) if target.endpoint else ""},
            "failures": {"failures": tuple(reversed(tally.failures))},
            "recent": {"recent": recent[::-1]},
            "history": {"incidents": incidents},
        }
        regions = {}
        for name, more in given.items():
            regions[name] = fragment("service_parts.html", name, brief=brief, now=now, **more)
            await turn.give_way()
        title = plain(f"{short(target.name)}: {STATES[brief.state]}")
        return Page(title, plain(f"{title}, {brief.fault}"), regions)


# -- incidents ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidents:
    """The incidents, the newest first."""

    status: str = ""
    severity: str = ""
    service: str = ""
    before: str = ""
    template: str = field(default="incidents", init=False)

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Incidents:
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

    async def page(self, eye: Eye, turn: Turn) -> Page:
        query = Query(
            status=self.status,
            severity=self.severity,
            service=self.service,
            limit=INCIDENTS + 1,
            before=_cursor(self.before),
        )
        turn.rest()
        await eye.desk.look()
        found = await eye.desk.find(query)
        turn.resume()
        shown, following = found[:INCIDENTS], ""
        if len(found) > len(shown):
            following = self.link(before=f"{shown[-1].started_at!r}_{shown[-1].id}")
        now, desk = eye.sources.clock.now(), eye.desk
        said = _open_words(desk)
        regions = {
            "headline": fragment("incident_parts.html", "headline", said=said, stats=desk.stats),
            "choices": fragment("incident_parts.html", "choices", view=self, stats=desk.stats),
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


def _open_words(desk: Desk) -> str:
    waiting = sum(one.status is IncidentStatus.OPEN for one in desk.unresolved)
    taken = len(desk.unresolved) - waiting
    if not desk.unresolved:
        return "No open incident."
    noun = "incident waits" if waiting == 1 else "incidents wait"
    said = f"{waiting} {noun} for somebody" if waiting else "Every open incident is taken"
    return f"{said}, {taken} taken." if waiting and taken else f"{said}."


@dataclass(frozen=True, slots=True, kw_only=True)
class OneIncident:
    """One incident with its timeline."""

    id: str
    template: str = field(default="incident", init=False)

    async def page(self, eye: Eye, turn: Turn) -> Page:
        turn.rest()
        incident = await self._incident(eye)
        turn.resume()
        now, known = eye.sources.clock.now(), incident.service in eye.sources.registry
        regions = {
            name: fragment("incident_parts.html", name, incident=incident, now=now, known=known)
            for name in ("head", "timeline")
        }
        title = plain(short(incident.summary or incident.alertname, 100))
        return Page(f"{title}: {incident.status}", f"Incident {incident.status}.", regions)

    async def _incident(self, eye: Eye) -> Incident:
        try:
            return await eye.desk.get(self.id)
        except UnknownIncidentError:
            raise NothingHereError(self.id) from None
