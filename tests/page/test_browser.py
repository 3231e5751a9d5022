"""The page in a real browser: updates, layout, accessibility, and hostile texts."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from playwright.async_api import Browser

from exporter.clock import SystemClock
from exporter.incidents import from_api
from exporter.incidents.model import Source
from exporter.model import Reason
from tests.api.managed import TOKEN, running
from tests.bench.page import costs_of_updates
from tests.incidents.saying import listed
from tests.page import scenes
from tests.page.browser import DESKTOP, PHONE, visiting
from tests.page.stage import NOW, Stage, service, staged
from tests.vendor import Vendor, answer

pytestmark = pytest.mark.slow


async def paths_of(stage: Stage) -> list[str]:
    incident = (await stage.incidents.unresolved())[0]
    return [
        "/",
        "/?group=environment",
        "/services/stripe",
        "/services/sendgrid",
        "/incidents",
        f"/incidents/{incident.id}",
    ]


# -- live --------------------------------------------------------------------------------------


async def test_a_fault_at_the_vendor_appears_on_the_open_page(
    browser: Browser, vendor: Vendor
) -> None:
    vendor.on("/", answer())
    check = {"interval": "1s", "timeout": "1s", "retries": 0, "allow_private_addresses": True}
    config = {
        "services": [
            {
                "id": "pay",
                "name": "Payments",
                "base_url": vendor.url(),
                "health_check": check,
            }
        ]
    }

    async with running(json.dumps(config)) as client:
        await client.probed("pay")
        async with visiting(browser, client.base) as home, visiting(browser, client.base) as detail:
            await home.go()
            await detail.go("/services/pay")
            await home.until("h1", "The one service is healthy.")
            await home.page.evaluate("window.unloaded = true")

            vendor.on("/", answer(503))

            await home.until("h1", "1 of 1 fails: Payments, provider: overloaded since")
            await home.until("#row-pay", "Down")
            await detail.until("#head", "At fault: the provider")
            await detail.until("#failures", "overloaded HTTP 503")
            assert await home.page.title() == "(1) Service registry"
            assert "provider: overloaded" in await home.text("#spoken")
            assert await home.page.evaluate("window.unloaded"), "it was loaded again"

            vendor.on("/", answer())

            await home.until("h1", "The one service is healthy.")


async def test_since_when_is_never_cut_off(browser: Browser, stage: Stage) -> None:
    await scenes.mixed(stage)
    for number, reason in enumerate(Reason):
        stage.add(service(f"s{number}"))
        stage.saw(f"s{number}", reason, ago=7200)
    async with visiting(browser, stage.base, size=DESKTOP) as visit:
        await visit.go()
        cut = await visit.page.evaluate(
            "[...document.querySelectorAll('.c-state .small')].filter((e) =>"
            " e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight)"
            ".map((e) => e.textContent)"
        )

    assert cut == []


async def test_the_worst_moves_up_and_nothing_jumps(browser: Browser, stage: Stage) -> None:
    await scenes.mixed(stage)
    for size in (DESKTOP, PHONE):
        stage.saw("twilio")
        async with visiting(browser, stage.base, size=size) as visit:
            await visit.go()
            await visit.page.wait_for_timeout(200)
            before = await visit.shifts()
            height = await visit.page.evaluate("document.body.scrollHeight")

            stage.saw("twilio", Reason.TIMEOUT, took=10)
            stage.saw("ledger", took=0.0031)
            await stage.incidents.create(severity="high", summary="Twilio is down", by="ann")
            await stage.step()
            await visit.until("#row-twilio", "Down")
            await visit.until("#incidents", "Twilio is down")

            order = await visit.page.locator("#rows tr").evaluate_all("a => a.map(r => r.id)")
            assert order.index("row-twilio") < order.index("row-openai")
            assert await visit.shifts() == before
            if size == DESKTOP:
                assert await visit.page.evaluate("document.body.scrollHeight") == height


async def test_a_failing_service_does_not_make_its_own_page_jump(
    browser: Browser, stage: Stage
) -> None:
    await scenes.mixed(stage)

    async with visiting(browser, stage.base) as visit:
        await visit.go("/services/ledger")
        await visit.page.wait_for_timeout(200)
        before = await visit.shifts()
        stage.saw("ledger", Reason.SERVER_ERROR, status=503, took=1.2, detail="what was seen")
        await stage.step()
        await visit.until("#head", "Down")
        await visit.until("#failures", "what was seen")

        assert await visit.shifts() == before


async def test_the_list_stands_still_under_the_pointer(browser: Browser, stage: Stage) -> None:
    await scenes.mixed(stage)

    async with visiting(browser, stage.base) as visit:
        await visit.go()
        await visit.page.hover("#row-twilio")
        stage.saw("twilio", Reason.TIMEOUT)
        await stage.step()
        await visit.until("#row-twilio", "Down")

        order = await visit.page.locator("#rows tr").evaluate_all("a => a.map(r => r.id)")

        assert order.index("row-twilio") > order.index("row-openai")


async def test_the_focus_stays_where_it_is(browser: Browser, stage: Stage) -> None:
    await scenes.mixed(stage)

    async with visiting(browser, stage.base) as visit:
        await visit.go()
        await visit.page.focus("#incidents a")
        focused = await visit.page.evaluate("document.activeElement.id")
        await stage.incidents.create(severity="low", summary="one more", by="ann")
        await stage.step()
        await visit.until("#incidents", "one more")

        assert await visit.page.evaluate("document.activeElement.id") == focused


async def test_what_was_opened_by_keyboard_stays_open(browser: Browser, stage: Stage) -> None:
    stage.add(service("stripe"))
    cause = listed(NOW, alertname="MonitoringNetworkDown", service="", provider="", team="")
    held = listed(NOW, service="stripe", by="inhibited", held_by=cause["fingerprint"])
    await stage.incidents.fold(from_api([cause, held]), Source.POLL, NOW)

    async with visiting(browser, stage.base) as visit:
        for path, region in (("/", "#incidents"), ("/incidents", "#listing")):
            await visit.go(path)
            await visit.page.focus(f"{region} summary")
            await visit.page.keyboard.press("Enter")
            await stage.incidents.create(severity="low", summary=f"more of {path}", by="ann")
            await stage.step()
            await visit.until(region, f"more of {path}")

            assert await visit.page.evaluate(f"document.querySelector('{region} details').open")
            assert (await visit.page.evaluate("document.activeElement.id")).startswith("open-")


async def test_an_answer_that_is_read_stays_until_it_is_closed(
    browser: Browser, stage: Stage
) -> None:
    stage.add(service("a"))
    for second in range(3):
        stage.saw("a", Reason.OVERLOADED, ago=60 - second, status=503, request_id=f"req-{second}")
    read = f"#failure-{(NOW - 60) * 1000:.0f}"

    async with visiting(browser, stage.base) as visit:
        await visit.go("/services/a")
        await visit.page.click(f"{read} summary")
        stage.saw("a", Reason.OVERLOADED, ago=50, request_id="req-next")
        await stage.step()
        await visit.until("#failures", "req-next")
        opened = await visit.page.evaluate("[...document.querySelectorAll('details[open]')].length")
        for second in range(10):
            stage.saw("a", Reason.OVERLOADED, ago=30 - second, request_id=f"req-later-{second}")
        await stage.step()
        await visit.until("#recent", "overloaded")
        await visit.page.wait_for_selector("#failures[data-held]")
        kept = await visit.page.evaluate(f"document.querySelector('{read}').open")
        await visit.page.click(f"{read} summary")
        await visit.until("#failures", "req-later-9")

        assert (opened, kept) == (1, True)
        assert await visit.page.locator(read).count() == 0
        assert await visit.page.locator("#failures[data-held]").count() == 0


async def test_an_answer_that_is_copied_from_stays_unfolded(browser: Browser, stage: Stage) -> None:
    stage.add(service("a"))
    stage.saw("a", Reason.OVERLOADED, ago=60, status=503, request_id="req-0")
    copied = "getSelection().selectAllChildren(document.querySelector('#failures dl code'))"

    async with visiting(browser, stage.base) as visit:
        await visit.go("/services/a")
        await visit.page.click("#failures summary")
        await visit.page.evaluate(copied)
        stage.saw("a", Reason.OVERLOADED, ago=50, request_id="req-next")
        await stage.step()
        await visit.until("#recent", "overloaded")
        await visit.page.evaluate("getSelection().empty()")
        await visit.until("#failures", "req-next")

        assert await visit.page.locator("#failures details[open]").count() == 1


async def test_a_lost_connection_is_shown_and_comes_back(browser: Browser, stage: Stage) -> None:
    stage.add(service("a"))
    stage.saw("a")

    async with visiting(browser, stage.base) as visit:
        await visit.go()
        await visit.page.context.set_offline(True)
        stage.live._end_streams()
        await visit.page.wait_for_selector("#line[data-line=lost]")
        assert re.match(r"Old: no connection since \d\d:\d\d:\d\d UTC", await visit.text("#line"))
        assert "What you see is old" in await visit.text("#spoken")
        assert await visit.page.evaluate("document.body.classList.contains('old')")

        stage.saw("a", Reason.DNS)
        await visit.page.context.set_offline(False)
        await visit.page.wait_for_selector("#line[data-line=live]", timeout=20_000)
        await visit.until("#row-a", "Down")
        visit.complaints = [c for c in visit.complaints if "ERR_INTERNET_DISCONNECTED" not in c]


async def test_the_first_service_replaces_the_instructions(browser: Browser, stage: Stage) -> None:
    async with visiting(browser, stage.base) as visit:
        await visit.go()
        assert "Add the first service" in await visit.text("#empty")
        stage.add(service("a"))
        await stage.step()
        await visit.until("#row-a", "no result yet")

        assert await visit.page.is_visible("#services")
        assert not await visit.page.is_visible("#empty")


async def test_ages_are_relative_to_the_server_s_clock(browser: Browser, stage: Stage) -> None:
    stage.add(service("a"))
    stage.saw("a", ago=7300)

    async with visiting(browser, stage.base) as visit:
        await visit.go()
        time = visit.page.locator("#row-a time")

        assert await time.get_attribute("data-ago") == "2 h ago"
        assert await time.get_attribute("datetime") == "2027-01-15T05:58:20Z"


# -- people ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_axe_finds_nothing_and_nothing_is_too_wide(
    browser: Browser, stage: Stage, scheme: str, size: tuple[int, int]
) -> None:
    await scenes.mixed(stage)
    stage.add(service("long", name="W" * 128, environment="x" * 100, team="y" * 128))

    async with visiting(browser, stage.base, scheme=scheme, size=size) as visit:
        for path in (*await paths_of(stage), "/?q=nothing+fits", "/services/long"):
            await visit.go(path)
            await visit.unfold()
            assert await visit.findings() == [], path
            assert await visit.wide() == 0, path
        await visit.go("/services/nobody", live=False)
        assert await visit.findings() == []
        visit.complaints = [c for c in visit.complaints if "404" not in c]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_without_a_service(
    browser: Browser, stage: Stage, scheme: str
) -> None:
    async with visiting(browser, stage.base, scheme=scheme) as visit:
        for path in ("/", "/incidents"):
            await visit.go(path)
            assert await visit.findings() == []


async def test_an_incident_is_acknowledged_with_the_keyboard_alone(
    browser: Browser, stage: Stage
) -> None:
    await scenes.mixed(stage)
    waiting = next(i for i in await stage.incidents.unresolved() if not i.acknowledged_at)

    async with visiting(browser, stage.base) as visit:
        await visit.go("/incidents?status=open")
        keyboard = visit.page.keyboard
        await keyboard.press("Tab")
        assert await visit.page.evaluate("document.activeElement.textContent") == (
            "Skip to the content"
        )
        await keyboard.press("Enter")
        for _ in range(20):
            await keyboard.press("Tab")
            if await visit.page.evaluate("document.activeElement.id") == f"incident-{waiting.id}":
                break
        await keyboard.press("Enter")
        await visit.page.wait_for_selector("#act")
        for _ in range(20):
            await keyboard.press("Tab")
            if await visit.page.evaluate("document.activeElement.id") == "by":
                break
        await keyboard.type("dora")
        await keyboard.press("Tab")
        await keyboard.type("on it")
        await keyboard.press("Tab")
        await keyboard.type(TOKEN)
        await keyboard.press("Tab")
        await keyboard.press("Tab")
        await keyboard.press("Enter")
        await visit.until("#answer", "The incident is acknowledged by dora.")
        await stage.step()
        await visit.until("#head", "dora")
        await visit.until("#timeline", "on it")
        html, kept = (
            await visit.page.content(),
            await visit.page.evaluate(
                "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
            ),
        )

    taken = await stage.incidents.get(waiting.id)
    assert taken.acknowledged_by == "dora"
    assert TOKEN not in html
    assert TOKEN not in kept


async def test_a_note_is_added_and_the_token_kept_for_the_tab_only_if_wanted(
    browser: Browser, stage: Stage
) -> None:
    await scenes.mixed(stage)
    incident = (await stage.incidents.unresolved())[0]

    async with visiting(browser, stage.base) as visit:
        await visit.go(f"/incidents/{incident.id}")
        await visit.page.fill("#by", "dora")
        await visit.page.fill("#token", "wrong")
        await visit.page.click("button[value=note]")
        await visit.until("#answer", "Write the note first.")
        await visit.page.fill("#note", scenes.TROUBLE)
        await visit.page.click("button[value=note]")
        await visit.until("#answer", "Not done: the admin token is wrong.")
        await visit.page.fill("#token", TOKEN)
        await visit.page.check("#keep")
        await visit.page.click("button[value=note]")
        await visit.until("#answer", "The note is saved.")
        await stage.step()
        await visit.until("#timeline", "<script>")
        await visit.go(f"/incidents/{incident.id}")
        assert await visit.page.input_value("#token") == TOKEN
        assert TOKEN not in await visit.page.content()
        assert not await visit.page.evaluate("localStorage.length || document.cookie")
        visit.complaints = [c for c in visit.complaints if "401" not in c]


async def test_a_search_filters_while_it_is_typed(browser: Browser) -> None:
    async with staged(SystemClock()) as stage:
        scenes.many(stage)
        async with visiting(browser, stage.base) as visit:
            await visit.go("/?page=3")
            await visit.page.fill("#q", "0042")
            await visit.until("#pager", "1 to 1 of 1")
            rows = await visit.page.locator("#rows tr").evaluate_all("a => a.map(r => r.id)")
            assert rows == ["row-svc-0042"]
            assert visit.page.url.endswith("/?q=0042")
            assert "1 to 1 of 1" in await visit.text("#spoken")
            await visit.page.fill("#q", "nothing like it")
            await visit.until("#empty", "No service matches")
            assert not await visit.page.is_visible("#services")
            await visit.page.fill("#q", "")
            await visit.page.select_option("#environment", "staging")
            await visit.until("#pager", "1 to 50 of 500")
            assert await visit.page.locator("#rows tr").count() == 50


async def test_everything_can_be_read_without_javascript(browser: Browser, stage: Stage) -> None:
    await scenes.mixed(stage)
    scenes.many(stage, 120)

    async with visiting(browser, stage.base, script=False) as visit:
        await visit.go(live=False)
        assert "4 of 132 fail: 3 provider, 1 key rejected" in await visit.text("h1")
        assert "load it again" in await visit.text("main > noscript")
        await visit.page.click("#next")
        assert "51 to 100 of" in await visit.text("#pager")
        await visit.page.fill("#q", "stripe")
        await visit.page.click("#filter button")
        await visit.page.click("#link-stripe")
        assert "At fault: the provider" in await visit.text("#head")
        await visit.page.click("#history a")
        assert "service-registry incidents ack" in await visit.text("aside")
        assert not await visit.page.is_visible("#act")


# -- hostile -----------------------------------------------------------------------------------


async def test_hostile_names_and_answers_run_nothing_and_stay_text(
    browser: Browser, vendor: Vendor
) -> None:
    vendor.on("/", answer(200, f"<script>alert(3)</script>{scenes.TROUBLE}"))
    check = {
        "interval": "1s",
        "timeout": "1s",
        "retries": 0,
        "allow_private_addresses": True,
        "assertions": [{"body": True, "matches": "<b onclick=alert.5.>"}],
    }
    config = {
        "services": [
            {
                "id": "evil",
                "name": scenes.TROUBLE,
                "environment": '" onfocus=alert(4) autofocus x="',
                "team": "\u202eevil",
                "base_url": vendor.url(),
                "health_check": check,
            }
        ]
    }

    async with running(json.dumps(config)) as client:
        await client.probed("evil")
        await client.app.incidents.create(severity="high", summary=scenes.TROUBLE, by="<b>x")
        for size in (DESKTOP, PHONE):
            async with visiting(browser, client.base, size=size) as visit:
                for path in ("/", "/services/evil", "/incidents", "/?q=%3Cscript%3Ealert(1)"):
                    await visit.go(path)
                    assert await visit.wide() == 0
                    assert await visit.page.locator("script:not([src^='/assets/'])").count() == 0
                    assert await visit.page.locator("img, iframe").count() == 0
                await visit.go()
                await client.app.incidents.create(severity="low", summary="y" * 900, by="z" * 99)
                await visit.until("#incidents", "yyyy")
                assert scenes.TROUBLE in await visit.text("#row-evil .c-name a")
                assert await visit.wide() == 0


async def test_a_thousand_services_open_in_a_moment(browser: Browser) -> None:
    async with staged(SystemClock()) as stage:
        scenes.many(stage)
        scale: list[float] = []
        for path in ("/?q=svc-0001", "/", "/?group=tag:squad"):
            async with visiting(browser, stage.base) as visit:
                await visit.go(path)
                timing = await visit.page.evaluate(
                    "performance.getEntriesByType('navigation')[0].domComplete"
                )
                scale.append(float(timing))
                assert await visit.page.locator("#services tr:visible").count() <= 50 + 1
                assert await visit.page.locator("#groups tr:visible").count() <= 50 + 20
        await asyncio.sleep(0)

    assert max(scale) < 10 * scale[0] + 300


async def test_an_update_of_fifty_rows_is_not_laid_out_row_by_row(
    browser: Browser, stage: Stage
) -> None:
    scenes.many(stage, 60)

    async with visiting(browser, stage.base) as visit:
        await visit.go()
        session = await visit.page.context.new_cdp_session(visit.page)
        await session.send("Performance.enable")
        counts = []
        for reason in (Reason.OK, Reason.TIMEOUT):
            for target in list(stage.registry):
                stage.saw(target.id, reason)
            await stage.step()
            await visit.until("h1", "All 60" if reason is Reason.OK else "60 of 60 fail")
            metrics = (await session.send("Performance.getMetrics"))["metrics"]
            counts.append(next(one["value"] for one in metrics if one["name"] == "LayoutCount"))

    assert counts[1] - counts[0] < 10


async def test_an_update_costs_no_more_with_a_thousand_services(browser: Browser) -> None:
    costs = []
    for number in (60, 1000):
        async with staged(SystemClock()) as stage:
            scenes.many(stage, number)
            costs.append(min(await costs_of_updates(browser, stage, "/", times=2)))

    assert costs[1] < 3 * costs[0]
