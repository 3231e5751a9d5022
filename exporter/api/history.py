"""Stored history: a day or a month of a service's results, and the audit log of changes."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from aiohttp import web

from exporter.api.app_keys import AUDIT, FAILURES, PERSISTENCE, REGISTRY, RESULTS
from exporter.api.bodies import chosen, page_size
from exporter.config import Target
from exporter.model import FACTS, Result, Verdict, advice_of
from exporter.results.history import SPAN_SECONDS, WIDTH_SECONDS, Bucket
from exporter.results.recent import KEPT_RESULTS

RANGES = {"24h": WIDTH_SECONDS, "30d": SPAN_SECONDS}
"""The lengths of time that can be asked for, and the width of their buckets in seconds."""


async def of_service(request: web.Request) -> web.Response:
    """Return the results of a service in the range of the query, only where there are some."""
    target = request.app[REGISTRY].get(request.match_info["id"])
    wanted = chosen(request, "range", RANGES, "24h")
    past = request.app[PERSISTENCE].past(target.id)
    rows = await (past.day() if wanted == "24h" else past.month())
    return web.json_response(
        {
            "service": target.id,
            "width_seconds": RANGES[wanted],
            "buckets": [_bucket_json(row) for row in rows],
        }
    )


async def recent(request: web.Request) -> web.Response:
    """Return the last results of a service, at most 20, oldest first.

    The last one and the kept failures have a status and a detail, an older success has none.
    """
    target = request.app[REGISTRY].get(request.match_info["id"])
    tally = request.app[RESULTS].of(target.id)
    failures = await request.app[FAILURES].newest(target.id, KEPT_RESULTS)
    whole = {one.at: one for one in (*failures, tally.last) if one is not None}
    return web.json_response(
        {
            "service": target.id,
            "results": [
                {
                    "at": at,
                    "duration_ms": round(took * 1000, 3),
                    "reason": reason,
                    "success": FACTS[reason].verdict is Verdict.OK,
                    **_known(whole.get(at), verdict, target),
                }
                for at, took, reason, verdict in tally.recent
            ],
        }
    )


def _known(result: Result | None, verdict: Verdict, target: Target) -> dict[str, object]:
    """Return what is kept of one of the last results: of an older one its *verdict* alone."""
    if result is None:
        return {"status_code": None, "detail": "", "verdict": verdict, "advice": ""}
    failed = not result.success
    return {
        "status_code": result.outcome.status or None,
        "detail": result.outcome.detail,
        "verdict": result.verdict,
        "advice": advice_of(result.reason, result.verdict, has_page=target.has_page)
        if failed
        else "",
    }


def _bucket_json(row: Bucket) -> dict[str, object]:
    mean = row.latency_sum / row.ok if row.ok else None
    return {
        "start": row.start,
        "ok": row.ok,
        "bad": row.bad,
        "worst": row.worst,
        "verdict": row.verdict,
        "latency_p50_ms": _milliseconds(row.percentile(0.5)),
        "latency_p95_ms": _milliseconds(row.percentile(0.95)),
        "latency_mean_ms": _milliseconds(mean),
        "latency_max_ms": _milliseconds(row.latency_max if row.ok else None),
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


async def audit(request: web.Request) -> web.Response:
    """Return who changed what, newest first; a key appears only as its fingerprint."""
    limit = page_size(request, 100)
    service = request.query.get("service") or None
    entries = await asyncio.to_thread(request.app[AUDIT], service, limit)
    return web.json_response({"entries": [asdict(entry) for entry in entries]})
