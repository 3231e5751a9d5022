"""Services in groups in a real browser: chosen, unfolded, kept while the page updates itself."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from exporter.model import Reason
from tests.page import scenes
from tests.page.browser import DESKTOP, PHONE, Visit, visiting
from tests.page.stage import Stage, service

pytestmark = pytest.mark.slow


def group(visit: Visit, name: str) -> str:
    return f"#groups details:has(h2 bdi:text-is('{name}'))"


async def names(visit: Visit) -> list[str]:
    return list(await visit.page.locator("#groups h2 bdi").all_inner_texts())


async def test_groups_are_chosen_without_a_reload_and_kept_in_the_address(
    browser: Browser, stage: Stage
) -> None:
    await scenes.teams(stage)

    async with visiting(browser, stage.base) as visit:
        await visit.go()
        await visit.page.evaluate("window.unloaded = true")
        await visit.page.select_option("#group", "team")
        await visit.until("#groups", "payments")
        assert visit.page.url.endswith("/?group=team")
        assert not await visit.page.is_visible("#services")
        assert await names(visit) == ["payments", "search", "growth", "data", "no team"]
        assert await visit.page.locator("#groups tbody tr").count() == 11
        await visit.page.select_option("#group", "provider")
        await visit.until("#groups", "sendgrid")
        assert "payments" not in await names(visit)
        await visit.page.select_option("#group", "")
        await expect(visit.page.locator("#rows tr")).to_have_count(18)
        assert not await visit.page.is_visible("#groups")
        assert await visit.page.evaluate("window.unloaded")
        ids = await visit.page.locator("[id]").evaluate_all("a => a.map(e => e.id)")
        assert len(ids) == len(set(ids))


async def test_a_search_within_a_group_stays_there(browser: Browser, stage: Stage) -> None:
    await scenes.teams(stage)

    async with visiting(browser, stage.base) as visit:
        await visit.go("/?group=team&only=payments")
        await visit.page.fill("#q", "pay-1")
        await visit.until("#pager", "1 to 1 of 1")
        assert visit.page.url.endswith("only=payments")
        await visit.page.fill("#q", "")
        await visit.page.select_option("#group", "environment")
        await visit.until("#groups", "production")
        assert visit.page.url.endswith("/?group=environment")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_what_was_unfolded_stays_so_and_nothing_jumps(
    browser: Browser, stage: Stage, size: tuple[int, int]
) -> None:
    await scenes.teams(stage)

    async with visiting(browser, stage.base, size=size) as visit:
        await visit.go("/?group=team")
        growth = group(visit, "growth")
        await visit.page.focus(f"{growth} summary")
        await visit.page.keyboard.press("Enter")
        assert await visit.page.is_visible("#row-mailer")
        await visit.page.wait_for_timeout(600)
        before = await visit.shifts()

        stage.saw("ads", Reason.SERVER_ERROR, status=503)
        stage.saw("lake", Reason.AUTH_INVALID, status=401)
        await stage.step()
        await visit.until("#row-ads", "Down")
        await visit.until(f"{growth} h2", "2 services, 2 fail")
        await visit.until(f"{group(visit, 'data')} h2", "1 service, 1 fails")

        assert await visit.page.is_visible("#row-ads")
        assert not await visit.page.is_visible("#row-lake")
        focused = await visit.page.evaluate("document.activeElement.textContent")
        assert "growth" in focused
        assert await visit.shifts() == before
        # Somebody is at the list: its order waits.
        assert (await names(visit))[-2:] == ["data", "no team"]


async def test_the_worst_group_moves_up_and_a_new_one_appears(
    browser: Browser, stage: Stage
) -> None:
    await scenes.teams(stage)

    async with visiting(browser, stage.base) as visit:
        await visit.go("/?group=team")
        for n in range(10):
            stage.saw(f"pay-{n}")
        stage.saw("maps", Reason.TIMEOUT, took=10)
        stage.add(service("fresh", team="fresh"))
        stage.saw("fresh", Reason.TIMEOUT, took=10)
        await stage.step()
        await visit.until(group(visit, "fresh"), "1 service, 1 fails")

        assert await names(visit) == ["search", "fresh", "no team", "growth", "data", "payments"]
        stage.registry.remove("lake")
        await stage.step()
        await expect(visit.page.locator(group(visit, "data"))).to_have_count(0)
        await visit.page.click(f"{group(visit, 'fresh')} summary")
        assert await visit.page.is_visible("#row-fresh")


async def test_groups_work_without_javascript(browser: Browser, stage: Stage) -> None:
    await scenes.teams(stage)

    async with visiting(browser, stage.base, script=False) as visit:
        await visit.go(live=False)
        await visit.page.select_option("#group", "team")
        await visit.page.click("#filter button")
        assert re.search(r"[?&]group=team\b", visit.page.url)
        assert not await visit.page.is_visible("#row-pay-0")
        await visit.page.click(f"{group(visit, 'payments')} summary")
        assert await visit.page.is_visible("#row-pay-0")
        await visit.page.click("text=All 10 services of payments")
        assert await visit.page.locator("#rows tr").count() == 10
        await visit.page.click("#groups-again")
        assert len(await names(visit)) == 5
