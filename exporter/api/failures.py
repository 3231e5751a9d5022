"""/api/services/{id}/failures: what the failed probes of a service saw; and of an incident."""

from __future__ import annotations

import re

from aiohttp import web

from exporter.api.app_keys import FAILURES, REGISTRY, Json
from exporter.api.bodies import BodyError, page_size
from exporter.incidents import Incident
from exporter.model import PHASES, Result, advice_of
from exporter.probers import shown_evidence
from exporter.results import KEPT_FAILURES, Failures

_CURSOR = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")


async def listing(request: web.Request) -> web.Response:
    """Return one page of the kept failures of a service, the newest first."""
    target = request.app[REGISTRY].get(request.match_info["id"])
    limit, cursor = page_size(request, KEPT_FAILURES), request.query.get("cursor", "")
    if cursor and not _CURSOR.fullmatch(cursor):
        raise BodyError("cursor must be the `next` of an earlier page")
    before = float(cursor) if cursor else float("inf")
    found = await request.app[FAILURES].newest(target.id, limit + 1, before)
    shown = found[:limit]
    following = repr(shown[-1].at) if len(found) > len(shown) else None
    rows = [failure_json(one, has_page=target.has_page) for one in shown]
    return web.json_response({"failures": rows, "next": following})


async def evidence_of(failures: Failures, incident: Incident) -> Json | None:
    """Return the first and the last failure of *incident*; None if none is kept."""
    ends = await failures.of_incident(incident)
    if ends.first is None and ends.last is None:
        return None
    return {
        name: None if result is None else failure_json(result)
        for name, result in zip(ends._fields, ends, strict=True)
    }


def failure_json(result: Result, *, has_page: bool | None = None) -> Json:
    """Return *result* with its evidence; `at` is a Unix time, durations are in milliseconds.

    *has_page*: as of `advice_of`.
    """
    outcome = result.outcome
    return {
        "service": result.service,
        "at": result.at,
        "reason": result.reason,
        "verdict": result.verdict,
        "advice": advice_of(result.reason, result.verdict, has_page=has_page),
        "detail": outcome.detail,
        "status": outcome.status or None,
        "attempts": result.attempts,
        "duration_ms": round(outcome.duration * 1000, 3),
        "phases": {
            phase: round(seconds * 1000, 3)
            for phase, seconds in zip(PHASES, outcome.phases, strict=True)
        },
        "address": outcome.address or None,
        "request_id": outcome.request_id or None,
        **shown_evidence(outcome),
    }
