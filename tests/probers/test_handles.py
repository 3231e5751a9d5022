"""Handles between two transfers: what is kept of one request, and what never is."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.model import Reason
from exporter.probers import Request
from exporter.probers.curl import CurlTransport, handles
from exporter.probers.curl.handles import MOST_IDLE, Handles
from exporter.secret import Secret
from tests.conftest import Authority
from tests.fakes import make_request
from tests.vendor import Vendor, answer

KEY = Secret("sk-live-0123456789abcdef")


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Return the requests for which a handle got all of its options."""
    found: list[Request] = []
    set_options = handles.set_options

    def noted(curl: Any, request: Request) -> None:
        found.append(request)
        set_options(curl, request)

    monkeypatch.setattr(handles, "set_options", noted)
    return found


async def test_the_next_request_of_a_shape_finds_its_options(
    vendor: Vendor, transport: CurlTransport, prepared: list[Request]
) -> None:
    for path in ("/a", "/b", "/c"):
        vendor.on(path, answer(body=path))

    got = [await transport.fetch(make_request(vendor.url(path))) for path in ("/a", "/b", "/c")]

    assert [one.body for one in got] == [b"/a", b"/b", b"/c"]
    assert len(prepared) == 1
    assert vendor.connections == 3


async def test_no_header_of_one_request_is_sent_with_the_next(
    vendor: Vendor, transport: CurlTransport, prepared: list[Request]
) -> None:
    vendor.on("/", answer())
    keyed = make_request(vendor.url(), headers=(("Authorization", KEY.reveal()),))

    for request in (keyed, make_request(vendor.url()), keyed):
        await transport.fetch(request)

    assert [seen.holds(KEY.reveal()) for seen in vendor.seen] == [True, False, True]
    assert len(prepared) == 1


async def test_another_method_body_or_wish_has_options_of_its_own(
    vendor: Vendor, transport: CurlTransport
) -> None:
    vendor.on("/", answer(body="x"))
    requests: list[dict[str, Any]] = [
        {},
        {"method": "POST", "body": b"one"},
        {"method": "POST", "body": b"two"},
        {"method": "HEAD"},
        {"method": "DELETE"},
        {"session": True},
        {"inspect": True},
        {},
    ]

    for changes in requests:
        await transport.fetch(make_request(vendor.url(), **changes))

    sent = [(seen.method, seen.body) for seen in vendor.seen]
    assert sent[:5] == [
        ("GET", b""),
        ("POST", b"one"),
        ("POST", b"two"),
        ("HEAD", b""),
        ("DELETE", b""),
    ]
    accepted = [seen.header("Accept-Encoding") is not None for seen in vendor.seen]
    assert accepted == [True] * 6 + [False, True]


async def test_a_private_address_stays_refused_after_a_request_that_was_allowed(
    vendor: Vendor, transport: CurlTransport
) -> None:
    vendor.on("/", answer())

    got = [
        await transport.fetch(make_request(vendor.url(), allow_private=allowed))
        for allowed in (True, False, True)
    ]

    assert [one.failure for one in got] == [None, Reason.ADDRESS_REFUSED, None]


async def test_a_certificate_is_verified_after_a_request_that_did_not_care(
    tls_vendor: Vendor, transport: CurlTransport, authority: Authority
) -> None:
    tls_vendor.on("/", answer())
    careless = make_request(tls_vendor.url(), tls=authority.trusted(insecure_skip_verify=True))

    got = [
        await transport.fetch(request)
        for request in (careless, make_request(tls_vendor.url()), careless)
    ]

    assert [one.failure for one in got] == [None, Reason.TLS, None]
    assert got[1].certificate is not None  # of the handshake that only asks for it


async def test_what_failed_leaves_nothing_in_its_handle(
    vendor: Vendor, transport: CurlTransport, prepared: list[Request]
) -> None:
    vendor.on("/", answer())
    vendor.on("/cut", answer(body="x" * 10, headers={"Content-Length": "20"}))

    got = [
        await transport.fetch(make_request(vendor.url(path))) for path in ("/", "/cut", "/", "/")
    ]

    assert [one.failure for one in got] == [None, Reason.PROTOCOL, None, None]
    assert len(prepared) == 2


async def test_handles_of_shapes_that_nobody_asks_for_make_room() -> None:
    idle = Handles()
    lent = [
        idle.take(make_request("http://a.example/", proxy=f"http://p{number}.example"))
        for number in range(MOST_IDLE + 10)
    ]
    for transfer in lent:
        idle.give_back(transfer, clean=True)

    again = idle.take(make_request("http://a.example/", proxy="http://p100.example"))
    first = idle.take(make_request("http://a.example/", proxy="http://p0.example"))

    assert again is lent[100]
    assert first not in lent
    idle.close()
