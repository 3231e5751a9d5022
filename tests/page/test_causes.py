"""One cause is one row: what it holds back is under it, on every page that lists incidents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from exporter.incidents import folded, from_api
from exporter.incidents.model import Incident, Source
from exporter.page import incident_listing
from tests.incidents.saying import listed
from tests.page.reading import Element, read
from tests.page.stage import NOW, Stage, staged

NETWORK: dict[str, Any] = {
    "alertname": "MonitoringNetworkDown",
    "service": "",
    "provider": "",
    "team": "",
}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as made:
        yield made


async def page(stage: Stage, path: str) -> Element:
    return read((await stage.ask(path)).text)


async def polled(stage: Stage, *alerts: dict[str, Any]) -> dict[str, Incident]:
    """Have a poll list *alerts*; return the open incidents by service or alert name."""
    await stage.incidents.fold(from_api(list(alerts)), Source.POLL, NOW)
    return {one.service or one.alertname: one for one in await stage.incidents.unresolved()}


async def network_down(stage: Stage, effects: int = 8) -> dict[str, Incident]:
    cause = listed(NOW - 60, **NETWORK)
    held = [
        listed(NOW - n, service=f"s{n:03}", by="inhibited", held_by=cause["fingerprint"])
        for n in range(effects)
    ]
    waiting = [listed(NOW - 90 - n, service=f"w{n}", severity="high") for n in range(4)]
    return await polled(stage, cause, *held, *waiting)


async def test_the_incidents_page_has_one_row_for_each_cause(stage: Stage) -> None:
    found = await network_down(stage)

    shown = await page(stage, "/incidents")

    assert shown.one("h1").text == (
        "5 incidents wait for somebody, 8 more are held back by 1 of them."
    )
    rows = shown.one(id="listing").all("h3")
    assert len(rows) == 5
    under = shown.one("details", id=f"under-{found['MonitoringNetworkDown'].id}")
    assert under.one("summary").text.startswith("8 under it")
    assert len(under.all("li")) == 8
    assert shown.one(id=f"incident-{found['s003'].id}").attributes["href"] == (
        f"/incidents/{found['s003'].id}"
    )


async def test_the_home_page_has_them_under_their_cause_too(stage: Stage) -> None:
    found = await network_down(stage)

    shown = await page(stage, "/")

    assert shown.one(id="to-incidents").text == "5 open incidents, 8 more held back"
    panel = shown.one(id="incidents")
    under = panel.one("details", id=f"under-{found['MonitoringNetworkDown'].id}")
    assert len(under.all("li")) == 8


async def test_the_incident_links_to_its_cause_and_the_cause_to_it(stage: Stage) -> None:
    found = await network_down(stage)
    cause, effect = found["MonitoringNetworkDown"], found["s001"]

    held, holding = [await page(stage, f"/incidents/{one.id}") for one in (effect, cause)]

    assert held.one("a", id="cause").attributes["href"] == f"/incidents/{cause.id}"
    assert holding.one("a", id=f"incident-{effect.id}").attributes["href"] == (
        f"/incidents/{effect.id}"
    )


async def test_the_api_names_the_cause(stage: Stage) -> None:
    found = await network_down(stage, 2)
    cause = found["MonitoringNetworkDown"].id

    answer = (await stage.ask("/api/incidents")).json["incidents"]

    assert {one["service"]: one["held_back_by"] for one in answer if one["held_back_by"]} == {
        "s000": cause,
        "s001": cause,
    }


async def test_without_its_cause_among_those_shown_it_is_a_row_of_its_own(stage: Stage) -> None:
    await network_down(stage)

    shown = await page(stage, "/incidents?service=s003")

    assert len(shown.one(id="listing").all("h3")) == 1


async def test_when_the_cause_is_over_each_is_on_its_own_again(stage: Stage) -> None:
    found = await network_down(stage)
    await stage.incidents.resolve(found["MonitoringNetworkDown"].id, "ann")

    shown = await page(stage, "/incidents?status=open")

    assert shown.one("h1").text == "12 incidents wait for somebody."
    assert len(shown.one(id="listing").all("h3")) == 12


async def test_many_held_back_do_not_empty_the_pages(stage: Stage) -> None:
    await network_down(stage, 130)

    shown = await page(stage, "/incidents")

    assert len(shown.one(id="listing").all("h3")) == 5
    items = shown.one("details").all("li")
    assert (len(items), items[-1].text) == (51, "and 80 more")


async def test_equal_titles_show_the_labels_that_differ(stage: Stage) -> None:
    failing = {**NETWORK, "alertname": "AlertmanagerNotificationsFailing"}
    await polled(
        stage,
        *(listed(NOW, **failing, integration=name) for name in ("email", "slack")),
    )

    for path, name in (("/incidents", "listing"), ("/", "incidents")):
        text = (await page(stage, path)).one(id=name).text
        assert "AlertmanagerNotificationsFailing is critical integration=email" in text
        assert "AlertmanagerNotificationsFailing is critical integration=slack" in text


@pytest.mark.parametrize(
    ("open_", "acknowledged", "held", "sentence"),
    [
        (0, 0, 0, "No open incident."),
        (1, 0, 0, "1 incident waits for somebody."),
        (0, 2, 0, "Every open incident is acknowledged."),
        (2, 1, 0, "2 incidents wait for somebody, 1 is acknowledged."),
        (1, 0, 1, "1 incident waits for somebody, 1 more is held back by it."),
        (0, 1, 3, "Every open incident is acknowledged, 3 are held back by 1 of them."),
        (
            1,
            1,
            3,
            "1 incident waits for somebody, 1 is acknowledged, 3 more are held back by 1 of them.",
        ),
    ],
)
async def test_the_sentence_counts_causes(
    stage: Stage, open_: int, acknowledged: int, held: int, sentence: str
) -> None:
    causes = [listed(NOW, service=f"c{n}") for n in range(open_ + acknowledged)]
    effects = [
        listed(NOW, service=f"e{n}", by="inhibited", held_by=causes[0]["fingerprint"])
        for n in range(held)
    ]
    found = await polled(stage, *causes, *effects)
    for number in range(acknowledged):
        await stage.incidents.acknowledge(found[f"c{open_ + number}"].id, "ann")

    unresolved = await stage.incidents.unresolved()

    assert incident_listing.open_incidents_sentence(folded(unresolved)) == sentence


async def test_the_worst_incidents_are_listed_whatever_came_later(stage: Stage) -> None:
    minor = [listed(NOW - n, service=f"m{n}", severity="medium") for n in range(8)]
    taken = listed(NOW - 500, service="taken", severity="critical")
    worst = listed(NOW - 600, service="worst", severity="critical")
    known = await polled(stage, *minor, taken, worst)
    await stage.incidents.acknowledge(known["taken"].id, "ann", "")

    shown = (await page(stage, "/")).one(id="incidents").all("li")

    first = [item.one("a").attributes["id"] for item in shown[:3]]
    assert first[:2] == [f"incident-{known[name].id}" for name in ("worst", "taken")]
    assert len(shown) >= 8
