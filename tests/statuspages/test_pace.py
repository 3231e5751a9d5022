"""When a page is asked, and what is believed: every minute while needed, and no old copy."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from exporter.probers import Answer
from exporter.statuspages import (
    Health,
    PageIncident,
    PageRecord,
    State,
    StatusPage,
    adapters,
    lead_of,
    sentence,
)
from exporter.statuspages.freshness import Newest
from exporter.statuspages.incidents import Reading, instant
from exporter.statuspages.records import MOST_SIGHTINGS
from tests.clocks import gaps
from tests.statuspages.bodies import moment
from tests.statuspages.test_pages import PAGE, Site, saying, site

__all__ = ["site"]
COMPAT = replace(PAGE, adapter="incident_io_compat")
MINUTE = 60.0


def times(site: Site) -> list[float]:
    return [at for at, _ in site.requests]


def rounded(site: Site) -> list[int]:
    return [round(gap) for gap in gaps(times(site))]


# -- how often -------------------------------------------------------------------------------


async def test_while_a_probe_fails_its_page_is_asked_every_minute(site: Site) -> None:
    await site.advance(20)
    site.pages.note(PAGE, "a", failing=True)
    await site.advance(5 * MINUTE)
    site.pages.note(PAGE, "a", failing=False)
    await site.advance(15 * MINUTE)

    assert rounded(site) == [60, 60, 60, 60, 60, 60, 300, 300]


async def test_it_is_asked_once_a_minute_however_many_of_its_services_fail(site: Site) -> None:
    await site.advance(20)
    for number in range(100):
        site.pages.note(PAGE, f"service-{number}", failing=True)
        site.pages.note(PAGE, f"service-{number}", failing=True)
    await site.advance(5 * MINUTE)
    for number in range(99):
        site.pages.note(PAGE, f"service-{number}", failing=False)
    await site.advance(5 * MINUTE)

    assert set(rounded(site)) == {60}


async def test_a_page_that_was_just_asked_is_not_asked_again_at_once(site: Site) -> None:
    await site.advance(290)
    for _ in range(20):
        site.pages.note(PAGE, "a", failing=True)
        site.pages.note(PAGE, "a", failing=False)
    await site.advance(30)

    assert all(gap >= 60 for gap in gaps(times(site)))


async def test_a_removed_service_hurries_nobody(site: Site) -> None:
    await site.advance(20)
    site.pages.note(PAGE, "a", failing=True)
    await site.advance(2 * MINUTE)
    site.pages.forget("a")
    await site.advance(16 * MINUTE)

    assert rounded(site)[-2:] == [300, 300]


async def test_a_page_of_nobody_is_not_hurried(site: Site) -> None:
    site.pages.note(None, "a", failing=True)
    site.pages.note(replace(PAGE, adapter="feed"), "a", failing=True)
    site.pages.ring(replace(PAGE, adapter="feed"))
    await site.advance(250)

    assert len(site.requests) == 1


async def test_a_webhook_has_the_page_asked_soon_and_for_a_while(site: Site) -> None:
    await site.advance(100)
    site.pages.ring(PAGE)
    await site.advance(30 * MINUTE)

    found = rounded(site)
    assert 99 <= found[0] <= 101
    assert found[1:10] == [60] * 9
    assert found[-2:] == [300, 300]


async def test_a_webhook_that_rings_all_the_time_has_it_asked_every_15_seconds(site: Site) -> None:
    await site.advance(100)
    for _ in range(600):
        site.pages.ring(PAGE)
        await site.advance(0.1)

    assert len(site.requests) <= 6
    assert all(gap >= 15 for gap in gaps(times(site)))


async def test_a_page_without_data_is_not_rung() -> None:
    linked = StatusPage(url="https://status.example", confidence="doc")
    site = Site()
    site.pages.set_pages({linked})
    site.pages.ring(linked)
    site.pages.note(linked, "a", failing=True)
    await site.advance(5 * MINUTE)

    assert site.requests == []


# -- two addresses ---------------------------------------------------------------------------


def summary(indicator: str = "none", etag: str = "") -> Answer:
    body = json.dumps({"status": {"indicator": indicator}}).encode()
    return Answer(status=200, body=body, headers={"etag": etag} if etag else {})


def listing(*posted: str, etag: str = "") -> Answer:
    incidents = [
        {"id": at, "name": "Slow", "status": "identified", "impact": "major", "created_at": at}
        for at in posted
    ]
    body = json.dumps({"incidents": incidents}).encode()
    return Answer(status=200, body=body, headers={"etag": etag} if etag else {})


async def test_the_list_of_incidents_is_asked_for_with_its_own_tag() -> None:
    site = Site()
    site.pages.set_pages({COMPAT})
    first = listing("2027-01-15T07:00:00Z", etag='"list"')

    site.answers = [summary(etag='"sum"'), first, Answer(status=304)]
    await site.pages.poll(COMPAT)
    await site.pages.poll(COMPAT)

    urls = [request.url.rpartition("/")[2] for _, request in site.requests[-2:]]
    assert urls == ["summary.json", "incidents.json"]
    assert site.tags[-2:] == ['"sum"', '"list"']
    record = site.pages.record(COMPAT)
    assert record is not None
    assert len(record.open) == 1


async def test_a_list_that_cannot_be_read_keeps_the_state_and_claims_nothing() -> None:
    site = Site()
    site.pages.set_pages({COMPAT})
    site.answers = [summary("minor"), Answer(status=404)]

    await site.pages.poll(COMPAT)

    record = site.pages.record(COMPAT)
    assert record is not None
    assert (record.state, record.health) == (State.DEGRADED, Health.UNREADABLE)


# -- what is believed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "health"),
    [
        (saying("none"), Health.READABLE),
        (replace(saying("none"), headers={"age": "600"}), Health.READABLE),
        (replace(saying("none"), headers={"age": "601"}), Health.STALE),
        (replace(saying("none"), headers={"age": "1, 9999"}), Health.READABLE),
        (replace(saying("none"), headers={"age": "-5"}), Health.READABLE),
        (replace(saying("none"), headers={"age": "9" * 400}), Health.READABLE),
        (Answer(status=301, headers={"location": "https://new.example"}), Health.MOVED),
        (Answer(status=200, body=b"\n <!DOCTYPE html><p>ok"), Health.MOVED),
        (Answer(status=200, body=b"<HTML>"), Health.MOVED),
        (Answer(status=404), Health.UNREADABLE),
        (Answer(status=403, body=b"<html>"), Health.UNREADABLE),
        (Answer(status=200, body=b"{}"), Health.UNREADABLE),
    ],
)
async def test_an_answer_is_believed_or_it_is_said_why_not(
    site: Site, answer: Answer, health: Health
) -> None:
    state = await site.poll(answer)

    record = site.pages.record(PAGE)
    assert record is not None
    assert record.health is health
    assert (state is State.UNKNOWN) is (health is not Health.READABLE)


async def test_a_304_of_an_old_copy_confirms_nothing(site: Site) -> None:
    old = Answer(status=304, headers={"age": "1800"})

    state = await site.poll(saying("none", etag='"a"'), old)

    assert state is State.UNKNOWN


def test_an_earlier_time_is_an_old_copy_for_an_hour() -> None:
    newest = Newest()

    assert not newest.is_older(1000.0, 1000.0)
    assert not newest.is_older(None, 1001.0)
    assert not newest.is_older(950.0, 1002.0)
    assert newest.is_older(900.0, 1003.0)
    assert not newest.is_older(1001.0, 1004.0)
    assert newest.is_older(900.0, 2000.0)
    assert newest.is_older(901.0, 5599.0)
    assert not newest.is_older(902.0, 5600.0)
    assert not newest.is_older(903.0, 5601.0)


def test_a_time_in_the_future_makes_no_later_one_old() -> None:
    newest = Newest()

    assert not newest.is_older(9999.0, 1000.0)
    assert not newest.is_older(1000.0, 1000.0)


async def test_the_texts_of_a_page_are_cut_and_cleaned(site: Site) -> None:
    incident = {
        "id": "i" * 5000,
        "name": "a\x00b\n\ud800 <b>\u202e" + "x" * 5000,
        "status": "s" * 5000,
        "impact": "?" * 5000,
        "created_at": "x" * 5000,
        "components": [{"name": "n" * 5000}] * 5000,
    }
    body = json.dumps({"status": {"indicator": "none"}, "incidents": [incident]}).encode()

    await site.poll(Answer(status=200, body=body))

    record = site.pages.record(PAGE)
    assert record is not None
    (found,) = [one.incident for one in record.open]
    assert len(found.id) == len(found.title) == 200
    assert found.title.startswith("a\ufffdb ? <b>")
    assert (len(found.components), len(found.components[0])) == (1, 80)
    assert found.posted is None
    found.title.encode()


def test_of_a_page_of_many_incidents_a_hundred_are_read() -> None:
    incidents = [{"id": str(n), "name": "x", "status": "open"} for n in range(20_000)]
    body = json.dumps({"status": {"indicator": "none"}, "incidents": incidents}).encode()

    assert len(adapters.read_page("statuspage", body, None, 0.0).incidents) == 100


def test_what_is_over_is_forgotten_before_what_is_open() -> None:
    record = PageRecord()

    for at in range(3 * MOST_SIGHTINGS):
        incident = make(str(at), is_open=at == 0)
        still = (make("0", is_open=True), incident) if at else (incident,)
        record.take(Reading(state=State.DEGRADED, incidents=still), float(at), uncertainty=1.0)

    assert len(record.sightings) == MOST_SIGHTINGS
    assert "0" in record.sightings


def make(id_: str, *, is_open: bool) -> PageIncident:
    return PageIncident(id=id_, title=id_, is_open=is_open)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-27T02:05:00Z", 1_795_745_100.0),
        ("2026-11-26T21:05:00.000-05:00", 1_795_745_100.0),
        ("2026-11-27T02:05:00", 1_795_745_100.0),
        ("2026-11-27T02:05:00.123456Z", 1_795_745_100.123456),
        ("1795745100", 1_795_745_100.0),
        (1_795_745_100, 1_795_745_100.0),
        (1_795_745_100_000, 1_795_745_100.0),
        ("Fri, 27 Nov 2026 02:05:00 GMT", 1_795_745_100.0),
        ("Fri Nov 27 2026 02:05:00 GMT+0000 (Coordinated Universal Time)", 1_795_745_100.0),
        ("Fri, 27 Nov 2026 02:05:00 Z", 1_795_745_100.0),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        (float("nan"), None),
        (float("inf"), None),
        (1e300, None),
        (True, None),
        (None, None),
        ("", None),
        ("soon", None),
        ("2026-11-27T02:05:00Z" + " " * 100, None),
        (["2026"], None),
    ],
)
def test_a_time_is_read_in_every_form_that_vendors_write(text: Any, seconds: float | None) -> None:
    assert instant(text) == seconds


def test_a_page_that_renames_its_incident_at_each_look_does_not_lose_its_first_time() -> None:
    record = PageRecord()
    record.take(Reading(state=State.OPERATIONAL), 1000.0, uncertainty=60.0)
    for number in range(500):
        renamed = PageIncident(id=f"i{number}", title="Errors")
        reading = Reading(state=State.DEGRADED, incidents=(renamed,))
        record.take(reading, 1060.0 + 60 * number, uncertainty=60.0)

    lead = lead_of(record, 1030.0)
    assert lead.seconds == 30.0
    assert len(record.sightings) == 1


def test_two_incidents_of_one_title_that_are_open_together_are_two() -> None:
    record = PageRecord()
    record.take(Reading(state=State.OPERATIONAL), 1000.0, uncertainty=60.0)
    twins = tuple(PageIncident(id=id_, title="Errors") for id_ in "ab")
    for count in (1, 2):
        reading = Reading(state=State.DEGRADED, incidents=twins[:count])
        record.take(reading, 1000.0 + 60 * count, uncertainty=60.0)

    assert sorted(record.sightings) == ["a", "b"]


def test_a_start_of_another_year_is_told_with_its_year() -> None:
    since = moment("02:11").timestamp()
    incident = PageIncident(id="i", title="Errors", claimed=since - 400 * 86400.0, posted=since)
    record = PageRecord()
    record.take(Reading(state=State.OPERATIONAL), since - 60, uncertainty=60.0)
    record.take(Reading(state=State.DEGRADED, incidents=(incident,)), since, uncertainty=60.0)

    assert "since 23 Oct 2025 02:11" in sentence(lead_of(record, since))
