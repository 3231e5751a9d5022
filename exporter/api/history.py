"""Stored history: a day of a service's results, and the audit log of changes."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from aiohttp import web

from exporter.api.app_keys import AUDIT, PERSISTENCE, REGISTRY
from exporter.api.bodies import page_size
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
