"""200 scrapers and 500 open pages at once: each is answered, and probing goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.crowd import crowd


@pytest.mark.slow
async def test_every_scrape_of_a_crowd_is_answered_whole_and_no_probe_is_left_out(
    tmp_path: Path,
) -> None:
    figures = await crowd(tmp_path, services=100, scrapers=200, viewers=500, seconds=4)

    assert float(figures["scrapes, whole"]) >= 200
    assert figures["closed without an answer"] == figures["broken"] == figures["failed"] == 0
    assert float(figures["probes made of those due"]) >= 0.9
