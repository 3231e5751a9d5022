"""A compact page: hours of every trouble, and the same alerts at the same times."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests import fleet, victoria
from tests.engines import parsed, read_names
from tests.test_rule_expressions import GROUPS
from tests.test_rules import ALERTS

pytestmark = pytest.mark.slow

NAMES = {name for g in GROUPS for rule in g["rules"] for name in read_names(parsed(rule))}


def test_every_alert_fires_when_it_does_with_a_complete_page(tmp_path: Path) -> None:
    complete = asyncio.run(fleet.history(NAMES))
    compact = asyncio.run(fleet.history(NAMES, compact=True))
    folders = (tmp_path / "complete", tmp_path / "compact")
    for folder in folders:
        folder.mkdir()

    one, other = (
        victoria.in_prometheus(folder, victoria.of_alerts(GROUPS), found)
        for folder, found in zip(folders, (complete, compact), strict=True)
    )

    assert {dict(key)["alertname"] for key in one.firing} == ALERTS
    assert other.firing == one.firing
    assert other.rows == one.rows
    assert len(compact) < 0.6 * len(complete)
