"""The public page: what outsiders learn, and what they never do."""

from __future__ import annotations

import pytest

from exporter.model import Reason, Verdict
from exporter.public.bars import DAY_SECONDS, DAYS, bars
from exporter.public.outsiders import MOST_SERVICES
from tests.page.reading import read
from tests.page.scenes import TROUBLE
from tests.public.stage import DAY, NOW, Outside, outside, service, window


async def states(stage: Outside) -> dict[str, str]:
    """Return by name the state that the page shows."""
    found = read(await stage.page()).all("li")
    cards = [one for one in found if "service" in one.attributes.get("class", "").split()]
    return {
        card.one("bdi").text: next(
            p.text for p in card.all("p") if "state" in p.attributes["class"].split()
        )
        for card in cards
    }


async def test_every_state_is_a_word_for_outsiders(stage: Outside) -> None:
    names = ("works", "down", "refused", "planned", "silent", "off", "offline")
    more = {"planned": {"maintenance": [window(NOW - 60, NOW + 3600)]}, "off": {"enabled": False}}
    stage.add(*(service(name, **more.get(name, {})) for name in names))
    for name in ("works", "down", "refused", "planned", "off", "offline"):
        stage.saw(name)
    stage.fails("down", Reason.TIMEOUT)
    stage.fails("refused", Reason.AUTH_INVALID)
    stage.fails("planned")
    stage.saw("offline", Reason.TIMEOUT, verdict=Verdict.NETWORK)

    assert await states(stage) == {
        "Works": "Operational",
        "Down": "Outage",
        "Refused": "Degraded",
        "Planned": "Maintenance",
        "Silent": "Unknown",
        "Off": "Not monitored",
        "Offline": "Unknown",
    }


async def test_while_our_network_is_down_the_page_cannot_say_and_blames_nobody(
    stage: Outside,
) -> None:
    names = ("works", "down", "planned", "seen", "off")
    more = {"planned": {"maintenance": [window(NOW - 60, NOW + 3600)]}, "off": {"enabled": False}}
    stage.add(*(service(name, **more.get(name, {})) for name in names))
    for name in names:
        stage.saw(name, ago=120)
    stage.fails("down")
    await stage.clock.advance(60)
    stage.offline_since = stage.clock.now() - 30
    stage.saw("seen", ago=10)

    shown = await states(stage)
    page = read(await stage.page())

    assert shown == {
        "Works": "Unknown",
        "Down": "Unknown",
        "Planned": "Maintenance",
        "Seen": "Operational",
        "Off": "Not monitored",
    }
    assert page.one("h1").text == "State not known at the moment: Down, Works."
    assert "unknown" in page.all("link", rel="icon")[0].attributes["href"]
    assert "Since 08:00 UTC nothing can be checked from here." in page.text
    for blaming in ("network", "canar", "provider", "Outage", "fail "):
        assert blaming not in page.text

    stage.offline_since = None
    back = await stage.page()
    assert "Outage: Down." in back
    assert "nothing can be checked" not in back


async def test_of_many_that_nobody_sees_the_sentence_gives_the_number(stage: Outside) -> None:
    stage.add(*(service(name) for name in "abcde"))
    for name in "abcde":
        stage.saw(name)
    stage.offline_since = NOW + 1

    page = read(await stage.page())

    assert page.one("h1").text == "The state of all 5 services is not known at the moment."


async def test_a_lost_packet_is_no_outage_and_the_first_success_ends_one(stage: Outside) -> None:
    stage.add(service("a", alerts={"down_after": 2, "critical_after": 5}))
    stage.saw("a")

    seen = []
    for reason in (Reason.TIMEOUT, Reason.TIMEOUT, Reason.OK):
        stage.saw("a", reason)
        seen.append((await states(stage))["A"])

    assert seen == ["Operational", "Outage", "Operational"]


async def test_what_never_worked_is_not_called_operational(stage: Outside) -> None:
    stage.add(service("a"))
    stage.saw("a", Reason.TIMEOUT)

    assert await states(stage) == {"A": "Outage"}


@pytest.mark.parametrize(
    ("failing", "sentence"),
    [
        ((), "All 5 services are operational."),
        (("a",), "Outage: A."),
        (("a", "b", "c", "d"), "Outage: A, B, C and 1 more."),
    ],
)
async def test_the_first_sentence_says_how_it_is(
    stage: Outside, failing: tuple[str, ...], sentence: str
) -> None:
    stage.add(*(service(name) for name in "abcde"))
    for name in "abcde":
        stage.saw(name)
    for name in failing:
        stage.fails(name)

    page = read(await stage.page())

    assert page.one("h1").text == sentence
    assert sentence in page.all("title")[0].text


async def test_all_services_are_shown_until_one_is_chosen_and_a_choice_counts_at_once(
    stage: Outside,
) -> None:
    stage.add(service("a"), service("b"))
    assert set(await states(stage)) == {"A", "B"}

    stage.add(service("b", public=True))

    page = (await stage.ask("/public")).text  # no time has passed
    assert "B" in page
    assert "<bdi>A</bdi>" not in page


async def test_title_logo_and_environments_are_as_the_settings_say() -> None:
    async with outside(title="Example status", logo="EX", environments=True) as stage:
        stage.add(service("a", environment="staging-7"))
        page = read(await stage.page())
        assert (
            page.one("p", **{"class": "logo"}).text,
            page.one("p", **{"class": "title"}).text,
        ) == (
            "EX",
            "Example status",
        )
        assert "staging-7" in page.text
    async with outside() as stage:
        stage.add(service("a", environment="staging-7"))
        assert "staging-7" not in await stage.page()
        assert "Service status" in await stage.page()


async def test_a_page_that_was_not_asked_for_is_not_served() -> None:
    async with outside(on=False) as stage:
        for path in ("/public", "/public/feed.atom", "/public/assets/x"):
            found = await stage.ask(path)
            assert found.status == 404
            assert "--public-page" in found.text


async def test_planned_maintenance_is_announced_without_its_reason(stage: Outside) -> None:
    both = [window(NOW + DAY, NOW + DAY + 3600)]
    stage.add(
        service("a", maintenance=both),
        service("b", maintenance=both),
        service("c", maintenance=[window(NOW - 7200, NOW - 3600)]),
        service("d", maintenance=[window(NOW + 60 * DAY, NOW + 61 * DAY)]),
    )

    section = read(await stage.page()).one("section", **{"aria-labelledby": "h-planned"})

    assert [card.one("h3").text for card in section.all("li")] == ["A, B"]
    assert "16 Jan 08:00 UTC" in section.text
    assert "db-7" not in section.text


def test_ninety_days_are_drawn_with_a_figure_for_each() -> None:
    first = int(NOW // DAY_SECONDS) * DAY_SECONDS - 89 * DAY_SECONDS
    days = {first + n * DAY_SECONDS: (100, 0) for n in range(10, DAYS)}
    days[first + 50 * DAY_SECONDS] = (96, 4)
    days[first + 51 * DAY_SECONDS] = (94, 6)
    days[first - DAY_SECONDS] = (0, 1000)  # before the first that is shown

    drawn = bars(days, NOW)

    assert [(bar.kind, bar.label) for bar in drawn.bars] == [
        ("none", "18 Oct to 27 Oct: no data"),
        ("good", "28 Oct to 6 Dec: 100.00 %"),
        ("some", "7 Dec: 96.00 %"),
        ("bad", "8 Dec: 94.00 %"),
        ("good", "9 Dec to 15 Jan: 100.00 %"),
    ]
    assert sum(bar.path.count("M") for bar in drawn.bars) == DAYS
    assert drawn.percent == "99.87 %"
    assert drawn.label == ("worked 99.87 % of the time in the last 90 days: 2 days with failures")


async def test_the_bars_are_those_of_the_kept_days_and_today_goes_on(stage: Outside) -> None:
    stage.add(service("a"))
    stage.day("a", 3, 50, 50)
    stage.saw("a")
    assert "12 Jan: 50.00 %" in await stage.page()

    stage.day("a", 0, 900, 100)

    page = await stage.page()
    assert "15 Jan: 90.00 %" in page
    assert "12 Jan: 50.00 %" in page


async def test_a_page_is_made_once_for_all_who_ask_within_ten_seconds(stage: Outside) -> None:
    stage.add(service("a"))
    first = await stage.ask("/public")
    stage.saw("a", Reason.TIMEOUT)

    soon = await stage.ask("/public")
    short = await stage.ask("/public", headers={"If-None-Match": first.headers["ETag"]})
    await stage.step(11)
    later = await stage.ask("/public", headers={"If-None-Match": first.headers["ETag"]})

    assert soon.text == first.text
    assert (short.status, short.text) == (304, "")
    assert later.status == 200
    assert "Outage" in later.text


async def test_more_services_than_are_shown_are_counted(stage: Outside) -> None:
    stage.add(*(service(f"s{n:04}") for n in range(MOST_SERVICES + 2)))

    page = await stage.page()

    assert page.count('class="card service"') == MOST_SERVICES
    assert "and 2 more" in page


async def test_a_hostile_name_or_note_is_nothing_but_text(stage: Outside) -> None:
    stage.add(service("a", name=TROUBLE))
    id_ = await stage.fires("ServiceDown", service="a")
    await stage.incidents.note(id_, "ann", TROUBLE, public=True)

    page = await stage.page()

    assert "<script" not in page
    assert "<img" not in page
    assert read(page).all("script") == []


async def test_the_style_sheet_is_its_own_and_kept_for_ever(stage: Outside) -> None:
    page = await stage.ask("/public")
    (link,) = read(page.text).all("link", rel="stylesheet")

    style = await stage.ask(link.attributes["href"])

    assert (style.status, style.type) == (200, "text/css")
    assert "immutable" in style.headers["Cache-Control"]
    assert (await stage.ask("/public/assets/public.0.css")).status == 404
    (icon,) = read(page.text).all("link", rel="icon")
    assert (await stage.ask(icon.attributes["href"])).type == "image/svg+xml"
    assert "style-src 'self'" in page.headers["Content-Security-Policy"]
    assert " style=" not in page.text
