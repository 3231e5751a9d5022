"""Every page as it comes from the server, read without a browser."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from exporter.config import Pause
from exporter.model import Reason, Verdict
from exporter.page.home import ROWS_PER_PAGE
from exporter.page.templates import coded, web_link
from exporter.statuspages import PageIncident, PageRecord, State, lead_of
from exporter.statuspages.incidents import Reading
from tests.api.managed import running
from tests.page import scenes
from tests.page.reading import Element, read
from tests.page.stage import NOW, Stage, service
from tests.patience import patient
from tests.sentinel import forms_of
from tests.vendor import Vendor, answer

SENTINEL = "sentinel-key-Zq8vLw3nXy7bTk5m"
HOSTILE = (
    scenes.TROUBLE,
    "a\u202eevil\u2066b\u200f",
    "W" * 128,
    "مدفوعات سترايب",
    "{{ 7 * 7 }}{% raw %}",
    "' onmouseover='alert(1)' x='",
    '"><svg onload=alert(1)>',
    "&lt;b&gt;javascript:alert(1)",
)


async def page(stage: Stage, path: str = "/", status: int = 200) -> Element:
    found = await stage.ask(path)
    assert (found.status, found.type) == (status, "text/html"), found.text
    return read(found.text)


def rows_of(found: Element) -> list[str]:
    return [row.attributes["id"].removeprefix("row-") for row in found.one(id="rows").all("tr")]


# -- home --------------------------------------------------------------------------------------


async def test_home_has_one_sentence_and_shows_the_worst_first(stage: Stage) -> None:
    await scenes.mixed(stage)

    found = await page(stage)

    assert found.one("h1").text == ("2 of 12 fail: 1 provider, 1 key rejected; 2 unknown.")
    assert found.one("title").text == "(2) Service registry"
    assert rows_of(found) == [
        "stripe",
        "openai",
        "anthropic",
        "plausible",
        "search",
        "hubspot",
        "convertkit",
        "ledger",
        "sendgrid",
        "twilio",
        "weather",
        "maps",
    ]


async def test_a_row_has_state_latency_day_and_warning_as_text(stage: Stage) -> None:
    await scenes.mixed(stage)

    found = await page(stage)

    row = found.one(id="row-stripe")
    state, when = row.one("td", **{"class": "c-state"}), row.one("time")
    assert state.text == "Down since 07:56 UTC provider: server error"
    assert when.attributes["datetime"] == "2027-01-15T07:56:00Z"
    spark, day = row.all("svg", role="img")
    assert spark.attributes["aria-label"] == "last 20 results: 180 ms to 380 ms, 4 bad"
    assert "with the provider down" in day.attributes["aria-label"]
    assert row.one("td", **{"class": "c-note"}).text == "provider reports a major outage"
    assert "330 ms" in found.one(id="row-ledger").text
    assert "key expires in 6 d, 1 more" in found.one(id="row-sendgrid").text


async def test_a_stale_service_is_never_shown_as_healthy(stage: Stage) -> None:
    await scenes.mixed(stage)

    row = (await page(stage)).one(id="row-plausible")

    assert "Unknown since 05:00 UTC no result" in row.text
    assert "Healthy" not in row.text
    assert " ms" not in row.text


async def test_page_and_api_agree_on_a_stale_service(stage: Stage) -> None:
    await scenes.mixed(stage)

    service_json = json.loads((await stage.ask("/api/services?cursor=pl")).text)["services"][0]
    head = (await page(stage, "/services/plausible")).one(id="head").text

    shown = (service_json["id"], service_json["status"], service_json["verdict"])
    assert shown == ("plausible", "unknown", "monitoring")
    assert "At fault: the exporter ." in head
    assert f"What to do: {service_json['advice']}" in head


async def test_home_lists_open_incidents_and_warnings(stage: Stage) -> None:
    await scenes.mixed(stage)

    found = await page(stage)

    incidents, warnings = found.one(id="incidents").text, found.one(id="warnings").text
    assert "Stripe payments: provider outage critical open since" in incidents
    assert "OpenAI: the key is rejected high acknowledged since" in incidents
    assert "HubSpot was slow" not in incidents
    assert "SendGrid key expires in 6 d; rate limit requests: 2% left" in warnings
    assert "Anthropic no key: ANTHROPIC_API_KEY is not set" in warnings
    assert "certificate expires in 3 d" in warnings


async def test_without_a_service_home_shows_how_to_add_one(stage: Stage) -> None:
    found = await page(stage)

    assert found.one("h1").text == "No service is registered yet."
    yaml, curl = (pre.text for pre in found.one(id="empty").all("pre"))
    assert "services: - id: stripe provider: stripe" in yaml
    assert "curl -X POST" in curl
    assert "/api/services" in curl
    assert "hidden" in found.one(id="services").attributes


async def test_our_own_network_is_blamed_once(stage: Stage) -> None:
    scenes.offline(stage)

    found = await page(stage)

    assert found.one("h1").text == (
        "Our network is down since 07:59 UTC: nobody can say how the services are."
    )
    for name in ("alpha", "beta", "gamma"):
        state = found.one(id=f"row-{name}").one("td", **{"class": "c-state"}).text
        assert state == "Unobserved our network is down last seen 07:58 UTC: works"


async def test_what_was_seen_before_our_network_went_down_is_not_shown_as_now(
    stage: Stage,
) -> None:
    stage.add(*(service(n) for n in ("a-fine", "down", "answers", "new", "off", "planned")))
    stage.add(service("off", enabled=False), service("never"))
    stage.saw("a-fine", ago=90)
    stage.saw("down", Reason.SERVER_ERROR, ago=90, status=503)
    stage.saw("off", ago=90)
    before = await page(stage)
    stage.offline_since = NOW - 60
    stage.saw("answers", Reason.SERVER_ERROR, ago=30, status=500)
    stage.saw("never", Reason.DNS, ago=30, verdict=Verdict.NETWORK)
    await stage.step(2)

    found = await page(stage)
    filtered = await page(stage, "/?fault=network")
    words = {
        row.attributes["id"].removeprefix("row-"): row.one("td", **{"class": "c-state"}).text
        for row in found.one(id="rows").all("tr")
    }

    assert before.one(id="row-a-fine").one("td", **{"class": "c-state"}).text.startswith("Healthy")
    assert found.one("h1").text == (
        "Our network is down since 07:59 UTC: nobody can say how 3 of 7 services are."
    )
    # What is answered is seen all the same; then what failed when it was seen last.
    assert list(words)[:3] == ["answers", "down", "a-fine"]
    assert words["answers"] == "Down since 07:59 UTC provider: server error"
    hidden = "Unobserved our network is down"
    assert words["down"] == f"{hidden} last seen 07:58 UTC: provider: server error"
    assert words["a-fine"] == f"{hidden} last seen 07:58 UTC: works"
    assert words["never"] == f"{hidden} never seen before"
    assert words["new"].startswith("Unknown")
    assert words["off"].startswith("Not probed")
    assert rows_of(filtered) == ["down", "a-fine", "never"]


async def test_when_our_network_is_back_a_service_is_as_it_was_seen_last(stage: Stage) -> None:
    stage.add(service("a"))
    stage.saw("a", ago=90)
    stage.offline_since = NOW - 60
    assert "Unobserved" in (await page(stage)).one(id="row-a").text
    stage.offline_since = None
    await stage.step(2)

    assert "Healthy" in (await page(stage)).one(id="row-a").text


async def test_our_own_network_is_blamed_before_a_service_has_failed_by_it(stage: Stage) -> None:
    scenes.offline(stage)
    for name in ("alpha", "beta"):
        stage.saw(name)
    stage.results.of("gamma").stale = True
    stage.saw("gamma", Reason.TIMEOUT)

    found = await page(stage)

    assert found.one("h1").text == (
        "Our network is down since 07:59 UTC: no canary answers; 1 of 3 fails: 1 provider."
    )
    assert found.one("title").text == "(network down) Service registry"
    assert "/icon-network." in found.one("link", id="icon").attributes["href"]


async def test_a_canary_alone_makes_the_page_blame_the_network(vendor: Vendor) -> None:
    vendor.on("/canary", answer(503))
    canary = {"url": vendor.url("/canary"), "interval": "1s", "allow_private_addresses": True}
    off = {"id": "a", "base_url": vendor.url(), "enabled": False}
    idle = {"id": "b", "base_url": vendor.url(), "api_key": "${ABSENT}"}
    config = {"services": [off, idle], "canaries": [canary]}

    async with running(json.dumps(config)) as client, patient(10):
        while client.app.canaries.online:
            await asyncio.sleep(0.02)
        found = read((await client.ask("GET", "/")).text)

    assert found.one("title").text == "(network down) Service registry"


async def test_a_refused_reload_is_shown(stage: Stage) -> None:
    stage.add(service("a"))
    stage.saw("a")
    assert "older configuration" not in (await stage.ask("/")).text

    stage.refused = stage.clock.now() - 600
    html = (await stage.ask("/")).text

    assert "The last reload was refused at" in html
    assert "07:50" in html.partition("was refused at")[2][:80]


async def test_a_rotated_key_is_distinguished_from_that_of_the_file(stage: Stage) -> None:
    stage.add(service("a", provider="openai", api_key="sk-" + "a" * 40))
    stage.saw("a")
    before = (await page(stage, "/services/a")).one(id="facts").text
    stage.rotated["a"] = stage.clock.now() - 1200

    after = (await page(stage, "/services/a")).one(id="facts").text

    assert "rotated" not in before
    assert "configured, rotated 07:40 UTC" in after


async def test_a_thousand_services_come_in_pages(stage: Stage) -> None:
    scenes.many(stage)

    first, last, beyond = [await page(stage, f"/?page={n}") for n in (1, 20, 999)]

    assert [len(rows_of(found)) for found in (first, last, beyond)] == [ROWS_PER_PAGE] * 3
    assert rows_of(first)[0] == "svc-0000"
    assert all(row.startswith("svc-") for row in rows_of(last))
    assert rows_of(last) == rows_of(beyond)
    assert first.one(id="pager").text.startswith("1 to 50 of 1000")
    assert first.one(id="next").attributes["href"] == "/?page=2"
    assert last.one(id="previous").attributes["href"] == "/?page=19"


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("q=service+0042", 1),
        ("q=SVC-004", 10),
        ("q=0042+staging", 0),
        ("state=unhealthy", 11),
        ("state=unhealthy&environment=staging", 5),
        ("environment=nowhere", 0),
        ("state=warned", 0),
        ("provider=custom&type=api&q=svc-0999", 1),
        ("state=nonsense&page=x&q=svc-0001&unknown=1", 1),
    ],
)
async def test_a_filter_shows_what_matches(stage: Stage, query: str, number: int) -> None:
    scenes.many(stage)

    found = await page(stage, f"/?{query}")

    assert len(rows_of(found)) == number
    assert ("hidden" in found.one(id="services").attributes) is not bool(number)
    if not number:
        assert "None of the 1000 services matches this filter" in found.one(id="empty").text


@pytest.mark.parametrize(
    ("fault", "rows"),
    [
        ("provider", ["bad"]),
        ("credential", ["key"]),
        ("quota", ["rate"]),
        ("network", ["proxy"]),
        ("monitoring", []),
        ("nonsense", ["bad", "rate", "key", "proxy", "good"]),
    ],
)
async def test_a_filter_by_fault_shows_whose_it_is(
    stage: Stage, fault: str, rows: list[str]
) -> None:
    seen = {
        "bad": Reason.SERVER_ERROR,
        "key": Reason.AUTH_INVALID,
        "rate": Reason.RATE_LIMITED,
        "proxy": Reason.INTERCEPTED,
        "good": Reason.OK,
    }
    for ago, (id_, reason) in enumerate(seen.items()):
        stage.add(service(id_, api_key="k" * 20))
        stage.saw(id_, reason, ago=ago)

    found = await page(stage, f"/?fault={fault}")

    assert sorted(rows_of(found)) == sorted(rows)
    chosen = found.one(id="fault").all("option", selected="")
    assert [option.attributes["value"] for option in chosen] == [fault] * (fault != "nonsense")


@pytest.mark.parametrize(
    ("sort", "rows"),
    [
        ("", ["c", "a", "b", "d"]),
        ("name", ["a", "b", "c", "d"]),
        ("since", ["c", "b", "a", "d"]),
        ("slow", ["b", "a", "c", "d"]),
        ("odd", ["c", "a", "b", "d"]),
    ],
)
async def test_the_list_is_sorted_as_asked(stage: Stage, sort: str, rows: list[str]) -> None:
    stage.add(service("a", environment="staging"), service("b"), service("c", team="ops"))
    stage.add(service("d", enabled=False))
    stage.saw("a", ago=90, took=0.2)
    stage.saw("b", ago=60, took=0.4)
    stage.saw("c", Reason.TIMEOUT, ago=30, took=10)

    assert rows_of(await page(stage, f"/?sort={sort}")) == rows
    assert rows_of(await page(stage, f"/?sort={sort}&q=example")) == rows


async def test_filter_and_order_are_kept_in_every_link(stage: Stage) -> None:
    scenes.many(stage, 200)

    found = await page(stage, "/?fault=provider&sort=name&state=unhealthy")
    everything = await page(stage, "/?sort=slow")

    assert found.one(id="sort").one("option", selected="").attributes["value"] == "name"
    chip = found.one(id="count-healthy").attributes["href"]
    assert chip == "/?state=healthy&fault=provider&sort=name"
    assert everything.one(id="next").attributes["href"] == "/?sort=slow&page=2"


async def test_title_and_icon_show_what_is_wrong(stage: Stage) -> None:
    async def shown(path: str = "/") -> tuple[str, str]:
        found = await page(stage, path)
        name = found.one("link", id="icon").attributes["href"]
        assert (await stage.ask(name)).text.startswith("<svg")
        return found.one("title").text, name.removeprefix("/assets/").partition(".")[0]

    stage.add(service("a"), service("b", api_key="k" * 20))
    stage.saw("a", ago=60)
    stage.saw("b", ago=60)
    assert await shown() == ("Service registry", "icon")
    stage.saw("b", Reason.AUTH_INVALID, ago=40)
    await stage.step()
    assert await shown() == ("(1) Service registry", "icon-degraded")
    stage.saw("a", Reason.TIMEOUT, ago=20)
    await stage.step()
    assert await shown() == ("(2) Service registry", "icon-down")
    assert await shown("/services/a") == ("A: Down", "icon-down")
    stage.saw("a", Reason.TIMEOUT, verdict=Verdict.NETWORK)
    stage.offline_since = stage.clock.now()
    await stage.step()
    assert await shown() == ("(network down) Service registry", "icon-network")
    assert await shown("/services/a") == ("A: Unobserved", "icon-network")
    made = await stage.incidents.create(severity="high", summary="x", by="ann")
    assert (await shown("/incidents"))[1] == "icon-down"
    await stage.incidents.acknowledge(made.id, "ben", "")
    assert (await shown("/incidents"))[1] == "icon-degraded"


async def test_a_filter_that_the_one_service_does_not_match_says_so(stage: Stage) -> None:
    stage.add(service("a"))

    found = await page(stage, "/?q=other")

    assert "The one service does not match this filter." in found.one(id="empty").text


async def test_a_filter_is_kept_in_the_form_and_over_pages(stage: Stage) -> None:
    scenes.many(stage)

    found = await page(stage, "/?q=%22%3Esvc&environment=staging&page=2")
    pages = await page(stage, "/?q=svc&environment=staging&page=2")

    assert found.one(id="q").attributes["value"] == '">svc'
    chosen = found.one(id="environment").one("option", selected="")
    assert chosen.text == "staging"
    assert pages.one(id="next").attributes["href"] == "/?q=svc&environment=staging&page=3"


# -- one service -------------------------------------------------------------------------------


async def test_a_service_answers_whose_fault_why_and_what_to_do(stage: Stage) -> None:
    await scenes.mixed(stage)

    found = await page(stage, "/services/stripe")

    head = found.one(id="head")
    assert head.one("p", **{"class": "verdict"}).text == (
        "Down since 07:56 UTC : server error (HTTP 503)."
        " At fault: the provider . What to do: see its status page; use the fallback."
    )
    assert "Reason server_error , HTTP 503" in head.text
    status_page = head.one("a", id="says")
    assert status_page.attributes["href"].startswith("https://")
    assert "noreferrer" in status_page.attributes["rel"]
    assert status_page.text == "major outage"


async def test_while_our_network_is_down_a_service_says_so_before_its_next_probe(
    stage: Stage,
) -> None:
    stage.add(service("a"))
    stage.saw("a", Reason.SERVER_ERROR, status=503, ago=30)
    before = await page(stage, "/services/a")
    stage.offline_since = NOW - 10
    down = (await page(stage, "/services/a")).one(id="head")
    stage.saw("a", Reason.CONNECT, verdict=Verdict.NETWORK)
    after = (await page(stage, "/services/a")).one(id="head")

    assert not before.all(id="offline")
    verdict = (
        "Unobserved since 07:59 UTC : our network is down; last seen 07:59 UTC: provider: server"
        " error. At fault: our network . What to do: our own network is down: check it,"
    )
    for found in (down, after):
        assert not found.all(id="offline")
        assert found.one("p", **{"class": "verdict"}).text.startswith(verdict)
        assert "Last reason seen server_error , HTTP 503" in found.text
    stage.saw("a", Reason.SERVER_ERROR, status=503)
    await stage.step(2)
    answered = (await page(stage, "/services/a")).one(id="head")
    assert answered.one(id="offline").text.endswith("this was seen all the same.")
    assert answered.one("p", **{"class": "verdict"}).text.startswith("Down since ")


async def test_a_paused_service_says_who_paused_it_since_when_and_why(stage: Stage) -> None:
    stage.add(service("a"))
    stage.saw("a", Reason.SERVER_ERROR, status=503)
    target = stage.registry.get("a")
    pause = Pause(at=NOW - 3600, by="<b>ann</b>", reason="they rebuild it")
    stage.registry.replace([replace(target, enabled=False, pause=pause)])

    said = (await page(stage, "/services/a")).one(id="head").one("p", **{"class": "verdict"}).text

    since = datetime.fromtimestamp(pause.at, UTC).strftime("%H:%M UTC")
    assert said.startswith(
        f"Not probed since {since} : paused by <b>ann</b>: they rebuild it. What"
    )
    assert "`resume a` ends that" in said


async def test_a_service_says_who_saw_its_outage_first(stage: Stage) -> None:
    await scenes.mixed(stage)
    now = stage.clock.now()
    title = f"{scenes.TROUBLE} <a href='https://evil.example'>x</a>"
    incident = PageIncident(id="i", title=title, claimed=now - 1800, posted=now - 240)
    record = PageRecord()
    record.take(Reading(state=State.OPERATIONAL), now - 300, uncertainty=60)
    record.take(
        Reading(state=State.DEGRADED, incidents=(incident,), matched=False), now, uncertainty=60
    )
    stage.page_records["stripe"] = record
    stage.leads["stripe"] = lead_of(record, now - 1440)

    found = await page(stage, "/services/stripe")

    head = found.one(id="head")
    assert head.one(id="who-first").text == (
        "Who saw it first: we fail since 07:36 UTC; their page: since 07:30, published 07:56:"
        " 20 minutes after us (± 1 minute)."
    )
    assert "On their page: </title><script>alert(1)</script>" in head.text
    assert "evil.example" not in "".join(one.attributes.get("href", "") for one in found.all("a"))
    assert "component_filter matches no part of their page" in head.text


async def test_a_page_that_says_nothing_of_incidents_adds_nothing(stage: Stage) -> None:
    await scenes.mixed(stage)
    stage.page_records["stripe"] = PageRecord()

    head = (await page(stage, "/services/stripe")).one(id="head")

    assert "Who saw it first" not in head.text
    assert "On their page" not in head.text


async def test_a_service_shows_phases_failures_probes_and_budget(stage: Stage) -> None:
    await scenes.mixed(stage)

    found = await page(stage, "/services/stripe")

    phases = [row.text for row in found.one(id="phases").all("tr")]
    assert phases[:5] == [
        "resolve 55 ms",
        "connect 110 ms",
        "tls 220 ms",
        "processing 660 ms",
        "transfer 55 ms",
    ]
    failures = found.one(id="failures").one("tbody").all("tr")
    assert len(failures) == 4
    assert "server_error HTTP 503: not one of the expected statuses" in failures[0].text
    assert len(found.one(id="recent").one("tbody").all("tr")) == 20
    assert "4 bad of 24 counted" in found.one(id="budget").text
    assert "9 % spent" in found.one(id="budget").text
    assert "Stripe payments: provider outage" in found.one(id="history").text


async def test_failures_outlive_the_successes_after_them(stage: Stage) -> None:
    stage.add(service("a"))
    stage.saw("a", Reason.DNS, ago=7200, detail="no such name")
    for minute in range(60):
        stage.saw("a", ago=3600 - 60 * minute)

    found = await page(stage, "/services/a")

    assert "dns no such name" in found.one(id="failures").text
    assert "dns" not in found.one(id="recent").text


async def test_the_curl_line_is_masked(stage: Stage) -> None:
    stage.add(service("a", api_key=SENTINEL))

    found = await page(stage, "/services/a")

    line = found.one(id="request").one("code").text
    assert line.startswith("curl -sS")
    assert "Authorization: Bearer sen…" in line
    assert SENTINEL not in line


async def test_a_service_that_was_never_probed_has_a_page(stage: Stage) -> None:
    stage.add(
        service("new"),
        service("off", enabled=False),
        service("keyless", provider="openai"),
        service("dry", api_key="${NO_KEY}"),
    )

    names = ("new", "off", "keyless", "dry")
    texts = [(await page(stage, f"/services/{id_}")).text for id_ in names]

    assert "no result yet" in texts[0]
    assert "wait for the first result" in texts[0]
    assert "switched off" in texts[1]
    assert "OPENAI_API_KEY is not set" in texts[2]
    assert "Not probed : no key: NO_KEY is not set." in texts[3]


@pytest.mark.parametrize("path", ["/services/nobody", "/incidents/nobody", "/services/%00%2f"])
async def test_what_is_not_there_has_a_page_for_people(stage: Stage, path: str) -> None:
    found = await page(stage, path, status=404)

    assert found.one("h1").text == "There is nothing here"


# -- incidents ---------------------------------------------------------------------------------


async def test_the_incidents_are_listed_the_newest_first(stage: Stage) -> None:
    await scenes.mixed(stage)

    found, opened = await page(stage, "/incidents"), await page(stage, "/incidents?status=open")

    assert found.one("h1").text == "1 incident waits for somebody, 1 is acknowledged."
    assert len(found.one(id="listing").all("h3")) == 3
    assert "acknowledged by ben after 0 s" in found.one(id="listing").text
    assert [h.text for h in opened.one(id="listing").all("h3")] == [
        "Stripe payments: provider outage"
    ]


async def test_older_incidents_are_on_further_pages(stage: Stage) -> None:
    for number in range(60):
        await stage.incidents.create(severity="low", summary=f"number {number}", by="ann")
        await stage.step()

    first = await page(stage, "/incidents?severity=low")
    second = await page(stage, first.one(id="older").attributes["href"])

    assert [len(found.one(id="listing").all("h3")) for found in (first, second)] == [50, 10]
    assert second.one(id="listing").all("h3")[-1].text == "number 0"


@pytest.mark.parametrize(
    "query",
    ["status=odd", "before=x", "before=x_y", "before=nan_a", "service=%00", "a=" + "x" * 99],
)
async def test_an_odd_query_for_incidents_finds_none_or_all(stage: Stage, query: str) -> None:
    await stage.incidents.create(severity="low", summary="one", by="ann")

    assert len((await page(stage, f"/incidents?{query}")).all("h1")) == 1


async def test_an_incident_shows_its_timeline(stage: Stage) -> None:
    made = await stage.incidents.create(severity="high", summary="nobody can pay", by="ann")
    await stage.incidents.acknowledge(made.id, "ben", "looking\ninto it")

    found = await page(stage, f"/incidents/{made.id}")

    entries = [entry.text for entry in found.one(id="timeline").all("li")]
    assert [entry.split()[0] for entry in entries] == ["opened", "acknowledged"]
    assert "by ben" in entries[1]
    assert "looking into it" in entries[1]
    assert found.one("form", id="act").attributes["data-to"] == f"/api/incidents/{made.id}/"


async def test_before_any_incident_the_page_shows_where_they_come_from(stage: Stage) -> None:
    found = await page(stage, "/incidents")

    assert found.one("h1").text == "No open incident."
    assert "/api/alertmanager" in found.one(id="listing").text


# -- safety ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_hostile_text_stays_text_on_every_page(stage: Stage, text: str) -> None:
    stage.add(
        service(
            "a",
            name=text,
            environment=text,
            team=text,
            api_key="k" * 20,
            metadata={"owner": text},
        )
    )
    stage.saw("a", Reason.BAD_BODY, detail=text)
    made = await stage.incidents.create(
        severity="high", summary=text, by=text, service="a", description=text
    )
    await stage.incidents.note(made.id, text, text)
    for path in ("/", "/services/a", "/incidents", f"/incidents/{made.id}", "/?q=" + "%3Cb%3E"):
        found = await page(stage, path)
        assert all(
            re.match(r"/assets/(page|act|times)\.", s.attributes["src"])
            for s in found.all("script")
        )
        assert len(found.all("script")) <= 3
        assert not [e for e in found.all() if e.tag in ("img", "iframe", "object", "b\u202e")]
        names = {name for element in found.all() for name in element.attributes}
        assert not [name for name in names if name.startswith("on") or name == "style"]
        links = [e.attributes["href"] for e in found.all("a")]
        assert all(re.match(r"/|#|https://|$", link) for link in links), links
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", found.text)
    name = (await page(stage)).one(id="row-a").one("a").text
    assert name == " ".join(re.sub("[\u202e\u2066\u200f]", "\ufffd", text).split())


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://a.example/x", "https://a.example/x"),
        ("HTTP://a.example", "HTTP://a.example"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        (" https://a.example", ""),
        ("//a.example", ""),
        ("", ""),
    ],
)
def test_only_an_address_of_the_web_becomes_a_link(text: str, link: str) -> None:
    assert web_link(text) == link


async def test_no_page_needs_anything_from_elsewhere_or_inline(stage: Stage) -> None:
    await scenes.mixed(stage)

    for path in ("/", "/services/stripe", "/incidents"):
        found = await page(stage, path)
        assert not found.all("style")
        assert all(script.text == "" for script in found.all("script"))
        loaded = [
            e.attributes.get("src") or e.attributes.get("href")
            for e in (*found.all("script"), *found.all("link"))
        ]
        assert len(loaded) == 3 + 3 * path.startswith("/services/")
        for name in loaded:
            asset = await stage.ask(str(name))
            assert asset.status == 200
            assert "immutable" in asset.headers["Cache-Control"]
            assert "http://" not in asset.text.replace("http://www.w3.org/2000/svg", "")
            assert "https://" not in asset.text


async def test_the_pages_have_the_strict_policy_and_are_not_kept(stage: Stage) -> None:
    found = await stage.ask("/")

    policy = found.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert found.headers["Cache-Control"] == "no-store"


async def test_a_page_is_small_on_the_wire(stage: Stage) -> None:
    scenes.many(stage)

    async with stage.session.get(stage.base + "/") as response:
        html = await response.text()
        sent = int(response.headers["Content-Length"])

    assert response.headers["Content-Encoding"] in ("gzip", "deflate")
    assert len(html) < 100_000
    assert sent < len(html) / 5


async def test_an_unknown_asset_is_404(stage: Stage) -> None:
    assert (await stage.ask("/assets/page.css")).status == 404


async def test_no_key_is_on_any_page(vendor: Vendor) -> None:
    vendor.on("/", answer(401, {"error": f"bad key {SENTINEL}"}, {"X-Key": SENTINEL}))
    check = "{interval: 1s, timeout: 1s, retries: 0, allow_private_addresses: true}"
    config = (
        f"services: [{{id: a, base_url: '{vendor.url()}', api_key: {SENTINEL},"
        f" additional_headers: {{X-Other: {SENTINEL}}}, health_check: {check}}}]"
    )

    async with running(config) as client:
        await client.probed("a")
        texts = [(await client.ask("GET", p)).text for p in ("/", "/services/a", "/incidents")]

    assert any(seen.holds(SENTINEL) for seen in vendor.seen)
    for form, found in forms_of(SENTINEL).items():
        assert found not in "".join(texts).encode(), f"the key leaks as {form}"


async def test_all_of_it_can_be_switched_off() -> None:
    async with running("monitoring: {dashboard_enabled: false}") as client:
        for path in (
            "/",
            "/services/a",
            "/incidents",
            "/incidents/a",
            "/assets/page.js",
            "/api/events?of=/",
        ):
            found = await client.ask("GET", path)
            assert (found.status, found.type) == (404, "application/problem+json"), path
            assert "dashboard_enabled" in found.text
        assert (await client.ask("GET", "/api/health")).status == 200


async def test_without_an_admin_token_the_incident_page_shows_how_to_set_one() -> None:
    async with running(token=None) as client:
        made = await client.app.incidents.create(severity="low", summary="x", by="ann")
        found = read((await client.ask("GET", f"/incidents/{made.id}")).text)

    assert "--admin-token-file" in found.text
    assert not found.all("form", id="act")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/?state=bad", "state … unhealthy, degraded, unknown, healthy, maintenance, off, warned"),
        ("/?fault=theirs&sort=slow", "fault … provider, credential, quota, request"),
        ("/?sort=size", "sort … name, since, slow"),
        ("/?group=colour", "group … "),
        ("/incidents?status=closed", "status … open, acknowledged, resolved"),
        ("/incidents?severity=worst", "severity … critical, high, medium, low"),
    ],
)
async def test_a_choice_that_does_not_exist_is_ignored_and_said_so(
    stage: Stage, path: str, said: str
) -> None:
    stage.add(service("a"))
    name, _, allowed = said.partition(" … ")

    page = read((await stage.ask(path)).text)

    notice = page.one("p", id=f"ignored-{name}")
    assert notice.text.startswith(f"The address asks for a {name} that does not exist")
    assert f"There are: {allowed}" in notice.text
    assert not page.all(id="clear"), "nothing is filtered by it"


async def test_choices_that_exist_are_no_notice(stage: Stage) -> None:
    stage.add(service("a"))
    for path in ("/?state=off&sort=slow&group=team&fault=network", "/incidents?status=open"):
        assert "does not exist" not in (await stage.ask(path)).text


def test_a_command_in_a_sentence_is_code_and_nothing_else_is_html() -> None:
    assert coded("run `top --once`, then") == "run <code>top --once</code>, then"
    assert coded("`<b>` & \x1b") == "<code>&lt;b&gt;</code> &amp; \ufffd"
