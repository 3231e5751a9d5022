"""Gate: every dashboard, drawn with Grafana's own components, can be read, and says what is so.

`make pictures` runs it: in every theme and width, over the month of `scene`, over the live chain,
and after its exporters died. What is drawn is kept in build/pictures.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import pytest
from playwright.async_api import Browser

from tests.grafana import happened
from tests.grafana.asking import Desk, settings
from tests.grafana.drawing import Drawing, drawn
from tests.grafana.live import Moments, chain
from tests.grafana.past import month
from tests.grafana.reading import BOARDS, ROOT, Json, panels
from tests.grafana.written import Drawn
from tests.page.conftest import browser, running_chromium

pytestmark = pytest.mark.slow
__all__ = ["browser", "running_chromium"]  # fixtures of the page's tests
FOLDER = ROOT / "build" / "pictures"
LOOKS = [(theme, width) for theme in ("dark", "light") for width in (1600, 1300)]
"""A usual window, and one beside Grafana's own menu, in pixels."""
SECONDS_OLD = "now-1m"
"""The time to look at what began seconds ago: in hours its curves would be a point."""
SECONDS, BAR = 2, "5s"
"""Then its points are so close together, and a bar is so wide.

Grafana asks for points at whole multiples of a step: of five minutes the last one is mostly from
before anything was there, and every panel of bars would be empty.
"""
LIVE_CURVES = {
    "registry-overview": ("State over time", "Failed probes by reason"),
    "registry-service": ("State over time", "Reasons", "Failed probes", "In every environment"),
    "registry-limits": ("Key accepted over time", "Rate limit left over time", "Quota left"),
    "registry-monitoring": ("Services by state", "Canaries", "CPU", "Memory", "Scrape"),
    "registry-incidents": ("Notifications",),
    "registry-slo": ("Burn rate, 1 h", "Burn rate, 6 h", "What ate the budget"),
    "registry-status": ("Today",),
}
"""What has something to show as soon as the chain runs: by dashboard, the panels over time."""
WITHOUT_QUERY = {
    "Grafana's view": "Grafana itself lists its alerts there, and asks no Prometheus",
    "Words": "a text",
}
"""The panels that no scene can give data, and why."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where and when to look, and whose dashboard of one service to open.

    *since* is chosen instead of what a dashboard covers by itself.
    """

    base: str
    now: float
    service: str
    environment: str
    since: str = ""

    def drawing(self, name: str, theme: str, width: int) -> Drawing:
        one = {"service": self.service, "environment": self.environment}
        chosen = one if name == "registry-service" else {}
        board = copy.deepcopy(BOARDS[name])
        if not self.since:
            return Drawing(self.base, board, self.now, theme, width, chosen)
        board["time"]["from"] = self.since
        for panel in panels(board):
            panel.pop("timeFrom", None)
            if "interval" in panel:
                panel["interval"] = BAR
        return Drawing(self.base, board, self.now, theme, width, chosen, SECONDS)

    def without_data(self, name: str) -> set[str]:
        """Return the titles of the panels of which no query has a finite value here."""
        what = self.drawing(name, *LOOKS[0])
        desk = Desk(what.base, what.now, what.chosen)
        found = set()
        for panel in panels(what.board):
            answers = [desk.ask(what.board, panel, one) for one in panel.get("targets", ())]
            values = [value for each in answers for answer in each for value in answer.values]
            if not any(map(math.isfinite, values)):
                found.add(panel["title"])
        return found


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with month(tmp_path_factory.mktemp("month")) as base:
        yield Scene(base, happened.END, "stripe", "production")


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moments]:
    with chain(tmp_path_factory.mktemp("chain")) as found:
        yield found


async def draw(
    browser: Browser, what: Drawing, picture: str, curves: Collection[str] = ()
) -> list[str]:
    """Draw *what*, keep it as *picture*, and return its faults, its lies and the empty *curves*."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with drawn(browser, what) as (page, faults):
        await page.screenshot(path=FOLDER / f"{picture}-{what.theme}-{what.width}.png")
        texts = await page.evaluate("window.__texts()")
        asked = await page.evaluate("window.__asked")
    titles = [panel["title"] for panel in what.board["panels"]]
    assert [text["title"] for text in texts] == titles
    desk = Desk(what.base, what.now)
    nothing = {p["title"]: settings(p, "").get("noValue", "No data") for p in panels(what.board)}
    empty = {one["title"] for one in texts if one["text"] == nothing.get(one["title"])}
    lies = Drawn(desk, what.board, asked, texts).lies()
    return [*faults, *lies, *(f"{title}: empty" for title in curves if title in empty)]


@pytest.mark.parametrize(("theme", "width"), LOOKS)
@pytest.mark.parametrize("name", BOARDS)
async def test_a_dashboard_of_a_month_can_be_read_and_is_true(
    past: Scene, browser: Browser, name: str, theme: str, width: int
) -> None:
    picture = name.removeprefix("registry-")

    assert await draw(browser, past.drawing(name, theme, width), picture) == []


@pytest.mark.parametrize(("theme", "width"), LOOKS)
@pytest.mark.parametrize("name", BOARDS)
async def test_a_dashboard_of_the_live_chain_can_be_read_and_is_true(
    moments: Moments, browser: Browser, name: str, theme: str, width: int
) -> None:
    live = Scene(moments.base, moments.live, "outage", "outage", SECONDS_OLD)
    picture = name.replace("registry", "live")

    what = live.drawing(name, theme, width)
    assert await draw(browser, what, picture, LIVE_CURVES.get(name, ())) == []


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_has_something_to_show_in_a_scene(past: Scene, name: str) -> None:
    looks = [past, replace(past, service="openai")]  # one that fails, one with limits

    empty = set[str].intersection(*(look.without_data(name) for look in looks))

    assert empty == {one["title"] for one in panels(BOARDS[name])} & set(WITHOUT_QUERY)


@pytest.mark.parametrize("name", BOARDS)
async def test_a_dashboard_of_dead_exporters_can_be_read_and_is_true(
    moments: Moments, browser: Browser, name: str
) -> None:
    dead = Scene(moments.base, moments.dead, "outage", "outage", SECONDS_OLD)
    picture = name.replace("registry", "dead")

    assert await draw(browser, dead.drawing(name, "dark", 1300), picture) == []


async def test_what_names_no_service_says_so_and_leads_to_the_monitoring(
    moments: Moments, browser: Browser
) -> None:
    live = Scene(moments.base, moments.live, "outage", "outage", SECONDS_OLD)

    async with drawn(browser, live.drawing("registry-overview", "dark", 1600)) as (page, _):
        alerts = page.locator("[data-panel='Firing alerts'] [role=row]")
        network = alerts.filter(has_text="MonitoringNetworkDown")
        outage = alerts.filter(has_text="ServiceErrorBudgetBurn")
        to_monitoring = network.get_by_role("link", name="(monitoring)")
        to_service = outage.get_by_role("link", name="outage")

        address = re.sub(r"\?.*var-service", "?var-service", await _address(to_monitoring))
        assert address.startswith("/d/registry-monitoring?var-service=All&")
        address = re.sub(r"\?.*var-service", "?var-service", await _address(to_service))
        assert address.startswith("/d/registry-service?var-service=outage&var-environment=outage&")


async def _address(link: object) -> str:
    return str(await link.get_attribute("href"))  # type: ignore[attr-defined]


def named(board: Json, title: str) -> Json:
    plain = (panel for panel in board["panels"] if panel["type"] != "row")
    return next(panel for panel in plain if panel["title"] == title)


def set_column(panel: Json, column: str, key: str, value: object) -> None:
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == column:
            kept = [entry for entry in override["properties"] if entry["id"] != key]
            override["properties"] = [*kept, {"id": key, "value": value}]


async def test_the_gate_sees_what_it_is_for(past: Scene, browser: Browser) -> None:
    what = past.drawing("registry-overview", "dark", 1300)
    board = what.board
    set_column(named(board, "Firing alerts"), "alertname", "custom.width", 900)
    set_column(named(board, "What is broken"), "fault", "custom.width", 60)
    set_column(named(board, "All services"), "p95, 10 min", "custom.width", 51)
    set_column(named(board, "Who was told"), "sent", "custom.widht", 50)
    named(board, "Services by state")["options"]["text"] = {"titleSize": 40}
    named(board, "Verdict")["fieldConfig"]["defaults"]["mappings"][0]["options"]["7"] = {
        "text": "PALE",
        "color": "#B0B0B0",
    }
    named(board, "Failed probes by reason")["options"]["legend"]["placement"] = "bottom"
    named(board, "Runs out next")["targets"][0]["expr"] = "sum("

    async with drawn(browser, what) as (_, faults):
        kinds = {tuple(fault.split(": ")[:2]) for fault in faults}

    assert kinds == {
        ("Firing alerts", "table"),
        ("What is broken", "cut"),
        ("All services", "cut"),
        ("Who was told", "unknown option"),
        ("Services by state", "cut"),
        ("Verdict", "contrast"),
        ("Failed probes by reason", "legend"),
        ("Runs out next", "error"),
    }


async def test_the_gate_sees_a_text_that_is_not_what_prometheus_answers(
    past: Scene, browser: Browser
) -> None:
    what = past.drawing("registry-overview", "dark", 1300)
    async with drawn(browser, what) as (page, _):
        texts = await page.evaluate("window.__texts()")
        asked = await page.evaluate("window.__asked")
    written = {text["title"]: text for text in texts}
    written["Verdict"]["text"] = "OK"
    written["Services by state"]["text"] = written["Services by state"]["text"].replace("2", "3", 1)
    written["Firing alerts"]["rows"].reverse()
    written["Firing alerts"]["rows"].pop()
    written["Runs out next"]["rows"][3][3] = "12.1 hours"
    written["All services"]["rows"].reverse()
    written["Failed probes by reason"]["legend"][0][1] = "127"

    lies = list(Drawn(Desk(what.base, what.now), what.board, asked, texts).lies())

    assert {lie.partition(":")[0] for lie in lies} == {
        "Verdict",
        "Services by state",
        "Firing alerts",
        "Runs out next",
        "All services",
        "Failed probes by reason",
    }
