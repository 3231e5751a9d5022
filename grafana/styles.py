"""How series and columns look: overrides, colours by name, lines and bars, legends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grafana import words
from grafana.words import Json

PALETTE: Json = {"mode": "palette-classic"}
"""Colours by the order of the series: by their names, two of a few are often the same."""
TOO_NARROW = 8
"""Columns of the grid; curves in such a panel have no room for a legend beside them."""
LOGARITHMIC: Json = {"scaleDistribution": {"type": "symlog", "log": 10, "linearThreshold": 1}}
"""For what is 0 to 1 on a good day and hundreds on a bad one; 0 has a place too."""


UNLISTED: Json = {"legend": True, "tooltip": False, "viz": False}
"""Drawn, but not in the legend."""


def override(name: str, **properties: Any) -> Json:
    """Return an override of the field called *name*; `a__b` is the property `a.b`."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": k.replace("__", "."), "value": v} for k, v in properties.items()],
    }


def painted(colours: Mapping[str, str], **more: Any) -> list[Json]:
    """Return overrides that give each series of a name its colour, and *more* of `override`."""
    return [
        override(name, color={"mode": "fixed", "fixedColor": colour}, **more)
        for name, colour in colours.items()
    ]


def painted_like(pattern: str, colour: str) -> Json:
    """Return an override that gives its colour to each series whose name matches *pattern*."""
    fixed = {"mode": "fixed", "fixedColor": colour}
    return {
        "matcher": {"id": "byRegexp", "options": pattern},
        "properties": [{"id": "color", "value": fixed}],
    }


def drawn_lines(thresholds: Json) -> Json:
    """Return *thresholds* in the colours of thin lines."""
    thin = {words.BAD: words.THIN_BAD}
    steps = [{**s, "color": thin.get(s["color"], s["color"])} for s in thresholds["steps"]]
    return {**thresholds, "steps": steps}


def list_legend(*, shown: bool) -> Json:
    """Return the legend of names only."""
    return {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": shown}


def curve_style(bars: bool, *, lined: bool) -> Json:
    """Return how curves or stacked bars are drawn, *lined* with their thresholds."""
    custom: Json = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 100 if bars else 0,
        "lineWidth": 0 if bars else 2,  # a border would draw each bar of nothing as a line at 0
        "showPoints": "never" if bars else "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if bars else "none"},
    }
    if bars:
        custom["axisSoftMax"] = 1  # or the axis of nothing goes to 100
    if lined:
        custom["thresholdsStyle"] = {"mode": "dashed"}
    return custom


def legend_of(bars: bool, columns: int, least_first: bool) -> Json:
    """Return the legend with numbers, the greatest first: sums of bars, last values of curves.

    At the right: below the plot it may take a third of the height, which is two or three rows.
    With *least_first* the least is on top. A narrow panel has names only, below.
    """
    if columns <= TOO_NARROW:
        return list_legend(shown=True)
    return {
        "calcs": ["sum"] if bars else ["lastNotNull"],
        "displayMode": "table",
        "placement": "right",
        "showLegend": True,
        "sortBy": "Total" if bars else "Last *",
        "sortDesc": not least_first,
    }
