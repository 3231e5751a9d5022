"""What outsiders see in a real browser: light and dark, on a phone, without a script, by axe."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Browser

from exporter.model import Reason
from exporter.public.badges import text_width
from tests.api.managed import TOKEN, declared, running
from tests.page.browser import AXE, DESKTOP, PHONE, visiting
from tests.page.test_accessibility import FOUR_TIMES, REACHABLE, TWICE_AS_LARGE, walked
from tests.public.stage import NOW, Outside, service
from tests.public.test_page import window

pytestmark = pytest.mark.slow
LOOKS = pytest.mark.parametrize(
    ("size", "scheme"), [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light"), (PHONE, "dark")]
)
ALL_FINDINGS = (
    "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id))"
)


async def scene(stage: Outside) -> None:
    """Services in every state, incidents, and days of each kind."""
    stage.add(
        *(service(name) for name in ("works", "down", "refused", "silent")),
        service("planned", maintenance=[window(NOW - 60, NOW + 3600)]),
        service("long", name="A service with a name that is longer than a phone is wide, " * 2),
    )
    for name in ("works", "down", "refused", "long"):
        stage.saw(name)
        for ago in range(1, 60):
            stage.day(name, ago, 100, (0, 0, 0, 1, 30)[ago % 5])
    stage.fails("down", Reason.TIMEOUT)
    stage.fails("refused", Reason.AUTH_INVALID)
    id_ = await stage.fires("ServiceDown", service="down")
    await stage.incidents.note(id_, "ann", "Payments may fail.\nWe are on it.", public=True)
    past = await stage.fires("ServiceLatencyHigh", service="works", ago=7200)
    await stage.incidents.resolve(past, "ann")


@LOOKS
async def test_the_public_page_fits_and_axe_finds_nothing(
    browser: Browser, stage: Outside, size: tuple[int, int], scheme: str
) -> None:
    await scene(stage)

    async with visiting(browser, stage.base, size=size, scheme=scheme) as visit:
        await visit.go("/public", live=False)
        await visit.page.evaluate(AXE)
        assert await visit.page.evaluate(ALL_FINDINGS) == []
        assert await visit.wide() == 0
        assert await visit.text("h1") == "Outage: Down."
        heights = await visit.page.evaluate(
            "[...document.querySelectorAll('.days')].map(e => e.getBoundingClientRect().height)"
        )
        assert len(heights) == 6
        assert min(heights) > 20


@LOOKS
async def test_that_nothing_can_be_checked_is_read_at_first_sight(
    browser: Browser, stage: Outside, size: tuple[int, int], scheme: str
) -> None:
    await scene(stage)
    await stage.clock.advance(60)
    stage.offline_since = stage.clock.now()

    async with visiting(browser, stage.base, size=size, scheme=scheme) as visit:
        await visit.go("/public", live=False)
        await visit.page.evaluate(AXE)
        assert await visit.page.evaluate(ALL_FINDINGS) == []
        assert await visit.wide() == 0
        note = visit.page.locator(".unseen")
        box = await note.bounding_box()
        assert "nothing can be checked from here" in await note.inner_text()
        assert box is not None
        assert box["y"] + box["height"] < size[1]
        assert await visit.page.locator(".state.is-outage, .state.is-operational").count() == 0


async def test_without_a_script_everything_is_there(browser: Browser, stage: Outside) -> None:
    await scene(stage)

    async with visiting(browser, stage.base, script=False) as visit:
        await visit.go("/public", live=False)
        text = await visit.text("body")

    for part in ("Outage: Down", "Payments may fail.", "Planned maintenance", "Past incidents"):
        assert part in text


async def test_a_text_on_a_badge_has_the_width_that_is_left_for_it(
    browser: Browser, stage: Outside
) -> None:
    texts = ["operational", "Stripe payments", "99.99 %", "MMMM iiii WWWW", "Zürich ÄÖÜ"]
    script = """texts => texts.map(text => {
        const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        document.body.append(svg);
        const one = document.createElementNS("http://www.w3.org/2000/svg", "text");
        one.setAttribute("font-family", "Verdana,DejaVu Sans,Geneva,sans-serif");
        one.setAttribute("font-size", "11");
        one.textContent = text;
        svg.append(one);
        return one.getComputedTextLength();
    })"""
    stage.add(service("a", name="Stripe payments"))

    async with visiting(browser, stage.base) as visit:
        await visit.go("/public", live=False)
        real = await visit.page.evaluate(script, texts)
        await visit.page.evaluate(
            "fetch('/badge/a.svg').then(r => r.text()).then(t => document.body.innerHTML = t)"
        )
        drawn = await visit.page.evaluate(
            "[...document.querySelectorAll('text')].map(e => [e.getBBox().x, e.getBBox().width])"
        )
        boxes = await visit.page.evaluate(
            "[...document.querySelectorAll('g rect')].map(e => [e.getBBox().x, e.getBBox().width])"
        )

    for text, width in zip(texts, real, strict=True):
        assert width == pytest.approx(text_width(text), rel=0.08), text
    for (x, width), (left, whole) in zip(drawn, boxes, strict=True):
        assert left + 5 <= x
        assert x + width <= left + whole - 5


async def test_a_note_is_marked_for_outsiders_on_the_page_of_its_incident(
    browser: Browser,
) -> None:
    config = json.dumps({"services": [declared("a", "http://127.0.0.1:9")]})
    async with running(config, public_page=True) as client:
        report = {"by": "ann", "summary": "nobody can pay", "service": "a"}
        id_ = (await client.ask("POST", "/api/incidents", report)).json["id"]
        async with visiting(browser, client.base) as visit:
            await visit.go(f"/incidents/{id_}")
            await visit.page.fill("#by", "ann")
            await visit.page.fill("#token", TOKEN)
            for text, outside in (("for outsiders", True), ("inside", False)):
                await visit.page.fill("#note", text)
                if outside:
                    await visit.page.check("#public")
                await visit.page.click("button[value=note]")
                await visit.until("#answer", "The note is saved")
                await visit.until("main", text)
                assert not await visit.page.is_checked("#public")
        notes = (await client.ask("GET", f"/api/incidents/{id_}")).json["timeline"]
        page = (await client.ask("GET", "/public")).text

    assert [e["kind"] for e in notes if e["note"] in ("for outsiders", "inside")] == [
        "update",
        "note",
    ]
    assert "for outsiders" in page
    assert "inside" not in page


async def test_the_page_of_the_api_fits_and_axe_finds_nothing(browser: Browser) -> None:
    config = json.dumps({"services": [declared("a", "http://127.0.0.1:9")]})
    async with running(config) as client:
        for scheme in ("light", "dark"):
            async with visiting(browser, client.base, scheme=scheme) as visit:
                await visit.go("/api", live=False)
                await visit.page.evaluate(AXE)
                assert await visit.page.evaluate(ALL_FINDINGS) == [], scheme
        async with visiting(browser, client.base, size=TWICE_AS_LARGE) as visit:
            await visit.go("/api", live=False)
            assert await visit.wide() == 0
            await visit.page.click("nav[aria-labelledby=h-routes] a:has-text('/sd')")
            assert visit.page.url.endswith("/api#get-sd")
        async with visiting(browser, client.base, size=PHONE) as visit:
            await visit.go("/api", live=False)
            assert await visit.wide() == 0


@pytest.mark.parametrize("size", [TWICE_AS_LARGE, FOUR_TIMES], ids=["200 %", "400 %"])
async def test_a_larger_public_page_needs_no_scrolling_sideways(
    browser: Browser, stage: Outside, size: tuple[int, int]
) -> None:
    await scene(stage)

    async with visiting(browser, stage.base, size=size) as visit:
        await visit.go("/public", live=False)
        assert await visit.wide() == 0


async def test_tab_reaches_everything_on_the_public_page(browser: Browser, stage: Outside) -> None:
    await scene(stage)

    async with visiting(browser, stage.base) as visit:
        await visit.go("/public", live=False)
        wanted = await visit.page.evaluate(REACHABLE)
        there = await walked(visit, "Tab", len(wanted))

    assert wanted
    assert [one["name"] for one in there] == wanted
    assert [one["name"] for one in there if not (one["marked"] and one["seen"])] == []
