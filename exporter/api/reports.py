"""GET /api/services/{id}/report: the evidence for a claim, in the format that is asked for."""

from __future__ import annotations

import asyncio

from aiohttp import web

from exporter.api.app_keys import CLOCK, REGISTRY, REPORTS
from exporter.api.bodies import BodyError, chosen
from exporter.reports import FORMATS, POLICY, TimesError, minutes_between


async def report(request: web.Request) -> web.Response:
    """Return the report of a service for the time between `from` and `to`."""
    target = request.app[REGISTRY].get(request.match_info["id"])
    name = chosen(request, "format", FORMATS, "json")
    try:
        start, end = minutes_between(
            request.query.get("from", ""),
            request.query.get("to", ""),
            request.app[CLOCK].now(),
            target.objectives.window,
        )
    except TimesError as error:
        raise BodyError(str(error)) from None
    found = await request.app[REPORTS].report(target.id, start, end)
    form = FORMATS[name]
    text = await asyncio.to_thread(form.render, [found])
    answer = web.Response(text=text, content_type=form.media_type, charset="utf-8")
    file = f"{target.id}-{found['from'][:10]}-{found['to'][:10]}.{form.extension}"
    shown = "attachment" if name == "csv" else "inline"
    answer.headers["Content-Disposition"] = f'{shown}; filename="{file}"'
    if name == "html":
        answer.headers["Content-Security-Policy"] = f"{POLICY}; frame-ancestors 'none'"
    return answer
