"""Clients that do not read, or send without end: cut off in time; the others are served."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from exporter.serving import connection as connection_module
from exporter.serving import listening as listening_module
from exporter.serving.connection import MIN_BYTES_PER_SECOND, Metered, Pace
from exporter.serving.slots import RESERVED
from tests.api.test_edge import TOKEN, Client, running
from tests.conftest import Authority
from tests.patience import Spent, Stopwatch, patient, within

STALL = 0.5
SERVICES = "services: [{}]".format(
    ", ".join(f"{{id: s{n}, base_url: 'http://127.0.0.1:1', enabled: false}}" for n in range(60))
)
BODY = (
    "POST /api/incidents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    f"Authorization: Bearer {TOKEN}\r\nContent-Length: 500\r\n\r\n{{"
).encode()


def _ask(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@contextlib.asynccontextmanager
async def connected(client: Client, request: bytes = b"") -> AsyncIterator[socket.socket]:
    """Connect with a buffer that holds little of an answer, and send *request*."""
    loop = asyncio.get_running_loop()
    with socket.socket() as one:
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        await loop.sock_connect(one, ("127.0.0.1", client.app.port))
        await loop.sock_sendall(one, request)
        yield one


async def _cut(client: Client) -> dict[str, float]:
    """Return how many connections were cut, by why."""
    page = client.app.own.page(openmetrics=False).decode()
    start = 'exporter_connections_cut_total{why="'
    lines = [line.removeprefix(start) for line in page.splitlines() if line.startswith(start)]
    return {why: float(count) for why, _, count in (line.partition('"} ') for line in lines)}


async def _cut_for(client: Client, why: str, seconds: float = 10) -> Spent:
    """Return how long it took until a connection was cut because of *why*."""
    watch = Stopwatch()
    async with patient(seconds):
        while not (await _cut(client))[why]:
            await asyncio.sleep(0.02)
    return watch.read()


async def _read_all(one: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := await asyncio.get_running_loop().sock_recv(one, 65536):
            found += piece
    return found


async def _is_reset(one: socket.socket) -> bool:
    try:
        while await asyncio.get_running_loop().sock_recv(one, 65536):
            pass
    except ConnectionResetError:
        return True
    return False


@pytest.mark.parametrize("path", ["/metrics", "/", "/api/services", "/api/events?of=/"])
async def test_a_client_that_does_not_read_its_answer_is_cut_off(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        running(SERVICES, stall_seconds=STALL) as client,
        connected(client, _ask(path)) as one,
    ):
        took = await _cut_for(client, "slow_reader")
        was_reset = await _is_reset(one)

    assert took.seconds > STALL / 2
    assert took.given < 10 * STALL
    assert was_reset, "or the kernel would go on to offer the answer"
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("path", ["/metrics", "/", "/api/events?of=/"])
async def test_a_client_that_reads_a_byte_now_and_then_is_cut_off(path: str) -> None:
    async with (
        running(SERVICES, stall_seconds=STALL) as client,
        connected(client, _ask(path)) as one,
    ):
        cut = asyncio.create_task(_cut_for(client, "slow_reader"))
        with contextlib.suppress(ConnectionError):
            while not cut.done():
                await asyncio.get_running_loop().sock_recv(one, 8)
                await asyncio.sleep(0.05)

        assert (await cut).given < 10 * STALL


async def test_a_client_that_reads_slowly_but_steadily_gets_it_all() -> None:
    async with running(SERVICES, stall_seconds=STALL) as client:
        _, _, whole = await client.ask("GET", "/api/services")
        async with connected(client, _ask("/api/services")) as one:
            found = b""
            async with patient(20):
                while len(found.partition(b"\r\n\r\n")[2]) < len(whole):
                    found += await asyncio.get_running_loop().sock_recv(one, 1024)
                    await asyncio.sleep(0.05)
        cut = await _cut(client)

    assert found.endswith(whole.encode())
    assert cut["slow_reader"] == 0


async def test_a_body_that_stops_is_cut_off() -> None:
    async with running(SERVICES, stall_seconds=STALL) as client, connected(client, BODY):
        assert (await _cut_for(client, "slow_sender")).given < 10 * STALL


async def test_a_body_that_drips_is_cut_off() -> None:
    async with running(SERVICES, stall_seconds=STALL) as client, connected(client, BODY) as one:
        cut = asyncio.create_task(_cut_for(client, "slow_sender"))
        with contextlib.suppress(ConnectionError):
            while not cut.done():
                await asyncio.get_running_loop().sock_sendall(one, b" ")
                await asyncio.sleep(0.05)

        assert (await cut).given < 10 * STALL


async def test_idle_connections_are_closed_sooner_while_slots_are_short() -> None:
    async with (
        running(SERVICES, connections=4, head_seconds=30) as client,
        contextlib.AsyncExitStack() as stack,
    ):
        for _ in range(3):
            await stack.enter_async_context(connected(client))
        took = await _cut_for(client, "idle")

    assert took.given < 10


async def test_an_idle_connection_makes_room_for_a_new_one() -> None:
    async with running(SERVICES, connections=2) as client, contextlib.AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(connected(client)) for _ in range(40)]
        scrape = await stack.enter_async_context(connected(client, _ask("/-/healthy")))
        answer = await asyncio.get_running_loop().sock_recv(scrape, 15)

        refusal = await within(5, _read_all(idle[0]))
        assert refusal.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in refusal
        assert answer == b"HTTP/1.1 200 OK"
        assert (await _cut(client))["made_room"] == 39


async def test_when_every_slot_is_busy_only_the_essential_is_answered() -> None:
    busy = 3
    async with running(SERVICES, connections=busy) as client, contextlib.AsyncExitStack() as stack:
        for _ in range(busy):
            await stack.enter_async_context(connected(client, BODY))
        await asyncio.sleep(0.1)
        answers = {}
        for path in ("/metrics", "/-/healthy", "/-/ready", "/", "/api/health"):
            async with client.session.get(client.base + path) as response:
                answers[path] = (response.status, response.headers.get("Retry-After"))
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        message, _, _ = await client.ask(
            "POST", "/api/alertmanager", headers=bearer, json={"version": "4", "alerts": []}
        )
        idle = [await stack.enter_async_context(connected(client)) for _ in range(3 * RESERVED)]
        again, _, _ = await client.ask("GET", "/metrics")
        assert idle

    assert answers == {
        "/metrics": (200, None),
        "/-/healthy": (200, None),
        "/-/ready": (200, None),
        "/": (503, "5"),
        "/api/health": (503, "5"),
    }
    assert message != 503
    assert again == 200


ESSENTIAL_BODY = BODY.replace(b"/api/incidents", b"/api/alertmanager")


class Full(NamedTuple):
    """A server on whose every connection a request is under way; they end with *busy*."""

    client: Client
    listener: listening_module.Listener
    busy: contextlib.AsyncExitStack


@contextlib.asynccontextmanager
async def full(room_seconds: float) -> AsyncIterator[Full]:
    """Run one that lets clients wait for a slot for *room_seconds*."""
    made: list[listening_module.Listener] = []

    class Noted(listening_module.Listener):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(listening_module, "ROOM_SECONDS", room_seconds)
        changed.setattr(listening_module, "Listener", Noted)
        async with running(SERVICES, connections=1) as client, contextlib.AsyncExitStack() as busy:
            for _ in range(1 + RESERVED):
                await busy.enter_async_context(connected(client, ESSENTIAL_BODY))
            async with patient(10):
                while not made[0]._slots.full or made[0]._slots._idle:
                    await asyncio.sleep(0.01)
            yield Full(client, made[0], busy)


def _is_refused(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    return (
        head.startswith(b"HTTP/1.1 503 ")
        and b"\r\nRetry-After: 5\r\n" in head
        and f"Content-Length: {len(body)}".encode() in head
    )


async def test_who_is_not_let_in_is_told_when_to_come_back() -> None:
    async with full(0.1) as (client, _, stack):
        refused = []
        for request in (b"", _ask("/metrics")):
            one = await stack.enter_async_context(connected(client, request))
            refused.append(await within(5, _read_all(one)))
        cut = await _cut(client)

    assert all(map(_is_refused, refused))
    assert cut["refused"] == 2


async def test_in_a_burst_a_scrape_waits_for_a_slot() -> None:
    async with full(60) as (client, _, busy):
        scrapes = [asyncio.create_task(client.ask("GET", "/metrics")) for _ in range(3 * RESERVED)]
        waiting = [await busy.enter_async_context(connected(client)) for _ in range(3)]
        await client.app.clock.sleep(0.1)
        before = [scrape.done() for scrape in scrapes]
        await busy.aclose()
        answers = [(await within(30, scrape))[0] for scrape in scrapes]
        cut = await _cut(client)

    assert not any(before)
    assert waiting
    assert answers == [200] * len(scrapes)
    assert cut["refused"] == 0


async def test_of_more_than_may_wait_the_first_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening_module, "_MOST_WAITING", 5)
    async with full(60) as (client, listener, stack):
        clients = [await stack.enter_async_context(connected(client)) for _ in range(20)]
        async with patient(30):
            answers = [await _read_all(one) for one in clients[:15]]
        (waiting,) = listener._waiting.values()

    assert all(map(_is_refused, answers))
    assert len(waiting) == 5


async def test_who_waits_for_a_slot_is_refused_when_the_server_ends() -> None:
    async with full(60) as (client, listener, stack):
        one = await stack.enter_async_context(connected(client))
        async with patient(10):
            while not listener._waiting:
                await asyncio.sleep(0.01)
        listener.close()
        listener.sockets.clear()  # it is closed again with the rest
        answer = await within(5, _read_all(one))

    assert _is_refused(answer)


async def test_a_tls_handshake_that_never_ends_keeps_no_slot(
    authority: Authority, tmp_path: Path
) -> None:
    issued = authority.ca.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    file = tmp_path / "web.yml"
    file.write_text("tls_server_config: {cert_file: own.pem, key_file: own.pem}\n")

    async with (
        running(SERVICES, connections=2, web_config=file) as client,
        contextlib.AsyncExitStack() as stack,
    ):
        hanging = [await stack.enter_async_context(connected(client)) for _ in range(3 * RESERVED)]
        url = f"https://127.0.0.1:{client.app.port}/-/healthy"
        async with client.session.get(url, ssl=False) as response:
            status = response.status
        assert await within(5, _read_all(hanging[0])) == b"", "closed to make room"

    assert status == 200


async def test_unread_answers_of_many_clients_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "MAX_BEHIND", 3)
    async with running(_large(), stall_seconds=60) as client, contextlib.AsyncExitStack() as stack:
        slow = [
            await stack.enter_async_context(connected(client, _ask("/metrics"))) for _ in range(12)
        ]
        async with patient(10):
            while (await _cut(client))["too_much_unread"] < 9:
                await asyncio.sleep(0.02)
        whole, _, page = await client.ask("GET", "/metrics")
        assert slow

    assert whole == 200
    assert page.endswith("\n")


async def test_a_scrape_waits_for_no_unread_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "MAX_UNREAD_BYTES", 10_000)
    monkeypatch.setattr(connection_module, "GRACE_SECONDS", 60.0)
    monkeypatch.setattr(listening_module, "GRACE_SECONDS", 60.0)
    monkeypatch.setattr(connection_module, "ROOM_SECONDS", 0.3)
    async with (
        running(_large(), stall_seconds=60) as client,
        connected(client, _ask("/metrics")),
    ):
        refused = 0
        async with patient(10):
            while refused != 503:
                refused, headers, _ = await client.ask("GET", "/api/health")
        scraped, _, _ = await client.ask("GET", "/metrics")
        served, _, _ = await client.ask("GET", "/api/health")

    assert (refused, headers["Retry-After"]) == (503, "5")
    assert (scraped, served) == (200, 200)


def _large() -> str:
    services = (
        f"{{id: s{n}, base_url: 'http://127.0.0.1:1', health_check: {{interval: 1h}}}}"
        for n in range(120)
    )
    return f"services: [{', '.join(services)}]"


def test_a_pace_is_measured_while_there_is_something_to_move() -> None:
    pace, enough = Pace(), 10 * MIN_BYTES_PER_SECOND

    assert not pace.is_too_slow(0, 0, 10, waiting=True)
    assert not pace.is_too_slow(9.9, 0, 10, waiting=True)
    assert not pace.is_too_slow(10, enough, 10, waiting=True)
    assert not pace.is_too_slow(15, enough, 10, waiting=False)
    assert not pace.is_too_slow(30, enough, 10, waiting=True)
    assert pace.is_too_slow(40, 2 * enough - 1, 10, waiting=True)


def test_a_client_that_gets_little_and_reads_it_all_is_never_too_slow() -> None:
    pace = Pace()

    for second in range(100):  # a line each second, read a second later
        assert not pace.is_too_slow(second, 60 * second, 10, waiting=True, total=60 * (second + 1))


class _Kernel:
    """A transport whose buffer a test empties."""

    def __init__(self) -> None:
        self.waiting = 0

    def write(self, data: bytes) -> None:
        self.waiting += len(data)

    def get_write_buffer_size(self) -> int:
        return self.waiting


def test_what_was_read_long_ago_is_not_held_in_memory() -> None:
    kernel = _Kernel()
    metered = Metered(cast(asyncio.Transport, kernel))

    for _ in range(100):
        metered.write(b"x" * 1000)
        kernel.waiting = 0
    held = [metered.held]
    metered.write(b"y" * 10)
    metered.write(b"z" * 5)
    kernel.waiting = 3

    assert [*held, metered.held] == [0, 15]
    assert metered.written == 100_015


async def test_a_client_that_leaves_in_the_middle_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(_large()) as client:
        for path in ("/metrics", "/", "/api/events?of=/"):
            async with connected(client, _ask(path)) as one:
                await asyncio.get_running_loop().sock_recv(one, 100)
        async with connected(client, BODY):
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.2)

    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []
