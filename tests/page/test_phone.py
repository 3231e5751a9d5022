"""On call, at night, on a phone: an incident is found, opened and acknowledged with a thumb."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from exporter.model import Reason, Verdict
from tests.api.managed import TOKEN
from tests.page import scenes
from tests.page.browser import Visit, visiting
from tests.page.stage import Stage

pytestmark = pytest.mark.slow
PHONE = (390, 844)
ABOVE_THE_KEYBOARD = {"width": 390, "height": 844 - 336}
"""What a keyboard leaves, in CSS pixels; the page asks for a viewport of that size."""
FINGER = 44
"""Pixels of a target that a thumb hits, as Apple's guidelines and WCAG 2.5.5 have it."""
SMALL = """() => [...document.querySelectorAll("a, button, input, select, textarea, summary")]
  .filter((one) => one.checkVisibility({visibilityProperty: true}) && !one.closest("dd, .skip"))
  .map((one) => {
    const after = getComputedStyle(one, "::after");
    const target = after.content !== "none" && after.position === "absolute"
      ? one.closest(".row") : one.type === "checkbox" ? one.labels[0] : one;
    const { width, height } = target.getBoundingClientRect();
    return [one.id || one.textContent.trim(), Math.round(width), Math.round(height)];
  })"""


async def too_small(visit: Visit) -> list[object]:
    """Return the targets on the page that a thumb may miss; not those within a text."""
    found = await visit.page.evaluate(SMALL)
    assert len(found) > 5
    return [one for one in found if one[1] < 24 or one[2] < FINGER]


async def covered(visit: Visit, selector: str) -> bool:
    """Return whether a part of the element there is out of what can be seen."""
    box = await visit.page.locator(selector).bounding_box()
    size = visit.page.viewport_size
    assert box is not None
    assert size is not None
    return box["y"] < 0 or box["y"] + box["height"] > size["height"]


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_an_incident_is_acknowledged_with_a_thumb(
    browser: Browser, stage: Stage, scheme: str
) -> None:
    await scenes.mixed(stage)
    waiting = next(one for one in await stage.incidents.unresolved() if one.severity == "critical")

    async with visiting(browser, stage.base, size=PHONE, scheme=scheme, touch=True) as visit:
        page = visit.page
        await visit.go()
        assert await visit.wide() == 0
        assert await too_small(visit) == []
        await page.tap("#to-incidents")
        await page.tap(f"#incident-{waiting.id}")
        await page.wait_for_selector("#act")
        assert await visit.wide() == 0
        assert await too_small(visit) == []
        assert not await covered(visit, "#to-act"), "how to take it is seen at once"
        await page.tap("#to-act")
        await expect(page.locator("#by")).to_be_in_viewport(ratio=1)

        await page.set_viewport_size(ABOVE_THE_KEYBOARD)  # type: ignore[arg-type]
        for field, text in (("#by", "dora"), ("#note", "on it"), ("#token", TOKEN)):
            await page.tap(field)
            await page.keyboard.type(text)
            assert not await covered(visit, field)
        await page.tap("#keep")
        await page.tap("#act button[value=acknowledge]")
        await visit.until("#answer", "The incident is acknowledged by dora.")
        assert not await covered(visit, "#answer")
        await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})

        await stage.step()
        await visit.until("#head div:has(> dt:text-is('Acknowledged by'))", "dora, ")
        await expect(page.locator("#to-act")).to_have_count(0)
        await visit.until("#timeline", "on it")
        assert await visit.wide() == 0
        assert await visit.findings() == []


async def test_a_wrong_token_is_said_where_the_keyboard_leaves_it_to_be_read(
    browser: Browser, stage: Stage
) -> None:
    await scenes.mixed(stage)
    (first, *_) = await stage.incidents.unresolved()

    size = (ABOVE_THE_KEYBOARD["width"], ABOVE_THE_KEYBOARD["height"])
    async with visiting(browser, stage.base, size=size, touch=True) as visit:
        await visit.go(f"/incidents/{first.id}")
        await visit.page.fill("#by", "dora")
        await visit.page.fill("#token", "wrong")
        await visit.page.keyboard.press("Enter")
        await visit.until("#answer", "Not done: the admin token is wrong.")
        assert not await covered(visit, "#answer")
        visit.complaints = [one for one in visit.complaints if "401" not in one]


async def test_why_nobody_was_told_is_read_whole(browser: Browser, stage: Stage) -> None:
    await scenes.mixed(stage)
    waiting = next(one for one in await stage.incidents.unresolved() if one.severity == "critical")
    why = "nobody: no notify is set that takes it; add one to the configuration, then try"

    async with visiting(browser, stage.base, size=PHONE, touch=True) as visit:
        await visit.go(f"/incidents/{waiting.id}")
        told = visit.page.locator(".answers > div", has_text="Notified").locator("dd")
        await told.evaluate("(one, text) => { one.textContent = text; }", f"{why} this command")

        assert await told.evaluate("(one) => one.scrollHeight - one.clientHeight") <= 1
        assert await visit.wide() == 0


async def test_a_reason_is_one_line_of_the_recent_probes(browser: Browser, stage: Stage) -> None:
    await scenes.mixed(stage)
    stage.saw("stripe", Reason.QUOTA_EXHAUSTED)
    stage.saw("stripe", Reason.TIMEOUT, verdict=Verdict.NETWORK)

    async with visiting(browser, stage.base, size=PHONE, touch=True) as visit:
        await visit.go("/services/stripe")
        lines = await visit.page.locator("#recent code").evaluate_all(
            "all => all.map((one) => one.getClientRects().length)"
        )

        assert set(lines) == {1}
        assert "on our side" in await visit.text("#recent tbody tr:first-child")
        assert await visit.wide() == 0
