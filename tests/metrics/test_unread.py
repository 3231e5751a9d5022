"""A page that is made for a client that stopped reading leaves nothing of it in memory twice."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator

from exporter.metrics.exposition import PLAIN_CHUNK_BYTES
from tests.metrics.test_exposition import Stage, rich_probe, rich_target

CLIENTS, SERVICES = 40, 150


async def _stopped(stage: Stage, openmetrics: bool) -> AsyncIterator[bytes]:
    """Return a page of which three pieces were sent and freed."""
    page = stage.exposition.chunks(openmetrics=openmetrics)
    for _ in range(3):
        assert len(await anext(page)) >= PLAIN_CHUNK_BYTES
    return page


async def test_of_what_was_sent_the_page_keeps_no_copy() -> None:
    stage = Stage()
    for number in range(SERVICES):
        rich_probe(stage, stage.put(rich_target(f"s{number}")))
    await stage.text()

    for openmetrics in (False, True):
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        pages = [await _stopped(stage, openmetrics) for _ in range(CLIENTS)]
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        del pages

        # Left are the lists of services, and the lines that the slice was made from.
        assert (after - before) / CLIENTS < 1.5 * PLAIN_CHUNK_BYTES
