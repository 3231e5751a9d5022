"""Each failure unfolds to what was answered, escaped; an incident shows the first and the last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exporter.evidence import Evidence
from exporter.model import Certificate, Reason, Verdict
from exporter.page.drawer import PageNotFoundError
from exporter.page.views import ServicePage, view_of
from tests.page.reading import read
from tests.page.stage import NOW, Stage, service
from tests.page.test_pages import HOSTILE, page

KEPT = Evidence(
    answerer="edge",
    tls_version="TLSv1.3",
    cipher="TLS_AES_128_GCM_SHA256",
    headers=(("retry-after", "7"),),
    found=(("$.status", "degraded"),),
    excerpt='{"error":{"message":"out of capacity"}}',
)


def fail(stage: Stage, ago: float, **fields: Any) -> None:
    usual: dict[str, Any] = {"request_id": f"req-{ago:.0f}", "status": 503, "evidence": KEPT}
    usual["address"] = "192.0.2.7"
    stage.saw("a", Reason.OVERLOADED, ago=ago, **(usual | fields))


async def test_a_failure_unfolds_to_its_evidence(stage: Stage) -> None:
    stage.add(service("a"))
    seen = Certificate(expiry=NOW + 9e6, subject="CN=a.example", issuer="CN=R3")
    fail(stage, 60, certificate=seen)

    details = (await page(stage, "/services/a")).one(id="failures").one("details")

    assert details.attributes["id"] == f"failure-{(NOW - 60) * 1000:.0f}"
    assert details.one("summary").text == "Evidence: request req-60"
    assert "open" not in details.attributes
    for text in (
        "the provider; an edge in front of the API answered",
        "192.0.2.7",
        "resolve 10 ms, connect 20 ms",
        "CN=a.example , by CN=R3",
        "TLSv1.3 TLS_AES_128_GCM_SHA256",
        "Found at $.status degraded",
        "retry-after 7",
        '{"error":{"message":"out of capacity"}}',
    ):
        assert text in details.text, text


async def test_an_address_with_a_time_opens_at_the_failure_of_that_time(stage: Stage) -> None:
    stage.add(service("a"))
    for ago in (90, 60, 30):
        fail(stage, ago)

    shown = await page(stage, f"/services/a?until={NOW - 60}")
    listed = shown.one(id="failures").all("details")

    assert [one.one("summary").text[-2:] for one in listed] == ["60", "90"]
    assert ["open" in one.attributes for one in listed] == [True, False]


async def test_a_whole_second_in_an_address_is_all_of_that_second(stage: Stage) -> None:
    stage.add(service("a"))
    fail(stage, 59.3)

    shown = await page(stage, f"/services/a?until={NOW - 60:.0f}")

    assert shown.one(id="failures").one("details").attributes["id"].startswith("failure-")


@pytest.mark.parametrize(
    ("network", "status", "said"),
    [
        ("answer", 503, "worked: an answer came"),
        ("canary", 0, "worked: a canary answered"),
        ("", 0, "not proven: no canary"),
        ("", 503, "worked: an answer came"),
    ],
)
async def test_a_failure_says_whether_our_network_worked(
    stage: Stage, network: str, status: int, said: str
) -> None:
    stage.add(service("a"))
    fail(stage, 60, evidence=replace(KEPT, network=network), status=status)

    assert f"Our network {said}" in (await page(stage, "/services/a")).one(id="failures").text


async def test_a_failure_of_our_network_does_not_say_that_it_worked(stage: Stage) -> None:
    stage.add(service("a"))
    stage.saw("a", Reason.CONNECT, verdict=Verdict.NETWORK, evidence=KEPT)

    found = (await page(stage, "/services/a")).one(id="failures").text

    assert "our network" in found
    assert "Our network" not in found


async def test_a_failure_without_an_answer_shows_what_is_known(stage: Stage) -> None:
    stage.add(service("a"))
    stage.saw("a", Reason.DNS, ago=5, detail="no such name")

    found = (await page(stage, "/services/a")).one(id="failures").one("details").text

    assert "Evidence" in found
    assert "the provider" in found


@pytest.mark.parametrize("text", HOSTILE)
async def test_evidence_is_text_and_never_markup(stage: Stage, text: str) -> None:
    stage.add(service("a"))
    hostile = Evidence(
        answerer=text, headers=((text, text),), found=((text, text),), excerpt=f"begin {text} end"
    )
    fail(stage, 60, evidence=hostile, detail=text, address=text, request_id=text)
    incident = await stage.incidents.create(
        severity="high",
        summary="s",
        description="",
        by="ann",
        service="a",
        environment="production",
        provider="custom",
        team="",
    )

    for path, id_ in (("/services/a", "failures"), (f"/incidents/{incident.id}", "timeline")):
        answer = await stage.ask(path)
        region = read(answer.text).one(id=id_)
        assert "begin" in region.text
        assert not region.all("script")
        assert not region.all("img")
        assert not [one for one in region.all("svg") if "onload" in one.attributes]
        assert "onmouseover" not in str([one.attributes for one in region.all("bdi")])
        assert "\u202e" not in answer.text


async def test_older_failures_are_a_page_on_and_a_time_leads_to_its_own(stage: Stage) -> None:
    stage.add(service("a"))
    for minute in range(25, 0, -1):
        fail(stage, 60.0 * minute)

    first = (await page(stage, "/services/a")).one(id="failures")
    assert len(first.one("tbody").all("tr")) == 10
    link = first.one("a", id="older-failures").attributes["href"]
    second = (await page(stage, link)).one(id="failures")

    assert "req-660" in second.one("tbody").all("tr")[0].text
    assert "Up to" in second.text
    third = await page(stage, second.one("a", id="older-failures").attributes["href"])
    assert len(third.one(id="failures").one("tbody").all("tr")) == 5
    assert not third.one(id="failures").all("nav")


@pytest.mark.parametrize("text", ["1800000000.25", "1800000000250"])
def test_a_time_in_the_address_is_in_seconds_or_milliseconds(text: str) -> None:
    assert view_of(f"/services/a?until={text}") == ServicePage(id="a", until=1_800_000_000.25)


@pytest.mark.parametrize("text", ["", "x", "-1", "1e9", "9" * 40, "1.2.3", "nan", "١٢"])
def test_what_is_no_time_is_passed_over(text: str) -> None:
    assert view_of(f"/services/a?until={text}") == ServicePage(id="a")
    with pytest.raises(PageNotFoundError):
        view_of(f"/nowhere?until={text}")


async def test_an_incident_shows_the_failures_at_both_ends_in_their_place(stage: Stage) -> None:
    stage.add(service("a"))
    for ago in (180, 120, 60):
        fail(stage, ago)
    incident = await stage.incidents.create(
        severity="high",
        summary="s",
        description="",
        by="ann",
        service="a",
        environment="production",
        provider="custom",
        team="",
    )
    fail(stage, -30)
    await stage.step(40)

    found = (await page(stage, f"/incidents/{incident.id}")).one(id="timeline")

    texts = [row.text for row in found.all("li")]
    assert len(texts) == 3
    assert texts[0].startswith("First failure : overloaded , HTTP 503")
    assert "req-180" in texts[0]
    assert texts[1].startswith("opened")
    assert texts[2].startswith("Last failure")
    assert "req--30" in texts[2]
