"""The page for people who hear it, use a keyboard only, need it larger, or still."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from exporter.model import Reason
from tests.page import scenes
from tests.page.browser import DESKTOP, PHONE, Visit, visiting
from tests.page.listening import LANDMARKS, NAMED, listen, outline
from tests.page.stage import Stage

pytestmark = pytest.mark.slow
TWICE_AS_LARGE = (DESKTOP[0] // 2, DESKTOP[1] // 2)
"""What a screen holds at 200 %: a browser's zoom makes the page's pixels larger."""
FOUR_TIMES = (320, 256)
"""What WCAG 2.2 asks for (1.4.10, reflow): 1280 by 1024 at 400 %."""
# In the order of the document, as Tab should reach them.
REACHABLE = """
[...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
  .filter((one) => one.checkVisibility({visibilityProperty: true}) && !one.disabled)
  .map((one) => one.id || one.textContent.trim())
"""
# Of the focused element: what it is, whether its focus shows, and whether it can be seen.
FOCUSED = """
(() => {
  const one = document.activeElement;
  if (one === document.body) return null;
  // What is drawn in place of a check box is its label.
  const drawn = getComputedStyle(one).opacity === '0' ? one.labels[0] : one;
  const style = getComputedStyle(drawn);
  // What lets the pointer through lies over what it is about.
  const ground = style.pointerEvents === 'none' ? drawn.parentElement : drawn;
  const { left, top, right, bottom } = drawn.getClientRects()[0]; // of its first line
  // WCAG 2.4.11: not entirely hidden. Of a text area the browser scrolls to where one types.
  const middle = (from, to, end) => (Math.max(from, 0) + Math.min(to, end - 1)) / 2;
  const at = document.elementFromPoint(
    middle(left, right, innerWidth), middle(top, bottom, innerHeight));
  return {
    name: one.id || one.textContent.trim(),
    marked: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    seen: Boolean(at) && ground.contains(at),
  };
})()
"""
MOVING = """
[...document.querySelectorAll('*')].filter((one) => {
  const style = getComputedStyle(one);
  return style.transitionDuration.split(', ').some((time) => parseFloat(time) > 0) ||
    style.animationName !== 'none' || style.scrollBehavior === 'smooth';
}).length + document.getAnimations().length
"""


async def paths_of(stage: Stage) -> list[str]:
    incident = (await stage.incidents.unresolved())[0]
    home = ["/", "/?group=environment", "/?group=team&only=payments"]
    return [*home, "/services/stripe", "/incidents", f"/incidents/{incident.id}"]


# -- by ear ------------------------------------------------------------------------------------


async def test_everything_that_is_read_out_has_a_name_and_its_place(
    browser: Browser, stage: Stage
) -> None:
    await scenes.mixed(stage)

    async with visiting(browser, stage.base) as visit:
        for path in await paths_of(stage):
            await visit.go(path)
            await visit.unfold()
            heard = await listen(visit.page)

            assert [one for one in heard if one.role in NAMED and not one.name] == [], path
            landmarks = Counter((one.role, one.name) for one in heard if one.role in LANDMARKS)
            assert [mark for mark, times in landmarks.items() if times > 1] == [], path
            levels = [one.properties["level"] for one in heard if one.role == "heading"]
            assert levels[0] == 1, path
            assert levels.count(1) == 1, path
            steps = [after - before for before, after in pairwise(levels)]
            assert max(steps, default=0) <= 1, path
            spoken = [one.properties for one in heard if one.role == "status"]
            assert spoken, path
            assert all(one["live"] == "polite" for one in spoken), path
            assert heard[1].name.startswith("Skip to the "), path


async def test_the_home_page_is_read_in_the_order_of_what_matters(
    browser: Browser, stage: Stage
) -> None:
    await scenes.teams(stage)

    async with visiting(browser, stage.base) as visit:
        await visit.go("/?group=team")
        heard = await listen(visit.page)

    assert outline(heard) == [
        "banner",
        "navigation Pages",
        "main",
        "h1 6 of 18 fail: 4 provider (3 of them stripe), 2 keys rejected; 1 unknown.",
        "navigation Services by state",
        "search Filter the services",
        "region Services",
        "h2 payments · 10 services, 3 fail",
        "h2 search · 3 services, 2 fail",
        "h2 growth · 2 services, 1 fails",
        "h2 data · 1 service, 1 unknown",
        "h2 no team · 2 services, all healthy",
        "navigation Pages of the list",
        "complementary Incidents and warnings",
        "h2 Open incidents",
        "h2 Warnings",
    ]
    folded = [one for one in heard if one.role == "DisclosureTriangle"]
    assert [one.properties["expanded"] for one in folded] == [False, True, False, False, False]
    assert "all alike: stripe, server error, since 07:57 UTC" in folded[0].name


async def test_a_row_is_read_as_its_cells_under_their_headers(
    browser: Browser, stage: Stage
) -> None:
    await scenes.mixed(stage)

    for size in (DESKTOP, PHONE):  # on a phone a row is no row of a table to the eye
        async with visiting(browser, stage.base, size=size) as visit:
            await visit.go()
            heard = await listen(visit.page)
            columns = [one.name for one in heard if one.role == "columnheader"]
            rows = [number for number, one in enumerate(heard) if one.role == "row"]
            first = heard[rows[1] : rows[2]]

            assert columns == ["Service", "State", "Latency", "Last 24 h", "Warnings"]
            assert [one.role for one in first].count("cell") == 5
            texts = [one.name for one in first if one.role in ("link", "cell", "image")]
            assert texts[1] == "Stripe payments"
            assert "Down since 07:56 UTC provider: server error" in " ".join(texts)
            assert any("4 bad" in text for text in texts)


async def test_what_changes_is_said_once_and_what_does_not_is_not(
    browser: Browser, stage: Stage
) -> None:
    await scenes.teams(stage)

    async def spoken(visit: Visit) -> str:
        heard = await listen(visit.page)
        at = next(number for number, one in enumerate(heard) if one.role == "status")
        return " ".join(one.name for one in heard[at + 1 :] if one.role == "StaticText")

    async with visiting(browser, stage.base) as visit:
        await visit.go("/?group=team")
        assert await spoken(visit) == ""
        stage.saw("ads", took=0.4)
        await stage.step()
        await visit.until("#row-ads", "400 ms")
        assert await spoken(visit) == ""
        stage.saw("ads", Reason.TIMEOUT, took=10)
        await stage.step()
        await visit.until("h1", "7 of 18 fail")
        assert (await spoken(visit)).startswith("7 of 18 fail: ")


# -- by keyboard -------------------------------------------------------------------------------


async def walked(visit: Visit, key: str, most: int) -> list[Any]:
    """Return what has the focus after each press of *key*, until it leaves the page."""
    found = []
    for _ in range(most + 2):
        await visit.page.keyboard.press(key)
        focused = await visit.page.evaluate(FOCUSED)
        if focused is None or (found and focused["name"] == found[0]["name"]):
            break
        found.append(focused)
    return found


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_tab_reaches_everything_in_order_shows_where_it_is_and_leaves(
    browser: Browser, stage: Stage, size: tuple[int, int]
) -> None:
    await scenes.mixed(stage)

    async with visiting(browser, stage.base, size=size) as visit:
        for path in (await paths_of(stage))[1::2]:
            await visit.go(path)
            wanted = await visit.page.evaluate(REACHABLE)
            there = await walked(visit, "Tab", len(wanted))
            back = await walked(visit, "Shift+Tab", len(wanted))

            assert [one["name"] for one in there] == wanted, path
            assert [one["name"] for one in back] == wanted[::-1], path
            assert [one["name"] for one in there if not one["marked"]] == [], path
            assert [one["name"] for one in there if not one["seen"]] == [], path


async def test_a_service_is_found_unfolded_and_opened_by_keyboard_alone(
    browser: Browser, stage: Stage
) -> None:
    await scenes.teams(stage)

    async with visiting(browser, stage.base) as visit:
        await visit.go()
        keyboard = visit.page.keyboard
        await keyboard.press("/")
        await keyboard.type("pay")
        await visit.until("#pager", "of 10 matching")
        for _ in range(5):
            await keyboard.press("Tab")
        assert await visit.page.evaluate("document.activeElement.id") == "group"
        await keyboard.press("ArrowDown")
        await visit.until("#groups h2", "payments")
        assert await visit.page.evaluate("document.activeElement.id") == "group"
        for _ in range(2):
            await keyboard.press("Tab")
        await keyboard.press("Space")
        await expect(visit.page.locator("#row-pay-0")).to_be_visible()
        await keyboard.press("Tab")
        await keyboard.press("Enter")
        await visit.page.wait_for_url(re.compile("/services/pay-[012]$"))


# -- larger, and still -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [TWICE_AS_LARGE, FOUR_TIMES], ids=["200 %", "400 %"])
async def test_a_larger_page_needs_no_scrolling_sideways(
    browser: Browser, stage: Stage, size: tuple[int, int]
) -> None:
    await scenes.mixed(stage)

    async with visiting(browser, stage.base, size=size) as visit:
        for path in await paths_of(stage):
            await visit.go(path)
            await visit.unfold()
            assert await visit.wide() == 0, path


async def test_larger_letters_alone_need_no_scrolling_sideways_either(
    browser: Browser, stage: Stage
) -> None:
    await scenes.mixed(stage)

    async with visiting(browser, stage.base) as visit:
        for path in await paths_of(stage):
            await visit.go(path)
            await visit.unfold()
            await visit.page.evaluate("document.documentElement.style.fontSize = '200%'")
            assert await visit.wide() == 0, path


async def test_nothing_moves_for_those_who_ask_for_that(browser: Browser, stage: Stage) -> None:
    await scenes.mixed(stage)

    async with visiting(browser, stage.base) as visit:
        for path in await paths_of(stage):
            await visit.page.emulate_media(reduced_motion="reduce")
            await visit.go(path)
            assert await visit.page.evaluate(MOVING) == 0, path
            await visit.page.emulate_media(reduced_motion="no-preference")
            assert await visit.page.evaluate(MOVING) > 0, path
