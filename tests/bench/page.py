"""The status page of 1,000 services in Chromium: how soon it shows, what an update costs it.

First paint is `first-contentful-paint` of the browser's own paint timing: from the start of the
navigation, with everything that the exporter does for it. An update is one event in which every
service of the page changes its state and its place: its cost is the difference of the main thread's
`TaskDuration`, of the DevTools' performance metrics, around it. What is promised is promised of
the least disturbed of nine: other work on the machine slows the browser down, nothing speeds it up.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from playwright.async_api import Browser, CDPSession, async_playwright

from exporter.clock import SystemClock
from exporter.model import Reason
from tests.bench.subjects import CORES, Bench
from tests.bench.table import OURS
from tests.page import scenes
from tests.page.browser import Visit, chromium, visiting
from tests.page.stage import Stage, staged

GROUPED = "/?group=tag:squad"
_TIMES = 9
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
_DRAWN = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


def run(bench: Bench) -> None:
    """Measure ours: the other exporters' pages are not what these scenes draw."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES)  # the exporter and the browser
    try:
        for row, path in (("page of 1,000", "/"), ("page of 1,000 in groups", GROUPED)):
            paints, updates = asyncio.run(_measured(path))
            bench.results.add(f"{row}, first paint", OURS, min(paints))
            bench.results.add(f"{row}, update", OURS, min(updates))
    finally:
        os.sched_setaffinity(0, before)


async def _measured(path: str) -> tuple[list[float], list[float]]:
    """Return milliseconds to the first paint of *path*, and of the main thread for an update."""
    with chromium() as address:
        async with async_playwright() as driver, staged(SystemClock()) as stage:
            scenes.many(stage)
            browser = await driver.chromium.connect_over_cdp(address)
            paints = [await _first_paint(browser, stage, path) for _ in range(_TIMES)]
            updates = await costs_of_updates(browser, stage, path, times=_TIMES)
    return paints, updates


async def costs_of_updates(browser: Browser, stage: Stage, path: str, *, times: int) -> list[float]:
    """Return milliseconds of the main thread for updates of all services of *stage*."""
    async with visiting(browser, stage.base) as visit:
        await visit.go(path)
        session = await visit.page.context.new_cdp_session(visit.page)
        # The time of the thread itself, so that a busy machine counts less.
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        return [await _update(visit, stage, session, n) for n in range(times)]


async def _first_paint(browser: Browser, stage: Stage, path: str) -> float:
    async with visiting(browser, stage.base) as visit:
        await visit.go(path)
        return float(await visit.page.evaluate(_PAINT))


async def _update(visit: Visit, stage: Stage, session: CDPSession, number: int) -> float:
    """Return milliseconds of the main thread while half of the services fail, or all work again."""
    failing = not number % 2
    before, targets = await _busy(visit, session), list(stage.registry)
    for n, target in enumerate(targets):
        reason = Reason.SERVER_ERROR if failing and n % 2 else Reason.OK
        stage.saw(target.id, reason, took=0.05 + (n + number) % 7 / 50)
    count = len(targets)
    words = f"{count // 2} of {count} fail" if failing else f"All {count} services are healthy"
    await visit.until("h1", words)
    return (await _busy(visit, session) - before) * 1000


async def _busy(visit: Visit, session: CDPSession) -> float:
    await visit.page.evaluate(_DRAWN)
    metrics: list[dict[str, Any]] = (await session.send("Performance.getMetrics"))["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))
