"""The transports for vendors' clients, under a client of httpx2 and of httpx."""

from __future__ import annotations

import asyncio
import gc
import gzip
import logging
import threading
import traceback
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import ModuleType
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest

from exporter.checks import TlsSettings
from exporter.config import Target
from exporter.registry import UnknownServiceError
from exporter.sessions import RequestFailed
from exporter.sessions.transport import ServiceSyncTransport, ServiceTransport
from tests.clocks import most_in_window
from tests.conftest import Authority
from tests.fakes import KEY, FakeClock, settle
from tests.mischief import close, drip, hang, raw, reset
from tests.patience import patient, within
from tests.sessions.calling import SOURCE, Desk, asked_without_credentials, target_at
from tests.vendor import Peer, Seen, Vendor, answer, head_of, redirect

PLACEHOLDER = "the-placeholder-of-the-client"
BOTH = pytest.mark.parametrize("library", [httpx2, httpx], ids=["httpx2", "httpx"])


async def listen(peer: Peer, seen: Seen | None = None) -> None:
    """Say nothing until the client ends the connection."""
    await peer.reader.read()


class Office(Desk):
    """Makes transports to one target, which may change."""

    def observe(self, target: Target, code: str, seconds: float) -> None:
        self.observed.append(code)

    def transport(self) -> ServiceTransport:
        return ServiceTransport(self.sessions.calls(lambda: self.target))

    def client(self, library: Any = httpx2, **options: Any) -> Any:
        return library.AsyncClient(transport=self.transport(), **options)

    def sync_client(self, library: Any = httpx2, **options: Any) -> Any:
        calls = self.sessions.calls(lambda: self.target)
        made = ServiceSyncTransport(calls, asyncio.get_running_loop())
        return library.Client(transport=made, **options)


def office_at(vendor: Vendor, clock: FakeClock | None = None, **service: Any) -> Office:
    return Office(target_at(vendor.url("/v1"), **service), clock)


# -- requests and answers ---------------------------------------------------------------------


@BOTH
async def test_a_request_and_its_answer_are_the_clients_own(
    vendor: Vendor, library: ModuleType
) -> None:
    packed = gzip.compress(b'{"ok": true}')
    vendor.on("/v1/x", answer(201, packed, [("Content-Encoding", "gzip"), ("X-A", "1")]))
    office = office_at(vendor)

    async with office.client(library) as client:
        sent = {"headers": [("X-Two", "a"), ("X-Two", "b")], "params": {"q": "ä b/c"}}
        found = await client.post(vendor.url("/v1/x"), json={"a": 1}, **sent)

    (seen,) = vendor.seen
    assert isinstance(found, library.Response)
    assert (found.status_code, found.json(), found.headers["x-a"]) == (201, {"ok": True}, "1")
    assert found.reason_phrase == "Made Up"
    assert (seen.method, seen.body) == ("POST", b'{"a":1}')
    assert seen.query == httpx2.QueryParams({"q": "ä b/c"}).__str__()
    assert [v for n, v in seen.headers if n.lower() == "x-two"] == ["a", "b"]
    assert seen.header("Content-Length") == "7"
    assert seen.header("User-Agent") == client.headers["User-Agent"]
    assert seen.header("Accept-Encoding") == client.headers["Accept-Encoding"]
    assert office.observed == ["201"]


def test_the_transports_are_those_of_the_library() -> None:
    assert issubclass(ServiceTransport, httpx2.AsyncBaseTransport)
    assert issubclass(ServiceSyncTransport, httpx2.BaseTransport)


async def test_a_body_can_be_sent_while_it_is_made(vendor: Vendor) -> None:
    got = bytearray()

    async def unchunk(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        while size := int(await peer.reader.readline(), 16):
            got.extend(await peer.reader.readexactly(size))
            await peer.reader.readline()
        await peer.send(head_of(200, [("Content-Length", "0")]))

    async def made() -> AsyncIterator[bytes]:
        yield b"first,"
        await asyncio.sleep(0)
        yield b"second"

    vendor.greeting = unchunk
    async with office_at(vendor).client() as client:
        found = await client.post(vendor.url("/v1/x"), content=made())

    assert (found.status_code, bytes(got)) == (200, b"first,second")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_request_without_a_body_has_none(vendor: Vendor, method: str) -> None:
    async with office_at(vendor).client() as client:
        await client.request(method, vendor.url("/v1/x"))

    (seen,) = vendor.seen
    assert (seen.body, seen.header("Transfer-Encoding")) == (b"", None)


async def test_the_pieces_of_a_stream_come_as_they_are_sent(vendor: Vendor) -> None:
    more = asyncio.Event()

    async def behave(peer: Peer, seen: Seen) -> None:
        await peer.send(head_of(200, [("Transfer-Encoding", "chunked")]))
        await peer.send(b"7\r\ndata: 1\r\n")
        await more.wait()
        await peer.send(b"7\r\ndata: 2\r\n0\r\n\r\n")

    vendor.on("/v1/x", behave)
    got = []
    async with (
        office_at(vendor).client() as client,
        client.stream("POST", vendor.url("/v1/x")) as found,
    ):
        async for piece in found.aiter_raw():
            got.append(piece)
            more.set()  # not before the first has arrived

    assert got == [b"data: 1", b"data: 2"]


# -- credentials ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "X-Source", "Cookie"]
)
async def test_the_placeholder_of_a_client_is_replaced(vendor: Vendor, header: str) -> None:
    async with office_at(vendor).client() as client:
        await client.get(vendor.url("/v1/x"), headers={header: PLACEHOLDER})

    (seen,) = vendor.seen
    assert not seen.holds(PLACEHOLDER)
    assert [v for n, v in seen.headers if n == "Authorization"] == [f"Bearer {KEY}"]
    assert seen.header("X-Source") == SOURCE
    assert not seen.holds("check-only")


async def test_a_key_in_the_query_is_replaced_and_not_shown(vendor: Vendor) -> None:
    office = office_at(vendor, auth={"kind": "query", "name": "key"})

    async with office.client() as client:
        found = await client.get(vendor.url("/v1/x"), params={"key": PLACEHOLDER, "a": "1"})

    assert vendor.seen[0].query == f"a=1&key={KEY}"
    assert KEY not in f"{found!r} {found.url} {found.request!r} {found.request.headers}"


async def test_without_a_key_the_placeholder_is_not_sent_either(vendor: Vendor) -> None:
    office = office_at(vendor, api_key=None, auth={"kind": "none"})

    async with office.client() as client:
        await client.get(vendor.url("/v1/x"), headers={"Authorization": PLACEHOLDER})

    assert vendor.seen[0].header("Authorization") is None


@BOTH
@pytest.mark.parametrize("where", ["other", "name", "user"])
async def test_another_origin_is_refused(
    vendor: Vendor, other: Vendor, library: ModuleType, where: str
) -> None:
    url = {
        "other": other.url("/v1/x"),
        "name": vendor.url("/v1/x", name="localhost"),
        "user": vendor.url("/v1/x").replace("//", f"//me:{PLACEHOLDER}@"),
    }[where]
    office = office_at(vendor)

    async with office.client(library) as client:
        with pytest.raises(RequestFailed, match="not of this service") as caught:
            await client.get(url)

    assert (vendor.seen, other.seen, office.observed) == ([], [], [])
    assert PLACEHOLDER not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_redirect_to_another_origin_ends_there(
    vendor: Vendor, other: Vendor, status: int
) -> None:
    vendor.on("/v1/x", redirect(other.url("/there"), status))

    async with office_at(vendor).client(follow_redirects=True) as client:
        with pytest.raises(RequestFailed, match="not of this service"):
            await client.get(vendor.url("/v1/x"), headers={"X-Api-Key": PLACEHOLDER})

    assert (len(vendor.seen), other.seen) == (1, [])


async def test_a_redirect_within_the_service_keeps_the_key_and_counts(vendor: Vendor) -> None:
    vendor.on("/v1/x", redirect("/v1/y"))
    vendor.on("/v1/y", answer(200))
    office = office_at(vendor)

    async with office.client(follow_redirects=True) as client:
        await client.get(vendor.url("/v1/x"))

    assert vendor.seen[1].header("Authorization") == f"Bearer {KEY}"
    assert office.observed == ["302", "200"]


async def test_an_address_that_is_not_public_is_refused(vendor: Vendor) -> None:
    office = office_at(vendor, health_check={})

    async with office.client() as client:
        with pytest.raises(httpx2.ConnectError, match="not public"):
            await client.get(vendor.url("/v1/x"))

    assert vendor.connections == 0


async def test_the_services_authority_is_trusted_and_no_other(
    tls_vendor: Vendor, authority: Authority
) -> None:
    check = {"allow_private_addresses": True, "tls": {"ca_file": authority.file}}
    tls_vendor.on("/v1/x", answer(200))
    url = tls_vendor.url("/v1/x")

    async with office_at(tls_vendor, health_check=check).client() as client:
        assert (await client.get(url)).status_code == 200
    async with office_at(tls_vendor).client() as client:
        with pytest.raises(httpx2.ConnectError, match="TLS handshake"):
            await client.get(url)


# -- failures ---------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (close, "ReadError"),
        (reset, "ReadError"),
        (raw(b"SSH-2.0-x\r\n\r\n"), "RemoteProtocolError"),
        (hang, "ReadTimeout"),
    ],
    ids=["closed", "reset", "garbage", "silent"],
)
async def test_a_failure_is_an_exception_of_the_clients_library(
    vendor: Vendor, library: Any, fault: Any, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.on("/v1/x", fault)
    office = office_at(vendor)

    async with office.client(library, timeout=library.Timeout(5, read=0.2)) as client:
        with pytest.raises(getattr(library, error), match=r"\w") as caught:
            await client.get(vendor.url("/v1/x"))

    assert (len(vendor.seen), office.observed) == (1, ["error"])
    text = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert KEY not in text
    assert SOURCE not in text


@pytest.mark.parametrize(
    ("limit", "error"),
    [({"connect": 1e-9}, httpx2.ConnectTimeout), ({"write": 0.2}, httpx2.WriteTimeout)],
)
async def test_each_time_limit_of_the_client_is_kept(
    vendor: Vendor, limit: dict[str, float], error: type[Exception]
) -> None:
    async def never_reads(peer: Peer) -> None:
        await asyncio.sleep(60)

    vendor.greeting = never_reads
    async with office_at(vendor).client(timeout=httpx2.Timeout(10, **limit)) as client:
        with pytest.raises(error):
            await client.post(vendor.url("/v1/x"), content=b"x" * 30_000_000)


async def test_a_stream_that_stops_or_breaks_is_an_error(vendor: Vendor) -> None:
    head = head_of(200, [("Content-Length", "100")])
    vendor.on("/v1/stops", raw(head + b"part", hang))
    vendor.on("/v1/breaks", raw(head + b"part", close))
    office = office_at(vendor)

    async with office.client(timeout=httpx2.Timeout(5, read=0.2)) as client:
        for path, error in (("stops", httpx2.ReadTimeout), ("breaks", httpx2.ReadError)):
            with pytest.raises(error):
                await client.get(vendor.url(f"/v1/{path}"))

    assert office.observed == ["200", "200"]


async def test_nothing_is_repeated_here(vendor: Vendor) -> None:
    vendor.on("/v1/x", answer(503, headers=[("Retry-After", "0"), ("X-Should-Retry", "true")]))

    async with office_at(vendor).client() as client:
        found = await client.get(vendor.url("/v1/x"))

    assert (found.status_code, len(vendor.seen)) == (503, 1)


# -- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "window", "allowed"),
    [({"requests_per_minute": 7}, 60.0, 7), ({"requests_per_hour": 20}, 3600.0, 20)],
)
async def test_clients_and_sessions_share_every_window(
    vendor: Vendor, limit: dict[str, int], window: float, allowed: int
) -> None:
    office, ticks = office_at(vendor, rate_limit=limit), []

    async def note(peer: Peer, seen: Seen) -> None:
        ticks.append(office.clock.tick())
        await answer(200)(peer, seen)

    vendor.on("/v1/x", note)
    async with office.client() as one, office.client(httpx) as two, office.open() as session:
        for _ in range(10):
            await one.get(vendor.url("/v1/x"))
            await two.get(vendor.url("/v1/x"))
            await session.get("/x")

    assert (len(ticks), most_in_window(ticks, window)) == (30, allowed)


async def test_a_turn_is_waited_for_as_long_as_for_a_connection(
    vendor: Vendor, clock: FakeClock
) -> None:
    office = office_at(vendor, clock, rate_limit={"requests_per_minute": 1})
    vendor.on("/v1/x", answer(200))

    async with office.client() as client:
        await client.get(vendor.url("/v1/x"))
        with pytest.raises(httpx2.PoolTimeout, match="rate limit"):
            await client.get(vendor.url("/v1/x"), timeout=httpx2.Timeout(5, pool=0.05))
        patient = asyncio.ensure_future(client.get(vendor.url("/v1/x")))
        await settle()
        await clock.advance(60)
        found = await patient

    assert (found.status_code, len(vendor.seen)) == (200, 2)


async def test_a_cancelled_call_takes_no_turn_and_ends_its_connection(
    vendor: Vendor, clock: FakeClock
) -> None:
    office = office_at(vendor, clock, rate_limit={"requests_per_minute": 2})
    vendor.on("/v1/x", answer(200))
    vendor.on("/v1/hang", listen)

    async with office.client() as client:
        under_way = asyncio.ensure_future(client.get(vendor.url("/v1/hang"), timeout=None))
        await vendor.until(lambda v: len(v.seen) == 1)
        under_way.cancel()
        await vendor.until(lambda v: v.open == 0)
        await client.get(vendor.url("/v1/x"))
        waiting = asyncio.ensure_future(client.get(vendor.url("/v1/x"), timeout=None))
        await settle()
        waiting.cancel()
        last = asyncio.ensure_future(client.get(vendor.url("/v1/x"), timeout=None))
        await settle()
        await clock.advance(60)
        found = await last

    assert (under_way.cancelled(), waiting.cancelled()) == (True, True)
    assert (found.status_code, len(vendor.seen)) == (200, 3)


async def test_a_stream_that_is_left_ends_its_connection(vendor: Vendor) -> None:
    vendor.on("/v1/x", drip(b"data: x\n\n" * 1000, 0.01, head_of(200)))

    async with office_at(vendor).client() as client:
        async with client.stream("GET", vendor.url("/v1/x")) as found:
            async for _ in found.aiter_raw():
                break
        await vendor.until(lambda v: v.open == 0)


async def test_a_connection_is_used_again(vendor: Vendor) -> None:
    vendor.on("/v1/x", answer(200, b"body"))

    async with office_at(vendor).client() as client:
        for _ in range(3):
            await client.get(vendor.url("/v1/x"))

    assert (vendor.connections, len(vendor.seen)) == (1, 3)


async def test_more_calls_at_once_than_a_session_has_connections(vendor: Vendor) -> None:
    vendor.on("/v1/x", listen)

    async with office_at(vendor).client(timeout=None) as client:
        calls = [asyncio.ensure_future(client.get(vendor.url("/v1/x"))) for _ in range(120)]
        await vendor.until(lambda v: len(v.seen) == 120)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_the_limits_in_answers_are_passed_on(vendor: Vendor) -> None:
    left = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "7"}
    vendor.on("/v1/x", answer(200, b"", left))
    office = office_at(vendor)

    async with office.client() as client:
        await client.get(vendor.url("/v1/x"), headers={"Authorization": PLACEHOLDER})

    (limits,) = office.reported
    assert (limits["requests"].limit, limits["requests"].remaining) == (60.0, 7.0)


# -- the service changes, the transport ends --------------------------------------------------


async def test_a_rotated_key_counts_from_the_next_call_and_breaks_none(vendor: Vendor) -> None:
    more = asyncio.Event()

    async def behave(peer: Peer, seen: Seen) -> None:
        await peer.send(head_of(200, [("Content-Length", "2")]) + b"a")
        await more.wait()
        await peer.send(b"b")

    vendor.on("/v1/slow", behave)
    vendor.on("/v1/x", answer(200))
    office = office_at(vendor)
    async with office.client(timeout=None) as client:
        slow = asyncio.ensure_future(client.get(vendor.url("/v1/slow")))
        await vendor.until(lambda v: len(v.seen) == 1)
        office.target = target_at(vendor.url("/v1"), api_key="sk-another-key-0123456789")
        await client.get(vendor.url("/v1/x"))
        more.set()
        found = await slow
        await vendor.until(lambda v: v.open == 1)  # the old connections have ended

    keys = [seen.header("Authorization") for seen in vendor.seen]
    assert keys == [f"Bearer {KEY}", "Bearer sk-another-key-0123456789"]
    assert found.content == b"ab"


async def test_a_removed_service_gets_no_further_calls(vendor: Vendor) -> None:
    office = office_at(vendor)

    def gone() -> Any:
        raise UnknownServiceError("it")

    calls = office.sessions.calls(gone)
    async with httpx2.AsyncClient(transport=ServiceTransport(calls)) as client:
        with pytest.raises(UnknownServiceError):
            await client.get(vendor.url("/v1/x"))

    assert vendor.seen == []


@pytest.mark.parametrize(
    "change", [{"proxy": "socks5h://127.0.0.1:1"}, {"tls": TlsSettings(ca_file="missing.pem")}]
)
async def test_settings_that_allow_no_calls_are_an_error_of_each(
    vendor: Vendor, change: dict[str, Any]
) -> None:
    office = office_at(vendor)
    assert office.target.calls is not None
    office.target = replace(office.target, calls=replace(office.target.calls, **change))

    async with office.client() as client:
        for _ in range(2):
            with pytest.raises(RequestFailed, match="cannot"):
                await client.get(vendor.url("/v1/x"))


async def test_the_end_of_the_registry_ends_every_call(vendor: Vendor, clock: FakeClock) -> None:
    office = office_at(vendor, clock, rate_limit={"requests_per_minute": 2})
    vendor.on("/v1/hang", listen)
    head = head_of(200, [("Content-Length", "9")])
    vendor.on("/v1/stream", raw(head + b"part", listen))
    client = office.client(timeout=None)
    under_way = asyncio.ensure_future(client.get(vendor.url("/v1/hang")))
    reading = asyncio.ensure_future(client.get(vendor.url("/v1/stream")))
    await vendor.until(lambda v: len(v.seen) == 2)
    waiting = asyncio.ensure_future(client.get(vendor.url("/v1/hang")))
    await settle()

    await office.sessions.close()
    await vendor.until(lambda v: v.open == 0)
    async with patient(10):
        ends = await asyncio.gather(under_way, reading, waiting, return_exceptions=True)
    with pytest.raises(RuntimeError, match="transport is closed"):
        await client.get(vendor.url("/v1/hang"))
    await client.aclose()

    assert [type(end).__name__ for end in ends] == ["ReadError", "ReadError", "ClosedError"]
    assert len(vendor.seen) == 2


async def test_a_call_that_fails_keeps_no_old_connection(vendor: Vendor, other: Vendor) -> None:
    vendor.on("/v1/x", answer(200, b"body"))
    vendor.on("/v1/close", close)
    office = office_at(vendor)
    async with office.client() as client:
        with pytest.raises(httpx2.ReadError):
            await client.get(vendor.url("/v1/close"))
        with pytest.raises(RequestFailed):
            await client.get(other.url("/v1/x"))
        await client.get(vendor.url("/v1/x"))
        office.target = target_at(vendor.url("/v1"))
        await client.get(vendor.url("/v1/x"))
        await vendor.until(lambda v: v.open == 1)  # that of the newer settings


async def test_a_proxy_of_the_environment_does_not_lead_past_the_transport(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.on("/v1/x", answer(200))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    office = office_at(vendor)

    for library in (httpx2, httpx):
        async with office.client(library) as client:
            assert (await client.get(vendor.url("/v1/x"))).status_code == 200

    assert office.observed == ["200", "200"]


async def test_a_client_that_nobody_closes_ends_its_connections_when_it_is_forgotten(
    vendor: Vendor,
) -> None:
    vendor.on("/v1/x", answer(200, b"body"))
    vendor.on("/v1/slow", answer(200, b"body", body_delay=0.2))
    office = office_at(vendor)
    client = office.client()
    await client.get(vendor.url("/v1/x"))
    # The collection below holds the loop for seconds if there is much to look through.
    request = client.build_request("GET", vendor.url("/v1/slow"), timeout=60)
    found = await client.send(request, stream=True)

    del client
    gc.collect()

    assert await found.aread() == b"body"  # the answer is worth more than the client
    await vendor.until(lambda v: v.open == 0)


def open_sessions() -> list[aiohttp.ClientSession]:
    """Return what would be reported as unclosed if the event loop ended now."""
    found = [one for one in gc.get_objects() if isinstance(one, aiohttp.ClientSession)]
    return [one for one in found if not one.closed]


@pytest.mark.parametrize("reads", [True, False])
async def test_the_end_of_the_registry_ends_the_connections_of_forgotten_clients(
    vendor: Vendor, reads: bool
) -> None:
    vendor.on("/v1/x", answer(200, b"body") if reads else raw(head_of(200), listen))
    office = office_at(vendor)
    client = office.client()
    request = client.build_request("GET", vendor.url("/v1/x"))
    found = await client.send(request, stream=not reads)
    before = open_sessions()
    del client
    gc.collect()

    await office.sessions.close()

    # A program that ends now runs nothing more that was put off.
    assert (len(before), open_sessions(), found.status_code) == (1, [], 200)
    await vendor.until(lambda v: v.open == 0)


async def test_another_event_loop_is_refused(vendor: Vendor) -> None:
    vendor.on("/v1/x", answer(200))
    transport = office_at(vendor).transport()
    request = httpx2.Request("GET", vendor.url("/v1/x"))
    found = await transport.handle_async_request(request)
    await found.aclose()

    def elsewhere() -> Any:
        return asyncio.run(transport.handle_async_request(request))

    with pytest.raises(RuntimeError, match="another event loop"):
        await asyncio.to_thread(elsewhere)
    await transport.aclose()


# -- the sync one -----------------------------------------------------------------------------


@BOTH
async def test_a_sync_client_works_in_threads_and_shares_the_limit(
    vendor: Vendor, library: ModuleType, clock: FakeClock
) -> None:
    office = office_at(vendor, clock, rate_limit={"requests_per_minute": 5})

    async def echo(peer: Peer, seen: Seen) -> None:
        await answer(200, seen.body)(peer, seen)

    vendor.on("/v1/x", echo)
    client = office.sync_client(library)

    def work(number: int) -> str:
        text: str = client.post(vendor.url("/v1/x"), content=f"{number}" * 70_000).text
        return text

    threads = ThreadPoolExecutor(9)
    calls = [asyncio.wrap_future(threads.submit(work, n)) for n in range(9)]
    while not (len(vendor.seen) == 5 and clock.sleeping):
        await asyncio.sleep(0.001)
    await clock.advance(59.9)
    before = len(vendor.seen)
    await clock.advance(0.2)
    found = await asyncio.gather(*calls)
    await asyncio.to_thread(client.close)
    threads.shutdown()

    assert found == [f"{n}" * 70_000 for n in range(9)]
    assert (before, len(vendor.seen), office.observed) == (5, 9, ["200"] * 9)
    assert {s.header("Authorization") for s in vendor.seen} == {f"Bearer {KEY}"}


async def test_sync_clients_in_every_thread_of_the_loop_do_not_wait_for_each_other(
    vendor: Vendor,
) -> None:
    vendor.on("/v1/x", answer(200))
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    client = office_at(vendor).sync_client()

    found = await within(10, asyncio.to_thread(client.get, vendor.url("/v1/x")))
    await asyncio.to_thread(client.close)

    assert found.status_code == 200


async def test_a_sync_stream_comes_piece_by_piece(vendor: Vendor) -> None:
    more, loop = asyncio.Event(), asyncio.get_running_loop()

    async def behave(peer: Peer, seen: Seen) -> None:
        await peer.send(head_of(200, [("Content-Length", "2")]) + b"a")
        await more.wait()
        await peer.send(b"b")

    vendor.on("/v1/x", behave)
    client = office_at(vendor).sync_client()

    def work() -> list[bytes]:
        got = []
        with client.stream("GET", vendor.url("/v1/x")) as found:
            for piece in found.iter_raw():
                got.append(piece)
                loop.call_soon_threadsafe(more.set)
        client.close()
        return got

    assert await asyncio.to_thread(work) == [b"a", b"b"]


async def test_a_sync_client_fails_as_the_async_one(vendor: Vendor, other: Vendor) -> None:
    vendor.on("/v1/hang", listen)
    client = office_at(vendor).sync_client(timeout=0.2)

    with pytest.raises(httpx2.ReadTimeout):
        await asyncio.to_thread(client.get, vendor.url("/v1/hang"))
    with pytest.raises(RequestFailed, match="not of this service"):
        await asyncio.to_thread(client.get, other.url("/v1/hang"))
    with pytest.raises(RuntimeError, match="would wait for itself"):
        client.get(vendor.url("/v1/hang"))
    await asyncio.to_thread(client.close)
    assert not asked_without_credentials(other)


async def test_a_sync_client_can_be_closed_in_the_thread_of_the_loop(vendor: Vendor) -> None:
    vendor.on("/v1/x", answer(200))
    client = office_at(vendor).sync_client()
    await asyncio.to_thread(client.get, vendor.url("/v1/x"))

    client.close()

    await vendor.until(lambda v: v.open == 0)


async def test_a_sync_client_ends_with_the_registry(vendor: Vendor) -> None:
    vendor.on("/v1/hang", listen)
    office = office_at(vendor)
    client = office.sync_client(timeout=None)
    calls = [asyncio.to_thread(client.get, vendor.url("/v1/hang")) for _ in range(2)]
    under_way = asyncio.gather(*calls, return_exceptions=True)
    await vendor.until(lambda v: len(v.seen) == 2)

    await office.sessions.close()

    assert [type(end).__name__ for end in await under_way] == ["ReadError"] * 2
    with pytest.raises(RuntimeError, match="transport is closed"):
        await asyncio.to_thread(client.get, vendor.url("/v1/hang"))


def test_a_thread_does_not_wait_for_a_loop_that_has_ended() -> None:
    loop, begun = asyncio.new_event_loop(), threading.Event()

    async def for_ever() -> None:
        begun.set()
        await asyncio.sleep(3600)

    runs = threading.Thread(target=loop.run_forever)
    runs.start()
    transport = ServiceSyncTransport(
        Office(target_at("https://x.example/")).sessions.calls(Any), loop
    )
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            transport.on_loop(for_ever)
        except RuntimeError as error:
            caught.append(error)

    waits = threading.Thread(target=wait)
    waits.start()
    begun.wait()
    loop.call_soon_threadsafe(loop.stop)
    runs.join()
    waits.join(10)
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    assert "has ended" in str(caught[0])
    transport.close()
    with pytest.raises(RuntimeError, match="does not run"):
        transport.on_loop(for_ever)
