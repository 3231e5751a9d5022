"""Gate: every dashboard is what Grafana 13's own types say, and the gate finds what it should."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.grafana.official import mistakes
from tests.grafana.reading import BOARDS, Json, panels


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_is_what_grafanas_types_say(name: str) -> None:
    assert list(mistakes(BOARDS[name])) == []


def _first(board: Json, kind: str) -> Any:
    return next(p for p in panels(board) if p["type"] == kind)


FAULTS: dict[str, Callable[[Json], Any]] = {
    "schemaVersion as text": lambda b: b.update(schemaVersion="42"),
    "unknown key": lambda b: b.update(rows=[]),
    "refresh misspelt": lambda b: b.update(refersh="30s"),
    "tags as text": lambda b: b.update(tags="x"),
    "crosshair 7": lambda b: b.update(graphTooltip=7),
    "unknown panel": lambda b: _first(b, "stat").update(type="stats"),
    "stat colour": lambda b: _first(b, "stat")["options"].update(colorMode="backgruond"),
    "stat option": lambda b: _first(b, "stat")["options"].update(sparkline=True),
    "stat custom": lambda b: _first(b, "stat")["fieldConfig"]["defaults"].update(custom={"a": 1}),
    "table footer": lambda b: _first(b, "table")["options"].update(footer={}),
    "line width": lambda b: _first(b, "timeseries")["fieldConfig"]["defaults"]["custom"].update(
        lineWidth="2"
    ),
    "draw style": lambda b: _first(b, "timeseries")["fieldConfig"]["defaults"]["custom"].update(
        drawStyle="lines"
    ),
    "threshold mode": lambda b: _first(b, "stat")["fieldConfig"]["defaults"]["thresholds"].update(
        mode="abs"
    ),
    "override id": lambda b: _first(b, "table")["fieldConfig"]["overrides"][0]["properties"].append(
        {"id": "custom.colour", "value": 1}
    ),
    "override value": lambda b: _first(b, "table")["fieldConfig"]["overrides"][0][
        "properties"
    ].append({"id": "decimals", "value": "2"}),
    "target key": lambda b: _first(b, "stat")["targets"][0].update(expresion="up"),
    "grid as text": lambda b: _first(b, "stat")["gridPos"].update(w="4"),
    "transformation": lambda b: _first(b, "table")["transformations"].append(
        {"id": "mergee", "options": {}}
    ),
    "variable type": lambda b: b["templating"]["list"][1].update(type="querry"),
    "variable refresh": lambda b: b["templating"]["list"][1].update(refresh=9),
    "annotation key": lambda b: b["annotations"]["list"][0].update(colour="red"),
    "link key": lambda b: b["links"][0].update(keeptime=True),
    "mapping type": lambda b: _first(b, "stat")["fieldConfig"]["defaults"]["mappings"].append(
        {"type": "values", "options": {}}
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_gate_finds_a_seeded_fault(fault: str) -> None:
    board = copy.deepcopy(BOARDS["registry-overview"])

    FAULTS[fault](board)

    assert list(mistakes(board))
