"""Which view an address has, and what the pages of a service and of incidents show, as regions.

The event stream sends the regions that changed. So everything is drawn in one way, and a page that
was open for a day looks like one that was loaded just now.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from exporter.characters import plain
from exporter.config import Target
from exporter.incidents import (
    SEVERITIES,
    Entry,
    Incident,
    IncidentStatus,
    Query,
    UnknownIncidentError,
)
from exporter.model import Result, Verdict
from exporter.models import models_sentence
from exporter.page.board import LoopShare
from exporter.page.budgets import budgets
from exporter.page.choices import Ignored, without_unknown
from exporter.page.drawer import Drawer, Page, PageNotFoundError, PageView
from exporter.page.drawing import spark, waterfall
from exporter.page.home import MAX_FILTER_CHARS, HomePage
from exporter.page.incident_listing import folded_away, open_incidents_sentence
from exporter.page.models import shown_models
from exporter.page.summary import ServiceSummary
from exporter.page.templates import fragment
from exporter.page.timeline import events_of, timeline
from exporter.page.wording import ShownState, short
from exporter.probers import command_line
from exporter.results import Ends, current_result

_INCIDENTS_PER_PAGE, _FAILURES_PER_PAGE = 50, 10
_FIRST_MILLISECONDS = 1e11
"""From here on a time in an address is in milliseconds, as other programs write it."""
_INCIDENTS_LISTED = 5
"""Of one service, beside its facts."""
_ICONS = {ShownState.DOWN: "icon-down.svg", ShownState.DEGRADED: "icon-degraded.svg"}


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
            return ServicePage(id=id_, until=_time_in(query.get("until", "")))
        case ["incidents"]:
            return IncidentsPage.from_query(query)
        case ["incidents", id_]:
            return IncidentPage(id=id_)
    raise PageNotFoundError


def _time_in(text: str) -> float | None:
    """Return the Unix time in *text*, None if it has none."""
    if not re.fullmatch(r"[0-9]{1,13}(?:\.[0-9]{1,9})?", text):
        return None
    return float(text) / (1000 if float(text) >= _FIRST_MILLISECONDS else 1)


# -- one service -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePage:
    """One service: what is wrong, since when, whose fault, what to do."""

    id: str
    until: float | None = None
    """The Unix time of the newest failure to list; None for all."""
    template: str = field(default="service", init=False)

    async def page(self, drawer: Drawer, share: LoopShare) -> Page:
        await drawer.board.refresh(share)
        summary = drawer.board.summaries.get(self.id)
        if summary is None:
            raise PageNotFoundError(self.id)
        past = await drawer.chart_cache.of(summary, share)
        share.pause()
        incidents = await drawer.incident_cache.newest_of(self.id)
        failures = await self._failures(drawer)
        share.resume()
        target, last = summary.target, summary.last
        tally, now = drawer.sources.results.of(self.id), drawer.sources.clock.now()
        recent = list(tally.recent)
        arguments: dict[str, dict[str, Any]] = {
            "head": _page_says(drawer, target),
            "models": _models(drawer, summary, now),
            "phases": {"bars": waterfall(last.outcome.phases) if last else ()},
            "pictures": {
                "past": past,
                "spark": spark(recent),
                "probes": len(recent),
            },
            "budget": {"budgets": budgets(target, tally)},
            "facts": {"tally": tally, "rotated_at": drawer.sources.rotated_at(target.id)},
            "request": {"curl": command_line(target.endpoint) if target.endpoint else ""},
            "failures": failures,
            "recent": {"recent": recent[::-1]},
            "history": {"incidents": incidents[:_INCIDENTS_LISTED]},
        }
        rotated_at = drawer.sources.rotated_at(target.id)
        known = events_of(target, tally, incidents, rotated_at, now)
        times: dict[str, dict[str, Any]] = {"ahead": {"line": timeline(known, now)}}
        regions = {"day": past.day, "month": past.month}
        for file, parts in (("service_parts.html", arguments), ("service_times.html", times)):
            for name, fields in parts.items():
                regions[name] = fragment(file, name, summary=summary, now=now, **fields)
                await share.yield_if_due()
        return _as_page(summary, regions)

    async def _failures(self, drawer: Drawer) -> dict[str, Any]:
        before = float("inf") if self.until is None else _after(self.until)
        kept = drawer.sources.failures
        found = await kept.newest(self.id, _FAILURES_PER_PAGE + 1, before)
        shown, older_link = found[:_FAILURES_PER_PAGE], ""
        if len(found) > len(shown):
            older_link = f"/services/{quote(self.id)}?until={found[-1].at!r}"
        return {"failures": shown, "older_link": older_link, "until": self.until}


def _after(until: float) -> float:
    """Return the end of what is up to *until*; a whole second is meant as all of it."""
    return until + (1.0 if until.is_integer() else 0.001)


def _page_says(drawer: Drawer, target: Target) -> dict[str, Any]:
    """Return what the provider's own page says of it, and since when nobody can know more."""
    sources = drawer.sources
    said = {"lead": sources.lead(target), "record": sources.page_record(target)}
    return {**said, "offline_since": sources.offline_since()}


def _models(drawer: Drawer, summary: ServiceSummary, now: float) -> dict[str, Any]:
    target = summary.target
    models = drawer.sources.models(target.id) if target.models else ()
    last = current_result(target, drawer.sources.results.of(target.id))
    verdict = models_sentence(target, last, models, now)
    return {"models": shown_models(models), "verdict": verdict}


def _as_page(summary: ServiceSummary, regions: Mapping[str, str]) -> Page:
    title = plain(f"{short(summary.target.name)}: {summary.word}")
    icon = _ICONS.get(summary.state, "icon.svg")
    if summary.troubles and summary.state is ShownState.HEALTHY:
        icon = _ICONS[ShownState.DEGRADED]
    if summary.state is ShownState.UNKNOWN and summary.verdict is Verdict.NETWORK:
        icon = "icon-network.svg"
    said = "; ".join((summary.fault, *summary.troubles))
    return Page(title, plain(f"{title}, {said}"), regions, icon=icon)


# -- incidents ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsPage:
    """The incidents, the newest first; all or those of a status, severity or service."""

    status: str = ""
    severity: str = ""
    service: str = ""
    before: str = ""
    ignored: Ignored = ()
    template: str = field(default="incidents", init=False)

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> IncidentsPage:
        """Return the view of *query*; unknown names are ignored, impossible values in words."""
        names = ("status", "severity", "service", "before")
        given = {name: query.get(name, "")[:MAX_FILTER_CHARS] for name in names}
        known = {"status": [str(one) for one in IncidentStatus], "severity": SEVERITIES}
        asked, ignored = without_unknown(given, known)
        return cls(**asked, ignored=ignored)

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
            "headline": {"sentence": announcement, "stats": stats, "view": self},
            "choices": {"view": self, "stats": stats},
            "listing": listing | {"cache": cache},
        }
        regions = {
            name: fragment("incident_parts.html", name, **fields)
            for name, fields in arguments.items()
        }
        waiting = "icon-degraded.svg" if stats.acknowledged else "icon.svg"
        icon = "icon-down.svg" if stats.open else waiting
        return Page("Incidents: " + announcement, announcement, regions, icon=icon)


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
        ends = await drawer.sources.failures.of_incident(incident)
        share.resume()
        fields = {
            "now": drawer.sources.clock.now(),
            "registered": incident.service in drawer.sources.registry,
            "cache": drawer.incident_cache,
            "entries": _with_failures(incident, ends),
            "accepts_changes": drawer.sources.accepts_changes,
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


def _with_failures(incident: Incident, ends: Ends) -> list[tuple[Entry | None, str, Result | None]]:
    """Return the timeline, with the failures at both ends of *incident* where they belong."""
    rows: list[tuple[float, Entry | None, str, Result | None]] = [
        (entry.at, entry, "", None) for entry in incident.timeline
    ]
    if ends.first is not None:
        rows.append((ends.first.at, None, "First failure", ends.first))
    if ends.last is not None and (ends.first is None or ends.last.at > ends.first.at):
        rows.append((ends.last.at, None, "Last failure", ends.last))
    return [row[1:] for row in sorted(rows, key=lambda row: row[0])]
