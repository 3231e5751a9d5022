"""What people do with the page, in a real browser: look, search, read times, choose, probe."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Browser, Route, expect

from exporter.model import Reason, Verdict
from tests.api.managed import TOKEN, running
from tests.page import scenes
from tests.page.browser import Visit, visiting
from tests.page.stage import NOW, Stage, service
from tests.patience import patient
from tests.vendor import Vendor, answer

pytestmark = pytest.mark.slow
WIDE, PHONE = (1300, 900), (390, 664)
"""A laptop, and what a phone of 390 by 844 leaves between its bars."""

LONG_HOST = f"{'gateway-' * 7}eu.example.com"


async def bottom_of(visit: Visit, selector: str) -> float:
    script = f"document.querySelector('{selector}').getBoundingClientRect().bottom"
    return float(await visit.page.evaluate(script))


async def nobody_looks(stage: Stage) -> None:
    """Return once every stream is closed."""
    async with patient(10):
        while stage.live.viewers:
            await stage.step()
            await asyncio.sleep(0.01)


async def test_twenty_services_fit_on_a_screen_and_the_first_on_a_phone(
    browser: Browser, stage: Stage
) -> None:
    await scenes.mixed(stage)
    scenes.many(stage, 300)

    async with visiting(browser, stage.base, size=WIDE) as visit:
        await visit.go()
        assert await bottom_of(visit, "#rows tr:nth-child(20)") <= WIDE[1]
    async with visiting(browser, stage.base, size=PHONE) as visit:
        await visit.go()
        assert await bottom_of(visit, "#rows tr") <= PHONE[1]


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
async def test_the_headline_is_never_cut(
    browser: Browser, stage: Stage, size: tuple[int, int]
) -> None:
    for number, reason in enumerate((*Reason, *Reason)):
        stage.add(service(f"s{number}", api_key="k" * 20, base_url=f"https://{LONG_HOST}"))
        stage.saw(f"s{number}", reason)
    scenes.many(stage, 300)

    async with visiting(browser, stage.base, size=size) as visit:
        await visit.go()
        text = await visit.text("h1")
        shape = await visit.page.evaluate(
            "(e => [e.scrollWidth - e.clientWidth, e.scrollHeight - e.clientHeight])"
            "(document.querySelector('h1'))"
        )

    shown = re.escape(LONG_HOST[:39])
    pattern = rf"\d+ of \d+ fail: \d+ provider \(\d+ of them {shown}…\), 6 keys rejected, 6 access"
    assert re.match(pattern, text)
    assert shape == [0, 0]


async def test_title_and_icon_follow_without_a_reload(browser: Browser, stage: Stage) -> None:
    stage.add(service("a"), service("b"))
    stage.saw("a")
    stage.saw("b")

    async with visiting(browser, stage.base) as visit:
        await visit.go()
        await visit.page.evaluate("window.unloaded = true")
        offline = ("(network down) Service registry", "icon-network")
        for offline_since, reason, verdict, (title, icon) in (
            (None, Reason.OK, None, ("Service registry", "icon")),
            (None, Reason.TIMEOUT, None, ("(1) Service registry", "icon-down")),
            (NOW, Reason.TIMEOUT, None, offline),
            (NOW, Reason.TIMEOUT, Verdict.NETWORK, offline),
            (None, Reason.OK, None, ("Service registry", "icon")),
        ):
            stage.offline_since = offline_since
            stage.saw("a", reason, verdict=verdict)
            await stage.step(2)
            await expect(visit.page).to_have_title(title)
            icon_of_tab = visit.page.locator("#icon")
            await expect(icon_of_tab).to_have_attribute("href", re.compile(rf"/assets/{icon}\."))
        assert await visit.page.evaluate("window.unloaded")


async def test_a_hidden_page_takes_a_look_now_and_then(browser: Browser, stage: Stage) -> None:
    stage.add(service("a"))
    stage.saw("a")

    async with visiting(browser, stage.base) as visit:
        await visit.page.clock.install()
        await visit.go()
        await visit.page.evaluate(
            "Object.defineProperty(document, 'hidden', {get: () => true});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        stage.saw("a", Reason.TIMEOUT)
        await nobody_looks(stage)
        assert await visit.page.title() == "Service registry"
        await visit.page.clock.fast_forward(31_000)
        await expect(visit.page).to_have_title("(1) Service registry")
        await nobody_looks(stage)


async def test_the_keyboard_is_soon_at_the_search_and_at_the_first_service(
    browser: Browser, stage: Stage
) -> None:
    await scenes.mixed(stage)

    async with visiting(browser, stage.base) as visit:
        await visit.go()
        keyboard = visit.page.keyboard
        for key in ("Tab", "Enter", "Tab"):
            await keyboard.press(key)
        assert await visit.page.evaluate("document.activeElement.id") == "link-stripe"
        await keyboard.press("/")
        assert await visit.page.evaluate("document.activeElement.id") == "q"
        await keyboard.type("a/b")
        assert await visit.page.input_value("#q") == "a/b"


async def test_times_show_the_reader_s_clock_beside_utc(browser: Browser, stage: Stage) -> None:
    stage.add(service("a"))
    stage.saw("a", Reason.TIMEOUT, ago=600)

    for zone, here, hint in (
        ("Europe/Berlin", "08:50", "Fri, 15 Jan 2027, 08:50 CET"),
        ("Asia/Kathmandu", "13:35", "Fri, 15 Jan 2027, 13:35"),
        ("UTC", None, "Fri, 15 Jan 2027, 07:50 UTC"),
        ("Pacific/Honolulu", "14 Jan, 21:50", "Thu, 14 Jan 2027, 21:50"),
    ):
        async with visiting(browser, stage.base, zone=zone) as visit:
            await visit.go("/services/a")
            time = visit.page.locator(".verdict time")
            assert await time.inner_text() == "07:50 UTC"
            assert await time.get_attribute("data-here") == here
            assert (await time.get_attribute("title") or "").startswith(hint)
            assert ("UTC (" in await visit.text("#line")) is bool(here)


async def test_a_theme_is_chosen_and_kept(browser: Browser, stage: Stage) -> None:
    stage.add(service("a"))
    ground = "getComputedStyle(document.body).backgroundColor"

    async with visiting(browser, stage.base, scheme="dark") as visit:
        await visit.go()
        dark = await visit.page.evaluate(ground)
        await visit.page.click("#theme")
        assert await visit.text("#theme") == "Theme: light"
        light = await visit.page.evaluate(ground)
        await visit.go("/incidents")
        assert await visit.text("#theme") == "Theme: light"
        assert await visit.page.evaluate(ground) == light != dark
        await visit.page.emulate_media(color_scheme="light")
        await visit.page.click("#theme")
        assert await visit.text("#theme") == "Theme: dark"
        assert await visit.page.evaluate(ground) == dark
        await visit.page.click("#theme")
        assert await visit.page.evaluate(ground) == light
        assert await visit.findings() == []


ANSWERS = {
    401: '{"title": "a valid admin token is needed"}',
    403: '{"title": "changes are off", "detail": "start with --admin-token-file FILE"}',
    409: '{"title": "it is resolved"}',
    502: "<h1>Bad gateway</h1>",
    200: "<h1>Log in</h1>",
}


def answering(status: int) -> Callable[[Route], Awaitable[None]]:
    """Return what answers with *status*; 0 ends the connection without an answer."""

    async def respond(route: Route) -> None:
        if not status:
            return await route.abort()
        challenge = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        return await route.fulfill(status=status, headers=challenge, body=ANSWERS[status])

    return respond


async def test_why_nothing_was_done_is_said(browser: Browser, stage: Stage) -> None:
    await scenes.mixed(stage)
    incident = (await stage.incidents.unresolved())[0]
    async with visiting(browser, stage.base) as visit:
        for path, button in ((f"/incidents/{incident.id}", "#act"), ("/services/stripe", "#probe")):
            await visit.go(path)
            if button == "#act":
                await visit.page.fill("#by", "dora")
            for status, said in (
                (401, "Not done: the admin token is wrong."),
                (403, "Not done: no token would help, changes are off: start with"),
                (409, "Not done: it is resolved."),
                (502, "Not done: a proxy before the exporter answers HTTP 502."),
                (200, "Not done: a proxy before the exporter answers HTTP 200."),
                (0, "The exporter does not answer: it is not known whether this was done."),
            ):
                await visit.page.fill("#token", TOKEN)
                assert await visit.page.get_attribute("#token", "aria-invalid") is None
                await visit.page.route(re.compile(r"/(acknowledge|test)$"), answering(status))
                await visit.page.click(f"{button} button >> nth=0")
                await visit.until("#answer", said)
                wrong = await visit.page.get_attribute("#token", "aria-invalid")
                assert wrong == ("true" if status == 401 else None)
                await visit.page.unroute_all()
            await visit.page.fill("#token", "ключ")
            await visit.page.keyboard.press("Enter")
            await visit.until(
                "#answer", "the admin token is wrong: it has characters that no token"
            )
            assert await visit.page.evaluate("document.activeElement.id") == "token"
        visit.complaints = [c for c in visit.complaints if "Failed to load resource" not in c]

    assert (await stage.incidents.get(incident.id)).timeline == incident.timeline


async def test_a_service_is_probed_now_with_the_admin_token_only(
    browser: Browser, vendor: Vendor
) -> None:
    vendor.on("/", answer(503))
    check = {"interval": "1h", "timeout": "1s", "retries": 0, "allow_private_addresses": True}
    config = {"services": [{"id": "pay", "base_url": vendor.url(), "health_check": check}]}

    async with running(json.dumps(config)) as client:
        await client.probed("pay")
        async with visiting(browser, client.base) as visit:
            await visit.go("/services/pay")
            seen = len(vendor.seen)
            await visit.page.fill("#token", "wrong")
            await visit.page.click("#probe button")
            await visit.until("#answer", "Not done: the admin token is wrong.")
            assert len(vendor.seen) == seen
            await visit.page.fill("#token", TOKEN)
            await visit.page.click("#probe button")
            await visit.until("#answer", "It fails: overloaded")
            assert "At fault: the provider. What to do: wait" in await visit.text("#answer")
            vendor.on("/", answer())
            await visit.page.click("#probe button")
            await visit.until("#answer", "It works: HTTP 200 after ")
            assert len(vendor.seen) == seen + 2
            assert TOKEN not in await visit.page.content()
            assert await visit.findings() == []
            visit.complaints = [c for c in visit.complaints if "401" not in c]


async def test_since_when_an_incident_is_open_is_said_on_one_line(
    browser: Browser, stage: Stage
) -> None:
    await scenes.mixed(stage)
    await stage.step(200)
    script = """() => [...document.querySelectorAll("#side .since")].map((one) => {
      const range = document.createRange();
      range.selectNodeContents(one);
      return new Set([...range.getClientRects()].map((r) => Math.round(r.bottom))).size;
    })"""

    for size in ((1920, 1080), WIDE, (390, 844)):
        async with visiting(browser, stage.base, size=size) as visit:
            await visit.go()
            lines = await visit.page.evaluate(script)
            assert lines == [1, 1], size
