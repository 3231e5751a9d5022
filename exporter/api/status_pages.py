"""What providers' own status pages say, and the webhooks that ring when they change.

A webhook is believed in one thing only: that it is time to look. Atlassian Statuspage signs none of
its messages (support.atlassian.com, "Enable webhook notifications"), so nothing in one is read; the
page is asked instead, which takes a second.
"""

from __future__ import annotations

from aiohttp import web

from exporter.api.app_keys import LEADS, PAGES, REGISTRY, Json
from exporter.api.guard import problem
from exporter.clock import in_slices
from exporter.config import Target
from exporter.statuspages import Sighting, StatusPage, sentence

_MOST_SHOWN = 20


async def ring(request: web.Request) -> web.Response:
    """Have the pages of a provider, or of a service, asked at once; 202 with how many."""
    await request.read()  # the limit for bodies holds; what is in it is not looked at
    name, pages = request.match_info["provider"], set[StatusPage]()
    registry, leads = request.app[REGISTRY], request.app[LEADS]
    async for target in in_slices(registry, 256):
        page = target.status_page
        if name in (target.provider, target.id) and page and leads.record(target) is not None:
            pages.add(page)
    if not pages:
        return problem(404, "no service of that provider has a status page that can be read")
    for page in pages:
        request.app[PAGES].ring(page)
    return web.json_response({"asked": len(pages)}, status=202)


def page_json(request: web.Request, target: Target) -> Json | None:
    """Return what the provider's page says, None if it has none that can be read."""
    page, leads = target.status_page, request.app[LEADS]
    record = leads.record(target)
    if page is None or record is None:
        return None
    lead = leads.of(target)
    newest = sorted(record.sightings.values(), key=lambda one: one.seen_at, reverse=True)
    return {
        "url": page.url,
        "state": record.state,
        "health": record.health,
        "since": record.since,
        "read_at": record.read_at,
        "filter_matches": record.matched,
        "claim": lead.claim if lead else None,
        "sentence": sentence(lead) if lead else None,
        "failing_since": lead.since if lead else None,
        "posted_at": lead.posted if lead else None,
        "lead_seconds": lead.seconds if lead else None,
        "uncertainty_seconds": lead.uncertainty if lead and lead.seconds is not None else None,
        "incidents": [_incident_json(one) for one in newest[:_MOST_SHOWN]],
    }


def _incident_json(sighting: Sighting) -> Json:
    incident = sighting.incident
    return {
        "id": incident.id,
        "title": incident.title,
        "state": incident.stage,
        "impact": incident.impact,
        "open": sighting.ended_at is None,
        "claimed_at": incident.claimed,
        "published_at": incident.posted,
        "first_seen_at": sighting.seen_at,
        "updated_at": incident.updated,
        "resolved_at": sighting.ended_at,
        "components": list(incident.components),
    }
