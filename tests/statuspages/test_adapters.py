"""Each kind of status page from the vendors' public formats, and everything that is none."""

from __future__ import annotations

import json
import time
from html import escape
from typing import Any

import pytest

from exporter.statuspages import ADAPTERS, adapters
from exporter.statuspages.adapters import State, path_of
from exporter.statuspages.reading import read_page

UP, DEGRADED, PARTIAL, MAJOR, MAINTENANCE, UNKNOWN = (
    State.OPERATIONAL,
    State.DEGRADED,
    State.PARTIAL_OUTAGE,
    State.MAJOR_OUTAGE,
    State.MAINTENANCE,
    State.UNKNOWN,
)


NOW = 1_795_000_000.0


def read(adapter: str, body: bytes, component_filter: str | None) -> State:
    return adapters.read_page(adapter, body, component_filter, NOW).state


def state_of(adapter: str, data: Any, component_filter: str | None = None) -> State:
    return read(adapter, json.dumps(data).encode(), component_filter)


def statuspage(indicator: str, **components: str) -> dict[str, Any]:
    """Return what /api/v2/summary.json of an Atlassian Statuspage looks like."""
    page = {"id": "01JMDK9XYNY1", "name": "OpenAI", "url": "https://status.openai.com"}
    parts = [
        {"id": name, "name": name, "status": status, "group": False, "group_id": "g"}
        for name, status in components.items()
    ]
    group = {"id": "g", "name": "API group", "status": "major_outage", "group": True}
    return {
        "page": page,
        "status": {"indicator": indicator, "description": "All Systems Operational"},
        "components": [group, *parts],
        "incidents": [],
        "scheduled_maintenances": [],
    }


@pytest.mark.parametrize(
    ("indicator", "state"),
    [
        ("none", UP),
        ("minor", DEGRADED),
        ("major", PARTIAL),
        ("critical", MAJOR),
        ("maintenance", MAINTENANCE),
        ("catastrophic", DEGRADED),
    ],
)
def test_statuspage_is_read_by_its_indicator(indicator: str, state: State) -> None:
    assert state_of("statuspage", statuspage(indicator)) is state


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("operational", UP),
        ("degraded_performance", DEGRADED),
        ("partial_outage", PARTIAL),
        ("major_outage", MAJOR),
        ("under_maintenance", MAINTENANCE),
        ("on_fire", DEGRADED),
    ],
)
def test_a_component_filter_counts_only_the_components_that_match(
    status: str, state: State
) -> None:
    data = statuspage("critical", **{"Chat API": status, "Website": "major_outage"})

    assert state_of("statuspage", data, "(?i)^chat api") is state


def test_a_component_filter_takes_the_worst_and_no_groups() -> None:
    data = statuspage("none", **{"Chat API": "operational", "Batch API": "partial_outage"})

    assert state_of("statuspage", data, "API") is PARTIAL


@pytest.mark.parametrize("components", [{}, {"components": None}, {"components": []}])
def test_a_component_filter_without_a_match_falls_back_to_the_page(
    components: dict[str, Any],
) -> None:
    data = statuspage("major") | components

    assert state_of("statuspage", data, "no such component") is PARTIAL


def incident_io(incidents: list[str], maintenances: int = 0) -> dict[str, Any]:
    """Return what the widget API of incident.io looks like."""
    return {
        "page_title": "Acme",
        "page_url": "https://status.acme.com/",
        "ongoing_incidents": [
            {"id": "01", "name": "Slow", "status": "investigating", "current_worst_impact": i}
            for i in incidents
        ],
        "in_progress_maintenances": [{"id": "02", "status": "in_progress"}] * maintenances,
        "scheduled_maintenances": [{"id": "03", "status": "maintenance_scheduled"}],
    }


@pytest.mark.parametrize(
    ("incidents", "maintenances", "state"),
    [
        ([], 0, UP),
        (["degraded_performance"], 0, DEGRADED),
        (["degraded_performance", "partial_outage"], 0, PARTIAL),
        (["full_outage", "partial_outage"], 1, MAJOR),
        (["something_new"], 0, DEGRADED),
        ([], 1, MAINTENANCE),
    ],
)
def test_incident_io_is_read_by_its_open_incidents(
    incidents: list[str], maintenances: int, state: State
) -> None:
    assert state_of("incident_io", incident_io(incidents, maintenances)) is state


def instatus(status: str, *impacts: str) -> dict[str, Any]:
    """Return what /summary.json of Instatus looks like; empty lists are left out."""
    page = {"name": "Acme", "url": "https://status.acme.com", "status": status}
    incidents = [
        {"name": "Slow", "started": "2026-01-01T00:00:00Z", "status": "IDENTIFIED", "impact": i}
        for i in impacts
    ]
    return {"page": page} | ({"activeIncidents": incidents} if incidents else {})


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (instatus("UP"), UP),
        (instatus("HASISSUES"), DEGRADED),
        (instatus("HASISSUES", "DEGRADEDPERFORMANCE"), DEGRADED),
        (instatus("HASISSUES", "PARTIALOUTAGE"), PARTIAL),
        (instatus("HASISSUES", "PARTIALOUTAGE", "MAJOROUTAGE"), MAJOR),
        (instatus("UNDERMAINTENANCE"), MAINTENANCE),
        (instatus("NEWWORD"), DEGRADED),
    ],
)
def test_instatus_is_read_by_page_and_incidents(data: dict[str, Any], state: State) -> None:
    assert state_of("instatus", data) is state


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("operational", UP),
        ("degraded", DEGRADED),
        ("downtime", MAJOR),
        ("maintenance", MAINTENANCE),
        ("new", DEGRADED),
    ],
)
def test_better_stack_is_read_by_its_aggregate_state(word: str, state: State) -> None:
    attributes = {"company_name": "Plausible", "aggregate_state": word}
    data = {"data": {"id": "1", "type": "status_page", "attributes": attributes}, "included": []}

    assert state_of("better_stack", data) is state


def google(impact: str, product: str = "Vertex Gemini API", **more: Any) -> dict[str, Any]:
    """Return an incident as in incidents.json of Google Cloud."""
    return {
        "id": "Yr6",
        "number": "7",
        "begin": "2026-01-01T00:00:00+00:00",
        "severity": "medium",
        "status_impact": impact,
        "affected_products": [{"title": product, "id": "Z0F"}],
        **more,
    }


@pytest.mark.parametrize(
    ("incidents", "state"),
    [
        ([], UP),
        ([google("SERVICE_OUTAGE")], MAJOR),
        ([google("SERVICE_DISRUPTION")], PARTIAL),
        ([google("SERVICE_INFORMATION")], DEGRADED),
        ([google("SERVICE_NEWS")], DEGRADED),
        ([google("SERVICE_OUTAGE", end="2026-01-01T01:00:00+00:00")], UP),
        ([google("SERVICE_OUTAGE", product="Cloud Bigtable")], UP),
        ([google("SERVICE_INFORMATION"), google("SERVICE_DISRUPTION")], PARTIAL),
    ],
)
def test_google_cloud_is_read_by_open_incidents_of_the_products_that_matter(
    incidents: list[Any], state: State
) -> None:
    assert state_of("google_cloud", incidents) is state


def test_google_cloud_with_a_filter_counts_other_products() -> None:
    data = [google("SERVICE_OUTAGE", product="Cloud Bigtable")]

    assert state_of("google_cloud", data, "Bigtable") is MAJOR


@pytest.mark.parametrize(
    ("status", "state"), [("ok", UP), ("active", DEGRADED), ("new word", DEGRADED)]
)
def test_slack_is_read_by_its_status(status: str, state: State) -> None:
    data = {"status": status, "date_created": "2026-01-01T00:00:00-08:00", "active_incidents": []}

    assert state_of("slack", data) is state


@pytest.mark.parametrize(
    ("status", "state"),
    [("up", UNKNOWN), ("degraded", DEGRADED), ("down", MAJOR), ("new", DEGRADED)],
)
def test_stripes_old_page_is_believed_in_its_trouble_only(status: str, state: State) -> None:
    assert state_of("stripe_legacy", {"UptimeStatus": status, "uptimeData": []}) is state


def record(status: str | None, impact: Any = "major", *components: str) -> dict[str, Any]:
    """Return an incident or a maintenance in the form of Statuspage."""
    named = [{"id": name, "name": name} for name in components]
    return {"id": "x", "name": "API", "status": status, "impact": impact, "components": named}


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"incidents": [record("investigating")]}, PARTIAL),
        ({"incidents": [record("monitoring", "minor")]}, DEGRADED),
        ({"incidents": [record("new word", None)]}, DEGRADED),
        ({"incidents": [record("monitoring", "none")]}, UP),
        ({"incidents": [record("resolved"), record("postmortem")]}, UP),
        ({"incidents": [None, record("identified", "critical")]}, MAJOR),
        ({"incidents": [record("identified", {}), record("identified")]}, PARTIAL),
        ({"incidents": [record("resolved"), 5]}, UNKNOWN),
        ({"scheduled_maintenances": [record("scheduled", "maintenance")]}, UP),
        ({"scheduled_maintenances": [record("completed")]}, UP),
        ({"scheduled_maintenances": [record("in_progress")]}, MAINTENANCE),
        ({"scheduled_maintenances": [record("verifying"), record("scheduled")]}, MAINTENANCE),
        ({"incidents": [record("scheduled", "maintenance")]}, UP),
    ],
)
def test_statuspage_counts_what_is_open_although_all_is_green(
    more: dict[str, Any], state: State
) -> None:
    assert state_of("statuspage", statuspage("none") | more) is state


def test_an_odd_incident_does_not_hide_the_state_of_the_page() -> None:
    assert state_of("statuspage", statuspage("critical") | {"incidents": [None]}) is MAJOR
    assert state_of("instatus", instatus("HASISSUES") | {"activeIncidents": [5]}) is DEGRADED


def test_with_a_filter_an_incident_counts_for_the_components_that_it_names() -> None:
    data = statuspage("minor", Chat="operational", API="operational")
    data["incidents"] = [record("investigating", "critical", "Chat"), record("investigating")]

    assert state_of("statuspage", data, "Chat") is MAJOR
    assert state_of("statuspage", data, "API") is UP


@pytest.mark.parametrize("components", [["API"], [None], [{"name": "API"}], [7, {"id": "a"}]])
def test_an_incident_is_listed_however_its_components_are_written(components: Any) -> None:
    data = statuspage("none") | {"incidents": [record("investigating", "major")]}
    data["incidents"][0] |= {"id": "i", "name": "Slow", "components": components}

    (found,) = read_page("statuspage", json.dumps(data).encode(), None, 1_800_000_000.0).incidents

    assert (found.id, found.is_open) == ("i", True)


def test_an_odd_component_hides_no_other() -> None:
    data = statuspage("none", API="partial_outage")
    data["components"] += [None, {"name": "API 2"}]

    assert state_of("statuspage", data, "API") is PARTIAL


@pytest.mark.parametrize(
    ("word", "state"),
    [("Major Outage", MAJOR), (" operational ", UP), ("partial-outage", PARTIAL), ("", DEGRADED)],
)
def test_a_word_is_read_in_any_spelling(word: str, state: State) -> None:
    assert state_of("statuspage", statuspage(word)) is state


@pytest.mark.parametrize(
    ("adapter", "data", "state"),
    [
        ("incident_io", incident_io(["full_outage"]), MAJOR),
        ("incident_io", incident_io([]), UNKNOWN),
        ("instatus", instatus("UP", "MAJOROUTAGE"), MAJOR),
        ("instatus", instatus("UP"), UNKNOWN),
        ("google_cloud", [google("SERVICE_OUTAGE")], MAJOR),
        ("google_cloud", [google("SERVICE_OUTAGE", end="2026-01-01T01:00:00Z")], UNKNOWN),
    ],
)
@pytest.mark.parametrize("odd", [None, 5, "x", ["x"]])
def test_an_odd_incident_hides_no_open_one_and_is_not_taken_for_none(
    adapter: str, data: Any, state: State, odd: Any
) -> None:
    lists = {"incident_io": "ongoing_incidents", "instatus": "activeIncidents"}
    if adapter in lists:
        data = data | {lists[adapter]: [odd, *data.get(lists[adapter], [])]}
    else:
        data = [odd, *data]

    assert state_of(adapter, data) is state


def test_what_instatus_announces_is_no_trouble() -> None:
    announced = {"activeMaintenances": [{"name": "Move", "status": "NOTSTARTEDYET"}]}
    begun = {"activeMaintenances": [{"name": "Move", "status": "INPROGRESS"}]}

    assert state_of("instatus", instatus("UP") | announced) is UP
    assert state_of("instatus", instatus("UP") | begun) is MAINTENANCE


def test_google_cloud_has_ended_with_its_last_update() -> None:
    over = google("SERVICE_OUTAGE", most_recent_update={"status": "AVAILABLE"})

    assert state_of("google_cloud", [over]) is UP


def test_slack_with_nothing_but_maintenance_is_no_trouble() -> None:
    active = {"status": "active", "active_incidents": [{"type": "maintenance"}]}

    assert state_of("slack", active) is MAINTENANCE
    assert state_of("slack", active | {"active_incidents": [{"type": "incident"}, 5]}) is DEGRADED


def rss(*items: str) -> bytes:
    inside = "".join(
        f"<item><title>Slow API</title><description>{i}</description></item>" for i in items
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{inside}</channel></rss>'.encode()


def atom(*items: str) -> bytes:
    inside = "".join(f"<entry><title>Slow</title><content>{i}</content></entry>" for i in items)
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><id>1</id>{inside}</feed>'.encode()


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (rss(), UP),
        (rss("Investigating"), DEGRADED),
        (rss("&lt;p&gt;&lt;strong&gt;Resolved&lt;/strong&gt; - fixed"), UP),
        (rss("Investigating", "Resolved - older"), DEGRADED),
        (rss("Completed", "Investigating - older"), UP),
        (rss("Unresolved"), DEGRADED),
        (atom(), UP),
        (atom("Identified"), DEGRADED),
        (atom("This incident has been resolved."), UP),
    ],
)
def test_a_feed_is_read_by_its_items(body: bytes, state: State) -> None:
    assert read("feed", body, None) is state


NOON = "Fri, 27 Nov 2026 12:00:00 GMT"
MORNING = "Fri, 27 Nov 2026 09:00:00 GMT"
LAST_WEEK = "Fri, 20 Nov 2026 09:00:00 GMT"
NEXT_MONTH = "Sun, 27 Dec 2026 09:00:00 GMT"


def item(title: str, text: str, date: str = NOON, link: str = "") -> str:
    """Return an item of an RSS feed; *text* is HTML."""
    address = f"<link>{link}</link>" if link else ""
    return (
        f"<item><title>{title}</title>{address}<pubDate>{date}</pubDate>"
        f"<description>{escape(text)}</description></item>"
    )


def feed(*items: str) -> State:
    body = f'<rss version="2.0"><channel><title>Status</title>{"".join(items)}</channel></rss>'
    return read("feed", body.encode(), None)


@pytest.mark.parametrize(
    "text",
    [
        "Investigating - We have completed the first step of the rollback.",
        "Identified - The issue is not yet resolved.",
        "Identified - We will post an update when this is resolved.",
        "Monitoring - The fix is completed, we watch.",
        "Investigating - clients see connections closed by our edge.",
        "The issue is resolved for some customers only.",
        "We will tell you when it is\nresolved.\nThank you.",
        "Not yet resolved.",
        "We write again when it is <b>resolved</b>.",
        "<b>Resolved</b> tickets are listed elsewhere.",
        "All requests fail.",
        "<strong>Update</strong> - still looking<br><strong>Investigating</strong> - we look",
        "Nov 27, 09:00 UTC - Resolved - too early<br>Nov 27, 10:00 UTC - Investigating - again",
    ],
)
def test_an_incident_is_open_whatever_words_its_sentences_have(text: str) -> None:
    assert feed(item("API errors", text)) is DEGRADED


STATUSPAGE = (
    "<p><small>Nov <var data-var='date'>27</var>, <var data-var='time'>10:04</var> UTC</small><br>"
    "<strong>Resolved</strong> - This incident has been resolved.</p>\n"
    "<p><small>Nov <var data-var='date'>27</var>, <var data-var='time'>09:30</var> UTC</small><br>"
    "<strong>Update</strong> - We continue to work on a fix.</p>"
    "<p><small>Nov <var data-var='date'>27</var>, <var data-var='time'>09:00</var> UTC</small><br>"
    "<strong>Investigating</strong> - We are looking.</p>"
)
OLDEST_FIRST = (
    "<p><strong>Type:</strong> Incident</p><p><strong>Affected Components:</strong> API</p>"
    "<p><small>Nov 27, 09:00:00 GMT+0</small><br><strong>Investigating</strong> - We look.</p>"
    "<p><small>Nov 27, 10:00:00 GMT+0</small><br><strong>Resolved</strong> - It works.</p>"
)
NEW_YEAR = (
    "<p><small>Jan 1, 00:10 UTC</small><br><strong>Resolved</strong> - It works.</p>"
    "<p><small>Dec 31, 23:10 UTC</small><br><strong>Investigating</strong> - We look.</p>"
)
WIDGET = (
    "<b>Status: Resolved</b><br/><br/>All is well.<br/><br/><b>Affected components</b>"
    "<ul><li>Chat (Degraded performance)</li></ul>"
)


@pytest.mark.parametrize(
    "text",
    [
        STATUSPAGE,
        OLDEST_FIRST,
        NEW_YEAR,
        WIDGET,
        escape(STATUSPAGE),
        "Investigating - we look<br>Resolved - it works",
        "Resolved",
        "Resolved: all regions are back",
        "Current status: resolved",
        "[Resolved] all regions are back",
        "2026-11-27T10:00:00Z Postmortem - what we learned",
        "Completed - The scheduled maintenance has been completed.",
        "Cancelled - not today",
    ],
)
def test_an_incident_has_ended_if_its_newest_update_says_so(text: str) -> None:
    assert feed(item("API errors", text)) is UP


@pytest.mark.parametrize(
    "items",
    [
        [item("Blip", "Resolved - over", NOON), item("Outage", "Investigating - we look", MORNING)],
        [item("Old", "Resolved - over", LAST_WEEK), item("Outage", "Investigating - we look")],
        [item("Outage", "All requests fail", MORNING), item("Blip", "Resolved - over", NOON)],
        [
            item("Outage", "All requests fail", NOON),
            item("Move", "Scheduled - we will move", NEXT_MONTH),
        ],
        # the address of the page itself says nothing about which incident it is
        [
            item("A", "Resolved - over", NOON, "https://status.example.com/en/status"),
            item("B", "Active - we look", MORNING, "https://status.example.com/en/status"),
        ],
        [item("", "", "no date"), item("Blip", "Resolved - over")],
    ],
)
def test_an_ended_incident_hides_no_open_one_in_any_order(items: list[str]) -> None:
    assert feed(*items) is DEGRADED
    assert feed(*reversed(items)) is DEGRADED


def test_updates_that_are_items_of_their_own_are_one_incident() -> None:
    link = "https://status.example.com/incidents/98765"
    first = item("[Investigating] Database", "We look.", MORNING, f"{link}#update-1")
    last = item("[Resolved] Database connections", "It works.", NOON, f"{link}#update-2")

    assert feed(first) is DEGRADED
    assert feed(first, last) is UP
    assert feed(last, first) is UP


@pytest.mark.parametrize(
    ("title", "text", "state"),
    [
        ("Move", "<strong>Scheduled</strong> - We will move the database.", UP),
        (
            "Move",
            "THIS IS A SCHEDULED EVENT Dec 27, 02:00 UTC<br><strong>Scheduled</strong> - x",
            UP,
        ),
        ("Scheduled maintenance of the database", "It will not be available.", UP),
        ("[Scheduled] Move", "It will not be available.", UP),
        ("Move", "<strong>In progress</strong> - x<br><strong>Scheduled</strong> - y", MAINTENANCE),
        ("Move", "<strong>Verifying</strong> - Maintenance is under way.", MAINTENANCE),
        ("Database maintenance", "It is not available.", MAINTENANCE),
        ("Errors after maintenance", "It is not available.", DEGRADED),
        ("VM - West US - Active", "Starting at 10:00 UTC customers see errors.", DEGRADED),
        ("VM - West US - Resolved", "Starting at 10:00 UTC customers saw errors.", UP),
    ],
)
def test_what_is_announced_is_no_trouble(title: str, text: str, state: State) -> None:
    assert feed(item(title, text, NEXT_MONTH)) is state


@pytest.mark.parametrize(
    ("title", "text", "state"),
    [
        # AWS marks a title twice
        ("Informational message: [RESOLVED] Increased Error Rates", "Between 9 and 10", UP),
        ("Informational message: Increased Error Rates", "We look", DEGRADED),
        ("Service degradation: Increased Error Rates", "We look", DEGRADED),
        # Uptime Kuma and Better Stack write a sentence
        ("API is down", "API has been down since 2026-11-28 17:00:00", DEGRADED),
        ("API went down", "", DEGRADED),
        ("API recovered", "", UP),
        ("API is back up", "", UP),
        ("The guide to the API is up to date", "", DEGRADED),
        # an item instead of none
        ("All systems operational", "", UP),
        ("No incidents reported today.", "", UP),
        ("No incidents are closed yet", "", DEGRADED),
        # Status.io writes the name of the state in bold, not the state
        ("API", "<strong>Current State</strong>: Resolved<br/>It is over", UP),
        ("API", "<strong>Status:</strong> Resolved<br/>It is over", UP),
        ("API", "<b>Status</b>: Investigating<br/>The last one was resolved", DEGRADED),
    ],
)
def test_titles_and_states_are_read_as_they_are_written(
    title: str, text: str, state: State
) -> None:
    assert feed(item(title, text)) is state


def test_what_a_title_says_of_the_same_thing_later_ends_it() -> None:
    down = item("API is down", "", "Sat, 28 Nov 2026 17:00:00 +0000", "https://status.example/")
    up = item("API is up", "", "Sat, 28 Nov 2026 17:30:00 +0000", "https://status.example/")
    slow = item("Service degradation: Slow", "", "Sat, 28 Nov 2026 17:00:00 +0000")
    over = item("Service is operating normally: [RESOLVED] Slow", "", "Sat, 28 Nov 2026 18:00:00 Z")

    assert feed(up, down) is UP
    assert feed(down) is DEGRADED
    assert feed(over, slow) is UP


@pytest.mark.parametrize("page", ["https://status7.example", "https://status.example/page/7/"])
def test_the_address_of_the_page_is_not_that_of_an_incident(page: str) -> None:
    items = (
        item("Slow mails", "Resolved - over", "Sat, 28 Nov 2026 18:00:00 Z", page),
        item("No calls", "Investigating - we look", "Sat, 28 Nov 2026 17:00:00 Z", page),
    )

    assert feed(f"<link>{page.rstrip('/')}</link>", *items) is DEGRADED


def test_lines_before_a_feed_do_not_make_it_unreadable() -> None:
    assert read("feed", b"\r\n\n" + rss("Resolved"), None) is UP


def test_what_begins_after_the_feed_was_made_is_announced() -> None:
    made = f"<lastBuildDate>{NOON}</lastBuildDate>"

    assert feed(made, item("Move", "The database moves.", NEXT_MONTH)) is UP
    assert feed(made, item("Outage", "All requests fail.", NOON)) is DEGRADED
    assert feed(made, item("Outage", "Investigating - we look", NEXT_MONTH)) is DEGRADED


def test_a_text_without_a_state_counts_for_a_week() -> None:
    news = item("Blog", "We have moved.", "Fri, 06 Nov 2026 09:00:00 GMT")

    assert feed(news) is DEGRADED
    assert feed(news, item("Blip", "Resolved - over", NOON)) is UP


def test_the_xhtml_of_an_atom_feed_is_read_by_its_tags() -> None:
    entry = (
        "<entry><title>Slow</title><id>tag:s.example,2005:Incident/1</id>"
        "<updated>2026-11-27T10:00:00Z</updated><content type='xhtml'>"
        "<div xmlns='http://www.w3.org/1999/xhtml'><p><b>Resolved</b> - over</p>"
        "<p><b>Investigating</b> - we look</p></div></content></entry>"
    )
    body = f"<feed xmlns='http://www.w3.org/2005/Atom'>{entry}</feed>".encode()

    assert read("feed", body, None) is UP


@pytest.mark.parametrize("text", ["[ ", "(", "Resolved ", "Nov 27, ", "<b>", "- ", "status ", "1 "])
def test_a_hostile_item_costs_little(text: str) -> None:
    began = time.process_time()
    feed(*[item(text * 100, text * 20_000)] * 5)

    assert time.process_time() - began < 2


BOMB = b"""<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<rss><channel><item><title>&c;</title></item></channel></rss>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<rss><channel><item><title>&x;</title></item></channel></rss>"""
GARBAGE = {
    "empty": b"",
    "space": b" \n",
    "html": b"<!doctype html><html><body>Please wait...</body></html>",
    "well-formed html": b"<html><body><p>All good</p></body></html>",
    "null": b"null",
    "number": b"1",
    "text": b'"operational"',
    "list": b"[1, 2, null]",
    "object": b"{}",
    "cut": b'{"status": {"indicator": "no',
    "bytes": bytes(range(256)),
    "huge nesting": b"[" * 200_000,
    "closed nesting": b"[" * 100_000 + b"]" * 100_000,
    "object nesting": b'{"status":' * 50_000 + b"1" + b"}" * 50_000,
    "xml nesting": b"<a>" * 100_000 + b"</a>" * 100_000,
    "xml bomb": BOMB,
    "xml outside": OUTSIDE,
    "xml encoding": b'<?xml version="1.0" encoding="no-such"?><rss/>',
    "xml wide encoding": b'<?xml version="1.0" encoding="utf-7"?><rss/>',
    "xml cut": b"<rss><channel><item>",
    "rss without a channel": b"<rss></rss>",
    "rss of something else": b"<rss><error>busy</error></rss>",
    "atom without anything": b"<feed xmlns='http://www.w3.org/2005/Atom'/>",
    "wrong types": b'{"status": [], "page": 1, "data": "x", "UptimeStatus": 1,'
    b' "ongoing_incidents": {"a": 1}}',
    "nulls": b'{"status": null, "page": null, "data": null, "UptimeStatus": null,'
    b' "ongoing_incidents": [null]}',
}


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_what_cannot_be_read_is_unknown(adapter: str, body: bytes) -> None:
    assert read(adapter, body, None) is UNKNOWN
    assert read(adapter, body, "(?i)api") is UNKNOWN


ODD_NAMES = {"half a surrogate": "\ud800", "deep": json.loads("[" * 900 + "]" * 900), "null": None}


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_odd_component_names_do_no_harm(name: Any) -> None:
    parts = [{"name": name, "status": "operational"}, {"name": "API", "status": "major_outage"}]
    data = statuspage("minor") | {"components": parts}

    assert state_of("statuspage", data, "API") in (UNKNOWN, MAJOR)


def test_an_adapter_that_does_not_exist_is_unknown() -> None:
    assert state_of("no-such-adapter", statuspage("none")) is UNKNOWN


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_adapter_has_a_usual_path(adapter: str) -> None:
    assert path_of(adapter).startswith("/")
