"""Panels as plain dictionaries, in Grafana's classic form; tests/grafana has their schema."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from grafana.styles import PALETTE, curve_style, drawn_lines, legend_of, list_legend
from grafana.words import NEUTRAL, NO_DATA, OF_TEXT, PLAIN, Json, nothing

SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
TOOLTIP: Json = {"mode": "multi", "sort": "desc", "hideZeros": False}
SINGLE: Json = {"mode": "single", "sort": "none", "hideZeros": False}
EXTRAPOLATED = "Counts are about right: between scrapes, Prometheus extrapolates."
"""What a panel of rounded counts says of them."""
SLOW = "5m"
"""Panels over counters of probes step no finer: probes are up to minutes apart."""


def query(
    expr: str,
    legend: str = "",
    *,
    instant: bool = False,
    form: str = "time_series",
    exemplars: bool = False,
) -> Json:
    """Return a target; `panel` names it. *exemplars*: a dot for each, of the raw series only."""
    return {
        "datasource": SOURCE,
        "editorMode": "code",
        "exemplar": exemplars,
        "expr": " ".join(expr.split()),
        "format": form,
        "instant": instant,
        "legendFormat": legend,
        "range": not instant,
    }


def panel(
    kind: str,
    title: str,
    about: str,
    queries: Sequence[Json] = (),
    *,
    size: tuple[int, int],
    options: Json,
    defaults: Json | None = None,
    overrides: Sequence[Json] = (),
    **more: Any,
) -> Json:
    """Return a panel without its place. Its id depends on its title only, so links to it last."""
    width, height = size
    return {
        "id": 1 + zlib.crc32(title.encode()) % 1_000_000,
        "type": kind,
        "title": title,
        "description": about,
        "datasource": SOURCE,
        "gridPos": {"h": height, "w": width, "x": 0, "y": 0},
        "targets": [{**q, "refId": chr(ord("A") + i)} for i, q in enumerate(queries)],
        "options": options,
        "fieldConfig": {"defaults": defaults or {}, "overrides": list(overrides)},
        **more,
    }


_LAST: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def _stat_options(*, background: bool, named: bool) -> Json:
    """Return whether the colour fills a tile or is that of its text, and whether it has a name."""
    return {
        "colorMode": "background_solid" if background else "value",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": _LAST,
        "showPercentChange": False,
        "textMode": "value_and_name" if named else "value",
        "wideLayout": True,
    }


def stat(
    title: str,
    about: str,
    expr: str,
    *,
    unit: str = "short",
    size: tuple[int, int] = (4, 4),
    legend: str = "",
    mappings: Sequence[Json] = (),
    thresholds: Json | None = None,
    missing: str = "NO DATA",
    links: Sequence[Json] = (),
    overrides: Sequence[Json] = (),
    decimals: int | None = None,
    background: bool = True,
) -> Json:
    """Return one big value, or one tile for each series. *missing* is shown for no value."""
    defaults: Json = {
        "color": {"mode": "thresholds"},
        "mappings": list(mappings)
        or nothing(text=missing, colour=NO_DATA if background else PLAIN),
        "noValue": missing,
        "thresholds": thresholds or (NEUTRAL if background else OF_TEXT),
        "unit": unit,
    }
    if links:
        defaults["links"] = list(links)
    if decimals is not None:
        defaults["decimals"] = decimals
    return panel(
        "stat",
        title,
        about,
        [query(expr, legend, instant=True)],
        size=size,
        options=_stat_options(background=background, named=bool(legend)),
        defaults=defaults,
        overrides=overrides,
    )


def series(
    title: str,
    about: str,
    *queries: tuple[str, str],
    unit: str = "short",
    size: tuple[int, int] = (12, 8),
    bars: bool = False,
    step: str = "",
    missing: str = "NO DATA",
    lines: Json | None = None,
    from_zero: bool = True,
    style: Json | None = None,
    least_first: bool = False,
    exemplars: bool = False,
    overrides: Sequence[Json] = (),
    defaults: Json | None = None,
    **more: Any,
) -> Json:
    """Return curves, or stacked bars. *lines* are thresholds to draw, *style* is of the curves."""
    settings: Json = {
        "color": PALETTE,
        "custom": {**curve_style(bars, lined=lines is not None), **(style or {})},
        "noValue": missing,
        "thresholds": drawn_lines(lines or OF_TEXT),
        "unit": unit,
        **({"min": 0} if from_zero else {}),
        **(defaults or {}),
    }
    more |= {"interval": step} if step else {}
    return panel(
        "timeseries",
        title,
        about,
        [query(expr, name, exemplars=exemplars) for expr, name in queries],
        size=size,
        options={"legend": legend_of(bars, size[0], least_first), "tooltip": TOOLTIP},
        defaults=settings,
        overrides=overrides,
        **more,
    )


def tallies(
    title: str,
    about: str,
    *queries: tuple[str, str],
    defaults: Json | None = None,
    **more: Any,
) -> Json:
    """Return stacked bars of whole numbers, of `queries.happened` or rounded as it does."""
    whole = {"decimals": 0, **(defaults or {})}
    about = f"{about} {EXTRAPOLATED}"
    return series(title, about, *queries, bars=True, unit="locale", defaults=whole, **more)


def _row_options(rows: int, *, values: str, legend: bool) -> Json:
    """Return how a row over time is drawn for each series, and how many fit without paging."""
    return {
        "legend": list_legend(shown=legend),
        "perPage": rows,
        "rowHeight": 0.85,
        "showValue": values,
        "tooltip": SINGLE,
    }


def timeline(
    title: str,
    about: str,
    expr: str,
    legend: str,
    mappings: Sequence[Json],
    *,
    size: tuple[int, int] = (24, 8),
    links: Sequence[Json] = (),
    **more: Any,
) -> Json:
    """Return one bar for each series, whose stretches carry colour and word."""
    rows = _row_options(size[1], values="auto", legend=True)
    # Not by thresholds: with mergeValues Grafana then draws those and forgets the mappings.
    defaults = {
        "color": {"mode": "fixed", "fixedColor": PLAIN},
        "custom": {"fillOpacity": 100, "lineWidth": 0},
        "links": list(links),
        "mappings": list(mappings),
        "noValue": "NO DATA",
        "thresholds": OF_TEXT,
    }
    return panel(
        "state-timeline",
        title,
        about,
        [query(expr, legend)],
        size=size,
        options={**rows, "alignValue": "left", "mergeValues": True},
        defaults=defaults,
        **more,
    )


def history(
    title: str,
    about: str,
    expr: str,
    legend: str,
    *,
    unit: str,
    size: tuple[int, int] = (24, 8),
    thresholds: Json = OF_TEXT,
    mappings: Sequence[Json] | None = None,
    overrides: Sequence[Json] = (),
    show: str = "auto",
    **more: Any,
) -> Json:
    """Return one cell for each step and series; without *mappings* a missing one is NO DATA."""
    rows = _row_options(size[1], values=show, legend=False)
    defaults = {
        "color": {"mode": "thresholds"},
        "custom": {"fillOpacity": 100, "lineWidth": 1},
        "mappings": nothing() if mappings is None else list(mappings),
        "noValue": "NO DATA",
        "thresholds": thresholds,
        "unit": unit,
    }
    return panel(
        "status-history",
        title,
        about,
        [query(expr, legend)],
        size=size,
        options={**rows, "colWidth": 0.9},
        defaults=defaults,
        overrides=overrides,
        **more,
    )


def heatmap(title: str, about: str, expr: str, *, size: tuple[int, int] = (12, 8)) -> Json:
    """Return the distribution over time of a histogram's buckets."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {},
        "color": {
            "exponent": 0.5,
            "fill": "dark-orange",
            "mode": "scheme",
            "reverse": False,
            "scheme": "Viridis",
            "steps": 64,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": "s"},
    }
    defaults = {"custom": {}, "noValue": "NO DATA", "unit": "short"}
    queries = [query(expr, "{{le}}", form="heatmap", exemplars=True)]
    return panel(
        "heatmap",
        title,
        about,
        queries,
        size=size,
        options=options,
        defaults=defaults,
        interval="10m",
    )


def bars(
    title: str,
    about: str,
    expr: str,
    legend: str,
    *,
    unit: str,
    thresholds: Json,
    size: tuple[int, int] = (12, 8),
    missing: str = "NO DATA",
    **defaults: Any,
) -> Json:
    """Return one horizontal bar for each series."""
    options = {
        "displayMode": "basic",
        "legend": list_legend(shown=False),
        "maxVizHeight": 40,
        "minVizHeight": 32,
        "minVizWidth": 8,
        # Beside the bars the longest name by letters would set the width, and a wider one is cut.
        "namePlacement": "top",
        "orientation": "horizontal",
        "reduceOptions": _LAST,
        "showUnfilled": True,
        "sizing": "auto",
        "valueMode": "text",
    }
    settings = {
        "color": {"mode": "thresholds"},
        "mappings": nothing(text=missing),
        "noValue": missing,
        "thresholds": thresholds,
        "unit": unit,
        **defaults,
    }
    queries = [query(expr, legend, instant=True)]
    return panel("bargauge", title, about, queries, size=size, options=options, defaults=settings)


def alerts(title: str, about: str, source: str, select: str, *, size: tuple[int, int]) -> Json:
    """Return Grafana's own list of alerts, with silences; *source* is the data source's name."""
    kinds = {
        "error": True,
        "firing": True,
        "noData": False,
        "normal": False,
        "pending": True,
        "recovering": True,
    }
    options = {
        "alertInstanceLabelFilter": select,
        "alertName": "",
        "dashboardAlerts": False,
        "datasource": source,
        "groupBy": [],
        "groupMode": "default",
        "maxItems": 50,
        "showInstances": True,
        "sortOrder": 3,
        "stateFilter": kinds,
        "viewMode": "list",
    }
    return panel("alertlist", title, about, size=size, options=options)


def text(title: str, about: str, content: str, *, size: tuple[int, int]) -> Json:
    """Return a short text."""
    options = {"content": content, "mode": "markdown"}
    return panel("text", title, about, size=size, options=options)
