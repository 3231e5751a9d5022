"""Services in groups: headings that count, one line for what is alike, links for the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from exporter.model import Reason, Verdict
from exporter.page.home import GROUPS_PER_PAGE, ROWS_PER_GROUP, ROWS_PER_PAGE
from tests.page import scenes
from tests.page.reading import Element, read
from tests.page.stage import Stage, service, staged


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as made:
        yield made


async def page(stage: Stage, path: str = "/?group=team") -> Element:
    found = await stage.ask(path)
    assert found.status == 200
    return read(found.text)


def lines_of(found: Element) -> list[str]:
    return [one.one("summary").text for one in found.one(id="groups").all("details")]


def rows_of(found: Element) -> list[str]:
    return [row.attributes["id"].removeprefix("row-") for row in found.all("tr", role="row")[1:]]


async def test_a_group_whose_failures_are_alike_is_one_line(stage: Stage) -> None:
    await scenes.teams(stage)

    found = await page(stage)

    assert lines_of(found) == [
        "payments · 10 services, 3 fail all alike: stripe, server error, since 07:57 UTC",
        "search · 3 services, 2 fail 1 provider, 1 key rejected, since 07:50 UTC",
        "growth · 2 services, 1 fails Mailer, key rejected, since 07:55 UTC",
        "data · 1 service, 1 unknown",
        "no team · 2 services, all healthy",
    ]
    groups = found.one(id="groups").all("details")
    assert ["open" in one.attributes for one in groups] == [False, True, False, False, False]
    assert (
        found.one("h1").text
        == "6 of 18 fail: 4 provider (3 of them stripe), 2 keys rejected; 1 unknown."
    )


async def test_a_group_lists_what_fails_and_links_to_the_rest(stage: Stage) -> None:
    await scenes.teams(stage)

    payments = (await page(stage)).one(id="groups").all("details")[0]

    names = [row.attributes["id"] for row in payments.one("tbody").all("tr")]
    assert names == ["row-pay-0", "row-pay-1", "row-pay-2"]
    rest = payments.one("p", **{"class": "small rest"}).one("a")
    assert rest.text == "All 10 services of payments"
    only = await page(stage, rest.attributes["href"])
    assert only.one(id="within").text.startswith("payments · 10 services, 3 fail all alike:")
    assert len(only.one(id="rows").all("tr")) == 10
    assert "hidden" in only.one(id="groups").attributes
    assert only.one(id="groups-again").attributes["href"] == "/?group=team"


async def test_a_small_group_lists_all_and_one_that_works_the_first(stage: Stage) -> None:
    stage.add(*(service(f"s{n:02}", team="many") for n in range(20)))
    stage.add(*(service(f"t{n}", team="few") for n in range(3)))
    for target in list(stage.registry):
        stage.saw(target.id)

    few, many = (await page(stage)).one(id="groups").all("details")

    assert [len(one.one("tbody").all("tr")) for one in (few, many)] == [3, ROWS_PER_GROUP]
    assert "hidden" in few.one("p", **{"class": "small rest"}).attributes


@pytest.mark.parametrize(
    ("by", "lines"),
    [
        ("team", ["no team · 3 services, all healthy"]),
        ("provider", ["custom · 3 services, all healthy"]),
        (
            "environment",
            ["production · 2 services, all healthy", "staging · 1 service, healthy"],
        ),
        ("tag:tier", ["gold · 2 services, all healthy", "no tier · 1 service, healthy"]),
        ("tag:absent", ["no absent · 3 services, all healthy"]),
        ("tag:token", ["no token · 3 services, all healthy"]),
    ],
)
async def test_services_are_grouped_by_what_is_chosen(
    stage: Stage, by: str, lines: list[str]
) -> None:
    stage.add(
        service("a", metadata={"tier": "gold", "token": "Zq8vLw3nXy7bTk5m"}),
        service("b", metadata={"tier": "gold", "owner": "ada"}, environment="staging"),
        service("c"),
    )
    for id_ in "abc":
        stage.saw(id_)

    found = await page(stage, f"/?group={by}")

    assert lines_of(found) == lines
    assert found.one(id="group").one("option", selected="").attributes["value"] == by
    offered = [one.attributes["value"] for one in found.one(id="group").all("option")]
    assert offered[:5] == ["", "team", "provider", "environment", "tag:tier"]
    assert "tag:owner" not in offered


@pytest.mark.parametrize("query", ["group=nonsense", "group=tag:", "group=", "only=payments"])
async def test_without_a_known_group_there_is_one_list(stage: Stage, query: str) -> None:
    await scenes.teams(stage)

    found = await page(stage, f"/?{query}")

    assert "hidden" in found.one(id="groups").attributes
    assert len(found.one(id="rows").all("tr")) == 18


async def test_groups_and_their_choice_are_kept_in_every_link(stage: Stage) -> None:
    await scenes.teams(stage)

    found = await page(stage, "/?group=team&only=payments&q=pay")
    empty = await page(stage, "/?group=team&only=nobody")

    chip = found.one(id="count-healthy").attributes["href"]
    assert chip == "/?q=pay&state=healthy&group=team&only=payments"
    assert found.one(id="count-all").attributes["href"] == "/?group=team"
    assert found.one(id="unfilter").attributes["href"] == "/?group=team"
    assert "None of the 18 services matches" in empty.one(id="empty").text


async def test_a_filter_counts_what_it_leaves(stage: Stage) -> None:
    await scenes.teams(stage)

    found = await page(stage, "/?group=team&state=unhealthy")

    assert [line.partition(" fail")[0] for line in lines_of(found)] == [
        "payments · 3 services, 3",
        "search · 1 service, 1",
    ]
    assert found.one(id="pager").one("span").text.startswith("1 to 2 of 2 groups, 4 services")


@pytest.mark.parametrize(
    ("sort", "first"), [("", "payments"), ("name", "data"), ("since", "payments"), ("slow", "no")]
)
async def test_groups_are_sorted_as_the_list(stage: Stage, sort: str, first: str) -> None:
    await scenes.teams(stage)

    lines = lines_of(await page(stage, f"/?group=team&sort={sort}"))

    assert lines[0].split()[0] == first


async def test_two_providers_are_two_causes_and_our_network_is_one(stage: Stage) -> None:
    stage.add(service("a", team="x"), service("b", team="x"))
    for id_ in "ab":
        stage.saw(id_, Reason.TIMEOUT)
    assert lines_of(await page(stage))[0].startswith("x · 2 services, 2 fail 2 provider")
    for id_ in "ab":
        stage.saw(id_, Reason.INTERCEPTED, verdict=Verdict.NETWORK)
    await stage.step()

    line = lines_of(await page(stage))[0]

    assert line.startswith("x · 2 services, 2 fail all alike: ")


async def test_many_groups_come_in_pages(stage: Stage) -> None:
    stage.add(*(service(f"s{n:03}", team=f"Team {n:03}") for n in range(45)))

    first, last = [await page(stage, f"/?group=team&page={n}") for n in (1, 3)]

    assert [len(lines_of(found)) for found in (first, last)] == [GROUPS_PER_PAGE, 5]
    assert first.one(id="next").attributes["href"] == "/?group=team&page=2"
    assert first.one(id="pager").text.startswith("1 to 20 of 45 groups, 45 services")


async def test_a_thousand_services_in_groups_are_a_page_of_usual_size(stage: Stage) -> None:
    scenes.many(stage)

    grouped = (await stage.ask("/?group=environment")).text
    flat = (await stage.ask("/")).text
    each = (await stage.ask("/?group=tag:n")).text

    assert len(grouped) < len(flat)
    assert len(each) < len(flat)


async def test_what_is_unfolded_at_first_is_no_more_than_a_page(stage: Stage) -> None:
    scenes.many(stage)
    for n, target in enumerate(list(stage.registry)):
        stage.saw(target.id, Reason.TIMEOUT if n % 2 else Reason.DNS)

    found = await page(stage, "/?group=tag:squad")

    shown = found.one(id="groups").all("details")
    unfolded = [one for one in shown if "open" in one.attributes]
    assert len(shown) == GROUPS_PER_PAGE
    assert 1 < len(unfolded) < GROUPS_PER_PAGE
    assert sum(len(one.one("tbody").all("tr")) for one in unfolded) <= ROWS_PER_PAGE


@pytest.mark.parametrize("name", ["\u202eevil", '"><b>x', "a&only=b", "(none)", "x" * 128, "é #?"])
async def test_a_group_may_have_any_name(stage: Stage, name: str) -> None:
    stage.add(*(service(f"s{n:02}", team=name) for n in range(12)))
    stage.add(service("other", team="other"))

    found = await page(stage)
    (link,) = [a for a in found.all("a") if a.text.startswith("All 12 services")]
    only = await page(stage, link.attributes["href"])

    assert "\u202e" not in found.text
    assert len(only.one(id="rows").all("tr")) == 12
