"""GET /api/stats: counts of services by kind, of probes and attempts; availability."""

from __future__ import annotations

from collections import Counter

from aiohttp import web

from exporter.api.app_keys import INCIDENTS, REGISTRY, RESULTS
from exporter.clock import in_slices
from exporter.results import status_of


async def stats(request: web.Request) -> web.Response:
    """Return counts since the counters began, and mean times in seconds."""
    incidents = await request.app[INCIDENTS].stats()
    types: Counter[str] = Counter()
    environments: Counter[str] = Counter()
    providers: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    probes = attempts = events = bad = 0
    registry = request.app[REGISTRY]
    async for target in in_slices(registry, 128):
        if target.id not in registry:  # removed while the loop yielded between two slices
            continue
        tally = request.app[RESULTS].of(target.id)
        types[target.type] += 1
        environments[target.environment] += 1
        providers[target.provider] += 1
        statuses[str(status_of(target, tally)) if target.enabled else "disabled"] += 1
        probes += sum(tally.reasons)
        attempts += tally.attempts
        events += tally.events[0]
        bad += tally.bad[0]
    return web.json_response(
        {
            "services": sum(types.values()),
            "by_type": types,
            "by_environment": environments,
            "by_provider": providers,
            "by_status": statuses,
            "probes": probes,
            "attempts": attempts,
            "availability": round(1 - bad / events, 6) if events else None,
            "mttr_seconds": incidents.mttr_seconds,
            "mtta_seconds": incidents.mtta_seconds,
        }
    )
