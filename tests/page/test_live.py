"""The event stream: all of the page first, then what changes; no viewer waits for another."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from exporter.clock import SystemClock
from exporter.model import Reason
from exporter.page import drawer
from exporter.page.live import MAX_QUEUED_EVENTS, Viewer, ViewerRefusedError
from exporter.page.views import view_of
from tests.api.managed import running
from tests.page import scenes
from tests.page.stage import Stage, service, staged
from tests.patience import Stopwatch, patient

Event = tuple[str, Any]


class Stream:
    """An open page, without its browser."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.ids: list[str] = []
        self.comments: list[str] = []

    async def next(self, wanted: str = "") -> Event:
        """Return the next event, or the next one called *wanted*."""
        async with patient(10):
            while True:
                event = await self._event()
                if wanted in ("", event[0]):
                    return event

    async def _event(self) -> Event:
        name, data = "message", ""
        while (line := (await self._line()).rstrip("\n")) or not data:
            field, _, value = line.partition(": ")
            match field:
                case "event":
                    name = value
                case "data":
                    data += value
                case "id":
                    self.ids.append(value)
                case "":
                    self.comments.append(value)
        return name, json.loads(data)

    async def _line(self) -> str:
        line = (await self.response.content.readline()).decode()
        if not line:
            raise EOFError
        return line

    async def ended(self) -> None:
        """Return once the server has ended it."""
        with contextlib.suppress(EOFError):
            while True:
                await self.next()


@contextlib.asynccontextmanager
async def opened(stage: Stage, of: str = "/", **headers: str) -> AsyncIterator[Stream]:
    url = f"{stage.base}/api/events"
    async with stage.session.get(url, params={"of": of}, headers=headers) as response:
        assert response.status == 200, await response.text()
        yield Stream(response)


async def until(stage: Stage, viewers: int) -> None:
    async with patient(5):
        while stage.live.viewers != viewers:
            await asyncio.sleep(0.01)


async def test_a_stream_begins_with_all_of_the_page(stage: Stage) -> None:
    await scenes.mixed(stage)

    async with opened(stage) as stream:
        hello, page = await stream.next(), await stream.next()

    assert stream.response.headers["Content-Type"].startswith("text/event-stream")
    assert stream.response.headers["Cache-Control"] == "no-store"
    assert stream.response.headers["X-Accel-Buffering"] == "no"
    assert hello[0] == "hello"
    assert hello[1].keys() == {"version", "now", "beat"}
    shown = await stage.ask("/")
    assert page[1]["rows"][:2] == ["row-stripe", "row-openai"]
    still = re.sub('data-ago="[^"]*"', "data-ago", shown.text)
    assert all(html in still for html in page[1]["regions"].values())
    assert page[1]["said"].startswith("2 of 12 fail")


async def test_only_what_changed_is_sent(stage: Stage) -> None:
    stage.add(service("a"), service("b"))
    stage.saw("a")
    stage.saw("b")

    async with opened(stage) as stream:
        await stream.next("page")
        stage.saw("b", Reason.SERVER_ERROR)
        await stage.step()
        _, page = await stream.next("page")

    assert page["regions"].keys() == {"headline", "counts", "row-b"}
    assert page["rows"] == ["row-b", "row-a"]
    assert page["said"] == page["regions"]["headline"].split('<h1 class="said">')[1].split("<")[0]
    assert page["title"] == "(1) Service registry"


async def test_without_a_change_nothing_is_sent_but_a_sign_of_life(stage: Stage) -> None:
    stage.add(service("a"))

    async with opened(stage) as stream:
        await stream.next("page")
        for _ in range(11):
            await stage.step()
            await asyncio.sleep(0.01)
        event = await stream.next()

    assert event == ("beat", {"now": pytest.approx(stage.clock.now(), abs=3)})
    assert "alive" in stream.comments


async def test_a_viewer_that_reconnects_gets_all_of_the_page_again(stage: Stage) -> None:
    stage.add(service("a"))
    async with opened(stage) as stream:
        await stream.next("page")
    stage.saw("a", Reason.DNS)

    async with opened(stage, **{"Last-Event-ID": stream.ids[-1]}) as again:
        _, page = await again.next("page")

    assert "row-a" in page["regions"]
    assert "counts" in page["regions"]
    assert "provider: name does not resolve" in page["said"]


async def test_a_filtered_page_is_sent_its_own_services_only(stage: Stage) -> None:
    stage.add(service("a"), service("b", environment="staging"))

    async with opened(stage, "/?environment=staging") as stream:
        _, page = await stream.next("page")
        stage.saw("a")
        await stage.step()
        stage.saw("b")
        await stage.step()
        changes = [(await stream.next("page"))[1] for _ in range(2)]

    assert page["rows"] == ["row-b"]
    assert not [id_ for change in changes for id_ in change.get("regions", {}) if id_ == "row-a"]


async def test_a_service_that_is_added_appears_and_one_removed_goes(stage: Stage) -> None:
    stage.add(service("a"))

    async with opened(stage) as home, opened(stage, "/services/a") as detail:
        await home.next("page")
        await detail.next("page")
        stage.add(service("new"))
        await stage.step()
        _, page = await home.next("page")
        stage.registry.remove("a")
        await stage.step()
        _, without = await home.next("page")
        gone, _ = await detail.next()

    assert page["rows"] == ["row-a", "row-new"]
    assert "row-new" in page["regions"]
    assert without["rows"] == ["row-new"]
    assert gone == "gone"


async def test_an_incident_appears_on_every_page_that_shows_it(stage: Stage) -> None:
    stage.add(service("a"))

    async with (
        opened(stage) as home,
        opened(stage, "/incidents") as incidents,
        opened(stage, "/services/a") as detail,
    ):
        streams = (home, incidents, detail)
        for stream in streams:
            await stream.next("page")
        made = await stage.incidents.create(
            severity="high", summary="nobody can pay", by="ann", service="a"
        )
        await stage.step()
        pages = [(await stream.next("page"))[1]["regions"] for stream in streams]
    async with opened(stage, f"/incidents/{made.id}") as stream:
        await stream.next("page")
        await stage.incidents.acknowledge(made.id, "ben")
        await stage.step()
        _, taken = await stream.next("page")

    assert "nobody can pay" in pages[0]["side"]
    assert "nobody can pay" in pages[1]["listing"]
    assert "nobody can pay" in pages[2]["history"]
    assert taken["regions"].keys() == {"head", "timeline"}
    assert "ben" in taken["regions"]["timeline"]


async def test_a_view_is_drawn_once_for_all_its_viewers(stage: Stage) -> None:
    stage.add(service("a"))
    view = view_of("/")
    viewers = [Viewer(lambda: None, lambda: False) for _ in range(50)]
    for viewer in viewers:
        await stage.live.enter(view, viewer)
        while not viewer.events.empty():
            viewer.events.get_nowait()
    stage.saw("a", Reason.DNS)

    await stage.step()
    events = [await viewer.events.get() for viewer in viewers]

    assert len({id(event) for event in events}) == 1


async def test_a_viewer_that_does_not_keep_up_is_disconnected_and_the_others_are_not(
    stage: Stage,
) -> None:
    stage.add(service("a"))
    dropped: list[str] = []
    slow = Viewer(lambda: dropped.append("slow"), lambda: False)
    quick = Viewer(lambda: dropped.append("quick"), lambda: False)
    for viewer in (slow, quick):
        await stage.live.enter(view_of("/"), viewer)

    for second in range(MAX_QUEUED_EVENTS + 2):
        stage.saw("a", (Reason.OK, Reason.DNS)[second % 2], took=second)
        while not quick.events.empty():
            quick.events.get_nowait()
        await stage.step()
        await quick.events.get()

    assert dropped == ["slow"]
    assert stage.live.viewers == 1
    assert slow.events.qsize() == MAX_QUEUED_EVENTS


async def test_a_viewer_whose_connection_is_closed_is_forgotten(stage: Stage) -> None:
    async with opened(stage) as stream:
        await stream.next("page")
        assert stage.live.viewers == 1
        stream.response.close()
        await asyncio.sleep(0.05)
        await stage.step()
        await until(stage, 0)


async def test_the_number_of_viewers_is_limited() -> None:
    async with staged(viewers=2) as stage, opened(stage), opened(stage, "/incidents"):
        async with patient(10):  # a stream that is let in has no end
            full = await stage.ask("/api/events?of=/")
        page = await stage.ask("/")

    assert (full.status, full.type) == (503, "application/problem+json")
    assert full.headers["Retry-After"] == "30"
    assert page.status == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("of=", 200),
        ("of=/metrics", 404),
        ("of=/services/nobody", 404),
        ("of=/incidents/nobody", 404),
        ("of=//example.com/", 200),
        ("of=%5B", 404),
        ("of=http://[", 404),
        ("of=/?" + "a=b%26" * 30, 404),
    ],
)
async def test_only_a_page_has_a_stream(stage: Stage, query: str, status: int) -> None:
    async with stage.session.get(f"{stage.base}/api/events?{query}") as response:
        answered = response.status

    assert answered == status


async def test_a_bug_in_one_page_stops_no_other(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        template = "home"

        async def page(self, drawer: Any, share: Any) -> Any:
            if stage.clock.now() > begun:
                raise RuntimeError
            return await view_of("/incidents").page(drawer, share)

    begun = stage.clock.now()
    stage.add(service("a"))
    await stage.live.enter(Broken(), Viewer(lambda: None, lambda: False))
    async with opened(stage) as stream:
        await stream.next("page")
        stage.saw("a", Reason.DNS)
        await stage.step()
        _, page = await stream.next("page")

    assert "row-a" in page["regions"]
    assert "bug in a page" in caplog.text


async def test_switching_the_page_off_ends_its_streams(stage: Stage) -> None:
    async with opened(stage) as stream:
        await stream.next("page")
        stage.enabled = False
        await stage.step()

        await stream.ended()

    assert stage.live.viewers == 0


async def test_the_end_of_the_process_ends_the_streams_at_once() -> None:
    async with contextlib.AsyncExitStack() as stack, aiohttp.ClientSession() as session:
        client = await stack.enter_async_context(running("services: []"))
        async with session.get(client.base + "/api/events?of=/") as response:
            stream = Stream(response)
            await stream.next("page")
            watch = Stopwatch()
            closing = asyncio.create_task(stack.aclose())
            await stream.ended()
            ended = watch.read()
        await closing

    assert ended.given < 1
    assert client.app.live.viewers == 0


async def test_a_large_fleet_and_many_viewers_leave_the_loop_to_others() -> None:
    longest = 0.0

    async def watch() -> None:
        """Measure how long others wait, in processor time: a busy machine does not change it."""
        nonlocal longest
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)

    async with staged(SystemClock(), viewers=500) as stage:
        scenes.many(stage, 1000)
        await stage.ask("/")
        watching = asyncio.create_task(watch())
        viewers = [Viewer(lambda: None, lambda: False) for _ in range(500)]
        await asyncio.gather(*(stage.live.enter(view_of("/"), viewer) for viewer in viewers))
        for _ in range(2):
            for number in range(0, 1000, 20):
                stage.saw(f"svc-{number:04}", Reason.TIMEOUT)
            for viewer in viewers:
                while not viewer.events.empty():
                    viewer.events.get_nowait()
            await asyncio.sleep(0)
            events = {await viewer.events.get() for viewer in viewers}
            assert len(events) == 1
        watching.cancel()

    assert longest < 0.03, "something held the loop"


async def test_a_minute_without_viewers_leaves_no_result_behind(stage: Stage) -> None:
    stage.add(service("a"))
    stage.saw("a")
    await stage.ask("/")
    assert stage.live.drawer.board.summaries

    await stage.step(30)
    await stage.ask("/")
    await stage.step(45)
    assert stage.live.drawer.board.summaries
    await stage.step(30)

    assert not stage.live.drawer.board.summaries
    assert "no result yet" not in (await stage.ask("/")).text


async def test_a_bug_anywhere_stops_the_page_alone(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> bool:
        raise RuntimeError

    stage.add(service("a"))
    async with opened(stage) as stream:
        await stream.next("page")
        viewer = Viewer(lambda: None, broken)
        await stage.live.enter(view_of("/incidents"), viewer)
        await stage.step()
        assert "bug in the open pages" in caplog.text
        stage.live.leave(view_of("/incidents"), viewer)
        stage.saw("a", Reason.DNS)
        await stage.step()
        await stream.next("page")


async def test_a_viewer_that_enters_while_the_process_ends_is_refused(stage: Stage) -> None:
    entering = asyncio.create_task(
        stage.live.enter(view_of("/"), Viewer(lambda: None, lambda: False))
    )
    await asyncio.sleep(0)
    stage.loop.cancel()

    with pytest.raises(ViewerRefusedError):
        await entering
    assert stage.live.viewers == 0


def test_what_was_drawn_is_remembered_for_so_many_services_only() -> None:
    cache: dict[str, int] = {}

    for number in (*range(drawer._MAX_REMEMBERED + 10), 11):
        drawer._remember(cache, str(number), number)

    assert len(cache) == drawer._MAX_REMEMBERED
    assert next(iter(cache)) == "10", "the least recently drawn is dropped"
    assert next(reversed(cache)) == "11"


async def test_a_viewer_that_never_reads_is_disconnected(stage: Stage) -> None:
    scenes.many(stage, 50)
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.setblocking(False)
    loop, port = asyncio.get_running_loop(), int(stage.base.rpartition(":")[2])
    await loop.sock_connect(deaf, ("127.0.0.1", port))
    await loop.sock_sendall(deaf, b"GET /api/events?of=/ HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(stage, 1)

    steps = 0
    while stage.live.viewers and steps < 1000:
        for number in range(50):
            stage.saw(f"svc-{number:04}", took=0.1 + (steps % 9) / 10)
        await stage.step()
        await asyncio.sleep(0.005)
        steps += 1
    deaf.close()

    assert stage.live.viewers == 0
    assert steps < 1000
