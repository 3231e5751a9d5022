"""Tables: several queries side by side, merged by the labels that all of them have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from grafana.panels import panel, query
from grafana.styles import override
from grafana.words import NEUTRAL, Json, nothing


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers, or with an empty *expr* a label of the queries.

    A hidden number is asked for its labels only; a hidden label is there for links only.
    """

    name: str
    expr: str = ""
    shown: Json = field(default_factory=dict)
    hidden: bool = False


def columns(labels: Iterable[str], *numbers: Column) -> tuple[Column, ...]:
    """Return columns of *labels*, then *numbers*."""
    return (*(Column(label) for label in labels), *numbers)


EMPTY = "–"
"""An empty cell; a table's own text for nothing replaces the whole of it."""
UNSEEN: Json = {"legend": False, "tooltip": False, "viz": True}
"""Not drawn; an excluded column would be out of reach for links."""
CELL: Json = {"type": "color-background", "mode": "basic"}
"""And never `color-text`: no colour can be read on a light background and on a dark one."""


def _cell(column: Column) -> Json:
    """Return the settings of a column; an empty cell is grey, whatever its thresholds say.

    A label that is not there stays empty, or links would carry the text shown for it. For Grafana
    every text is NaN: a mapping of what is missing would hide the words that it does not know.
    """
    shown = column.shown
    if not column.expr:
        unseen = {"custom__hideFrom": UNSEEN} if column.hidden else {}
        return {"noValue": "", **shown, **unseen}
    mappings = list(shown.get("mappings", ()))
    if "custom__cellOptions" in shown and not any(m["type"] == "special" for m in mappings):
        shown = {**shown, "mappings": [*mappings, *nothing(99, EMPTY)]}
    return {"noValue": EMPTY, **shown}


def _organize_options(
    cols: Sequence[Column], numbers: Sequence[Column], hidden: Sequence[str]
) -> Json:
    """Return the names and the order of the columns, and what is left out."""
    renamed = {"Value": numbers[0].name}
    renamed |= {f"Value #{chr(ord('A') + i)}": c.name for i, c in enumerate(numbers)}
    excluded = [f"Value #{chr(ord('A') + i)}" for i, c in enumerate(numbers) if c.hidden]
    places = {c.name: i for i, c in enumerate(cols)}
    raw = {name: places[new] for name, new in renamed.items()}
    labels = {c.name: i for i, c in enumerate(cols) if not c.expr}
    return {
        "excludeByName": dict.fromkeys(("Time", *hidden, *excluded), True),
        "includeByName": {},
        "indexByName": {**labels, **raw},
        "renameByName": renamed,
    }


def _options(sort: Sequence[str], tall: bool) -> Json:
    """Return how high rows are, and in which order."""
    options: Json = {"cellHeight": "lg" if tall else "sm", "showHeader": True}
    if sort:
        options["sortBy"] = [
            {"desc": name[0] == "-", "displayName": name.removeprefix("-")} for name in sort
        ]
    return options


def table(
    title: str,
    about: str,
    *cols: Column,
    size: tuple[int, int] = (24, 8),
    sort: Sequence[str] = (),
    missing: str = "NO DATA",
    hidden: Sequence[str] = (),
    tall: bool = False,
) -> Json:
    """Return a table; the queries of its columns are merged by the labels that all have.

    The first query decides which rows there are; the value of a single frame is called `Value`.
    *sort* names columns, the most important first; a minus before it puts the greatest on top.
    For Grafana an empty cell is less than every number. A *tall* one has room for two lines in a
    cell; by itself Grafana makes room only for text that is no value mapping's.
    """
    numbers = [c for c in cols if c.expr]
    defaults = {
        "color": {"mode": "thresholds"},
        "custom": {"align": "left", "filterable": False, "inspect": False},
        "noValue": missing,
        "thresholds": NEUTRAL,
        "unit": "short",
    }
    return panel(
        "table",
        title,
        about,
        [query(c.expr, instant=True, form="table") for c in numbers],
        size=size,
        options=_options(sort, tall),
        defaults=defaults,
        overrides=[override(c.name, **_cell(c)) for c in cols if not (c.hidden and c.expr)],
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "organize", "options": _organize_options(cols, numbers, hidden)},
        ],
    )
