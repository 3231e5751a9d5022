"""Names that change their address, or have it inside: a real process asks nobody inside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.rebinding import rebinding


@pytest.mark.usefixtures("own_networks")
async def test_no_name_and_no_redirect_leads_the_exporter_inside(tmp_path: Path) -> None:
    figures = await rebinding(tmp_path, rounds=2)

    assert figures["connections inside"] == 0
    assert figures["connections outside"] > 0
    assert figures["connections inside of those who may"] > 0
    assert figures["connections to it over TCP"] > 0
