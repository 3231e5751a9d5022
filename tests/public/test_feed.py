"""The Atom feed: valid by RFC 4287 and read by a real parser; its ids and times stay."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import feedparser
import pytest
from defusedxml.ElementTree import fromstring

from exporter.config import Monitoring
from exporter.model import Reason, Verdict
from exporter.store import Store
from tests.fakes import FakeClock
from tests.page.scenes import TROUBLE
from tests.public.stage import NOW, Outside, service
from tests.public.test_page import window

ATOM = "{http://www.w3.org/2005/Atom}"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ONCE = ("id", "title", "updated")
"""What a feed and an entry have exactly one of: RFC 4287, 4.1.1 and 4.1.2."""


async def feed_of(stage: Outside) -> str:
    await stage.step(11)
    found = await stage.ask("/public/feed.atom")
    assert (found.status, found.type) == (200, "application/atom+xml")
    return found.text


def parsed(text: str) -> feedparser.FeedParserDict:
    """Return what a reader makes of *text*; a mistake in it fails the test."""
    found = feedparser.parse(text.encode())
    assert not found.bozo, found.get("bozo_exception")
    assert found.version == "atom10"
    return found


def checked(text: str) -> Element:
    """Return the feed in *text*, held against what RFC 4287 demands."""
    feed: Element = fromstring(text)
    assert feed.tag == f"{ATOM}feed"
    entries = feed.findall(f"{ATOM}entry")
    for one in (feed, *entries):
        for name in ONCE:
            assert len(one.findall(f"{ATOM}{name}")) == 1, name
        for name in ("updated", "published"):
            for found in one.findall(f"{ATOM}{name}"):
                assert DATE.fullmatch(found.text or "")
        assert uuid.UUID((one.findtext(f"{ATOM}id") or "").removeprefix("urn:uuid:"))
    assert feed.find(f"{ATOM}author/{ATOM}name") is not None  # or each entry needs one
    kinds = [(link.get("rel"), link.get("type")) for link in feed.findall(f"{ATOM}link")]
    assert ("self", "application/atom+xml") in kinds
    assert len(kinds) == len(set(kinds))  # one alternate of a type at most
    for entry in entries:
        (content,) = entry.findall(f"{ATOM}content")
        assert content.get("type") == "xhtml"  # then its only child is a div: 4.1.3.3
        assert [child.tag for child in content] == ["{http://www.w3.org/1999/xhtml}div"]
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert len(ids) == len(set(ids))
    return feed


async def test_our_own_network_is_no_event_of_the_feed_and_ends_none(stage: Outside) -> None:
    stage.add(service("a"))
    stage.saw("a")
    stage.fails("a")
    await stage.fires("ServiceDown", service="a")
    before = await feed_of(stage)

    stage.offline_since = stage.clock.now()
    await stage.fires("MonitoringNetworkDown", ago=0)
    await stage.held_back("ServiceDown", by="MonitoringNetworkDown", service="a")
    stage.saw("a", Reason.TIMEOUT, verdict=Verdict.NETWORK)

    assert await feed_of(stage) == before
    assert [entry.title for entry in parsed(before).entries] == ["Outage: A"]


async def test_a_reader_learns_of_incidents_and_what_people_wrote(stage: Outside) -> None:
    stage.add(service("a"))
    id_ = await stage.fires("ServiceDown", service="a", ago=600)
    await stage.incidents.note(id_, "ann", "First line.\nSecond <line>.", public=True)
    await stage.incidents.note(id_, "ann", "secret-note")

    text = await feed_of(stage)
    found = parsed(text)
    checked(text)

    (entry,) = found.entries
    assert entry.title == "Outage: A"
    assert entry.published == "2027-01-15T07:50:00Z"
    assert entry.updated == "2027-01-15T08:00:00Z" == found.feed.updated
    story = entry.content[0].value
    assert "First line.<br />Second &lt;line&gt;." in story
    assert "Began at 2027-01-15T07:50:00Z" in story
    for hidden in ("ann", "secret", "s3cret-host", id_):
        assert hidden not in text


async def test_ids_stay_and_times_change_only_with_what_is_said(stage: Outside) -> None:
    stage.add(service("a"), service("b"))
    for name in ("a", "b"):
        await stage.fires("ServiceDown", service=name)
    first = parsed(await feed_of(stage))
    unchanged = await stage.ask("/public/feed.atom")
    await stage.step(3600)
    again = await stage.ask(
        "/public/feed.atom", headers={"If-None-Match": unchanged.headers["ETag"]}
    )
    id_ = (await stage.incidents.unresolved())[0].id

    await stage.incidents.resolve(id_, "ann")
    after = parsed(await feed_of(stage))

    assert again.status == 304  # an hour went by, and nothing was to be said
    assert {e.id for e in after.entries} == {e.id for e in first.entries}
    assert after.feed.id == first.feed.id
    changed = [e.id for e, f in _pairs(after, first) if e.updated != f.updated]
    assert [after.entries[0].id] == changed  # the newest first
    assert after.feed.updated == after.entries[0].updated > first.feed.updated


async def test_an_incident_that_is_opened_again_never_goes_back_in_time(stage: Outside) -> None:
    stage.add(service("a"))
    await stage.fires("ServiceDown", service="a", ago=600)
    await stage.step(60)
    await stage.fires("ServiceDown", service="a", ago=660, firing=False, ends_at=NOW + 50)
    ended = parsed(await feed_of(stage)).entries[0]
    await stage.fires("ServiceDown", service="a", ago=5)

    again = parsed(await feed_of(stage)).entries[0]

    assert again.id == ended.id
    assert "Resolved" not in again.content[0].value
    assert again.updated > ended.updated


def _pairs(
    after: feedparser.FeedParserDict, first: feedparser.FeedParserDict
) -> list[tuple[feedparser.FeedParserDict, feedparser.FeedParserDict]]:
    before = {entry.id: entry for entry in first.entries}
    return [(entry, before[entry.id]) for entry in after.entries]


def test_the_name_from_which_ids_follow_survives_a_restart(tmp_path: Path) -> None:
    names = []
    for folder in ("a", "a", "b"):
        store = Store.open(tmp_path / folder, FakeClock(NOW), None)
        names.append(store.public.name())
        store.close()

    assert names[0] == names[1] != names[2]


async def test_maintenance_enters_when_it_begins_and_changes_when_it_ends(stage: Outside) -> None:
    stage.add(service("a", maintenance=[window(NOW + 100, NOW + 200)]))
    seen = [parsed(await feed_of(stage))]
    for _ in range(2):
        await stage.step(100)
        seen.append(parsed(await feed_of(stage)))

    assert seen[0].entries == []
    assert [found.entries[0].title for found in seen[1:]] == ["Planned maintenance: A"] * 2
    assert seen[1].entries[0].updated == "2027-01-15T08:01:40Z"
    assert seen[2].entries[0].updated == "2027-01-15T08:03:20Z"
    assert seen[1].entries[0].id == seen[2].entries[0].id


async def test_links_lead_to_the_page_where_its_address_is_known(stage: Outside) -> None:
    stage.add(service("a"))
    await stage.fires("ServiceDown", service="a")
    stage.monitoring = replace(Monitoring(), page_url="https://status.example.com/")

    found = parsed(await feed_of(stage))

    assert found.entries[0].link == "https://status.example.com/public"
    assert {link.href for link in found.feed.links} == {
        "https://status.example.com/public",
        "https://status.example.com/public/feed.atom",
    }


@pytest.mark.parametrize("trouble", [TROUBLE, "]]>", "a\ufffeb\uffff", "&amp;", "\t\n"])
async def test_whatever_people_write_the_feed_is_well_formed(stage: Outside, trouble: str) -> None:
    stage.add(service("a", name=trouble.strip() or "a"))
    id_ = await stage.fires("ServiceDown", service="a")
    await stage.incidents.note(id_, "ann", trouble, public=True)

    text = await feed_of(stage)

    parsed(text)
    assert {child.tag for child in checked(text).iter() if "xhtml" in child.tag} <= {
        "{http://www.w3.org/1999/xhtml}" + name for name in ("div", "p", "br")
    }


async def test_a_feed_without_an_entry_is_valid_and_does_not_change(stage: Outside) -> None:
    first, second = await feed_of(stage), await feed_of(stage)

    checked(first)
    assert parsed(first).entries == []
    assert first == second
