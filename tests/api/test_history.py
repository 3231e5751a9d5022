"""The history of a service as JSON: a day by quarters of an hour, a month by four hours."""

from __future__ import annotations

import json
import statistics

import pytest

from exporter.model import Reason
from exporter.results.history import SPAN_SECONDS, Bucket
from exporter.results.latencies import level_of
from tests.api.managed import running

CONFIG = json.dumps({"services": [{"id": "a", "base_url": "https://a.example", "enabled": False}]})
TIMES = [0.1 * number for number in range(1, 21)]


async def test_percentiles_and_verdicts_are_in_both_ranges() -> None:
    async with running(CONFIG) as client:
        start = int(client.app.clock.now() // SPAN_SECONDS) * SPAN_SECONDS - SPAN_SECONDS
        levels = b"".join(map(level_of, TIMES))
        rows = [
            Bucket("a", start + 900 * n, 20, bad, Reason.TIMEOUT, sum(TIMES), 2.0, levels)
            for n, bad in ((0, 3), (1, 0))
        ]
        client.app.store.record_history(rows)
        day = (await client.ask("GET", "/api/services/a/history")).json
        same = (await client.ask("GET", "/api/services/a/history?range=24h")).json
        month = (await client.ask("GET", "/api/services/a/history?range=30d")).json
        refused = await client.ask("GET", "/api/services/a/history?range=1y")

    assert day == same
    assert (day["width_seconds"], month["width_seconds"]) == (900, SPAN_SECONDS)
    assert [(b["bad"], b["verdict"]) for b in day["buckets"]] == [(3, "provider"), (0, "network")]
    (span,) = month["buckets"]
    assert (span["start"], span["ok"], span["bad"], span["verdict"]) == (start, 40, 3, "provider")
    for bucket in (span, *day["buckets"]):
        assert bucket["latency_p50_ms"] == pytest.approx(1000, rel=0.03)
        assert bucket["latency_p95_ms"] == pytest.approx(1900, rel=0.03)
        assert bucket["latency_mean_ms"] == pytest.approx(1000 * statistics.mean(TIMES))
        assert bucket["latency_max_ms"] == 2000
    assert (refused.status, refused.type) == (400, "application/problem+json")
    assert "range must be one of 24h, 30d" in refused.text
