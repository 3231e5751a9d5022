"""Cookies of redirects: sent on the next hop of their origin, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from exporter.model import Reason
from exporter.multitarget import Check, MultiTargetProber
from exporter.probers import Answer, Endpoint, Request, Transport
from exporter.probers.cookies import MAX_COOKIES
from exporter.probers.curl import CurlTransport
from exporter.probers.kinds.http import HttpProber
from exporter.secret import Secret
from tests.fakes import FakeClock, make_endpoint
from tests.vendor import Peer, Seen, Vendor, answer

HOME = "https://api.example/v1/status"
PLAIN = "http://api.example/v1/status"
Hop = tuple[str, list[str]]


@dataclass
class Sky:
    """A transport without a network: each hop redirects and sets cookies, the end answers 200."""

    way: list[Hop]
    clock: FakeClock = field(default_factory=FakeClock)
    seconds: float = 0.0
    cookies: list[str | None] = field(default_factory=list)
    """The Cookie header of each request."""

    async def fetch(self, request: Request) -> Answer:
        own = [value for name, value in request.headers if name.lower() == "cookie"]
        assert len(own) < 2
        self.cookies.append(own[0] if own else None)
        await self.clock.advance(self.seconds)
        if not self.way:
            return Answer(status=200)
        location, lines = self.way.pop(0)
        return Answer(
            status=302, headers={"location": location}, repeated={"set-cookie": tuple(lines)}
        )


async def services(transport: Transport, clock: FakeClock, endpoint: Endpoint) -> Reason:
    return (await HttpProber(transport, clock).probe(endpoint)).reason


async def targets(transport: Transport, clock: FakeClock, endpoint: Endpoint) -> Reason:
    check = Check(endpoint=endpoint, ip_version=4)
    return (await MultiTargetProber(transport, clock).probe(check)).reason


PROBERS = pytest.mark.parametrize("reason_of", [services, targets])


async def sent(way: list[Hop], url: str = HOME, seconds: float = 0.0, **more: object) -> list[str]:
    """Return the Cookie headers of a service's probe along *way*, without the first one."""
    sky = Sky(way, seconds=seconds)
    endpoint = make_endpoint(
        url, **{"follow_redirects": 9, "allow_cross_origin": True, "timeout": 300.0, **more}
    )
    await HttpProber(sky, sky.clock).probe(endpoint)
    return [cookie or "" for cookie in sky.cookies[1:]]


@PROBERS
async def test_a_cookie_wall_is_passed_and_the_next_probe_begins_anew(
    reason_of: object, vendor: Vendor, transport: CurlTransport
) -> None:
    async def wall(peer: Peer, seen: Seen) -> None:
        if seen.header("cookie") == "sid=1; seen=yes":
            await answer(200)(peer, seen)
            return
        lines = [("Location", "/"), ("Set-Cookie", "sid=1; Path=/"), ("Set-Cookie", "seen=yes")]
        await answer(302, headers=lines)(peer, seen)

    vendor.on("/", wall)
    endpoint = make_endpoint(vendor.url(), follow_redirects=5)

    reasons = [await reason_of(transport, FakeClock(), endpoint) for _ in (1, 2)]  # type: ignore[operator]

    assert reasons == [Reason.OK, Reason.OK]
    assert [seen.header("cookie") for seen in vendor.seen] == [None, "sid=1; seen=yes"] * 2


@PROBERS
async def test_a_cookie_goes_back_to_its_own_origin_and_to_no_other(reason_of: object) -> None:
    sky = Sky(
        [
            ("https://other.example/", ["a=1; Path=/; Domain=example"]),
            ("https://api.example:8443/", ["b=2; Path=/"]),
            ("https://www.api.example/", ["c=3; Path=/; Domain=api.example"]),
            ("https://other.example/", []),
            (HOME, []),
        ]
    )
    endpoint = make_endpoint(HOME, follow_redirects=9, allow_cross_origin=True)

    await reason_of(sky, sky.clock, endpoint)  # type: ignore[operator]

    assert sky.cookies == [None, None, None, None, "b=2", "a=1"]


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("a=1", "a=1"),
        (" a = 1 ; Path=/", "a=1"),
        ('a="1 2"; HttpOnly; SameSite=Lax', 'a="1 2"'),
        ("a=b=c; Path=/", "a=b=c"),
        ("a=; Path=/", "a="),
        ("a=1; Secure", "a=1"),
        ("a=1; Path=/v1", "a=1"),
        ("a=1; Path=/v1/", "a=1"),
        ("a=1; path=/v1/status", "a=1"),
        ("a=1; Path=relative", "a=1"),
        ("a=1; Path=/v", ""),
        ("a=1; Path=/v1/status/deep", ""),
        ("a=1; Path=/other", ""),
        ("a=1; Domain=api.example", "a=1"),
        ("a=1; Domain=.EXAMPLE", "a=1"),
        ("a=1; Domain=other.example", ""),
        ("a=1; Domain=pi.example", ""),
        ("a=1; Max-Age=60", "a=1"),
        ("a=1; Max-Age=0", ""),
        ("a=1; Max-Age=-5", ""),
        ("a=1; Max-Age=soon", "a=1"),
        ("a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT", ""),
        ("a=1; Expires=Wednesday, 21-Oct-15 07:28:00 GMT", ""),
        ("a=1; Expires=Wed, 21 Oct 2065 07:28:00 GMT", "a=1"),
        ("a=1; Expires=never", "a=1"),
        ("a=1; Max-Age=60; Expires=Wed, 21 Oct 2015 07:28:00 GMT", "a=1"),
        ("__Host-a=1; Secure; Path=/", "__Host-a=1"),
        ("__Host-a=1; Secure; Path=/v1", ""),
        ("__Host-a=1; Path=/", ""),
        ("__Secure-a=1; Secure", "__Secure-a=1"),
        ("__Secure-a=1", ""),
        ("é=1", ""),
        ("a=é".encode().decode("latin-1"), "a=é"),
        ("a=\xff", ""),
        ("a=1\x012", ""),
        ("a=" + "x" * 5_000, ""),
        ("a", ""),
        ("=1", ""),
        ("", ""),
    ],
)
async def test_the_attributes_of_a_cookie_are_heeded(line: str, header: str) -> None:
    assert await sent([("/v1/status", [line])]) == [header]


async def test_a_secure_cookie_is_not_taken_from_plain_http() -> None:
    assert await sent([("/v1/status", ["a=1; Secure", "b=2"])], PLAIN) == ["b=2"]


async def test_a_cookie_expires_while_the_probe_goes_on() -> None:
    way: list[Hop] = [("/v1/status", ["a=1; Max-Age=2", "b=2"]), ("/v1/status", [])]

    assert await sent(way, seconds=3.0) == ["a=1; b=2", "b=2"]


async def test_a_later_hop_changes_and_removes_cookies() -> None:
    way: list[Hop] = [
        ("/v1/status", ["a=1", "b=2"]),
        ("/v1/status", ["a=3", "b=; Max-Age=0"]),
        ("/elsewhere", ["c=4; Path=/"]),
    ]

    assert await sent(way) == ["a=1; b=2", "a=3", "c=4"]


async def test_the_longer_path_comes_first() -> None:
    assert await sent([("/v1/status", ["a=1; Path=/", "b=2; Path=/v1"])]) == ["b=2; a=1"]


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("b=2", "a=0; own=1; b=2"),
        ("a=9", "own=1; a=9"),
        ("a=; Max-Age=0", "own=1"),
        ("", "a=0; own=1"),
    ],
)
async def test_the_users_own_cookies_are_kept_unless_the_server_changes_them(
    line: str, header: str
) -> None:
    own = (("cookie", Secret("a=0; own=1")),)
    sky = Sky([("/v1/status", [line])])

    await HttpProber(sky, sky.clock).probe(make_endpoint(HOME, follow_redirects=1, credentials=own))

    assert sky.cookies == ["a=0; own=1", header]


async def test_the_users_own_cookies_never_reach_another_origin() -> None:
    own = (("Cookie", Secret("own=1")),)

    assert await sent([("https://other.example/", ["a=1"])], credentials=own) == [""]


async def test_a_server_cannot_make_us_send_cookies_without_bound() -> None:
    (header,) = await sent([("/v1/status", [f"c{n}=1" for n in range(500)])])

    assert header.count("=") == MAX_COOKIES
