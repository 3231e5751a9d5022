"""The incidents of the public page: which outsiders see, also when nothing can be seen."""

from __future__ import annotations

import pytest

from tests.page.reading import read
from tests.public.stage import NOW, Outside, service, window


async def test_only_notes_for_outsiders_are_shown_and_nobody_is_named(stage: Outside) -> None:
    stage.add(service("a"))
    id_ = await stage.fires("ServiceDown", service="a")
    await stage.incidents.acknowledge(id_, "ann", "secret-ack")
    await stage.incidents.note(id_, "ann", "secret-note")
    await stage.incidents.note(id_, "ann", "Payments may fail.\nWe are on it.", public=True)

    page = await stage.page()

    assert "Payments may fail.\nWe are on it." in page
    for hidden in ("ann", "secret", "s3cret-host", "ServiceDown", id_, "high"):
        assert hidden not in page
    assert "Outage: A" in page

    await stage.incidents.resolve(id_, "bob", "secret-end")
    page = await stage.page()
    assert "Past incidents" in page
    assert "resolved" in page
    assert "Open incidents" not in page
    assert "bob" not in page
    assert "secret" not in page


async def test_incidents_that_outsiders_do_not_notice_need_a_note_for_them(stage: Outside) -> None:
    stage.add(service("a"))
    id_ = await stage.fires("ServiceCertificateExpiringSoon", service="a")
    assert "Incident: A" not in await stage.page()

    await stage.incidents.note(id_, "ann", "No action is needed.", public=True)

    assert "Incident: A" in await stage.page()


async def test_what_is_held_back_or_planned_is_no_incident_of_its_own(stage: Outside) -> None:
    stage.add(service("held"), service("planned", maintenance=[window(NOW - 3600, NOW + 3600)]))
    id_ = await stage.fires("ServiceDown", service="held", suppressed="inhibited")
    await stage.fires("ServiceDown", service="planned", ago=60)
    assert "Outage" not in await stage.page()

    await stage.incidents.resolve(id_, "ann")

    assert "Outage" not in await stage.page()


@pytest.mark.parametrize(
    ("cause", "ago", "shown"),
    [
        ({"alertname": "MonitoringNetworkDown"}, 0, True),
        ({"alertname": "MonitoringNetworkDown"}, 900, False),
        ({"alertname": "ProviderOutage", "provider": "custom"}, 0, False),
    ],
    ids=["seen before", "never seen", "explained"],
)
async def test_an_outage_that_was_seen_stays_while_nothing_can_be_seen(
    stage: Outside, cause: dict[str, str], ago: float, shown: bool
) -> None:
    stage.add(service("a"), service("b"))
    await stage.fires("ServiceDown", service="a")
    assert "Outage: A<" in await stage.page()

    await stage.fires(**cause, ago=ago)
    await stage.held_back("ServiceDown", by=cause["alertname"], service="a")

    page = await stage.page()
    assert ("Outage: A<" in page) is shown
    assert ("Outage: A, B" in page) is ("provider" in cause)


PAST = [
    ({"alertname": "MonitoringNetworkDown"}, 0, True),
    ({"alertname": "MonitoringNetworkDown"}, 900, False),
    ({"alertname": "ProviderOutage", "provider": "custom"}, 0, False),
    (None, 0, True),
]


@pytest.mark.parametrize("cause_is_over", [False, True], ids=["still held", "cause over too"])
@pytest.mark.parametrize(
    ("cause", "ago", "shown"), PAST, ids=["seen before", "never seen", "explained", "silenced"]
)
async def test_an_outage_that_ended_while_it_was_held_back_is_past(
    stage: Outside, cause: dict[str, str] | None, ago: float, shown: bool, cause_is_over: bool
) -> None:
    stage.add(service("a"), service("b"))
    await stage.fires("ServiceDown", service="a")
    assert "Outage: A<" in await stage.page()

    if cause is None:  # as a maintenance that begins later does
        await stage.fires("ServiceDown", service="a", ago=611, suppressed="silenced")
    else:
        await stage.fires(**cause, ago=ago)
        await stage.held_back("ServiceDown", by=cause["alertname"], service="a", ago=611)
    await stage.step(60)
    now = stage.clock.now()
    await stage.fires("ServiceDown", service="a", ago=671, firing=False, ends_at=now)
    if cause is not None and cause_is_over:
        await stage.fires(**cause, ago=ago + 60, firing=False, ends_at=now)

    page = await stage.page()
    feed = (await stage.ask("/public/feed.atom")).text

    past = read(page).one("section", **{"aria-labelledby": "h-past"}).text
    assert ("Outage: A " in f"{past} ") is shown
    assert (">Outage: A<" in feed) is shown


@pytest.mark.parametrize("seen", [True, False], ids=["seen before", "silenced from the start"])
async def test_a_silence_does_not_end_an_outage_for_outsiders(stage: Outside, seen: bool) -> None:
    stage.add(service("a"))
    if seen:
        await stage.fires("ServiceDown", service="a")
    assert ("Outage: A<" in await stage.page()) is seen
    await stage.fires("ServiceDown", service="a", ago=611, suppressed="silenced")

    page, feed = await stage.page(), (await stage.ask("/public/feed.atom")).text

    assert ("Outage: A<" in page) is seen
    assert ("Outage: A<" in feed) is seen


async def test_an_outage_of_a_provider_names_the_public_services_of_it(stage: Outside) -> None:
    of = {"provider": "stripe", "api_key": "sk_test_x" * 4}
    stage.add(service("a", public=True, **of), service("b", **of))
    await stage.fires("ProviderOutage", provider="stripe")

    page = await stage.page()

    assert "Outage: A<" in page
    assert "stripe" not in page


async def test_incidents_of_services_that_are_not_public_are_not_shown(stage: Outside) -> None:
    stage.add(service("a", public=True), service("b"))
    id_ = await stage.fires("ServiceDown", service="b")
    await stage.incidents.note(id_, "ann", "for all", public=True)

    page = await stage.page()

    assert "for all" not in page
    assert "Outage" not in page
