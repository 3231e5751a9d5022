"""Names: found, not found, in silence; and a dead name delays no other."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest

from exporter.model import Reason
from exporter.probers.curl import CurlTransport
from exporter.probers.curl.resolver import _DETAILS, ResolveError, Resolver
from tests.dns import NXDOMAIN, REFUSED, SERVFAIL, SILENCE, NameServer
from tests.fakes import beside_sleeps, make_request
from tests.patience import patient
from tests.vendor import Vendor, answer


@pytest.fixture
async def dns() -> AsyncIterator[NameServer]:
    async with NameServer() as server:
        yield server


@pytest.fixture
async def resolver(dns: NameServer) -> AsyncIterator[Resolver]:
    made = Resolver(servers=[dns.address], attempt=0.1)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("version", "found"),
    [(0, {"127.0.0.1", "127.0.0.2", "::1"}), (4, {"127.0.0.1", "127.0.0.2"}), (6, {"::1"})],
)
async def test_a_name_has_the_addresses_of_the_version_asked_for(
    version: int, found: set[str], dns: NameServer, resolver: Resolver
) -> None:
    dns.names["api.test"] = ["127.0.0.1", "127.0.0.2", "::1"]

    assert set(await resolver.addresses("api.test", version)) == found


async def test_an_address_is_its_own_and_nobody_is_asked(
    dns: NameServer, resolver: Resolver
) -> None:
    found = [await resolver.addresses(text) for text in ("127.0.0.1", "::1", "[0:0::1]")]

    assert (found, dns.asked) == ([["127.0.0.1"], ["::1"], ["::1"]], [])


DEAD = [
    ("nx.test", NXDOMAIN, "no such name"),
    ("empty.test", [], "the name has no address"),
    ("broken.test", SERVFAIL, "the name server failed"),
    ("refused.test", REFUSED, "the name server refused the query"),
    ("silent.test", SILENCE, "no name server answers"),
    ("a" * 64 + ".test", NXDOMAIN, "not a host name"),
    ("a..test", NXDOMAIN, "not a host name"),
    (".".join(["abcdefg"] * 40), NXDOMAIN, "not a host name"),
]


@pytest.mark.parametrize(("name", "known", "words"), DEAD, ids=[d[2] + d[0][:6] for d in DEAD])
async def test_a_name_without_an_address_says_why(
    name: str, known: list[str] | int, words: str, dns: NameServer, resolver: Resolver
) -> None:
    dns.names[name] = known

    with pytest.raises(ResolveError, match=f"^{words}$") as caught:
        await resolver.addresses(name)

    assert name not in str(caught.value)


@pytest.mark.parametrize("name", ["", ".", "\x00", "ü" * 300, "\ud800.test", "a b.test", "%00"])
async def test_no_text_at_all_is_worse_than_a_resolve_error(name: str, resolver: Resolver) -> None:
    with pytest.raises(ResolveError):
        await resolver.addresses(name)


class Liar(NameServer):
    """Answers each question with *flags*, *count* announced records, and *records*."""

    def __init__(self, flags: int, count: int, records: bytes, number: bytes = b"") -> None:
        super().__init__()
        self._said = (flags, count, records, number)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        flags, count, records, number = self._said
        question = data[12 : data.index(b"\0", 12) + 5]
        head = (number or data[:2]) + struct.pack("!HHHHH", flags, 1, count, 0, 0)
        assert self._transport is not None
        self._transport.sendto(head + question + records, addr)


def record(kind: int, data: bytes, name: bytes = b"\xc0\x0c") -> bytes:
    return name + struct.pack("!HHIH", kind, 1, 0, len(data)) + data


GOOD = record(1, b"\x7f\0\0\1")
LIES: dict[str, tuple[int, int, bytes, bytes]] = {
    "bytes without sense": (0xFFFF, 0xFFFF, b"\xff" * 400, b""),
    "no records but a count": (0x8180, 9, b"", b""),
    "fewer records than announced": (0x8180, 60_000, GOOD, b""),
    "an address of two bytes": (0x8180, 1, record(1, b"\x7f\1"), b""),
    "an alias of itself": (0x8180, 1, record(5, b"\xc0\x0c"), b""),
    "a name that points at itself": (0x8180, 1, record(1, b"\x7f\0\0\1", b"\xc0\x1a"), b""),
    "an answer that ends within a record": (0x8180, 1, GOOD[:-3], b""),
    "the answer to another question": (0x8180, 1, GOOD, b"\0\0"),
    "cut short, and no TCP": (0x8380, 0, b"", b""),
    "not implemented": (0x8184, 0, b"", b""),
    "format error": (0x8181, 0, b"", b""),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_name_server_that_answers_nonsense_is_a_resolve_error(lie: str) -> None:
    async with Liar(*LIES[lie]) as server:
        resolver = Resolver(servers=[server.address], attempt=0.02)

        with pytest.raises(ResolveError) as caught:
            await resolver.addresses("api.test")

        await resolver.close()

    assert str(caught.value) in set(_DETAILS.values())


async def test_a_thousand_addresses_are_an_answer_like_any_other(vendor: Vendor) -> None:
    vendor.on("/", answer())

    async with Liar(0x8180, 1000, GOOD * 1000) as server:
        transport = CurlTransport(Resolver(servers=[server.address]))
        got = await transport.fetch(make_request(vendor.url(name="api.test")))
        await transport.close()

    assert (got.status, set(got.resolved)) == (200, {"127.0.0.1"})


async def test_a_name_server_that_is_not_there_says_so() -> None:
    async with NameServer() as gone:
        address = gone.address
    resolver = Resolver(servers=[address], attempt=0.1)

    with pytest.raises(ResolveError, match="no name server answers"):
        await resolver.addresses("api.test")

    await resolver.close()


async def test_the_outcome_of_a_dead_name_is_dns_and_its_time_is_the_resolve_phase(
    dns: NameServer,
) -> None:
    transport = CurlTransport(Resolver(servers=[dns.address]))
    dns.names["silent.test"] = SILENCE

    loop = asyncio.get_running_loop()
    begun = loop.time()
    request = make_request("http://silent.test/", timeout=0.2)

    async def sleep() -> float:
        await asyncio.sleep(0.2)
        return loop.time() - begun - 0.2

    got, late = await asyncio.gather(transport.fetch(request), sleep())
    await transport.close()

    assert (got.failure, got.detail) == (Reason.DNS, "no name server answers in time")
    assert 0.19 <= got.phases[0] < 0.3 + late
    assert got.duration == got.phases[0]


async def test_forty_dead_names_do_not_delay_a_healthy_one(dns: NameServer, vendor: Vendor) -> None:
    transport = CurlTransport(Resolver(servers=[dns.address]))
    dns.names["good.test"] = ["127.0.0.1"]
    dns.names |= {f"dead{i}.test": SILENCE for i in range(40)}
    vendor.on("/", answer())
    dead = [
        asyncio.create_task(transport.fetch(make_request(f"http://dead{i}.test/", timeout=1.0)))
        for i in range(40)
    ]
    async with patient(10):
        while len({name for name, _ in dns.asked}) < 40:
            await asyncio.sleep(0.005)

    request = make_request(vendor.url(name="good.test"), timeout=1.0)
    good, late = await beside_sleeps(transport.fetch(request))
    ended = await asyncio.gather(*dead)
    await transport.close()

    assert good.status == 200
    assert good.phases[0] < 0.05 + late
    assert {one.failure for one in ended} == {Reason.DNS}


async def test_an_answer_of_this_moment_is_not_kept_for_the_next(
    dns: NameServer, vendor: Vendor
) -> None:
    transport = CurlTransport(Resolver(servers=[dns.address]))
    vendor.on("/", answer())
    url = vendor.url(name="moves.test")
    dns.names["moves.test"] = ["127.0.0.2"]
    before = await transport.fetch(make_request(url, timeout=0.5))
    dns.names["moves.test"] = ["127.0.0.1"]

    after = await transport.fetch(make_request(url, timeout=0.5))
    await transport.close()

    assert (before.failure, after.status) == (Reason.CONNECT, 200)


async def test_a_name_that_turns_private_is_refused_when_it_does(
    dns: NameServer, vendor: Vendor
) -> None:
    transport = CurlTransport(Resolver(servers=[dns.address]))
    dns.names["rebind.test"] = ["127.0.0.1"]
    url = vendor.url(name="rebind.test")

    got = await transport.fetch(make_request(url, allow_private=False))
    await transport.close()

    assert (got.failure, vendor.connections) == (Reason.ADDRESS_REFUSED, 0)
    assert len([name for name, kind in dns.asked if kind == 1]) == 1


async def test_closing_ends_what_is_still_asked(dns: NameServer) -> None:
    resolver = Resolver(servers=[dns.address], attempt=5)
    dns.names["silent.test"] = SILENCE
    pending = [asyncio.create_task(resolver.addresses("silent.test")) for _ in range(5)]
    while not dns.asked:
        await asyncio.sleep(0.005)

    await resolver.close()
    async with patient(1):
        ended = await asyncio.gather(*pending, return_exceptions=True)

    assert all(isinstance(one, (ResolveError, asyncio.CancelledError)) for one in ended)


async def test_giving_up_one_look_up_leaves_the_others(dns: NameServer, resolver: Resolver) -> None:
    dns.names |= {"silent.test": SILENCE, "api.test": ["127.0.0.1"]}

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await resolver.addresses("silent.test")

    assert await resolver.addresses("api.test") == ["127.0.0.1"]
