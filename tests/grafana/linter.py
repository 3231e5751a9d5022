"""The 17 rules of grafana/dashboard-linter (its checkout of June 2026), and more of our own.

The linter itself is a Go program that no registry of ours has; its rules are few and are written
here again, as its README and `lint/rule_*.go` say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import promql_parser

from tests.grafana.promql import interpolated, selectors
from tests.grafana.reading import Json, panels

Finding = tuple[str, str]
"""The panel, or an empty text for the whole dashboard, and what is wrong."""
UNITS = {
    "short",
    "none",
    "s",
    "ms",
    "bytes",
    "percentunit",
    "locale",
    "dateTimeFromNow",
    "reqps",
}
"""Those in use, as packages/grafana-data/src/valueFormats/categories.ts spells them."""
_SHOWS_DATA = {
    "stat",
    "timeseries",
    "table",
    "heatmap",
    "bargauge",
    "state-timeline",
    "status-history",
}


def _sources(board: Json) -> list[Json]:
    return [v for v in board["templating"]["list"] if v["type"] == "datasource"]


def _asked(board: Json) -> list[Json]:
    return [v for v in board["templating"]["list"] if v["type"] == "query"]


def _targets(board: Json) -> Iterator[tuple[str, str]]:
    for panel in panels(board):
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])


def template_datasource(board: Json) -> Iterator[Finding]:
    found = _sources(board)
    if [(v["name"], v["label"]) for v in found] != [("datasource", "Data source")]:
        yield "", "needs one variable of the type datasource, called datasource, Data source"


def _template(board: Json, name: str) -> Iterator[Finding]:
    found = [v for v in _asked(board) if v["name"] == name]
    if not found or not found[0]["multi"] or found[0].get("allValue") != ".+":
        yield "", f"needs a variable {name}"


def template_label_promql(board: Json) -> Iterator[Finding]:
    for variable in _asked(board):
        text = variable["query"]["query"]
        found = re.fullmatch(r"label_values\((.+), *([a-z_]+)\)", text)
        try:
            promql_parser.parse(interpolated(found[1]) if found else "")
        except ValueError as error:
            yield "", f"variable {variable['name']}: {error}"


def template_on_time_change_reload(board: Json) -> Iterator[Finding]:
    for variable in _asked(board):
        if variable["refresh"] != 2:
            yield "", f"variable {variable['name']} is not refreshed with the time"


def panel_datasource(board: Json) -> Iterator[Finding]:
    for panel in panels(board):
        if panel["datasource"]["uid"] != "${datasource}":
            yield panel["title"], "does not use the variable"


def panel_title_description(board: Json) -> Iterator[Finding]:
    for panel in panels(board):
        if not panel["title"].strip() or not panel["description"].strip():
            yield panel["title"], "has no title or no description"


def panel_units(board: Json) -> Iterator[Finding]:
    for panel in panels(board):
        if panel["type"] in ("stat", "timeseries", "table", "heatmap", "bargauge"):
            unit = panel["fieldConfig"]["defaults"].get("unit")
            if unit not in UNITS:
                yield panel["title"], f"unit {unit}"


def panel_no_targets(board: Json) -> Iterator[Finding]:
    for panel in panels(board):
        if panel["type"] in _SHOWS_DATA and not panel["targets"]:
            yield panel["title"], "asks nothing"


def target_promql(board: Json) -> Iterator[Finding]:
    for title, expr in _targets(board):
        try:
            promql_parser.parse(interpolated(expr))
        except ValueError as error:
            yield title, str(error)


def target_rate_interval(board: Json) -> Iterator[Finding]:
    for title, expr in _targets(board):
        for window in re.findall(r"\bi?rate\([^()]*\[([^\]]+)\]", expr):
            if window != "$__rate_interval":
                yield title, f"rate over {window}"


def _matched(board: Json, label: str, text: str) -> Iterator[Finding]:
    for title, expr in _targets(board):
        for _, matchers in selectors(expr):
            if matchers.get(label) != text:
                yield title, f"a selector without {label}"


def target_counter_agg(board: Json) -> Iterator[Finding]:
    for title, expr in _targets(board):
        for name in re.findall(r"\b[a-z_]+_total\b(?=\{|\[|\s|\))", expr):
            inside = re.compile(r"\b(?:i?rate|increase)\(\s*" + name)
            if len(inside.findall(expr)) < len(re.findall(rf"\b{name}\b", expr)):
                yield title, f"{name} outside of rate and increase"


def _no_logs(board: Json) -> Iterator[Finding]:
    for panel in panels(board):
        if panel["datasource"]["type"] != "prometheus":
            yield panel["title"], "asks something else than Prometheus"


def uneditable(board: Json) -> Iterator[Finding]:
    if board["editable"]:
        yield "", "can be edited in the browser"


RULES: dict[str, Callable[[Json], Iterator[Finding]]] = {
    "template-datasource-rule": template_datasource,
    "template-job-rule": lambda board: _template(board, "job"),
    "template-instance-rule": lambda board: _template(board, "instance"),
    "template-label-promql-rule": template_label_promql,
    "template-on-time-change-reload-rule": template_on_time_change_reload,
    "panel-datasource-rule": panel_datasource,
    "panel-title-description-rule": panel_title_description,
    "panel-units-rule": panel_units,
    "panel-no-targets-rule": panel_no_targets,
    "target-promql-rule": target_promql,
    "target-rate-interval-rule": target_rate_interval,
    "target-job-rule": lambda board: _matched(board, "job", "$job"),
    "target-instance-rule": lambda board: _matched(board, "instance", "$instance"),
    "target-counter-agg-rule": target_counter_agg,
    "target-logql-rule": _no_logs,
    "target-logql-auto-rule": _no_logs,
    "uneditable-dashboard": uneditable,
}
