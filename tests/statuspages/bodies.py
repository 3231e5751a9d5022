"""Bodies of status pages as each product writes them, from incidents in one common form.

An incident is a mapping: `id title impact status claimed posted updated resolved components`; times
are texts such as "02:31" of one night, each product has its own way to write them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

Incident = Mapping[str, Any]
MIDNIGHT = datetime(2026, 11, 27, tzinfo=UTC)
NEW_YORK = timezone(timedelta(hours=-5))


def moment(text: str) -> datetime:
    """Return the moment of "02:31", "02:31:30" or "-1 23:00", the evening before."""
    day, _, clock = text.rpartition(" ")
    parts = [*map(int, clock.split(":")), 0]
    return MIDNIGHT + timedelta(
        days=int(day or 0), hours=parts[0], minutes=parts[1], seconds=parts[2]
    )


def at(text: str) -> float:
    return moment(text).timestamp()


def iso(text: str | None, zone: Any = UTC) -> str | None:
    return None if text is None else moment(text).astimezone(zone).isoformat()


def statuspage(incidents: Sequence[Incident], more: Mapping[str, Any]) -> Any:
    """Statuspage writes in the zone of the page, and lists only what is not resolved."""
    indicator = more.get("indicator") or ("major" if incidents else "none")
    return {
        "page": {"id": "p", "updated_at": iso(more.get("made"), NEW_YORK)},
        "status": {"indicator": indicator},
        "components": [
            {"id": "k8w3r06qmzrp", "name": "API", "status": more.get("api", "operational")}
        ],
        "incidents": [
            {
                "id": one.get("id", "i1"),
                "name": one.get("title", "Elevated errors"),
                "status": one.get("status", "investigating"),
                "impact": one.get("impact", "major"),
                "created_at": iso(one.get("posted"), NEW_YORK),
                "started_at": iso(one.get("claimed"), NEW_YORK),
                "updated_at": iso(one.get("updated") or one.get("posted"), NEW_YORK),
                "resolved_at": iso(one.get("resolved"), NEW_YORK),
                "components": [{"id": n, "name": n} for n in one.get("components", ())],
                "incident_updates": [
                    {"status": "investigating", "created_at": iso(t, NEW_YORK), "display_at": None}
                    for t in one.get("texts", ())
                ],
            }
            for one in incidents
            if "resolved" not in one
        ],
    }


def compat_summary(incidents: Sequence[Incident], more: Mapping[str, Any]) -> Any:
    """incident.io's summary has no `incidents` at all."""
    summary = statuspage((), {"indicator": "major" if incidents else "none", **more})
    del summary["incidents"]
    return summary


def compat_list(incidents: Sequence[Incident], more: Mapping[str, Any]) -> Any:
    """Its list has resolved ones too, and no components."""
    return {
        "incidents": [
            {
                "id": one.get("id", "01K"),
                "name": one.get("title", "Elevated errors"),
                "status": "resolved" if "resolved" in one else one.get("status", "identified"),
                "impact": one.get("impact", "major"),
                "created_at": iso(one.get("posted")),
                "resolved_at": iso(one.get("resolved")),
                "components": [],
                "incident_updates": [{"body": ""}],
            }
            for one in incidents
        ]
    }


def incident_io(incidents: Sequence[Incident], more: Mapping[str, Any]) -> Any:
    return {
        "ongoing_incidents": [
            {
                "id": one.get("id", "01J"),
                "name": one.get("title", "Elevated errors"),
                "status": one.get("status", "investigating"),
                "current_worst_impact": one.get("impact", "partial_outage"),
                "created_at": iso(one.get("posted")),
                "affected_components": [{"name": name} for name in one.get("components", ())],
            }
            for one in incidents
            if "resolved" not in one
        ],
        "in_progress_maintenances": [],
    }


def instatus(incidents: Sequence[Incident], more: Mapping[str, Any]) -> Any:
    """Instatus writes times as JavaScript does, has no id and no time of posting."""
    active = [one for one in incidents if "resolved" not in one]
    body: dict[str, Any] = {"page": {"status": "HASISSUES" if active else "UP"}}
    if active:
        body["activeIncidents"] = [
            {
                "name": one.get("title", "Elevated errors"),
                "started": moment(one["claimed"]).strftime(
                    "%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)"
                ),
                "status": one.get("status", "INVESTIGATING"),
                "impact": one.get("impact", "PARTIALOUTAGE"),
                "url": f"https://status.example/incident/{one.get('id', 'cl1')}",
            }
            for one in active
        ]
    return body


def better_stack(incidents: Sequence[Incident], more: Mapping[str, Any]) -> Any:
    included: list[Any] = []
    for one in incidents:
        id_ = one.get("id", "7")
        attributes = {
            "title": one.get("title", "Elevated errors"),
            "report_type": one.get("type", "manual"),
            "starts_at": iso(one.get("claimed")),
            "ends_at": iso(one.get("resolved")),
            "aggregate_state": one.get("impact", "degraded"),
            "affected_resources": [{"status_page_resource_id": "1", "status": "degraded"}],
        }
        included.append({"id": id_, "type": "status_report", "attributes": attributes})
        if "posted" in one:
            text = {"status_report_id": int(id_), "published_at": iso(one["posted"])}
            included.append({"id": "70", "type": "status_update", "attributes": text})
    included.append(
        {"id": "1", "type": "status_page_resource", "attributes": {"public_name": "API"}}
    )
    is_open = any("resolved" not in one for one in incidents)
    state = more.get("state") or ("degraded" if is_open else "operational")
    return {"data": {"attributes": {"aggregate_state": state}}, "included": included}


def google_cloud(incidents: Sequence[Incident], more: Mapping[str, Any]) -> Any:
    return [
        {
            "id": one.get("id", "Yr6"),
            "external_desc": one.get("title", "Elevated errors"),
            "begin": iso(one.get("claimed")),
            "created": iso(one.get("posted")),
            "modified": iso(one.get("updated") or one.get("posted")),
            "end": iso(one.get("resolved")),
            "status_impact": one.get("impact", "SERVICE_DISRUPTION"),
            "affected_products": [{"title": one.get("product", "Vertex Gemini API"), "id": "Z"}],
        }
        for one in incidents
    ]


def slack(incidents: Sequence[Incident], more: Mapping[str, Any]) -> Any:
    active = [one for one in incidents if "resolved" not in one]
    return {
        "status": "active" if active else "ok",
        "active_incidents": [
            {
                "id": one.get("id", 546),
                "title": one.get("title", "Elevated errors"),
                "type": one.get("type", "incident"),
                "status": "active",
                "date_created": iso(one.get("claimed"), timezone(timedelta(hours=-8))),
                "date_updated": iso(one.get("posted"), timezone(timedelta(hours=-8))),
                "services": one.get("components", ["Apps/Integrations/APIs"]),
                "notes": [
                    {"date_created": iso(text, timezone(timedelta(hours=-8))), "body": "We look."}
                    for text in reversed((one["posted"], *one.get("texts", ())))
                ],
            }
            for one in active
        ],
    }


def stripe_legacy(incidents: Sequence[Incident], more: Mapping[str, Any]) -> Any:
    return {"UptimeStatus": "degraded" if incidents else "up"}


def rootly(incidents: Sequence[Incident], more: Mapping[str, Any]) -> Any:
    active = [one for one in incidents if "resolved" not in one]
    return {
        "page": {"updated_at": iso(more.get("made"))},
        "status": {"indicator": "major" if active else "none"},
        "incidents": [
            {
                "id": one.get("id", "r1"),
                "title": one.get("title", "Elevated errors"),
                "status": one.get("status", "investigating"),
                "started_at": iso(one.get("claimed")),
            }
            for one in active
        ],
    }


def datadog(incidents: Sequence[Incident], more: Mapping[str, Any]) -> Any:
    gateway = {"id": "g1", "type": "ComponentGroup", "name": "API - Gateway"}
    status = more.get("api", "operational")
    chat = {"id": "c1", "type": "Component", "name": "Chat", "status": status}
    site = {"id": "c2", "type": "Component", "name": "Website", "status": "operational"}
    return {
        "components": [gateway | {"components": [chat]}, site],
        "incidents": [
            {
                "id": one.get("id", "d1"),
                "title": one.get("title", "Elevated errors"),
                "resolved": "resolved" in one,
                "resolvedDate": iso(one.get("resolved")),
                "publishedDate": iso(one.get("claimed")),
                "timeline": [
                    {
                        "startedAt": iso(one.get("claimed")),
                        "createdAt": iso(one.get("posted")),
                        "componentsAffected": [
                            {"id": one.get("component", "c1"), "status": "partial_outage"}
                        ],
                    }
                ],
            }
            for one in incidents
        ],
    }


def sorry(incidents: Sequence[Incident], more: Mapping[str, Any]) -> Any:
    return {
        "notices": [
            {
                "id": one.get("id", 31),
                "type": one.get("type", "unplanned"),
                "state": "resolved" if "resolved" in one else one.get("status", "investigating"),
                "timeline_state": "past_recent" if "resolved" in one else "present",
                "subject": one.get("title", "Elevated errors"),
                "began_at": iso(one.get("claimed")),
                "created_at": iso(one.get("posted")),
                "ended_at": iso(one.get("resolved")),
            }
            for one in incidents
        ]
    }


def feed(incidents: Sequence[Incident], more: Mapping[str, Any]) -> str:
    """An RSS feed has the time of the last update only; an Atom feed has `published`."""
    items = []
    for one in incidents:
        word = "Resolved" if "resolved" in one else one.get("status", "Investigating")
        last = moment(one.get("resolved") or one.get("updated") or one["posted"])
        title, id_ = one.get("title", "Elevated errors"), one.get("id", "9001")
        if more.get("atom"):
            items.append(
                f"<entry><title>{title}</title><id>tag:example,2026:{id_}</id>"
                f"<published>{iso(one['posted'])}</published><updated>{last.isoformat()}</updated>"
                f"<content>{word} - we look</content></entry>"
            )
        else:
            date = last.strftime("%a, %d %b %Y %H:%M:%S GMT")
            items.append(
                f"<item><title>{title}</title><link>https://status.example/i/{id_}</link>"
                f"<pubDate>{date}</pubDate><description>{word} - we look</description></item>"
            )
    inner = "".join(items)
    if more.get("atom"):
        return f'<feed xmlns="http://www.w3.org/2005/Atom"><id>1</id>{inner}</feed>'
    return f"<rss><channel><title>Status</title>{inner}</channel></rss>"


BODIES: Mapping[str, Callable[[Sequence[Incident], Mapping[str, Any]], Any]] = {
    "better_stack": better_stack,
    "datadog": datadog,
    "feed": feed,
    "google_cloud": google_cloud,
    "incident_io": incident_io,
    "incident_io_compat": compat_summary,
    "instatus": instatus,
    "rootly": rootly,
    "slack": slack,
    "sorry": sorry,
    "statuspage": statuspage,
    "stripe_legacy": stripe_legacy,
}


def body_of(adapter: str, incidents: Sequence[Incident], more: Mapping[str, Any]) -> bytes:
    made = BODIES[adapter](incidents, more)
    return made.encode() if isinstance(made, str) else json.dumps(made).encode()


def list_of(incidents: Sequence[Incident], more: Mapping[str, Any]) -> bytes:
    return json.dumps(compat_list(incidents, more)).encode()
