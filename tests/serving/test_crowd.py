"""200 scrapers and 500 open pages at once: each is answered, if only by a 503."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.crowd import LEAST_PROBES, crowd


@pytest.mark.slow
async def test_a_scrape_of_a_crowd_is_whole_or_refused_in_words_and_no_probe_is_left_out(
    tmp_path: Path,
) -> None:
    figures = await crowd(tmp_path, services=100, scrapers=200, viewers=500, seconds=4)

    assert float(figures["scrapes, whole"]) > 0
    assert figures["pages open to the end"] == 500
    assert figures["closed without an answer"] == figures["broken"] == figures["failed"] == 0
    assert float(figures["probes made of those due"]) >= LEAST_PROBES
