"""Faults of a real network around a real process: what it says of each, and whom it blames."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.network import FLEET_SIZE, network


@pytest.mark.slow
@pytest.mark.usefixtures("own_networks")
async def test_each_fault_has_its_reason_and_no_fault_of_ours_is_the_provider_s(
    tmp_path: Path,
) -> None:
    figures = await network(tmp_path)

    assert figures["fleet of 50 with the cable pulled, verdict network"] == FLEET_SIZE
    assert figures["verdict provider"] == 0
    assert figures["events counted against providers for faults of ours"] == 0
    assert 0 < float(figures["answers of 30 % loss"]) <= 1
