"""Models, what is switched off, evidence and reports: by axe, larger, and by keyboard alone."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Route

from exporter.model import Certificate, Reason
from exporter.reports import FORMATS
from tests.page.browser import DESKTOP, PHONE, Visit, visiting
from tests.page.stage import NOW, Stage, service
from tests.page.test_accessibility import FOUR_TIMES, REACHABLE, TWICE_AS_LARGE, walked
from tests.page.test_cautions import USED
from tests.page.test_evidence import KEPT
from tests.page.test_models import with_models
from tests.reports.hostile import report

pytestmark = pytest.mark.slow
PATHS = ("/", "/services/zeta", "/services/ends", "/services/fails", "/report")
REPORT = FORMATS["html"].render([report("An event with a name that does not end, " * 8)])


def parts(stage: Stage) -> None:
    """Three services: with models, with models that are switched off, with evidence."""
    stage.add(
        with_models("gpt-x", "gpt-y", "a-name-of-a-model-that-is-longer-than-a-phone-is-wide" * 2),
        service("ends", **USED),
        service("fails"),
    )
    for id_ in ("zeta", "ends"):
        stage.saw(id_)
    for ago in (1800, 900):
        stage.asked("zeta", "gpt-x", ago=ago)
        stage.asked("zeta", "gpt-y", Reason.TIMEOUT, ago=ago, first=None, detail="nothing for 60 s")
    seen = Certificate(expiry=NOW + 9e6, subject=f"CN={'a' * 60}.example", issuer="CN=R3")
    for ago in (120, 60):
        stage.saw(
            "fails",
            Reason.OVERLOADED,
            ago=ago,
            status=503,
            request_id=f"req-{'0123456789' * 6}-{ago}",
            address="192.0.2.7",
            certificate=seen,
            evidence=KEPT,
        )


async def opened(visit: Visit, path: str) -> None:
    """Open *path*, the report in place of the route that would make one, with nothing folded."""

    async def answer(route: Route) -> None:
        await route.fulfill(body=REPORT, content_type="text/html; charset=utf-8")

    await visit.page.route(visit.base + "/report", answer)
    await visit.go(path, live=path != "/report")
    await visit.unfold()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_axe_finds_nothing_in_what_came_last(
    browser: Browser, stage: Stage, scheme: str, size: tuple[int, int]
) -> None:
    parts(stage)

    async with visiting(browser, stage.base, scheme=scheme, size=size) as visit:
        for path in PATHS:
            await opened(visit, path)
            assert await visit.findings() == [], path
            assert await visit.wide() == 0, path


@pytest.mark.parametrize("size", [TWICE_AS_LARGE, FOUR_TIMES], ids=["200 %", "400 %"])
async def test_what_came_last_needs_no_scrolling_sideways_when_larger(
    browser: Browser, stage: Stage, size: tuple[int, int]
) -> None:
    parts(stage)

    async with visiting(browser, stage.base, size=size) as visit:
        for path in PATHS:
            await opened(visit, path)
            assert await visit.wide() == 0, path


async def test_tab_reaches_models_evidence_and_the_tables_of_a_report(
    browser: Browser, stage: Stage
) -> None:
    parts(stage)

    async with visiting(browser, stage.base) as visit:
        for path in PATHS[1:]:
            await opened(visit, path)
            wanted = await visit.page.evaluate(REACHABLE)
            there = await walked(visit, "Tab", len(wanted))

            assert [one["name"] for one in there] == wanted, path
            assert [one["name"] for one in there if not one["marked"]] == [], path
            assert [one["name"] for one in there if not one["seen"]] == [], path


async def test_the_answers_at_the_top_leave_no_block_of_another_colour(
    browser: Browser, stage: Stage
) -> None:
    parts(stage)
    ground = "getComputedStyle(document.querySelector('%s')).backgroundColor"

    async with visiting(browser, stage.base) as visit:
        await visit.go("/services/fails")  # five answers in rows of four
        colours = [
            await visit.page.evaluate(ground % where) for where in (".answers", "#facts.panel")
        ]

    assert colours[0] == colours[1]


async def test_the_head_of_a_phone_is_two_lines(browser: Browser, stage: Stage) -> None:
    parts(stage)
    tops = "['nav a', '#theme'].map(e => document.querySelector('.top ' + e))"
    middle = ".map(e => e.getBoundingClientRect()).map(b => (b.top + b.bottom) / 2)"

    async with visiting(browser, stage.base, size=(390, 844)) as visit:
        await visit.go()
        links, theme = await visit.page.evaluate(tops + middle)

    assert abs(links - theme) < 8
