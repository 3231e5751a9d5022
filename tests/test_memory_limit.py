"""Too little memory under hostile bodies: nothing acknowledged is lost, nobody is blamed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.memory import group_limit, memory, process_limit

pytestmark = pytest.mark.slow


async def test_without_memory_a_process_lives_and_blames_itself(tmp_path: Path) -> None:
    figures = await memory(tmp_path, 100, process_limit, seconds=5)

    assert figures["lost"] == figures["held against them"] == 0
    assert figures["killed"] == "yes" or float(figures["probes without memory"]) > 0


async def test_a_process_that_is_killed_for_its_memory_comes_back_whole(tmp_path: Path) -> None:
    figures = await memory(tmp_path, 100, group_limit, seconds=15)

    assert figures["killed"] == "yes"
    assert float(figures["changes acknowledged"]) > 0
    assert figures["lost"] == figures["held against them"] == 0
