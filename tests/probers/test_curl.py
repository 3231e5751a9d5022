"""The engine: what it measures, what it sends, how it ends."""

from __future__ import annotations

import asyncio

import pytest

from exporter.model import Reason
from exporter.probers.curl import CurlTransport
from tests.conftest import Authority
from tests.fakes import beside_sleeps, make_request, settle
from tests.mischief import hang
from tests.patience import patient
from tests.vendor import Peer, Proxy, Seen, Vendor, answer, head_of


async def test_phases_sum_to_the_duration_and_each_is_about_right(
    vendor: Vendor, transport: CurlTransport
) -> None:
    vendor.on("/", answer(body="halves", head_delay=0.05, body_delay=0.03))

    got, late = await beside_sleeps(transport.fetch(make_request(vendor.url())))

    resolve, connect, tls, processing, transfer = got.phases
    assert sum(got.phases) == pytest.approx(got.duration)
    assert max(resolve, connect) < 0.02 + late
    assert tls == 0.0
    assert 0.048 <= processing < 0.08 + late
    # A first byte that is seen late makes the wait for it longer and the transfer shorter.
    assert 0.028 - late <= transfer < 0.06 + late
    assert processing + transfer >= 0.076
    assert (got.status, got.body, got.http_version) == (200, b"halves", 1.1)
    assert got.address == "127.0.0.1"
    assert got.content_length == 6


async def test_tls_is_a_phase_of_its_own(
    tls_vendor: Vendor, transport: CurlTransport, authority: Authority
) -> None:
    tls_vendor.on("/", answer(head_delay=0.05))

    request = make_request(tls_vendor.url(), tls=authority.trusted())
    got, late = await beside_sleeps(transport.fetch(request))

    assert got.failure is None
    assert got.phases[2] > 0.0005
    assert 0.048 <= got.phases[3] < 0.08 + late
    assert sum(got.phases) == pytest.approx(got.duration)


@pytest.mark.parametrize(("keep_alive", "connections"), [(True, 1), (False, 3)])
async def test_a_kept_connection_is_used_again_and_a_fresh_one_is_not(
    vendor: Vendor, transport: CurlTransport, keep_alive: bool, connections: int
) -> None:
    vendor.on("/", answer(body="x"))

    for _ in range(3):
        await transport.fetch(make_request(vendor.url(), keep_alive=keep_alive))

    assert vendor.connections == connections
    assert len(vendor.seen) == 3


async def test_a_kept_connection_shows_no_connect_and_no_tls_phase(
    tls_vendor: Vendor, transport: CurlTransport, authority: Authority
) -> None:
    tls_vendor.on("/", answer(head_delay=0.03))
    request = make_request(tls_vendor.url(), tls=authority.trusted(), keep_alive=True)
    await transport.fetch(request)

    got = await transport.fetch(request)

    assert tls_vendor.connections == 1
    assert got.phases[1] + got.phases[2] < 0.005
    assert got.phases[3] >= 0.028


async def test_a_fresh_probe_is_never_sent_on_a_kept_connection(
    vendor: Vendor, transport: CurlTransport
) -> None:
    vendor.on("/", answer())
    await transport.fetch(make_request(vendor.url(), keep_alive=True))

    await transport.fetch(make_request(vendor.url()))

    assert vendor.connections == 2


METHODS = [
    ("GET", None, None),
    ("HEAD", None, None),
    ("DELETE", None, None),
    ("OPTIONS", None, None),
    ("POST", None, "0"),
    ("POST", b"a=1", "3"),
    ("PUT", b"{}", "2"),
    ("PATCH", b"\0\xff", "2"),
    ("POST", b"", "0"),
    ("GET", b"odd", "3"),
    ("DELETE", b"x", "1"),
    ("PUT", b"", "0"),
]


@pytest.mark.parametrize(("method", "body", "length"), METHODS)
async def test_method_and_body_are_sent_as_declared(
    vendor: Vendor, transport: CurlTransport, method: str, body: bytes | None, length: str | None
) -> None:
    vendor.on("/", answer(body="x"))

    got = await transport.fetch(make_request(vendor.url(), method=method, body=body))

    assert got.failure is None
    (request,) = vendor.seen
    assert (request.method, request.body) == (method, body or b"")
    assert request.header("content-length") == length


async def test_headers_arrive_once_each_and_empty_values_stay(
    vendor: Vendor, transport: CurlTransport
) -> None:
    sent = (("X-Empty", ""), ("X-Text", "a: b; c"), ("Content-Type", "text/odd"), ("Accept", "*/*"))
    vendor.on("/", answer())

    await transport.fetch(make_request(vendor.url(), method="POST", body=b"b", headers=sent))

    (request,) = vendor.seen
    for name, value in sent:
        assert [v for n, v in request.headers if n.lower() == name.lower()] == [value]


async def test_header_names_of_an_answer_are_lower_case_and_repeats_stay_apart(
    vendor: Vendor, transport: CurlTransport
) -> None:
    vendor.on("/", answer(headers=[("X-A", "1"), ("x-a", " 2 "), ("X-Empty", ""), ("X-B", "3")]))

    got = await transport.fetch(make_request(vendor.url()))

    assert (got.headers["x-a"], got.headers["x-empty"]) == ("1, 2", "")
    assert [got.values_of(name) for name in ("X-A", "x-empty", "X-b", "X-None")] == [
        ("1", "2"),
        ("",),
        ("3",),
        (),
    ]


@pytest.mark.parametrize("name", ["Set-Cookie", "Server", "Content-Type", "Retry-After", "ETag"])
async def test_a_repeated_header_that_is_not_a_list_is_never_joined(
    name: str, vendor: Vendor, transport: CurlTransport
) -> None:
    vendor.on("/", answer(headers=[(name, "a=1; Path=/"), (name, "b=2")]))

    got = await transport.fetch(make_request(vendor.url()))

    assert got.headers[name.lower()] == "a=1; Path=/"
    assert got.values_of(name) == ("a=1; Path=/", "b=2")


async def test_headers_of_an_interim_answer_are_none_of_the_final_one(
    vendor: Vendor, transport: CurlTransport
) -> None:
    async def hinted(peer: Peer, seen: Seen) -> None:
        await peer.send(head_of(103, [("X-A", "early"), ("X-A", "hint")]))
        await answer(headers=[("X-A", "late")])(peer, seen)

    vendor.on("/", hinted)

    got = await transport.fetch(make_request(vendor.url()))

    assert got.values_of("x-a") == ("late",)


async def test_nothing_of_one_transfer_is_left_in_the_next(
    vendor: Vendor, transport: CurlTransport
) -> None:
    vendor.on("/", answer(body="x"))
    loud = make_request(
        vendor.url(), method="PUT", body=b"secret", headers=(("X-Key", "secret"),), max_body=0
    )
    await transport.fetch(loud)

    got = await transport.fetch(make_request(vendor.url()))

    assert (got.body, got.truncated) == (b"x", False)
    assert not vendor.seen[1].holds("secret")
    assert vendor.seen[1].method == "GET"


async def test_one_hundred_probes_run_side_by_side(
    vendor: Vendor, transport: CurlTransport
) -> None:
    all_are_there = asyncio.Barrier(100)

    async def together(peer: Peer, seen: Seen) -> None:
        await all_are_there.wait()
        await answer(body="x")(peer, seen)

    vendor.on("/", together)
    request = make_request(vendor.url(), timeout=60.0)

    got = await asyncio.gather(*(transport.fetch(request) for _ in range(100)))

    assert [one.status for one in got] == [200] * 100


async def test_ipv6_loopback_is_reached_by_its_literal(transport: CurlTransport) -> None:
    async with Vendor(host="::1") as vendor:
        vendor.on("/", answer())

        got = await transport.fetch(make_request(vendor.url()))

    assert (got.status, got.address) == (200, "::1")


# -- how it ends -----------------------------------------------------------------------------


async def test_a_refused_connection_is_reported_as_such(transport: CurlTransport) -> None:
    async with Vendor() as vendor:
        url = vendor.url()

    got = await transport.fetch(make_request(url))

    assert got.failure is Reason.CONNECT
    assert got.detail == "connection refused or host unreachable"
    assert sum(got.phases) == pytest.approx(got.duration)


async def test_cancelling_leaves_no_transfer_and_no_connection(
    vendor: Vendor, transport: CurlTransport
) -> None:
    vendor.on("/", hang)
    task = asyncio.ensure_future(transport.fetch(make_request(vendor.url(), timeout=30)))
    await vendor.until(lambda v: len(v.seen) == 1)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()
    assert not transport.in_flight
    vendor.on("/", answer())
    assert (await transport.fetch(make_request(vendor.url()))).status == 200


async def test_closing_ends_transfers_that_are_under_way(vendor: Vendor) -> None:
    transport = CurlTransport()
    vendor.on("/", hang)
    tasks = [
        asyncio.ensure_future(transport.fetch(make_request(vendor.url(), timeout=30)))
        for _ in range(5)
    ]
    await vendor.until(lambda v: len(v.seen) == 5)

    await transport.close()
    async with patient(1):
        ended = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(one, asyncio.CancelledError) for one in ended)
    assert not transport.in_flight


async def test_closing_twice_and_closing_unused_are_harmless() -> None:
    transport = CurlTransport()

    await transport.close()
    await transport.close()

    assert not transport.in_flight


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://[::1",
        "http://",
        "http://127.0.0.1:1/\0",
    ],
)
async def test_a_url_that_cannot_be_asked_is_our_mistake(
    transport: CurlTransport, url: str
) -> None:
    got = await transport.fetch(make_request(url))

    assert got.failure in (Reason.CLIENT_ERROR, Reason.DNS)


@pytest.mark.parametrize("scheme", ["file", "gopher", "ftp", "dict", "telnet", "ws", "smtp"])
async def test_other_schemes_are_not_spoken(
    vendor: Vendor, transport: CurlTransport, scheme: str
) -> None:
    url = vendor.url().replace("http", scheme, 1)

    got = await transport.fetch(make_request(url))

    assert got.failure in (Reason.PROTOCOL, Reason.CLIENT_ERROR)
    assert vendor.connections == 0


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "a\0b", "a\x7fb"])
async def test_a_header_with_a_control_character_is_not_sent(
    vendor: Vendor, transport: CurlTransport, value: str
) -> None:
    got = await transport.fetch(make_request(vendor.url(), headers=(("X-Key", value),)))

    assert got.failure is Reason.CLIENT_ERROR
    assert "X-Injected" not in got.detail
    assert vendor.connections == 0


async def test_text_beyond_ascii_is_sent_as_utf_8(vendor: Vendor, transport: CurlTransport) -> None:
    vendor.on("/ü", answer())

    got = await transport.fetch(make_request(vendor.url("/ü"), headers=(("X-Name", "é"),)))

    assert got.failure is None
    assert vendor.seen[0].holds("X-Name: é")


# -- proxies ---------------------------------------------------------------------------------


async def test_plain_http_goes_through_the_proxy_in_absolute_form(
    vendor: Vendor, proxy: Proxy, transport: CurlTransport
) -> None:
    vendor.on("/a", answer(body="x"))

    got = await transport.fetch(make_request(vendor.url("/a?b=1"), proxy=proxy.url()))

    assert (got.status, got.body) == (200, b"x")
    assert proxy.seen[0].target == vendor.url("/a?b=1")


async def test_https_goes_through_a_tunnel_that_sees_no_key(
    tls_vendor: Vendor, proxy: Proxy, transport: CurlTransport, authority: Authority
) -> None:
    tls_vendor.on("/", answer())
    request = make_request(
        tls_vendor.url(), proxy=proxy.url(), tls=authority.trusted(), headers=(("X-Key", "k-1"),)
    )

    got = await transport.fetch(request)

    assert got.status == 200
    assert proxy.seen[0].method == "CONNECT"
    assert not proxy.seen[0].holds("k-1")
    assert tls_vendor.seen[0].header("x-key") == "k-1"


@pytest.mark.parametrize(
    ("status", "reason", "detail"),
    [
        (403, Reason.CONNECT, "the proxy refused the connection"),
        (407, Reason.INTERCEPTED, "our proxy asks for a login (407)"),
        (502, Reason.CONNECT, "the proxy refused the connection"),
        (511, Reason.INTERCEPTED, "our network asks for a login (511)"),
    ],
)
async def test_a_proxy_that_refuses_a_tunnel_is_reported_as_such(
    status: int, reason: Reason, detail: str, proxy: Proxy, transport: CurlTransport
) -> None:
    proxy.refuses = status

    for login in ("", "user:word@"):
        url = proxy.url().replace("//", f"//{login}")
        got = await transport.fetch(make_request("https://api.example/", proxy=url))

        assert (got.failure, got.detail) == (reason, detail)


async def test_proxy_variables_of_the_environment_are_ignored(
    vendor: Vendor, proxy: Proxy, transport: CurlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url())
    vendor.on("/", answer())

    got = await transport.fetch(make_request(vendor.url()))

    assert got.status == 200
    assert proxy.seen == []


async def test_no_proxy_of_the_environment_does_not_bypass_a_declared_proxy(
    vendor: Vendor, proxy: Proxy, transport: CurlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    vendor.on("/", answer())

    await transport.fetch(make_request(vendor.url(), proxy=proxy.url()))

    assert len(proxy.seen) == 1


async def test_a_proxy_on_a_private_address_is_refused_too(
    vendor: Vendor, proxy: Proxy, transport: CurlTransport
) -> None:
    request = make_request(vendor.url(), proxy=proxy.url(), allow_private=False)

    got = await transport.fetch(request)

    assert got.failure is Reason.ADDRESS_REFUSED
    await settle()
    assert (proxy.connections, vendor.connections) == (0, 0)
