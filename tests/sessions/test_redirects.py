"""Sessions: redirects are followed, and the caller's headers and body stay in the origin."""

from __future__ import annotations

import pytest

from exporter.sessions import RequestFailed
from tests.conftest import Authority
from tests.fakes import KEY
from tests.sessions.calling import asked_without_credentials, desk_at
from tests.vendor import Vendor, answer, redirect


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_origin_takes_nothing_along(
    vendor: Vendor, other: Vendor, status: int
) -> None:
    vendor.on("/v1/x", redirect(other.url("/there?a=1"), status))
    other.on("/there", answer(200, "there"))
    desk = desk_at(vendor, auth={"kind": "query", "name": "token"})

    async with desk.open() as session:
        headers, cookies = {"X-Own": "own-header"}, {"c": "own-cookie"}
        call = session.post("/x", data=b"own-body", headers=headers, cookies=cookies)
        async with call as response:
            assert await response.text() == "there"

    assert asked_without_credentials(other)
    (seen,) = other.seen
    assert not any(seen.holds(text) for text in ("own-header", "own-body", "own-cookie", "token"))
    assert seen.query == "a=1"


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [
        (301, "POST", ("GET", b"")),
        (302, "POST", ("GET", b"")),
        (303, "POST", ("GET", b"")),
        (303, "PUT", ("GET", b"")),
        (302, "PUT", ("PUT", b"body")),
        (307, "POST", ("POST", b"body")),
        (308, "PATCH", ("PATCH", b"body")),
    ],
)
async def test_a_redirect_within_the_origin_keeps_credentials(
    vendor: Vendor, status: int, method: str, expected: tuple[str, bytes]
) -> None:
    vendor.on("/v1/x", redirect("y?b=2", status))
    vendor.on("/v1/y", answer(200))

    async with desk_at(vendor).open() as session:
        await session.request(method, "/x", data=b"body", headers={"X-Own": "mine"})

    seen = vendor.seen[1]
    assert (seen.method, seen.body, seen.query) == (*expected, "b=2")
    assert (seen.header("Authorization"), seen.header("X-Own")) == (f"Bearer {KEY}", "mine")
    assert (seen.header("Content-Type") is None) == (expected[0] == "GET")


async def test_a_call_redirected_away_and_back_has_no_credentials(
    vendor: Vendor, other: Vendor
) -> None:
    vendor.on("/v1/x", redirect(other.url("/back")))
    other.on("/back", redirect(vendor.url("/v1/home")))
    vendor.on("/v1/home", redirect("/v1/delete-all"))

    async with desk_at(vendor).open() as session:
        await session.get("/x")

    assert [seen.path for seen in vendor.seen[1:]] == ["/v1/home", "/v1/delete-all"]
    assert [seen.header("Authorization") for seen in vendor.seen[1:]] == [None, None]


@pytest.mark.parametrize(("hops", "fails"), [(10, False), (11, True)])
async def test_ten_redirects_are_followed_and_no_more(
    vendor: Vendor, hops: int, fails: bool
) -> None:
    for number in range(hops):
        vendor.on(f"/v1/{number}", redirect(f"/v1/{number + 1}"))
    vendor.on(f"/v1/{hops}", answer(200))
    desk = desk_at(vendor)

    async with desk.open() as session:
        if fails:
            with pytest.raises(RequestFailed, match="more than 10 redirects"):
                await session.get("/0")
        else:
            assert (await session.get("/0")).status == 200

    assert len(vendor.seen) == 11
    assert desk.observed == ["302"] * 10 + (["302"] if fails else ["200"])


@pytest.mark.parametrize(
    "location", ["ftp://x/", "http://u:p@127.0.0.1/", "http://[", "/\\evil.example/", "mailto:x"]
)
async def test_a_redirect_to_an_unusable_address_fails(vendor: Vendor, location: str) -> None:
    vendor.on("/v1/x", redirect(location))

    async with desk_at(vendor).open() as session:
        with pytest.raises(RequestFailed, match="may not be followed"):
            await session.get("/x")


async def test_https_is_never_left_for_http(
    tls_vendor: Vendor, vendor: Vendor, authority: Authority
) -> None:
    tls_vendor.on("/v1/x", redirect(vendor.url("/y")))
    check = {"allow_private_addresses": True, "tls": {"ca_file": authority.file}}
    desk = desk_at(tls_vendor, health_check=check)

    async with desk.open() as session:
        with pytest.raises(RequestFailed, match="may not be followed"):
            await session.get("/x")

    assert (len(tls_vendor.seen), vendor.seen) == (1, [])


async def test_a_redirect_is_returned_with_allow_redirects_false(vendor: Vendor) -> None:
    vendor.on("/v1/x", redirect("/v1/y"))

    async with desk_at(vendor).open() as session:
        response = await session.get("/x", allow_redirects=False)

    assert (response.status, response.headers["Location"]) == (302, "/v1/y")
