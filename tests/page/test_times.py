"""Charts and timeline on a service's page: as the server draws them, and as people use them."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from exporter.model import Certificate, Reason
from exporter.results import Bucket
from exporter.results.latencies import level_of
from tests.page.browser import DESKTOP, PHONE, Visit, visiting
from tests.page.reading import Element, read
from tests.page.stage import NOW, Stage, service
from tests.patience import patient

HOUR, DAY = 3600.0, 86_400.0
DOWN = {"bad": 15, "worst": Reason.SERVER_ERROR}


def saw_quarters(stage: Stage, number: int, **failed: dict[str, Any]) -> None:
    """Keep *number* quarters of 200 ms, the last of them that of now; *failed* by how many ago."""
    rows = []
    for ago in range(number):
        more = failed.get(f"at{ago}")
        times = () if more else (0.2,) * 14 + (0.8,)
        usual = {"bad": 0, "worst": Reason.OK, "latency_sum": sum(times), "ok": len(times)}
        levels = b"".join(map(level_of, times))
        fields = usual | {"latency_max": max(times, default=0.0), "levels": levels} | (more or {})
        rows.append(Bucket("a", int(NOW // 900 - ago) * 900, **fields))
    stage.store.record_history(rows)


async def a(stage: Stage) -> Element:
    return read((await stage.ask("/services/a")).text)


def rows_of(found: Element, id_: str) -> list[list[str]]:
    rows = found.one("tbody", id=id_).all("tr")
    return [[cell.text for cell in (*row.all("th"), *row.all("td"))] for row in rows]


# -- as the server draws it --------------------------------------------------------------------


async def test_the_table_has_everything_that_the_picture_shows(stage: Stage) -> None:
    stage.add(service("a", objectives={"latency": {"threshold": "400ms", "target": "99%"}}))
    saw_quarters(stage, 8, at3=DOWN)

    found = await a(stage)

    rows = rows_of(found, "day-rows")
    assert [row[0] for row in rows][-2:] == ["07:45 UTC", "08:00 UTC"]
    assert rows[4][1:] == ["–", "–", "0 good, 15 bad", "server_error, at fault: the provider"]
    assert rows[-1][3:] == ["15 good, 0 bad", "–"]
    for figure, wanted in zip(rows[-1][1:3], (200, 800), strict=True):
        assert int(figure.removesuffix(" ms")) == pytest.approx(wanted, rel=0.03)
    picture = found.one(id="day").one("svg", **{"class": "chart"})
    assert re.fullmatch(
        r"last 24 hours: median \d+ ms, 95 % within \d+ ms at the worst, 15 bad probes",
        picture.attributes["aria-label"],
    )
    (mark,) = picture.all("use")
    assert mark.attributes["class"] == "f-provider"
    assert found.one(id=mark.attributes["href"].removeprefix("#"))
    assert "failed: the provider" in found.one(id="day").text
    assert "objective 400 ms" in found.one(id="day").text
    assert [row[0] for row in rows_of(found, "month-rows")] == ["04:00 UTC", "08:00 UTC"]


async def test_a_month_is_shown_from_what_the_store_has_joined(stage: Stage) -> None:
    stage.add(service("a"))
    saw_quarters(stage, 31 * 96, at1000=DOWN)
    stage.store.prune_history(NOW - DAY)

    found = await a(stage)

    rows = rows_of(found, "month-rows")
    assert len(rows) == 180
    assert [row[0] for row in rows if "server_error" in row[4]] == ["4 Jan 20:00 UTC"]
    assert "kept since" not in found.one(id="month").text
    assert len(rows_of(found, "day-rows")) == 96


async def test_a_picture_that_is_not_full_says_since_when(stage: Stage) -> None:
    stage.add(service("a"))
    saw_quarters(stage, 5)

    assert "kept since 07:00 UTC" in (await a(stage)).one(id="day").text


async def test_before_the_first_result_nothing_is_invented(stage: Stage) -> None:
    stage.add(service("a"))

    found = await a(stage)

    for id_ in ("day", "month"):
        assert "There is no result yet." in found.one(id=id_).text
        assert not found.one(id=id_).all("table")
    assert not found.all("input", type="range")
    assert "Nothing is known" in found.one(id="ahead").text


async def test_a_new_state_is_on_the_chart_at_once_and_the_rest_within_a_minute(
    stage: Stage,
) -> None:
    async def probes() -> str:
        return rows_of(await a(stage), "day-rows")[-1][3]

    stage.add(service("a"))
    stage.saw("a")
    assert await probes() == "1 good, 0 bad"
    stage.saw("a")
    await stage.step()
    assert await probes() == "1 good, 0 bad"
    await stage.step(60)
    assert await probes() == "2 good, 0 bad"

    stage.saw("a", Reason.TIMEOUT)
    await stage.step()

    assert await probes() == "2 good, 1 bad"


async def test_the_timeline_lists_what_is_known_and_links_to_incidents(stage: Stage) -> None:
    stage.add(
        service(
            "a",
            maintenance=[
                {"start": "2027-02-01T00:00:00Z", "end": "2027-02-01T04:00:00Z", "reason": "<b>"}
            ],
        )
    )
    tally = stage.results.of("a")
    tally.certificate, tally.key_expiry = Certificate(expiry=NOW + 200 * DAY), NOW + 6 * DAY
    stage.rotated["a"] = NOW - 3 * DAY
    made = await stage.incidents.create(severity="high", summary="x", by="ann", service="a")

    line = (await a(stage)).one(id="ahead")

    ahead, past = line.all("ul")
    assert [one.text for one in ahead.all("li")] == [
        "x 08:00 UTC – not ended",
        "Key expires 21 Jan 08:00 UTC",
        "Maintenance: <b> 1 Feb 00:00 UTC – 1 Feb 04:00 UTC",
        "Certificate expires 3 Aug 08:00 UTC",
    ]
    assert [one.text for one in past.all("li")] == ["Key rotated 12 Jan 08:00 UTC"]
    assert ahead.one("a").attributes["href"] == f"/incidents/{made.id}"
    lanes = [name.text for name in line.one("div", **{"class": "lanes"}).all("span") if name.text]
    assert lanes == ["Incidents", "Maintenance", "Certificate", "Key"]


# -- as people use it --------------------------------------------------------------------------


async def reading(visit: Visit, id_: str) -> str:
    return await visit.text(f"#{id_} .reading")


@pytest.mark.slow
async def test_the_pointer_reads_the_chart(browser: Browser, stage: Stage) -> None:
    stage.add(service("a"))
    saw_quarters(stage, 96, at48=DOWN)

    async with visiting(browser, stage.base, zone="Europe/Berlin") as visit:
        await visit.go("/services/a")
        assert (await reading(visit, "day")).startswith("08:00 UTC (09:00 here), median ")
        await visit.page.locator("#day .plot").scroll_into_view_if_needed()
        box = await visit.page.locator("#day .plot").bounding_box()
        assert box is not None
        await visit.page.mouse.move(box["x"] + box["width"] * 47.5 / 96, box["y"] + 50)
        assert await reading(visit, "day") == (
            "14 Jan 20:00 UTC (21:00 here), 0 good, 15 bad, server_error, at fault: the provider"
        )
        cursor = visit.page.locator("#day .cursor")
        await expect(cursor).to_have_attribute("visibility", "visible")
        await expect(cursor).to_have_attribute("x1", "49.48%")


@pytest.mark.slow
async def test_every_picture_is_read_with_the_keyboard(browser: Browser, stage: Stage) -> None:
    stage.add(service("a"))
    saw_quarters(stage, 96, at2=DOWN)
    for number in range(5):
        stage.saw("a", ago=300 - 60 * number, took=0.1 * (number + 1))
    stage.saw("a", Reason.TIMEOUT, took=10.0)

    async with visiting(browser, stage.base) as visit:
        await visit.go("/services/a")
        seen = list[tuple[str, str]]()
        while len(seen) < 4:
            await visit.page.keyboard.press("Tab")
            id_ = await visit.page.evaluate("document.activeElement.id")
            if id_.endswith("-at"):
                await visit.page.keyboard.press("ArrowLeft")
                text = await visit.page.get_attribute(f"#{id_}", "aria-valuetext")
                shown = visit.page.locator(f":has(> .plot > #{id_}) > .reading")
                assert await shown.inner_text() == text
                seen.append((id_, (text or "").partition(",")[0]))
        await visit.page.focus("#spark-at")
        for key, text in (
            ("End", "08:00 UTC, timeout, took 10 s"),
            ("Home", "07:55 UTC, ok, took 100 ms"),
            ("ArrowRight", "07:56 UTC, ok, took 200 ms"),
        ):
            await visit.page.keyboard.press(key)
            assert await visit.page.get_attribute("#spark-at", "aria-valuetext") == text
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert await visit.page.evaluate(outline) == "solid"

    assert seen == [
        ("strip-at", "07:45 UTC"),
        ("spark-at", "07:59 UTC"),
        ("day-at", "07:45 UTC"),
        ("month-at", "04:00 UTC"),
    ]


@pytest.mark.slow
async def test_what_is_read_and_the_focus_stay_while_the_picture_moves_on(
    browser: Browser, stage: Stage
) -> None:
    stage.add(service("a"))
    saw_quarters(stage, 96)

    async with visiting(browser, stage.base, zone="Asia/Kathmandu") as visit:
        await visit.go("/services/a")
        await visit.page.click("#day-table summary")
        await visit.page.focus("#day-at")
        for _ in range(3):
            await visit.page.keyboard.press("ArrowLeft")
        before = await reading(visit, "day")
        assert before.startswith("07:15 UTC (13:00 here)")
        place = str(await visit.page.get_attribute("#day .cursor", "x1"))
        await stage.step(905)
        stage.saw("a", Reason.TIMEOUT)
        newest = visit.page.locator('#day-rows time[datetime="2027-01-15T08:15:00Z"]')
        async with patient(20):
            while not await newest.count():
                await stage.step(1)
                await asyncio.sleep(0.02)

        assert await reading(visit, "day") == before
        assert await visit.page.evaluate("document.activeElement.id") == "day-at"
        await expect(visit.page.locator("#day .cursor")).not_to_have_attribute("x1", place)
        assert await visit.page.evaluate("document.getElementById('day-table').open")
        here = visit.page.locator("#day text.here").filter(has_text="17:45")
        assert await here.count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_axe_finds_nothing_and_nothing_moves_or_is_too_wide(
    browser: Browser, stage: Stage, scheme: str, size: tuple[int, int]
) -> None:
    stage.add(service("a", objectives={"latency": {"threshold": "400ms", "target": "99%"}}))
    saw_quarters(stage, 96, at5=DOWN, at9={"worst": Reason.DNS}, at40={**DOWN, "bad": 1})
    stage.results.of("a").key_expiry = NOW + DAY

    async with visiting(browser, stage.base, scheme=scheme, size=size) as visit:
        await visit.go("/services/a")
        await visit.page.click("#day-table summary")
        await visit.page.focus("#day-at")
        assert await visit.findings() == []
        assert await visit.wide() == 0
        moving = "document.getAnimations().map((a) => a.effect.target.outerHTML)"
        assert await visit.page.evaluate(moving) == []


@pytest.mark.slow
async def test_without_javascript_the_tables_are_read(browser: Browser, stage: Stage) -> None:
    stage.add(service("a"))
    saw_quarters(stage, 20)

    async with visiting(browser, stage.base, script=False) as visit:
        await visit.go("/services/a", live=False)
        assert not await visit.page.is_visible("#day-at")
        await visit.page.click("#day-table summary")
        assert await visit.page.is_visible("#day-rows tr:last-child")
        assert (await visit.text("#day-rows tr:last-child")).startswith("08:00 UTC")
