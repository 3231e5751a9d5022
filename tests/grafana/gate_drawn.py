"""Gate: every dashboard, drawn with Grafana's own components, can be read.

Once at 1300 pixels on dark and once at 1600 on light; `make pictures` draws all four.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser

from tests.grafana import scene
from tests.grafana.drawing import Drawing, drawn
from tests.grafana.past import month
from tests.grafana.pictures import CHOSEN
from tests.grafana.reading import BOARDS, Json
from tests.page.conftest import browser, running_chromium

pytestmark = pytest.mark.slow
__all__ = ["browser", "running_chromium"]  # fixtures of the page's tests


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with month(tmp_path_factory.mktemp("month")) as found:
        yield found


@pytest.mark.parametrize(("theme", "width"), [("dark", 1300), ("light", 1600)])
@pytest.mark.parametrize("name", BOARDS)
async def test_a_dashboard_is_drawn_and_all_of_it_can_be_read(
    base: str, browser: Browser, name: str, theme: str, width: int
) -> None:
    what = Drawing(base, BOARDS[name], scene.END, theme, width, CHOSEN.get(name, {}))

    async with drawn(browser, what) as (page, faults):
        titles = await page.locator("[data-panel] h2").all_inner_texts()

        assert faults == []
        panels = [panel for panel in what.board["panels"] if panel["type"] != "row"]
        assert titles == [panel["title"] for panel in panels]


def named(board: Json, title: str) -> Json:
    plain = (panel for panel in board["panels"] if panel["type"] != "row")
    return next(panel for panel in plain if panel["title"] == title)


def set_column(panel: Json, column: str, key: str, value: object) -> None:
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == column:
            kept = [entry for entry in override["properties"] if entry["id"] != key]
            override["properties"] = [*kept, {"id": key, "value": value}]


async def test_the_gate_sees_what_it_is_for(base: str, browser: Browser) -> None:
    board = copy.deepcopy(BOARDS["registry-overview"])
    set_column(named(board, "Firing alerts"), "alertname", "custom.width", 900)
    set_column(named(board, "What is broken"), "fault", "custom.width", 60)
    set_column(named(board, "All services"), "p95, 10 min", "custom.width", 51)
    set_column(named(board, "Who was told"), "sent", "custom.widht", 50)
    named(board, "Failed probes by reason")["options"]["legend"]["placement"] = "bottom"
    named(board, "Runs out next")["targets"][0]["expr"] = "sum("

    async with drawn(browser, Drawing(base, board, scene.END, width=1300)) as (_, faults):
        kinds = {tuple(fault.split(": ")[:2]) for fault in faults}

    assert kinds == {
        ("Firing alerts", "table"),
        ("What is broken", "cut"),
        ("All services", "cut"),
        ("Who was told", "unknown option"),
        ("Failed probes by reason", "legend"),
        ("Runs out next", "error"),
    }
