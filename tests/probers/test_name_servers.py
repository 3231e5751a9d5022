"""Name servers that are slow or dead, and whose fault a name without an answer is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from exporter.model import Reason, Shortage, Verdict, verdict_of
from exporter.probers.curl import CurlTransport
from exporter.probers.curl.resolver import ResolveError, Resolver
from tests.dns import NXDOMAIN, REFUSED, SERVFAIL, SILENCE, Alias, NameServer, Odd
from tests.fakes import make_request
from tests.patience import Spent, Stopwatch
from tests.vendor import Vendor, answer


@pytest.fixture
async def dns() -> AsyncIterator[NameServer]:
    async with NameServer() as server:
        yield server


class Slow(NameServer):
    """Answers every question after *delay* seconds, and none while `dropping`."""

    def __init__(self, delay: float = 0.0) -> None:
        super().__init__()
        self.delay, self.dropping = delay, False

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self.dropping:
            loop = asyncio.get_running_loop()
            loop.call_later(self.delay, super().datagram_received, data, addr)


ANSWERED = ["127.0.0.1"]


IN_THE_END = 60.0
"""Seconds for what is not measured, on a machine that gives this process little of a core."""


async def timed(resolver: Resolver, name: str, seconds: float) -> tuple[list[str], Spent]:
    """Return the addresses of *name*, and how long they took."""
    watch = Stopwatch()
    return await resolver.addresses(name, 4, seconds), watch.read()


async def test_a_name_server_that_became_slow_is_heard_within_the_budget_of_the_probe() -> None:
    async with Slow() as server:
        server.names = {f"{i}.test": ANSWERED for i in range(9)}
        resolver = Resolver(servers=[server.address])
        for i in range(8):  # c-ares learns that it is fast, and waits 0.25 s from then on
            await resolver.addresses(f"{i}.test", 4, IN_THE_END)
        server.delay = 2.5

        found, took = await timed(resolver, "8.test", 8.0)
        await resolver.close()

    assert found == ANSWERED
    assert took.seconds >= 2.5
    assert took.given < 4.0


async def test_patience_is_not_unlearned_by_answers_that_come_fast() -> None:
    async with Slow() as server:
        server.names = {f"{i}.test": ANSWERED for i in range(9)}
        resolver = Resolver(servers=[server.address])
        for i in range(5):  # the first question of each is lost, so both channels are asked
            server.dropping = True
            asyncio.get_running_loop().call_later(0.45, setattr, server, "dropping", False)
            await resolver.addresses(f"{i}.test", 4, IN_THE_END)
        server.delay = 2.5

        found, took = await timed(resolver, "8.test", 8.0)
        await resolver.close()

    assert found == ANSWERED
    assert took.seconds >= 2.5
    assert took.given < 4.0


@pytest.mark.parametrize("seconds", [1.0, 8.0])
async def test_a_dead_first_name_server_leaves_time_for_the_second(seconds: float) -> None:
    async with NameServer() as dead, NameServer() as live:
        dead.names["api.test"] = SILENCE
        live.names["api.test"] = ANSWERED
        resolver = Resolver(servers=[dead.address, live.address])

        found, took = await timed(resolver, "api.test", seconds)
        await resolver.close()

    assert found == ANSWERED
    assert dead.asked
    assert took.given < 0.9


class Answering(NameServer):
    """Answers the control with *control*, and names as a name server does."""

    def __init__(self, control: int) -> None:
        super().__init__()
        self.names[""] = control


OURS = "our name servers do not answer (not the provider's)"
# How the name is answered, how the control is, and whose fault that is.
BLAME = [
    (SILENCE, SILENCE, Shortage.RESOLVER),
    (SERVFAIL, SERVFAIL, Shortage.RESOLVER),
    (SERVFAIL, SILENCE, Shortage.RESOLVER),
    (REFUSED, REFUSED, Shortage.RESOLVER),
    (SILENCE, NXDOMAIN, None),
    (SERVFAIL, NXDOMAIN, None),
    (REFUSED, NXDOMAIN, None),
    (SILENCE, REFUSED, None),
    (SERVFAIL, REFUSED, None),
    (NXDOMAIN, SILENCE, None),
]


@pytest.mark.parametrize(("name", "control", "shortage"), BLAME)
async def test_a_name_without_an_answer_is_ours_only_if_nothing_is_answered(
    name: int, control: int, shortage: Shortage | None
) -> None:
    async with Answering(control) as server:
        server.names["api.test"] = name
        transport = CurlTransport(Resolver(servers=[server.address]))

        got = await transport.fetch(make_request("http://api.test/", timeout=1.5))
        await transport.close()

    assert (got.failure, got.shortage) == (Reason.DNS, shortage)
    assert (got.detail == OURS) is (shortage is not None)
    assert got.duration < 1.7
    ours = verdict_of(got.failure, shortage=got.shortage) is Verdict.NETWORK
    assert ours is (shortage is not None)


async def test_name_servers_that_are_gone_are_ours() -> None:
    async with NameServer() as gone:
        address = gone.address
    transport = CurlTransport(Resolver(servers=[address]))

    got = await transport.fetch(make_request("http://api.test/", timeout=1.5))
    await transport.close()

    assert (got.failure, got.shortage) == (Reason.DNS, Shortage.RESOLVER)


async def test_name_servers_that_die_are_ours_and_that_ends_with_their_return(
    dns: NameServer, vendor: Vendor
) -> None:
    vendor.on("/", answer())
    transport = CurlTransport(Resolver(servers=[dns.address]))
    dns.names["api.test"] = ANSWERED
    request = make_request(vendor.url(name="api.test"), timeout=0.8)
    before = await transport.fetch(request)

    dns.names = {"api.test": SILENCE, "": SILENCE}
    meanwhile = await transport.fetch(request)
    dns.names = {"api.test": ANSWERED}
    after = await transport.fetch(request)
    await transport.close()

    assert (before.status, after.status) == (200, 200)
    assert meanwhile.shortage is Shortage.RESOLVER


async def test_a_question_that_was_lost_before_the_name_servers_came_back_is_ours(
    dns: NameServer,
) -> None:
    resolver = Resolver(servers=[dns.address])
    dns.names = {"dead.test": SILENCE, "lost.test": SILENCE, "good.test": ANSWERED}
    for _ in range(2):  # the second answer comes after that of the control
        await resolver.addresses("good.test")
    dns.names[""] = SILENCE

    async def back() -> None:
        with pytest.raises(ResolveError):
            await resolver.addresses("dead.test", 4, 0.8)
        await resolver.addresses("good.test")

    with pytest.raises(ResolveError) as lost:
        await asyncio.gather(resolver.addresses("lost.test", 4, 1.2), back())
    with pytest.raises(ResolveError) as later:
        await asyncio.gather(resolver.addresses("lost.test", 4, 0.8), _soon(resolver, "good.test"))
    await resolver.close()

    assert lost.value.shortage is Shortage.RESOLVER
    assert later.value.shortage is None


async def _soon(resolver: Resolver, name: str) -> None:
    """Resolve *name* when another question has been asked for a while."""
    await asyncio.sleep(0.5)
    await resolver.addresses(name)


async def test_another_name_that_is_answered_meanwhile_clears_the_name_servers(
    dns: NameServer,
) -> None:
    resolver = Resolver(servers=[dns.address])
    dns.names = {"dead.test": SILENCE, "": SILENCE, "good.test": ANSWERED}

    later = _soon(resolver, "good.test")
    with pytest.raises(ResolveError) as caught:
        await asyncio.gather(resolver.addresses("dead.test", 4, 1.0), later)
    await resolver.close()

    assert caught.value.shortage is None


async def test_name_servers_that_never_answer_the_control_are_not_judged_by_it(
    dns: NameServer,
) -> None:
    resolver = Resolver(servers=[dns.address])
    dns.names = {"dead.test": SILENCE, "": SILENCE, "good.test": ANSWERED}
    await resolver.addresses("good.test")

    with pytest.raises(ResolveError) as caught:
        await resolver.addresses("dead.test", 4, 0.8)
    await resolver.close()

    assert caught.value.shortage is None


async def test_many_dead_names_ask_the_control_a_few_times_only(dns: NameServer) -> None:
    resolver = Resolver(servers=[dns.address])
    dns.names |= {f"dead{i}.test": SILENCE for i in range(200)}

    ended = await asyncio.gather(
        *(resolver.addresses(f"dead{i}.test", 4, 1.0) for i in range(200)), return_exceptions=True
    )
    await resolver.close()

    assert {type(one) for one in ended} == {ResolveError}
    assert len([name for name, _ in dns.asked if not name]) < 20


@pytest.fixture
async def both() -> AsyncIterator[NameServer]:
    """A name server over UDP and TCP."""
    streams = socket.create_server(("127.0.0.1", 0))
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(streams.getsockname())
    async with NameServer(datagrams, streams) as server:
        yield server


async def test_an_answer_of_a_thousand_addresses_comes_over_tcp(both: NameServer) -> None:
    both.names["many.test"] = [f"11.0.{n // 250}.{n % 250 + 1}" for n in range(1000)]
    resolver = Resolver(servers=[both.address])

    found = await resolver.addresses("many.test", 4)
    await resolver.close()

    assert len(set(found)) == 1000
    assert both.over_tcp == 1


LIES = [Odd(ANSWERED, drips=True), Odd(ANSWERED, wrong_id=True), Alias("bad.test")]


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_or_a_drip_ends_in_time_and_costs_its_own_name_only(
    lie: Odd | Alias, both: NameServer
) -> None:
    resolver = Resolver(servers=[both.address])
    both.names |= {"bad.test": lie, "good.test": ANSWERED}

    bad = asyncio.create_task(timed(resolver, "bad.test", 1.0))
    found, took = await timed(resolver, "good.test", 1.0)
    with pytest.raises(ResolveError) as caught:
        await bad
    await resolver.close()

    assert found == ANSWERED
    assert took.given < 0.5
    assert caught.value.shortage is None
