"""Status pages polled with their ETag, on their interval, followers notified of changes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from exporter.model import Reason
from exporter.probers import Answer, Request
from exporter.schedule import Polling
from exporter.statuspages import State, StatusPage, StatusPages, address_of
from tests.clocks import QuickClock, gaps
from tests.fakes import settle

PAGE = StatusPage(url="https://status.example", adapter="statuspage", confidence="doc")
OTHER = replace(PAGE, url="https://status.other.example")
LINKED = StatusPage(url="https://status.linked.example", confidence="doc")


def saying(indicator: str, etag: str = "") -> Answer:
    body = json.dumps({"status": {"indicator": indicator}}).encode()
    return Answer(status=200, body=body, headers={"etag": etag} if etag else {})


class Site:
    """A transport that answers in turn, the last answer for ever, and notes the requests."""

    def __init__(self) -> None:
        self.clock = QuickClock()
        self.polling = Polling(self.clock)
        self.changed: list[StatusPage] = []
        self.pages = StatusPages(self, self.polling, "agent/1", self.clock)
        self.pages.subscribe(self.changed.append)
        self.answers: list[Answer | Exception] = [saying("none")]
        self.requests: list[tuple[float, Request]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def fetch(self, request: Request) -> Answer:
        self.requests.append((self.clock.tick(), request))
        await self.open.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def poll(self, *answers: Answer, page: StatusPage = PAGE) -> State | None:
        """Poll *page* once for each of *answers*; return its state."""
        self.answers = [*answers, Answer(failure=Reason.INTERNAL)]
        for _ in answers:
            await self.pages.poll(page)
        return self.pages.state(page)

    async def advance(self, seconds: float) -> None:
        running = asyncio.create_task(self.polling.run())
        await self.clock.advance(seconds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    @property
    def tags(self) -> list[str | None]:
        return [dict(request.headers).get("If-None-Match") for _, request in self.requests]


@pytest.fixture
def site() -> Site:
    made = Site()
    made.pages.set_pages({PAGE})
    return made


async def test_a_page_is_unknown_until_it_was_read(site: Site) -> None:
    before = site.pages.state(PAGE)

    after = await site.poll(saying("major"))

    assert (before, after) == (State.UNKNOWN, State.PARTIAL_OUTAGE)


async def test_no_page_has_no_state(site: Site) -> None:
    assert site.pages.state(None) is None
    assert site.pages.state(OTHER) is State.UNKNOWN


async def test_the_tag_is_sent_back_and_304_keeps_the_state(site: Site) -> None:
    unchanged = Answer(status=304)

    state = await site.poll(saying("minor", etag='W/"abc"'), unchanged, unchanged)

    assert state is State.DEGRADED
    assert site.tags == [None, 'W/"abc"', 'W/"abc"']
    assert site.changed == [PAGE]


async def test_a_304_that_was_not_requested_is_unknown(site: Site) -> None:
    assert await site.poll(saying("minor"), Answer(status=304)) is State.UNKNOWN


@pytest.mark.parametrize("etag", ["", "x" * 129, 'a"\r\nX-Evil: 1', "\x00"])
async def test_a_tag_that_is_no_proper_one_is_not_sent_back(site: Site, etag: str) -> None:
    await site.poll(saying("minor", etag=etag), saying("minor"))

    assert site.tags == [None, None]


FAILURES = {
    "no connection": Answer(failure=Reason.CONNECT),
    "late": Answer(failure=Reason.TIMEOUT, status=200, body=saying("none").body),
    "error": replace(saying("none"), status=503),
    "redirect": Answer(status=302),
    "blocked": Answer(status=403, body=b"<html>"),
    "truncated": replace(saying("none"), truncated=True),
    "garbage": Answer(status=200, body=b"<html>"),
}


@pytest.mark.parametrize("answer", FAILURES.values(), ids=FAILURES)
async def test_a_failure_is_unknown_and_forgets_the_tag(site: Site, answer: Answer) -> None:
    state = await site.poll(saying("none", etag='"1"'), answer)
    await site.poll(saying("none"))

    assert state is State.UNKNOWN
    assert site.tags == [None, '"1"', None]


async def test_the_callback_is_called_only_when_the_state_changes(site: Site) -> None:
    words = ("none", "none", "minor", "minor", "none")

    await site.poll(*(saying(word) for word in words))

    assert site.changed == [PAGE] * 3


async def test_a_request_is_polite_and_bounded(site: Site) -> None:
    await site.poll(saying("none"))

    ((_, request),) = site.requests
    assert (request.method, request.url) == ("GET", "https://status.example/api/v2/summary.json")
    assert dict(request.headers)["User-Agent"] == "agent/1"
    assert not request.allow_private
    assert request.timeout == 10
    assert request.max_body == 4 * 1024 * 1024


async def test_a_page_of_our_own_may_be_at_a_private_address_if_it_says_so(site: Site) -> None:
    inside = replace(PAGE, url="http://10.0.0.7", allow_private_addresses=True)
    site.pages.set_pages({inside})
    site.answers = [saying("none")]

    await site.pages.poll(inside)

    assert site.requests[-1][1].allow_private
    assert site.pages.state(inside) is State.OPERATIONAL


async def test_a_page_is_requested_once_in_five_minutes(site: Site) -> None:
    await site.advance(3600)

    times = [at for at, _ in site.requests]
    assert 12 <= len(times) <= 13
    assert all(300 <= gap <= 300.3 for gap in gaps(times))


async def test_using_the_same_pages_again_asks_no_sooner(site: Site) -> None:
    await site.advance(10)

    for _ in range(20):
        site.pages.set_pages({replace(PAGE)})
        await site.advance(10)

    assert len(site.requests) == 1
    assert site.pages.state(PAGE) is State.OPERATIONAL


async def test_the_first_requests_of_many_pages_are_no_burst() -> None:
    site = Site()
    site.pages.set_pages({replace(PAGE, url=f"https://status{i}.example") for i in range(30)})

    await site.advance(10)

    times = [at for at, _ in site.requests]
    assert len(times) == 30
    assert times[-1] - times[0] > 5


async def test_a_page_no_longer_used_is_not_requested_and_has_no_state(site: Site) -> None:
    await site.advance(10)
    site.requests.clear()

    site.pages.set_pages({OTHER})
    await site.advance(700)

    assert {request.url for _, request in site.requests} == {address_of(OTHER)}
    assert site.pages.state(PAGE) is State.UNKNOWN
    assert site.pages.state(OTHER) is State.OPERATIONAL


async def test_an_answer_for_a_page_dropped_meanwhile_changes_nothing(site: Site) -> None:
    site.open.clear()
    site.answers = [saying("none", etag='"1"')]
    polling = asyncio.create_task(site.pages.poll(PAGE))
    await settle()

    site.pages.set_pages(set())
    site.open.set()
    await polling
    site.pages.set_pages({PAGE})
    await site.poll(saying("minor"))

    assert site.changed == [PAGE]
    assert site.tags == [None, None]


async def test_pages_of_one_address_read_in_two_ways_are_both_requested() -> None:
    site = Site()
    feed = replace(PAGE, adapter="feed", endpoint="https://status.example/feed")
    filtered = replace(PAGE, component_filter="API")
    site.pages.set_pages({PAGE, feed, filtered})

    await site.advance(10)

    assert len(site.requests) == 3
    assert site.pages.state(PAGE) is site.pages.state(filtered) is State.OPERATIONAL
    assert site.pages.state(feed) is State.UNKNOWN


async def test_a_page_without_adapter_is_unknown_and_never_requested() -> None:
    site = Site()
    site.pages.set_pages({LINKED})

    await site.advance(700)
    await site.pages.poll(LINKED)

    assert site.requests == []
    assert site.pages.state(LINKED) is State.UNKNOWN
    assert address_of(LINKED) is None


async def test_a_bug_in_the_transport_stops_no_other_page() -> None:
    site = Site()
    site.answers = [RuntimeError("bug"), saying("none")]
    site.pages.set_pages({PAGE, OTHER})

    await site.advance(10)

    states = {site.pages.state(PAGE), site.pages.state(OTHER)}
    assert states == {State.UNKNOWN, State.OPERATIONAL}


@pytest.mark.parametrize(
    ("page", "address"),
    [
        (PAGE, "https://status.example/api/v2/summary.json"),
        (
            replace(PAGE, url="https://status.example/"),
            "https://status.example/api/v2/summary.json",
        ),
        (replace(PAGE, endpoint="https://data.example/x"), "https://data.example/x"),
        (replace(PAGE, adapter="feed"), "https://status.example/history.rss"),
    ],
)
def test_the_data_is_at_the_usual_path_or_where_the_page_says(
    page: StatusPage, address: str
) -> None:
    assert address_of(page) == address
