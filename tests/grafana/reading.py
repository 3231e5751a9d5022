"""Dashboards as they are committed, and walks over their parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "grafana" / "dashboards"
Json = dict[str, Any]

BOARDS: dict[str, Json] = {
    path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))
}


def panels(board: Json) -> Iterator[Json]:
    """Yield the panels of *board* without its rows."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def panel_of(board: str, title: str) -> Json:
    """Return the panel called *title* of the dashboard *board*."""
    return next(p for p in panels(BOARDS[board]) if p["title"] == title)


def expressions(board: Json) -> Iterator[tuple[str, str]]:
    """Yield where and what of every PromQL expression, annotations and variables included."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield f"{panel['title']}/{target['refId']}", target["expr"]
    for annotation in board["annotations"]["list"]:
        yield f"annotation {annotation['name']}", annotation["target"]["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            inside = variable["query"]["query"].removeprefix("label_values(").rpartition(",")[0]
            yield f"variable {variable['name']}", inside


def properties(panel: Json) -> Iterator[tuple[str, Any]]:
    """Yield the field settings of *panel*, defaults first, as (id, value)."""
    defaults = panel["fieldConfig"]["defaults"]
    yield from ((k, v) for k, v in defaults.items() if k != "custom")
    yield from ((f"custom.{k}", v) for k, v in defaults.get("custom", {}).items())
    for override in panel["fieldConfig"]["overrides"]:
        yield from ((p["id"], p["value"]) for p in override["properties"])


def links(board: Json) -> Iterator[tuple[str, str]]:
    """Yield where and what of every address that a person can follow."""
    for panel in panels(board):
        for name, value in properties(panel):
            if name == "links":
                yield from ((panel["title"], link["url"]) for link in value)
