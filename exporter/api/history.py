"""Stored history: a day of a service's results, and the audit log of changes."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from aiohttp import web

from exporter.api.app_keys import AUDIT, PERSISTENCE, REGISTRY, RESULTS
from exporter.api.bodies import page_size
from exporter.model import FACTS, Verdict
from exporter.results.history import WIDTH_SECONDS, Bucket


async def day(request: web.Request) -> web.Response:
    """Return the last 24 h of a service by quarters of an hour, only those that have results."""
    target = request.app[REGISTRY].get(request.match_info["id"])
    rows = await request.app[PERSISTENCE].day(target.id)
    return web.json_response(
        {
            "service": target.id,
            "width_seconds": WIDTH_SECONDS,
            "buckets": [_bucket_json(row) for row in rows],
        }
    )


async def recent(request: web.Request) -> web.Response:
    """Return the last results of a service, at most 20, oldest first.

    The last one and the kept failures have a status and a detail, an older success has none.
    """
    target = request.app[REGISTRY].get(request.match_info["id"])
    tally = request.app[RESULTS].of(target.id)
    whole = {one.at: one.outcome for one in (*tally.failures, tally.last) if one is not None}
    return web.json_response(
        {
            "service": target.id,
            "results": [
                {
                    "at": at,
                    "duration_ms": round(took * 1000, 3),
                    "reason": reason,
                    "success": FACTS[reason].verdict is Verdict.OK,
                    "status_code": whole[at].status or None if at in whole else None,
                    "detail": whole[at].detail if at in whole else "",
                }
                for at, took, reason in tally.recent
            ],
        }
    )


def _bucket_json(row: Bucket) -> dict[str, object]:
    mean = round(row.latency_sum / row.ok * 1000, 3) if row.ok else None
    return {
        "start": row.start,
        "ok": row.ok,
        "bad": row.bad,
        "worst": row.worst,
        "latency_mean_ms": mean,
        "latency_max_ms": round(row.latency_max * 1000, 3) if row.ok else None,
    }


async def audit(request: web.Request) -> web.Response:
    """Return who changed what, newest first; a key appears only as its fingerprint."""
    limit = page_size(request, 100)
    service = request.query.get("service") or None
    entries = await asyncio.to_thread(request.app[AUDIT], service, limit)
    return web.json_response({"entries": [asdict(entry) for entry in entries]})
