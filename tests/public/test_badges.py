"""Badges: what they say, to whom, and that nothing in them is more than text."""

from __future__ import annotations

from typing import Any

import pytest
from defusedxml.ElementTree import fromstring

from exporter.model import Reason
from exporter.public.badges import UNKNOWN_SERVICE, Badge, state_badge, text_width, uptime_badge
from exporter.public.states import COLOURS, PublicState
from tests.page.scenes import TROUBLE
from tests.public.stage import Outside, outside, service

SVG = "{http://www.w3.org/2000/svg}"
ENDPOINT = {"schemaVersion", "label", "message", "color", "isError", "cacheSeconds"}


def texts_of(svg: str) -> list[str]:
    return [str(element.text) for element in fromstring(svg).iter(f"{SVG}text")]


def contrast_with_white(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 1.05 / (light + 0.05)


async def test_a_badge_says_the_state_as_picture_and_as_data(stage: Outside) -> None:
    stage.add(service("stripe", name="Stripe"))
    stage.saw("stripe")
    stage.fails("stripe", Reason.TIMEOUT)

    picture = await stage.ask("/badge/stripe.svg")
    data = await stage.ask("/badge/stripe.json")

    assert (picture.status, picture.type) == (200, "image/svg+xml")
    assert texts_of(picture.text) == ["Stripe", "outage"]
    assert data.json == {
        "schemaVersion": 1,
        "label": "Stripe",
        "message": "outage",
        "color": COLOURS[PublicState.OUTAGE],
        "isError": False,
        "cacheSeconds": 300,
    }


@pytest.mark.parametrize("failing", [False, True], ids=["worked", "failed"])
async def test_while_our_network_is_down_a_badge_does_not_say_how_it_was(
    stage: Outside, failing: bool
) -> None:
    stage.add(service("a"))
    stage.saw("a")
    if failing:
        stage.fails("a")
    before = (await stage.ask("/badge/a.json")).json["message"]

    stage.offline_since = stage.clock.now() + 1

    found = (await stage.ask("/badge/a.json")).json
    assert before == ("outage" if failing else "operational")
    assert (found["message"], found["color"]) == ("unknown", COLOURS[PublicState.UNKNOWN])
    assert texts_of((await stage.ask("/badge/a.svg")).text) == ["A", "unknown"]


async def test_a_badge_has_a_name_for_those_who_cannot_see_it(stage: Outside) -> None:
    stage.add(service("a", name="A & B"))

    root = fromstring((await stage.ask("/badge/a.svg")).text)

    assert (root.get("role"), root.get("aria-label")) == ("img", "A & B: unknown")
    assert root.find(f"{SVG}title").text == "A & B: unknown"


@pytest.mark.parametrize("name", [TROUBLE, "'\"><script>", "a\u202eb\x9b", "\ufffe", "]]>", "&lt;"])
def test_a_name_is_nothing_but_text(name: str) -> None:
    svg = state_badge(name, PublicState.OPERATIONAL).as_svg()
    root = fromstring(svg)

    kinds = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert kinds == {"svg", "title", "clipPath", "rect", "g", "text"}
    assert not {key for element in root.iter() for key in element.attrib if key.startswith("on")}
    assert "\u202e" not in svg


async def test_uptime_is_of_the_days_that_are_asked_for_and_never_rounded_up(
    stage: Outside,
) -> None:
    stage.add(service("a", name="A"))
    stage.day("a", 0, 99_999, 1)
    stage.day("a", 6, 100)
    stage.day("a", 7, 0, 100_098)

    async def asked(days: str) -> Any:
        return (await stage.ask(f"/badge/a.json?show=uptime{days}")).json

    assert (await asked("&days=1"))["message"] == "99.99 %"
    assert (await asked("&days=7"))["label"] == "A uptime 7d"
    assert (await asked("&days=7"))["message"] == "99.99 %"
    assert (await asked(""))["message"] == "50.00 %"
    assert (await asked(""))["color"] == COLOURS[PublicState.OUTAGE]
    stage.add(service("b"))
    assert (await stage.ask("/badge/b.json?show=uptime")).json["message"] == "no data"


@pytest.mark.parametrize("query", ["show=all", "days=0", "days=31", "show=uptime&days=-1"])
async def test_a_query_that_means_nothing_is_refused(stage: Outside, query: str) -> None:
    stage.add(service("a"))

    for kind in ("svg", "json"):
        assert (await stage.ask(f"/badge/a.{kind}?{query}")).status == 400


async def test_a_service_that_is_not_public_has_the_badge_of_none(stage: Outside) -> None:
    stage.add(service("open", public=True), service("hidden"))

    for show in ("state", "uptime"):
        hidden, none = [
            [await stage.ask(f"/badge/{id_}.{kind}?show={show}") for kind in ("svg", "json")]
            for id_ in ("hidden", "nobody")
        ]
        assert [found.status for found in (*hidden, *none)] == [404] * 4
        assert [found.text for found in hidden] == [found.text for found in none]
        assert texts_of(none[0].text) == ["service", "not found"]
        assert set(none[1].json) == ENDPOINT
        assert none[1].json["isError"] is True
        assert (await stage.ask(f"/badge/open.svg?show={show}")).status == 200


async def test_without_the_public_page_every_service_has_a_badge() -> None:
    async with outside(on=False) as stage:
        stage.add(service("open", public=True), service("hidden"))

        assert [(await stage.ask(f"/badge/{id_}.svg")).status for id_ in ("open", "hidden")] == [
            200,
            200,
        ]


async def test_a_proxy_asks_each_time_and_gets_a_short_answer_until_something_changes(
    stage: Outside,
) -> None:
    stage.add(service("a"))
    stage.saw("a")
    first = await stage.ask("/badge/a.svg")

    again = await stage.ask("/badge/a.svg", headers={"If-None-Match": first.headers["ETag"]})
    stage.fails("a")
    after = await stage.ask("/badge/a.svg", headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"] == "no-cache"
    assert (again.status, again.text) == (304, "")
    assert after.status == 200
    assert "outage" in after.text


@pytest.mark.parametrize("colour", sorted({*COLOURS.values(), "#3f4853"}))
def test_white_text_can_be_read_on_every_colour(colour: str) -> None:
    assert contrast_with_white(colour) >= 5


def test_no_badge_is_empty_or_endless() -> None:
    long = state_badge("x" * 500, PublicState.OFF)
    assert len(long.label) == 60
    assert state_badge("\u200b ".strip(), PublicState.OFF).label
    assert state_badge(" ", PublicState.OFF).label == "service"
    assert uptime_badge("a", 0, 0, 30).message == "no data"
    assert UNKNOWN_SERVICE.as_json()["message"]


def test_a_picture_is_as_wide_as_its_texts() -> None:
    badge = Badge(label="Stripe", message="operational", colour="#000000")
    root = fromstring(badge.as_svg())

    wide = text_width("Stripe") + text_width("operational") + 24
    assert root.get("width") == str(wide)
    assert [text_width(text) for text in ("", "日本", "e\u0301")] == [0, 22, text_width("e")]
