"""Whether a dashboard is what Grafana's own types say. Pure Python; see schema/README.md."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from tests.grafana.reading import Json, panels

_FILE = Path(__file__).parent / "schema" / "grafana-13.2.3.schema.json"
_TYPES = json.loads(_FILE.read_text())["definitions"]["Schemas"]["properties"]
KINDS = {
    "stat": ("stat", ""),
    "timeseries": ("timeseries", "timeseriesField"),
    "state-timeline": ("statetimeline", "statetimelineField"),
    "status-history": ("statushistory", "statushistoryField"),
    "table": ("table", "tableField"),
    "heatmap": ("heatmap", "heatmapField"),
    "text": ("text", ""),
    "bargauge": ("bargauge", ""),
    "alertlist": ("", ""),
}
# Of the panel's source (public/app/plugins/panel/alertlist/types.ts): it has no published types.
_ALERT_LIST = {
    "viewMode",
    "groupMode",
    "groupBy",
    "maxItems",
    "sortOrder",
    "dashboardAlerts",
    "alertName",
    "alertInstanceLabelFilter",
    "datasource",
    "showInstances",
    "folder",
    "stateFilter",
    "showInactiveAlerts",
    "statColorMode",
}
_TARGET = {
    "datasource",
    "editorMode",
    "exemplar",
    "expr",
    "format",
    "instant",
    "legendFormat",
    "range",
    "refId",
    "interval",
    "hide",
    "intervalFactor",
}
_OVERRIDES = {
    "color",
    "unit",
    "min",
    "max",
    "decimals",
    "displayName",
    "mappings",
    "thresholds",
    "links",
    "noValue",
    "description",
}
# Free texts in the types, but these are all there are.
_TRANSFORMATIONS = {"merge", "organize"}
_SCHEMES = {"Oranges", "Viridis", "Spectral", "Turbo", "Blues", "Greens", "Reds"}
_COLOURS = {"fixed", "thresholds", "palette-classic", "palette-classic-by-name"}


def _without(name: str, *keys: str) -> Draft7Validator:
    schema = copy.deepcopy(_TYPES[name])
    for key in keys:
        schema["properties"].pop(key, None)
    schema["required"] = [r for r in schema.get("required", ()) if r not in keys]
    return Draft7Validator(schema)


def _with(name: str, *keys: str) -> Draft7Validator:
    schema = copy.deepcopy(_TYPES[name])
    schema["properties"] |= {key: {} for key in keys}
    return Draft7Validator(schema)


def _partial(name: str) -> Draft7Validator:
    """Options and field settings are merged with the panel's own defaults: nothing is required."""

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            node.pop("required", None)
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    schema = copy.deepcopy(_TYPES[name])
    walk(schema)
    return Draft7Validator(schema)


_FIELD = _TYPES["panel"]["properties"]["fieldConfig"]["properties"]
_DEFAULTS = copy.deepcopy(_FIELD["defaults"])
_DEFAULTS["properties"].pop("custom", None)
_CHECKS = {
    "dashboard": _without("dashboard", "panels", "templating", "annotations"),
    "panel": _without("panel", "options", "fieldConfig", "targets"),
    "row": _without("row", "panels"),
    "defaults": Draft7Validator(_DEFAULTS),
    "overrides": Draft7Validator(_FIELD["overrides"]),
    "variable": _with("variable", "definition"),
    "annotation": _with(
        "annotation", "target", "titleFormat", "textFormat", "tagKeys", "useValueForTime"
    ),
    **{name: _partial(name) for pair in KINDS.values() for name in pair if name},
}


def _errors(kind: str, value: Any, where: str) -> Iterator[str]:
    for error in _CHECKS[kind].iter_errors(value):
        path = "/".join(map(str, error.absolute_path))
        yield f"{where}: {kind} {path}: {error.message[:160]}"


def _less(value: Json, *keys: str) -> Json:
    return {k: v for k, v in value.items() if k not in keys}


def mistakes(board: Json) -> Iterator[str]:
    """Yield what Grafana's types do not allow in *board*."""
    yield from _errors("dashboard", _less(board, "panels", "templating", "annotations"), "board")
    for variable in board["templating"]["list"]:
        yield from _errors("variable", variable, variable.get("name", "?"))
    for annotation in board["annotations"]["list"]:
        yield from _errors("annotation", annotation, annotation.get("name", "?"))
    for row in board["panels"]:
        if row["type"] == "row":
            yield from _errors("row", _less(row, "panels"), row["title"])
    for panel in panels(board):
        yield from _panel(panel)


def _panel(panel: Json) -> Iterator[str]:
    where, kind = panel["title"], panel["type"]
    if kind not in KINDS:
        yield f"{where}: no panel is called {kind}"
        return
    yield from _errors("panel", _less(panel, "options", "fieldConfig", "targets"), where)
    options, custom = KINDS[kind]
    if options:
        yield from _errors(options, panel["options"], where)
    elif unknown := set(panel["options"]) - _ALERT_LIST:
        yield f"{where}: options {unknown}"
    field = panel["fieldConfig"]
    if unknown := set(field) - {"defaults", "overrides"}:
        yield f"{where}: fieldConfig {unknown}"
    yield from _errors("defaults", _less(field["defaults"], "custom"), where)
    yield from _errors("overrides", field["overrides"], where)
    if custom:
        yield from _errors(custom, field["defaults"].get("custom", {}), where)
    elif field["defaults"].get("custom"):
        yield f"{where}: {kind} has no custom settings"
    yield from _lists(panel, custom)


def _lists(panel: Json, custom: str) -> Iterator[str]:
    where = panel["title"]
    settings = set(_TYPES[custom]["properties"]) if custom else set()
    for override in panel["fieldConfig"]["overrides"]:
        for entry in override["properties"]:
            name = entry["id"]
            inside = name.removeprefix("custom.")
            if name not in _OVERRIDES and (name == inside or inside not in settings):
                yield f"{where}: override of {name}"
            elif name == inside:
                yield from _errors("defaults", {name: entry["value"]}, where)
            else:
                yield from _errors(custom, {inside: entry["value"]}, where)
    for target in panel["targets"]:
        if unknown := set(target) - _TARGET:
            yield f"{where}: target {unknown}"
    for transformation in panel.get("transformations", ()):
        if transformation["id"] not in _TRANSFORMATIONS:
            yield f"{where}: transformation {transformation['id']}"
    mode = panel["fieldConfig"]["defaults"].get("color", {}).get("mode", "fixed")
    if mode not in _COLOURS:
        yield f"{where}: colour mode {mode}"
    scheme = panel["options"].get("color", {}).get("scheme", "Viridis")
    if scheme not in _SCHEMES:
        yield f"{where}: colour scheme {scheme}"
