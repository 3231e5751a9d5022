"""The engine: time runs out in each phase, and the answer names the phase."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from exporter.model import Reason
from exporter.probers import Answer
from exporter.probers.curl import CurlTransport
from exporter.probers.curl.resolver import Resolver
from tests.conftest import Authority
from tests.fakes import make_request
from tests.mischief import drip, hang
from tests.patience import Spent, Stopwatch
from tests.vendor import Proxy, Vendor, answer, head_of

LIMIT = 0.2


async def _timed(transport: CurlTransport, url: str, **more: object) -> tuple[object, str, int]:
    """Return how it ended; the time is judged by a sleep of the same length beside it."""
    watch = Stopwatch()

    async def sleep() -> float:
        await asyncio.sleep(LIMIT)
        return watch.read().seconds - LIMIT

    async def fetch() -> tuple[Answer, Spent]:
        answered = await transport.fetch(make_request(url, timeout=LIMIT, **more))
        return answered, watch.read()

    (got, spent), late = await asyncio.gather(fetch(), sleep())
    held = spent.seconds - spent.given
    assert spent.seconds >= LIMIT - 0.01
    assert spent.given < LIMIT + 0.1 + late
    assert sum(got.phases) == pytest.approx(got.duration)
    assert got.duration == pytest.approx(spent.seconds, abs=0.05 + late + held)
    return got.failure, got.detail, got.phases.index(max(got.phases))


async def test_time_runs_out_while_waiting_for_the_answer(
    vendor: Vendor, transport: CurlTransport
) -> None:
    vendor.on("/", hang)

    ended = await _timed(transport, vendor.url())

    assert ended == (Reason.TIMEOUT, "time ran out waiting for the answer", 3)


@pytest.mark.parametrize("former", [LIMIT / 2, 30.0], ids=["sooner", "later"])
async def test_time_runs_out_whatever_a_former_request_had(
    vendor: Vendor, transport: CurlTransport, former: float
) -> None:
    vendor.on("/quick", answer(200))
    vendor.on("/", hang)
    quick = await transport.fetch(make_request(vendor.url("/quick"), timeout=former))

    ended = await _timed(transport, vendor.url())

    assert quick.status == 200
    assert ended == (Reason.TIMEOUT, "time ran out waiting for the answer", 3)


async def test_time_runs_out_after_the_engine_was_closed_in_between(
    vendor: Vendor, transport: CurlTransport
) -> None:
    vendor.on("/", hang)
    given_up = asyncio.create_task(
        transport.fetch(make_request(vendor.url(), timeout=LIMIT / 2)),
    )
    while not transport.in_flight:
        await asyncio.sleep(0)
    await asyncio.sleep(LIMIT / 10)
    await transport.close()
    await asyncio.gather(given_up, return_exceptions=True)

    reason, _, _ = await _timed(transport, vendor.url())

    assert given_up.cancelled()
    assert reason is Reason.TIMEOUT


async def test_time_runs_out_while_the_body_is_read(
    vendor: Vendor, transport: CurlTransport
) -> None:
    vendor.on("/", answer(body="halves", body_delay=5))

    ended = await _timed(transport, vendor.url())

    assert ended == (Reason.TIMEOUT, "time ran out reading the answer", 4)


async def test_a_dripped_head_is_given_up_in_time(vendor: Vendor, transport: CurlTransport) -> None:
    vendor.on("/", drip(head_of(200), 0.02))

    reason, _, _ = await _timed(transport, vendor.url())

    assert reason is Reason.TIMEOUT


async def test_time_runs_out_in_the_tls_handshake(vendor: Vendor, transport: CurlTransport) -> None:
    vendor.greeting = hang

    ended = await _timed(transport, vendor.url().replace("http", "https", 1))

    assert ended == (Reason.TIMEOUT, "time ran out in the TLS handshake", 2)


async def test_time_runs_out_in_the_tls_handshake_behind_a_proxy(
    vendor: Vendor, proxy: Proxy, transport: CurlTransport
) -> None:
    vendor.greeting = hang

    ended = await _timed(transport, f"https://127.0.0.1:{vendor.port}/", proxy=proxy.url())

    assert ended == (Reason.TIMEOUT, "time ran out in the TLS handshake", 2)


async def test_time_runs_out_while_connecting(transport: CurlTransport) -> None:
    # A listener whose queue is full drops further SYNs: what a firewall does.
    async with _full_listener() as port:
        ended = await _timed(transport, f"http://127.0.0.1:{port}/")

    assert ended == (Reason.TIMEOUT, "time ran out connecting", 1)


async def test_time_runs_out_on_a_kept_connection_as_waiting_for_the_answer(
    tls_vendor: Vendor, transport: CurlTransport, authority: Authority
) -> None:
    tls_vendor.on("/", answer())
    more = {"keep_alive": True, "tls": authority.trusted()}
    await transport.fetch(make_request(tls_vendor.url(), **more))
    tls_vendor.on("/", hang)

    ended = await _timed(transport, tls_vendor.url(), **more)

    assert tls_vendor.connections == 1
    assert ended == (Reason.TIMEOUT, "time ran out waiting for the answer", 3)


async def test_a_slow_resolver_is_given_up_in_time() -> None:
    transport = CurlTransport(_SlowResolver())

    ended = await _timed(transport, "http://slow.test/")
    await transport.close()

    assert ended == (Reason.DNS, "no name server answers in time", 0)


async def test_time_to_resolve_is_taken_from_the_time_of_the_transfer(vendor: Vendor) -> None:
    transport = CurlTransport(_SlowResolver(0.1))
    vendor.on("/", hang)

    ended = await _timed(transport, vendor.url(name="slow.test"))
    await transport.close()

    assert ended[0] is Reason.TIMEOUT


class _SlowResolver(Resolver):
    def __init__(self, delay: float = 60.0) -> None:
        super().__init__()
        self.delay = delay

    def _make(self, *_: Any, **more: Any) -> Any:
        return _SlowChannel(self.delay)


class _SlowChannel:
    """What a channel of c-ares is to the resolver; of addresses its servers know nothing soon."""

    def __init__(self, delay: float) -> None:
        self.delay = delay

    def getaddrinfo(self, *_: Any, **more: Any) -> asyncio.Future[Any]:
        return self._after(self.delay)

    def query_dns(self, *_: Any) -> asyncio.Future[Any]:
        return self._after(0.0)

    def _after(self, seconds: float) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Any] = loop.create_future()
        nodes = [SimpleNamespace(addr=("127.0.0.1", 0))]
        loop.call_later(seconds, _answer, found, SimpleNamespace(nodes=nodes))
        return found

    async def close(self) -> None:
        pass


def _answer(found: asyncio.Future[Any], value: Any) -> None:
    if not found.done():
        found.set_result(value)


class _full_listener:  # noqa: N801 - used as a function
    async def __aenter__(self) -> int:
        import socket

        self.sockets = [socket.socket() for _ in range(4)]
        listener, *clients = self.sockets
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for client in clients:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        return int(listener.getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        for sock in self.sockets:
            sock.close()
