"""Feeds that are made to take long: unknown, after little work, and never on the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from defusedxml import ElementTree

from exporter.probers import Answer, Request
from exporter.statuspages import State, StatusPage, StatusPages, adapters, pages
from exporter.statuspages.adapters import Reading, feed
from exporter.statuspages.updates import _plain, phase_of_word, written_phases
from tests.clocks import QuickClock
from tests.steps import steps_of


def read(adapter: str, body: bytes, component_filter: str | None) -> State:
    return adapters.read_page(adapter, body, component_filter, 0.0).state


def rss(inner: str) -> bytes:
    return f"<rss><channel>{inner}</channel></rss>".encode()


def item(text: str = "Investigating - we look") -> str:
    return f"<item><title>t</title><description>{text}</description></item>"


ATTRIBUTES = " ".join(f"a{i}='x'" for i in range(60_000))
HOSTILE = {
    "items": rss("<item/>" * 100_000),
    "elements of an item": rss(f"<item>{'<pubDate>x</pubDate>' * 100_000}</item>"),
    "attributes": f"<rss {ATTRIBUTES}/>".encode(),
    "nesting": b"<rss>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</rss>",
    "many items with a state": rss(item("Resolved - over") * 501),
    "long texts": rss(item("Resolved - over\n" + "word " * 12_000) * 10),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_feed_beyond_any_that_a_vendor_writes_is_unknown_after_little_work(body: bytes) -> None:
    # 300 items of 1 KiB, as much as a vendor may list
    large = rss(item("Resolved - over\n" + "we saw errors\n" * 70) * 300)
    assert read("feed", large, None) is State.OPERATIONAL

    assert read("feed", body, None) is State.UNKNOWN
    assert steps_of(lambda: read("feed", body, None)) < 2 * steps_of(
        lambda: read("feed", large, None)
    )


def test_items_inside_items_are_not_read_again_and_again() -> None:
    def steps(depth: int) -> int:
        nested = "<item>" * depth + "<title>x</title>" + "</item>" * depth
        return steps_of(lambda: read("feed", rss(nested), None))

    assert steps(400) < 3 * steps(200)


def test_a_date_of_more_than_a_hundred_characters_or_the_fourth_is_not_read() -> None:
    def time_of(*dates: str) -> float:
        inner = "".join(f"<date>{date}</date>" for date in dates)
        return feed._time(ElementTree.fromstring(f"<item>{inner}</item>"))

    date = "1970-01-01T00:00:07Z"
    assert time_of(date) == time_of("x", "x", date) == time_of(date + " " * 80) == 7
    assert time_of(date + " " * 81) == time_of("x", "x", "x", date) == 0


@pytest.mark.parametrize(
    "line", [".", "a", "Monitoring", "jan 1 " * 9 + "identified x", "x " * 500]
)
def test_few_and_short_lines_of_a_text_are_searched(line: str) -> None:
    plain = _plain("\n".join([line] * 30_000))

    assert len(plain.splitlines()) <= 2_000
    assert max(map(len, plain.splitlines())) <= 200


def test_an_update_is_found_at_the_beginning_of_a_long_line_and_before_many() -> None:
    long = "Nov 27, 10:00 UTC Resolved - it is over " + "and over " * 500
    many = "\n".join(["Nov 27, 10:00 UTC Resolved - over", *["a line"] * 5_000])

    assert [phase.value for phase in written_phases(long)] == ["ended"]
    assert [phase.value for phase in written_phases(many)] == ["ended"]
    assert phase_of_word("resolved" + " " * 1_000_000) is None


class Site:
    """A transport that answers every request with one body; no job is ever run."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    async def fetch(self, request: Request) -> Answer:
        return Answer(status=200, body=self.body, headers={"etag": "x"})

    def put(self, *job: Any) -> None: ...

    def hasten(self, name: str, seconds: float) -> None: ...

    def drop(self, name: str) -> None: ...


@pytest.mark.parametrize("size", [1, 100])
async def test_a_long_page_is_read_beside_the_loop(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = StatusPage(url="https://status.example", adapter="feed", confidence="doc")
    site = Site(rss(item("Resolved - over\n" + "x" * 200) * size))
    threads: list[threading.Thread] = []

    def noted(*given: Any) -> Reading:
        threads.append(threading.current_thread())
        return adapters.read_page(*given)

    monkeypatch.setattr(pages, "read_page", noted)
    known = StatusPages(site, site, "agent/1", QuickClock())
    known.set_pages({page})

    await known.poll(page)

    assert known.state(page) is State.OPERATIONAL
    assert (threads == [threading.main_thread()]) is (size == 1)


async def test_a_page_that_is_taken_out_while_it_is_read_stays_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = StatusPage(url="https://status.example", adapter="feed", confidence="doc")
    site = Site(rss(item("Resolved - over\n" + "x" * 200) * 100))
    known = StatusPages(site, site, "agent/1", QuickClock())
    known.set_pages({page})
    begun, done = threading.Event(), threading.Event()

    def slow(*given: Any) -> Reading:
        begun.set()
        assert done.wait(30)
        return Reading(state=State.OPERATIONAL)

    monkeypatch.setattr(pages, "read_page", slow)
    polling = asyncio.create_task(known.poll(page))
    assert await asyncio.to_thread(begun.wait, 30)
    known.set_pages(set())
    done.set()
    await polling

    assert known.state(page) is State.UNKNOWN
    assert known.record(page) is None
