"""What was once seen wrong on a picture of a dashboard, as rules that need no picture."""

from __future__ import annotations

import pytest

from exporter.model import FACTS, Reason, Verdict
from grafana import words
from grafana.panels import EXTRAPOLATED
from grafana.styles import TOO_NARROW
from tests.grafana.reading import BOARDS, Json, panel_of, panels

EACH = pytest.mark.parametrize("name", BOARDS)


def curves(name: str) -> list[Json]:
    return [panel for panel in panels(BOARDS[name]) if panel["type"] == "timeseries"]


def colours(panel: Json) -> dict[str, str]:
    """Return the fixed colour of each series that has one, by its name."""
    return {
        override["matcher"]["options"]: entry["value"]["fixedColor"]
        for override in panel["fieldConfig"]["overrides"]
        for entry in override["properties"]
        if entry["id"] == "color"
    }


@EACH
def test_a_legend_of_numbers_is_beside_the_plot_and_sorted_by_them(name: str) -> None:
    """Below the plot it would show two or three rows, in the order of names."""
    for panel in curves(name):
        legend = panel["options"]["legend"]
        if panel["gridPos"]["w"] <= TOO_NARROW:
            assert legend["displayMode"] == "list", panel["title"]
            continue
        (calc,) = legend["calcs"]
        assert legend["placement"] == "right", panel["title"]
        assert legend["sortBy"] == {"sum": "Total", "lastNotNull": "Last *"}[calc], panel["title"]
        least_first = panel["title"] in ("Budget left over 30 days", "Rate limit left over time")
        least_first |= panel["title"] in ("Rate limit left", "Tokens per second")
        assert legend["sortDesc"] is not least_first, panel["title"]


@EACH
def test_what_is_stacked_is_filled_and_nothing_draws_a_line_at_zero(name: str) -> None:
    for panel in curves(name):
        style = panel["fieldConfig"]["defaults"]["custom"]
        if style["drawStyle"] == "bars":
            assert style["lineWidth"] == 0, panel["title"]
            assert style["axisSoftMax"] == 1, panel["title"]
        for override in panel["fieldConfig"]["overrides"]:
            own = {entry["id"]: entry["value"] for entry in override["properties"]}
            if "custom.stacking" in own:
                assert own["custom.fillOpacity"] >= 50, panel["title"]


@EACH
def test_a_burn_rate_has_a_logarithmic_axis(name: str) -> None:
    for panel in curves(name):
        burns = any("burn_rate" in target["expr"] for target in panel["targets"])
        scale = panel["fieldConfig"]["defaults"]["custom"].get("scaleDistribution", {})
        assert (scale.get("type") == "symlog") is burns, panel["title"]


def test_severities_reasons_and_states_have_the_colours_of_their_words() -> None:
    assert colours(panel_of("registry-incidents", "Incidents a day")) == words.SEVERITY_COLOURS
    states = colours(panel_of("registry-monitoring", "Services by state"))
    assert states["healthy"] == words.OK
    assert len({*states.values()}) == len(states) == 5
    for board, title in (
        ("registry-overview", "Failed probes by reason"),
        ("registry-service", "Reasons"),
    ):
        found = colours(panel_of(board, title))
        assert found[Reason.MAINTENANCE] == words.MAINTENANCE
        for reason, facts in FACTS.items():
            if facts.verdict is not Verdict.PROVIDER or reason is Reason.SERVER_ERROR:
                assert found[reason] == words.VERDICTS[facts.verdict][1]
            else:
                assert found[reason] == words.SHADES[reason]


@EACH
def test_a_bar_keeps_its_height_and_its_number_the_colour_of_text(name: str) -> None:
    for panel in panels(BOARDS[name]):
        if panel["type"] == "bargauge":
            assert panel["options"]["maxVizHeight"] <= 40, panel["title"]
            assert panel["options"]["valueMode"] == "text", panel["title"]


NO_COUNTS = {
    "Reasons",  # cells without a number
    "Calls that fail",
    "Latency distribution",
    "First token, over six hours",
    "Spent in a day",
}
"""What increase() is used for besides counts: shares, quantiles, money."""


@EACH
def test_what_is_counted_is_whole_and_says_that_it_is_about(name: str) -> None:
    """Prometheus extrapolates counts: nobody was refused 4.15 times."""
    for panel in panels(BOARDS[name]):
        grows = [t["expr"] for t in panel["targets"] if "increase(" in t["expr"]]
        if not grows or panel["title"] in NO_COUNTS:
            continue
        assert all("round(" in expr for expr in grows), panel["title"]
        assert EXTRAPOLATED in panel["description"], panel["title"]
        if panel["type"] == "timeseries":
            assert panel["fieldConfig"]["defaults"]["unit"] == "locale", "4,560, not 5 K"
        columns = [entry for o in panel["fieldConfig"]["overrides"] for entry in o["properties"]]
        own = [entry["value"] for entry in columns if entry["id"] == "decimals"]
        assert [*own, panel["fieldConfig"]["defaults"].get("decimals")][0] == 0, panel["title"]


def test_what_a_day_took_has_no_decimals() -> None:
    defaults = panel_of("registry-limits", "Probe requests a day")["fieldConfig"]["defaults"]

    assert defaults["decimals"] == 0


ALERTS_ONLY = {"Firing alerts", "Firing by severity", "Silenced or inhibited"}
"""What Prometheus answers by itself: without an alert, none fires."""


@EACH
def test_nothing_is_not_said_where_nothing_is_known(name: str) -> None:
    """With dead exporters a panel said that no incident is open."""
    for panel in panels(BOARDS[name]):
        empty = panel["fieldConfig"]["defaults"].get("noValue")
        if empty and panel["title"] not in ALERTS_ONLY:
            assert "no data" in empty.lower(), panel["title"]
