"""Which addresses may be dialled: an own table, checked against another, and on the wire."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any

import pycurl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Reason
from exporter.probers.curl import CurlTransport, engine, transfer
from exporter.probers.curl.addresses import is_public
from exporter.probers.curl.resolver import Resolver
from exporter.probers.curl.transfer import Transfer
from tests.dns import NXDOMAIN, NameServer
from tests.fakes import make_request, settle
from tests.vendor import Vendor, answer

# First and last address of every special block (IANA IPv4 and IPv6 Special-Purpose Address
# Registries, multicast, RFC 4291), and the neighbours outside that are public.
BLOCKS: list[tuple[str, str, str]] = [
    ("this network", "0.0.0.0", "0.255.255.255"),
    ("private 10", "10.0.0.0", "10.255.255.255"),
    ("shared (CGNAT)", "100.64.0.0", "100.127.255.255"),
    ("loopback", "127.0.0.0", "127.255.255.255"),
    ("link-local", "169.254.0.0", "169.254.255.255"),
    ("private 172", "172.16.0.0", "172.31.255.255"),
    ("IETF protocols", "192.0.0.0", "192.0.0.255"),
    ("TEST-NET-1", "192.0.2.0", "192.0.2.255"),
    ("AS112", "192.31.196.0", "192.31.196.255"),
    ("AMT", "192.52.193.0", "192.52.193.255"),
    ("6to4 relay", "192.88.99.0", "192.88.99.255"),
    ("private 192", "192.168.0.0", "192.168.255.255"),
    ("AS112 direct", "192.175.48.0", "192.175.48.255"),
    ("benchmarks", "198.18.0.0", "198.19.255.255"),
    ("TEST-NET-2", "198.51.100.0", "198.51.100.255"),
    ("TEST-NET-3", "203.0.113.0", "203.0.113.255"),
    ("multicast", "224.0.0.0", "239.255.255.255"),
    ("reserved", "240.0.0.0", "255.255.255.254"),
    ("broadcast", "255.255.255.255", "255.255.255.255"),
    ("unspecified", "::", "::"),
    ("loopback 6", "::1", "::1"),
    ("v4-compatible", "::", "::ffff:ffff"),
    ("v4-mapped", "::ffff:0:0", "::ffff:ffff:ffff"),
    ("v4-translated", "::ffff:0:0:0", "::ffff:0:ffff:ffff"),
    ("NAT64", "64:ff9b::", "64:ff9b::ffff:ffff"),
    ("local NAT64", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("discard only", "100::", "100::ffff:ffff:ffff:ffff"),
    ("dummy prefix", "100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"),
    ("IETF protocols 6", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("Teredo", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("benchmarks 6", "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"),
    ("ORCHIDv2", "2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("documentation", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("6to4", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("AS112 6", "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
    ("documentation 2", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("segment routing", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("unique local", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("link-local 6", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("site-local", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("multicast 6", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("unassigned", "4000::", "4000:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
]
EMBEDDED = [
    "::ffff:8.8.8.8",
    "::8.8.8.8",
    "64:ff9b::8.8.8.8",
    "64:ff9b::127.0.0.1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "::ffff:127.0.0.1",
    "::7f00:1",
    "169.254.169.254",
    "fd00:ec2::254",
    "100.100.100.200",
    "fe80::1%lo",
    "::1%1",
]
PUBLIC = [
    "1.0.0.0",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "203.0.114.0",
    "223.255.255.255",
    "2001:200::",
    "2001:4860:4860::8888",
    "2001:db7:ffff::",
    "2001:db9::",
    "2003::",
    "2606:4700::1111",
    "2620:4f:7fff::",
    "3ffe::1",
]
NO_ADDRESS = [
    "",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f.1",
    "017700000001",
    "1.2.3",
    "::1::",
    "1.2.3.4.5",
    "127.0.0.01",
    " 8.8.8.8",
    "8.8.8.8/32",
    "１.1.1.1",
]


@pytest.mark.parametrize(("block", "first", "last"), BLOCKS, ids=[b[0] for b in BLOCKS])
def test_a_special_block_is_refused_from_end_to_end(block: str, first: str, last: str) -> None:
    low, high = (int(ipaddress.ip_address(text)) for text in (first, last))
    kind: Any = ipaddress.IPv6Address if ":" in first else ipaddress.IPv4Address

    assert not any(is_public(str(kind(n))) for n in (low, (low + high) // 2, high))


def _ranges(version: int) -> list[tuple[int, int]]:
    parsed = [[ipaddress.ip_address(text) for text in ends] for _, *ends in BLOCKS]
    return [(int(a), int(b)) for a, b in parsed if a.version == version]


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [
        (ipaddress.IPv4Address, 1 << 24, 224 << 24),
        (ipaddress.IPv6Address, 0x2 << 124, 0x4 << 124),
    ],
)
def test_the_neighbours_of_a_special_block_are_public_unless_they_are_special_too(
    kind: Any, start: int, end: int
) -> None:
    ranges = _ranges(kind(start).version)
    beside = {n for low, high in ranges for n in (low - 1, high + 1) if start <= n < end}
    beside |= {start, end - 1}

    judged = {str(kind(n)): is_public(str(kind(n))) for n in beside}

    special = {str(kind(n)) for n in beside if any(low <= n <= high for low, high in ranges)}
    assert {text for text, public in judged.items() if not public} == special
    assert len(judged) - len(special) >= 12


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "8.8.8.8"])
@pytest.mark.parametrize(
    "outer",
    [
        "::ffff:0:0",
        "::",
        "::ffff:0:0:0",
        "64:ff9b::",
        "64:ff9b:1::",
        "2002::",
        "2001::",
    ],
)
def test_an_ipv4_address_is_refused_wherever_ipv6_can_carry_it(inner: str, outer: str) -> None:
    shift = {"2002::": 80}.get(outer, 0)
    number = int(ipaddress.IPv4Address(inner)) ^ (0xFFFFFFFF if outer == "2001::" else 0)

    carried = ipaddress.IPv6Address(int(ipaddress.IPv6Address(outer)) | number << shift)

    assert not is_public(str(carried))
    assert not is_public(carried.exploded)


@pytest.mark.parametrize("address", [*EMBEDDED, *NO_ADDRESS])
def test_an_address_within_an_address_and_what_is_none_are_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed_up_to_the_edge_of_a_block(address: str) -> None:
    assert is_public(address)


def _reference(ip: Any) -> bool:
    return bool(ip.is_global and not ip.is_multicast and not ip.is_reserved)


# where `ipaddress` of some Python allows what is special, or refuses more than the registry
WRONG_V4 = [
    ipaddress.ip_network(n)
    for n in (
        "192.0.0.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.175.48.0/24",
    )
]
WRONG_V6 = [
    ipaddress.ip_network(n)
    for n in (
        "2001::/23",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
]


@given(st.ip_addresses(v=4))
def test_a_random_ipv4_address_is_judged_as_by_an_independent_reference(ip: Any) -> None:
    if any(ip in net for net in WRONG_V4):
        assert not is_public(str(ip))
    else:
        assert is_public(str(ip)) is _reference(ip)


@given(st.ip_addresses(v=6) | st.ip_addresses(network="2000::/3"))
def test_a_random_ipv6_address_is_judged_as_by_an_independent_reference(ip: Any) -> None:
    unicast = ip in ipaddress.ip_network("2000::/3")
    if not unicast or any(ip in net for net in WRONG_V6):
        assert not is_public(str(ip))
    else:
        assert is_public(str(ip)) is _reference(ip)


@given(st.text(max_size=40))
def test_no_text_is_taken_for_a_public_address_by_accident(text: str) -> None:
    if is_public(text):
        ipaddress.ip_address(text.partition("%")[0])


# -- on the wire -----------------------------------------------------------------------------

SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "0177.1",
    "127.0.0.1.",
    "127.000.000.001",
    "0",
    "0.0.0.0",
    "127.255.255.254",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "[::1]",
    "[::]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:0:0:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[::ffff:0:127.0.0.1]",
    "[fe80::1]",
    "[::1%25lo]",
    "１２７.0.0.1",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "%31%32%37.0.0.1",
    "127.0.0.1%00.example.com",
    "user@127.0.0.1",
    "user:pass@127.0.0.1",
    "169.254.169.254",
    "10.0.0.1",
    "192.168.0.1",
    "100.100.100.200",
    "[fd00:ec2::254]",
    "metadata.google.internal",
]


@pytest.mark.parametrize("known", [NXDOMAIN, ["127.0.0.1", "::1"]], ids=["unknown", "known"])
@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_a_private_address_is_dialled(
    host: str, known: list[str] | int, vendor: Vendor
) -> None:
    vendor.on("/", answer())
    request = make_request(vendor.url(name=host), allow_private=False, timeout=0.5)

    async with NameServer() as dns:
        # a name server that takes the spelling for a name, and leads inside
        dns.names[host.lower().rstrip(".")] = known
        transport = CurlTransport(Resolver(servers=[dns.address]))
        got = await transport.fetch(request)
        await transport.close()

    await settle()
    assert got.failure in (Reason.ADDRESS_REFUSED, Reason.DNS, Reason.CLIENT_ERROR)
    assert (vendor.connections, vendor.seen) == (0, [])


class FixedResolver(Resolver):
    """Knows every name, under the same addresses."""

    def __init__(self, *found: str) -> None:
        super().__init__()
        self.found = list(found)

    async def addresses(self, host: str, ip_version: int = 0, seconds: float = 5.0) -> list[str]:
        return list(self.found)


@pytest.mark.parametrize(
    "found", [["127.0.0.1"], ["::1"], ["127.0.0.1", "10.0.0.1"], ["::ffff:127.0.0.1"]]
)
async def test_a_name_that_leads_inside_is_refused(found: list[str], vendor: Vendor) -> None:
    transport = CurlTransport(FixedResolver(*found))
    vendor.on("/", answer())

    got = await transport.fetch(make_request(vendor.url(name="api.test"), allow_private=False))
    await transport.close()

    assert got.failure is Reason.ADDRESS_REFUSED
    assert got.detail == "the name leads to an address that is not public"
    assert vendor.connections == 0


async def test_the_address_that_was_looked_up_is_the_one_that_is_dialled(vendor: Vendor) -> None:
    transport = CurlTransport(FixedResolver("127.0.0.1"))
    vendor.on("/", answer())

    got = await transport.fetch(make_request(vendor.url(name="api.test")))
    await transport.close()

    assert (got.status, got.address) == (200, "127.0.0.1")
    assert vendor.seen[0].header("host") == f"api.test:{vendor.port}"


@pytest.fixture
def second_loopback_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take 127.0.0.2 for public, so that no test can dial what really is."""
    for module in (engine, transfer):
        monkeypatch.setattr(module, "is_public", lambda address: address == "127.0.0.2")


@pytest.mark.usefixtures("second_loopback_is_public")
@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1"])
async def test_a_number_that_only_the_engine_takes_for_an_address_gets_no_socket(
    host: str, vendor: Vendor
) -> None:
    transport = CurlTransport(FixedResolver("127.0.0.2"))
    vendor.on("/", answer())

    got = await transport.fetch(make_request(vendor.url(name=host), allow_private=False))
    await transport.close()

    assert got.failure is Reason.ADDRESS_REFUSED
    assert vendor.connections == 0


@pytest.mark.usefixtures("second_loopback_is_public")
@pytest.mark.parametrize("found", [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "::1", "127.0.0.1"]])
async def test_of_a_mixed_answer_only_the_public_address_is_dialled(
    found: list[str], vendor: Vendor
) -> None:
    transport = CurlTransport(FixedResolver(*found))
    vendor.on("/", answer())

    got = await transport.fetch(make_request(vendor.url(name="api.test"), allow_private=False))
    await transport.close()

    assert (got.failure, got.resolved) == (Reason.CONNECT, ("127.0.0.2",))
    assert vendor.connections == 0


@pytest.mark.usefixtures("second_loopback_is_public")
async def test_a_public_address_is_dialled_under_the_policy() -> None:
    transport = CurlTransport(FixedResolver("127.0.0.1", "127.0.0.2"))

    async with Vendor(host="127.0.0.2") as vendor:
        vendor.on("/", answer(body="x"))
        url = vendor.url(name="api.test")
        got = [await transport.fetch(make_request(url, allow_private=False)) for _ in range(2)]
        await transport.close()

    assert [(one.status, one.address) for one in got] == [(200, "127.0.0.2")] * 2


@pytest.mark.usefixtures("second_loopback_is_public")
async def test_a_kept_connection_that_another_service_opened_inside_is_not_used() -> None:
    resolver = FixedResolver("127.0.0.1")
    transport = CurlTransport(resolver)
    async with Vendor() as inside, Vendor(host="127.0.0.2", port=inside.port) as public:
        inside.on("/", answer())
        public.on("/", answer())
        url = inside.url(name="api.test")
        allowed = await transport.fetch(make_request(url, keep_alive=True))
        resolver.found = ["127.0.0.2"]
        got = [
            await transport.fetch(make_request(url, keep_alive=True, allow_private=False))
            for _ in range(2)
        ]
        await transport.close()

    assert (allowed.status, len(inside.seen)) == (200, 1)
    assert [(one.status, one.address) for one in got] == [(200, "127.0.0.2")] * 2


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "fe80::1", "::ffff:8.8.8.8"])
async def test_at_the_last_moment_no_socket_is_opened_to_a_private_address(address: str) -> None:
    one = Transfer(None)
    one.begin(make_request("http://x.example/"), asyncio.Future())
    family = 10 if ":" in address else 2

    got = one.open_public(0, (family, 1, 6, (address, 80)))

    assert (got, one.refused) == (pycurl.SOCKET_BAD, True)


async def test_of_a_mixed_answer_only_the_public_address_gets_a_socket() -> None:
    one = Transfer(None)
    one.begin(make_request("http://x.example/"), asyncio.Future())

    opened = one.open_public(0, (2, 1, 6, ("8.8.8.8", 443)))  # a socket, not a connection

    opened.close()
    assert not one.refused
