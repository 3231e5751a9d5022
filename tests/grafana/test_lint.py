"""Gate: the rules of Grafana's own linter, with reasons where one is waived, and ours."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from exporter.metrics import FAMILIES, INCIDENT_FAMILIES, OwnMetrics
from exporter.metrics.models import MODEL_FAMILIES
from tests.documents import yaml_of
from tests.grafana.linter import RULES
from tests.grafana.promql import GLOBALS, selectors, variables_of
from tests.grafana.reading import BOARDS, ROOT, Json, expressions, links, panels, properties

WAIVERS: dict[str, Any] = yaml_of((ROOT / "grafana" / ".lint").read_text())["exclusions"]
MOST_QUERIES = 28
EACH = pytest.mark.parametrize("name", BOARDS)


def waived(rule: str, board: Json, panel: str) -> bool:
    if rule not in WAIVERS:
        return False
    entries = WAIVERS[rule].get("entries")
    return entries is None or any(
        entry["dashboard"] == board["title"] and entry.get("panel", panel) == panel
        for entry in entries
    )


@EACH
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_of_the_linter_holds_or_is_waived(rule: str, name: str) -> None:
    board = BOARDS[name]

    found = [f for f in RULES[rule](board) if not waived(rule, board, f[0])]

    assert found == []


def test_every_waiver_has_a_reason_and_is_needed() -> None:
    for rule, waiver in WAIVERS.items():
        found = {(b["title"], panel) for b in BOARDS.values() for panel, _ in RULES[rule](b)}
        assert waiver["reason"]
        assert found, rule
        for entry in waiver.get("entries", ()):
            dashboard, panel = entry["dashboard"], entry.get("panel")
            assert any(d == dashboard and panel in (None, p) for d, p in found), entry


@EACH
def test_ids_are_unique_and_nothing_overlaps_or_overflows(name: str) -> None:
    board = BOARDS[name]
    ids = [p["id"] for p in (*board["panels"], *panels(board)) if p["type"] != "row"]
    rows = [p["id"] for p in board["panels"] if p["type"] == "row"]
    taken: dict[tuple[int, int], str] = {}

    assert len({*ids}) + len({*rows}) == len({*ids, *rows}) == len([*panels(board)]) + len(rows)
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken[x, y])
                taken[x, y] = panel["title"]


@EACH
def test_titles_are_unique_and_queries_are_few_and_named(name: str) -> None:
    board = BOARDS[name]
    titles = [panel["title"] for panel in panels(board)]
    asked = [expr for where, expr in expressions(board) if not where.startswith("variable")]

    assert len(titles) == len(set(titles))
    assert len(asked) <= MOST_QUERIES
    for panel in panels(board):
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))


def test_no_two_dashboards_share_a_uid_or_a_title_and_all_have_the_tag() -> None:
    # Grafana's provisioning stops writing when they do.
    assert len({b["uid"] for b in BOARDS.values()}) == len(BOARDS)
    assert len({b["title"] for b in BOARDS.values()}) == len(BOARDS)
    assert all(b["tags"] == ["service-registry"] for b in BOARDS.values())
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", b["uid"]) for b in BOARDS.values())
    assert not any(
        {"apiVersion", "kind", "elements", "id", "__inputs"} & set(b) for b in BOARDS.values()
    )


def test_what_is_shared_outside_has_no_variable_no_link_and_no_mark() -> None:
    board = BOARDS["registry-status"]

    assert board["templating"]["list"] == board["annotations"]["list"] == board["links"] == []
    assert list(links(board)) == []
    assert not any(variables_of(expr) for _, expr in expressions(board))


@EACH
def test_every_variable_exists_where_it_is_used(name: str) -> None:
    board = BOARDS[name]
    known = {v["name"] for v in board["templating"]["list"]}

    for where, expr in expressions(board):
        assert variables_of(expr) <= known | GLOBALS.keys(), where
    for where, url in links(board):
        used = set(re.findall(r"\$\{(\w+)(?::\w+)?\}", url))
        assert used <= known | {"__url_time_range"}, (where, used - known)


@EACH
def test_every_link_leads_to_a_dashboard_that_knows_what_it_carries(name: str) -> None:
    board = BOARDS[name]
    source = "tests of provisioning name this data source"

    for where, url in links(board):
        if url.startswith("/alerting/silence/new?"):
            assert "alertmanager=Alertmanager" in url, source
            continue
        if url == "${__value.raw}":
            continue
        found = re.fullmatch(r"/d/registry-(\w+|\$\{__data\.fields\.board:.+?\})\?(.+)", url)
        assert found, (where, url)
        carried = set(re.findall(r"var-(\w+)=|\$\{(\w+):queryparam\}", found[2]))
        for there in ("service", "overview", "monitoring") if found[1][0] == "$" else (found[1],):
            known = {v["name"] for v in BOARDS[f"registry-{there}"]["templating"]["list"]}
            assert {a or b for a, b in carried} <= known, (where, url)
        assert "${__url_time_range}" in url, where
        assert "var-datasource=${datasource}" in url, where


@EACH
def test_no_timeline_is_merged_by_thresholds(name: str) -> None:
    """Grafana then draws the thresholds and forgets the mappings (`prepareTimelineFields`)."""
    for panel in panels(BOARDS[name]):
        if panel["type"] == "state-timeline" and panel["options"]["mergeValues"]:
            assert panel["fieldConfig"]["defaults"]["color"]["mode"] == "fixed", panel["title"]
            assert panel["fieldConfig"]["defaults"]["mappings"], panel["title"]


@EACH
def test_a_duration_has_one_unit(name: str) -> None:
    """`dtdurations` writes "5 seconds, 0 milliseconds"; without decimals 1 h 59 min is "1 hour"."""
    for panel in panels(BOARDS[name]):
        units = [value for key, value in properties(panel) if key == "unit"]
        assert "dtdurations" not in units, panel["title"]


@EACH
def test_what_a_row_puts_into_an_address_is_encoded(name: str) -> None:
    """Grafana itself leaves & # and + as they are, and an environment may contain them."""
    for where, url in links(BOARDS[name]):
        for field in re.findall(r"\$\{(__(?:data|field)\.[^}]*)\}", url):
            assert field.endswith(":percentencode"), (where, field)


@EACH
def test_a_table_is_sorted_by_columns_that_it_shows(name: str) -> None:
    for panel in panels(BOARDS[name]):
        if panel["type"] == "table":
            organize = panel["transformations"][1]["options"]
            hidden = organize["excludeByName"]
            shown = {
                organize["renameByName"].get(n, n)
                for n in organize["indexByName"]
                if n not in hidden
            }
            by = [column["displayName"] for column in panel["options"].get("sortBy", ())]
            assert set(by) <= shown, panel["title"]


@EACH
def test_a_service_is_chosen_in_every_selector(name: str) -> None:
    """Instead of the linter's job and instance."""
    board = BOARDS[name]
    ours = {family.name for family in (*FAMILIES, *MODEL_FAMILIES)}

    for where, expr in expressions(board):
        for metric, matchers in selectors(expr):
            base = re.sub(r"_(bucket|sum|count)$", "", metric)
            if where.startswith("variable") or base not in ours:
                continue
            assert {"environment", "service"} <= set(matchers), (where, metric)


@EACH
def test_every_metric_of_ours_is_one_that_the_exporter_spells(name: str) -> None:
    page = OwnMetrics("1").page(openmetrics=False).decode()
    own = set(re.findall(r"^# TYPE (\w+)", page, re.MULTILINE))
    known = own | {f.name for f in (*FAMILIES, *MODEL_FAMILIES, *INCIDENT_FAMILIES)}

    for where, expr in expressions(BOARDS[name]):
        for metric, _ in selectors(expr):
            if re.match(r"(probe|service|model|exporter)_", metric):
                base = re.sub(r"_(bucket|sum|count)$", "", metric)
                assert known & {metric, base}, (where, metric)


@EACH
def test_a_panel_says_what_silence_means_and_names_its_series(name: str) -> None:
    for panel in panels(BOARDS[name]):
        title, defaults = panel["title"], panel["fieldConfig"]["defaults"]
        if panel["type"] in ("text", "alertlist"):
            continue
        assert defaults["noValue"], title
        if panel["type"] in ("timeseries", "state-timeline", "status-history", "bargauge"):
            assert all(target["legendFormat"] for target in panel["targets"]), title
        instant = panel["type"] in ("stat", "table", "bargauge")
        assert all(target["instant"] is instant for target in panel["targets"]), title
        assert all(target["range"] is not instant for target in panel["targets"]), title


@EACH
def test_an_override_is_of_a_column_or_series_that_exists(name: str) -> None:
    for panel in panels(BOARDS[name]):
        if panel["type"] != "table":
            continue
        organize = panel["transformations"][1]["options"]
        shown = set(organize["renameByName"].values()) | set(organize["indexByName"])
        names = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}
        assert names <= shown, panel["title"]
        places = set(organize["indexByName"].values())
        assert places == set(range(len(places)))
        linked = {
            field
            for key, value in properties(panel)
            if key == "links"
            for link in value
            for field in re.findall(r"__data\.fields\.(\w+)", link["url"])
        }
        columns = set(organize["indexByName"]) - set(organize["excludeByName"])
        assert linked <= columns, (panel["title"], linked - columns)


@EACH
def test_counters_of_probes_are_not_asked_faster_than_probes_come(name: str) -> None:
    """$__rate_interval is a minute at its least; a probe may come every five."""
    for panel in panels(BOARDS[name]):
        if any("probe_" in t["expr"] and "$__rate_interval" in t["expr"] for t in panel["targets"]):
            if "exporter_probe_schedule" in panel["targets"][0]["expr"]:
                continue
            assert panel["interval"] in ("5m", "10m"), panel["title"]


@EACH
def test_a_unit_fits_the_metric(name: str) -> None:
    """Of panels that show a series as it is."""
    fitting = {"_seconds": {"s", "dtdurations"}, "_bytes": {"bytes"}, "_ratio": {"percentunit"}}
    for panel in panels(BOARDS[name]):
        unit = panel["fieldConfig"]["defaults"].get("unit")
        for target in panel["targets"]:
            plain = re.fullmatch(
                r"(?:max|min|sum)(?: by \([^)]*\))? \((\w+)(?:\{[^}]*\})?\)", target["expr"]
            )
            for suffix, units in fitting.items():
                if plain and plain[1].endswith(suffix):
                    assert unit in units, (panel["title"], plain[1])


FAULTS: dict[str, Callable[[Json], Any]] = {
    "target-promql-rule": lambda p: p["targets"][0].update(expr="rate(probe_success)"),
    "target-rate-interval-rule": lambda p: p["targets"][0].update(
        expr="rate(probe_attempts_total[5m])"
    ),
    "target-counter-agg-rule": lambda p: p["targets"][0].update(expr="sum(probe_attempts_total{})"),
    "panel-title-description-rule": lambda p: p.update(description=" "),
    "panel-units-rule": lambda p: p["fieldConfig"]["defaults"].update(unit="seconds"),
    "panel-no-targets-rule": lambda p: p["targets"].clear(),
    "panel-datasource-rule": lambda p: p["datasource"].update(uid="prometheus"),
    "target-logql-rule": lambda p: p["datasource"].update(type="loki"),
}


@pytest.mark.parametrize("rule", FAULTS)
def test_a_rule_finds_what_it_is_for(rule: str) -> None:
    board = copy.deepcopy(BOARDS["registry-monitoring"])
    panel = next(panels(board))

    FAULTS[rule](panel)

    assert panel["title"] in {title for title, _ in RULES[rule](board)}


@pytest.mark.parametrize(
    "expr",
    [
        "sum(probe_success",
        "rate(probe_success[5m)",
        "nosuchfunction(up)",
        "up{job=~'('}",
        "histogram_quantile(up)",
        "sum by (a) (up[5m])",
        "up and",
        "{}",
    ],
)
def test_wrong_promql_is_found(expr: str) -> None:
    board = {"panels": [{"type": "stat", "title": "a", "targets": [{"expr": expr}]}]}

    assert [title for title, _ in RULES["target-promql-rule"](board)] == ["a"]
