"""Sessions: where a call goes, with which headers, and what never gets a credential."""

from __future__ import annotations

import asyncio
import base64
import logging
import traceback
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from exporter.checks import TlsSettings
from exporter.secret import Secret
from exporter.sessions import RequestFailed, ServiceSession
from tests.conftest import Authority
from tests.fakes import KEY, service_target, settle
from tests.mischief import close, hang, raw, reflected
from tests.patience import within
from tests.sessions.calling import SOURCE, Desk, asked_without_credentials, desk_at, target_at
from tests.vendor import Vendor, answer, head_of

JSON = [("Content-Type", "application/json")]


# -- calls ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/models", "models", "//models", "/a/../models", "/models?q=1"])
async def test_a_path_is_below_the_base_url(vendor: Vendor, path: str) -> None:
    vendor.on("/v1/models", answer(200, {"data": []}, JSON))
    vendor.on("/v1//models", answer(200, {"data": []}, JSON))

    async with desk_at(vendor).open() as session, session.get(path) as response:
        body = await response.json()

    assert body == {"data": []}
    assert vendor.seen[0].header("Authorization") == f"Bearer {KEY}"
    assert vendor.seen[0].header("X-Source") == SOURCE


@pytest.mark.parametrize("path", ["/../admin", "..", "/%2e%2e/admin", "/../v1x/admin"])
async def test_a_path_does_not_leave_the_base_url(vendor: Vendor, path: str) -> None:
    async with desk_at(vendor).open() as session:
        with pytest.raises(RequestFailed, match="leaves the base URL"):
            await session.get(path)

    assert not vendor.seen


@pytest.mark.parametrize("url", ["ftp://x/", "http://a:b@127.0.0.1/", "http://a\\@b/", "http://["])
async def test_an_unusable_address_is_not_asked(vendor: Vendor, url: str) -> None:
    async with desk_at(vendor).open() as session:
        with pytest.raises(RequestFailed, match="not an http or https URL") as caught:
            await session.get(url)

    assert caught.value.attempts == 0


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head"])
async def test_every_method_has_its_helper(vendor: Vendor, method: str) -> None:
    vendor.on("/v1/x", answer(204))
    desk = desk_at(vendor)

    async with desk.open() as session, getattr(session, method)("/x") as response:
        assert response.status == 204

    assert vendor.seen[0].method == method.upper()
    assert desk.observed == ["204"]


async def test_a_call_can_be_awaited_as_in_aiohttp(vendor: Vendor) -> None:
    vendor.on("/v1/x", answer(200, "text"))

    async with desk_at(vendor).open() as session:
        response = await session.post("/x", json={"a": 1}, params={"q": "ä b"})
        text = await response.text()

    assert isinstance(response, aiohttp.ClientResponse)
    assert (text, response.url.query["q"]) == ("text", "ä b")
    assert (vendor.seen[0].body, vendor.seen[0].query) == (b'{"a": 1}', "q=%C3%A4+b")


async def test_a_callers_header_wins_over_the_services(vendor: Vendor) -> None:
    async with desk_at(vendor).open() as session:
        await session.get("/x", headers={"x-source": "mine", "accept": "text/csv"})

    sent = [(n.lower(), v) for n, v in vendor.seen[0].headers]
    assert [v for n, v in sent if n in ("x-source", "accept")] == ["text/csv", "mine"]


async def test_a_closed_session_asks_nothing(vendor: Vendor) -> None:
    session = desk_at(vendor).open()

    with pytest.raises(RuntimeError, match="not open"):
        await session.get("/x")

    assert not vendor.seen


@pytest.mark.parametrize("option", ["proxy", "proxy_headers", "middlewares", "max_redirects"])
async def test_what_the_service_decides_is_not_an_option_of_a_call(
    vendor: Vendor, option: str
) -> None:
    async with desk_at(vendor).open() as session:
        with pytest.raises(TypeError, match=option):
            await session.get("/x", **{option: None})


async def test_whoever_reads_when_the_session_closes_is_told(vendor: Vendor) -> None:
    head = head_of(200, [("Content-Length", "9")])
    vendor.on("/v1/x", raw(head + b"part", hang))

    async with desk_at(vendor).open() as session:
        response = await session.get("/x")
        reading = asyncio.ensure_future(response.read())
        await settle()

    with pytest.raises(aiohttp.ClientError):
        await within(5, reading)


# -- credentials ------------------------------------------------------------------------------


async def test_a_key_in_the_query_is_on_the_wire_only(vendor: Vendor) -> None:
    desk = desk_at(vendor, auth={"kind": "query", "name": "token"})

    async with desk.open() as session, session.get("/x?a=1") as response:
        shown = f"{response} {response.url} {response.real_url} {response.request_info}"

    assert vendor.seen[0].query == f"a=1&token={KEY}"
    assert KEY not in shown
    assert SOURCE not in shown


async def test_a_basic_key_is_sent_as_a_pair(vendor: Vendor) -> None:
    desk = desk_at(vendor, auth={"kind": "basic", "username": "me"})

    async with desk.open() as session:
        await session.get("/x")

    pair = base64.b64encode(f"me:{KEY}".encode()).decode()
    assert vendor.seen[0].header("Authorization") == f"Basic {pair}"


async def test_what_only_the_check_sends_stays_with_the_check(vendor: Vendor) -> None:
    async with desk_at(vendor).open() as session:
        await session.get("/x")

    assert not vendor.seen[0].holds("check-only")


async def test_an_absolute_url_of_the_service_gets_the_credentials(vendor: Vendor) -> None:
    async with desk_at(vendor).open() as session:
        await session.get(vendor.url("/elsewhere"))

    assert vendor.seen[0].header("Authorization") == f"Bearer {KEY}"


async def test_an_absolute_url_of_another_origin_gets_none(vendor: Vendor, other: Vendor) -> None:
    async with desk_at(vendor).open() as session:
        await session.post(other.url("/x"), data=b"body", headers={"X-Own": "mine"})

    assert asked_without_credentials(other)
    assert (other.seen[0].body, other.seen[0].header("X-Own")) == (b"body", "mine")


async def test_another_name_of_the_same_machine_is_another_origin(vendor: Vendor) -> None:
    async with desk_at(vendor).open() as session:
        await session.get(vendor.url("/x", name="localhost"))

    assert asked_without_credentials(vendor)


# -- addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_an_address_that_is_not_public_is_refused(vendor: Vendor, name: str) -> None:
    desk = Desk(target_at(vendor.url("/v1", name=name), health_check={}))

    async with desk.open() as session:
        with pytest.raises(RequestFailed, match="the address is not public") as caught:
            await session.get("/x")

    assert (vendor.connections, caught.value.attempts) == (0, 1)
    assert desk.observed == ["error"]


# -- nothing is shown -------------------------------------------------------------------------


async def json_of(session: ServiceSession, path: str) -> Any:
    async with session.get(path) as response:
        response.raise_for_status()
        return await response.json()


@pytest.mark.parametrize("kind", ["header", "query", "basic"])
@pytest.mark.parametrize("fault", ["closed", "garbage", "refused", "status", "text", "echo"])
async def test_no_exception_and_no_log_holds_the_key(
    vendor: Vendor, kind: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.on("/v1/closed", close)
    vendor.on("/v1/garbage", raw(b"SSH-2.0-x\r\n\r\n"))
    vendor.on("/v1/status", answer(401, KEY, [("X-Echo", KEY)]))
    vendor.on("/v1/text", answer(200, KEY, [("X-Echo", KEY), ("Content-Type", "text/plain")]))
    vendor.on("/v1/echo", reflected())
    auth = {"kind": kind, "name": "token"} if kind == "query" else {"kind": kind}
    base = "http://127.0.0.1:1/v1" if fault == "refused" else vendor.url("/v1")
    desk = Desk(target_at(base, auth=auth))

    async with desk.open() as session:
        with pytest.raises(aiohttp.ClientError) as caught:
            await json_of(session, f"/{fault}")
        shown = f"{session!r} {session} {desk.sessions!r} {desk.target!r}"

    error = caught.value
    texts = [str(error), repr(error), *traceback.format_exception(error), shown, caplog.text]
    assert isinstance(error, RequestFailed)
    assert error.__context__ is None
    assert error.service == "it"
    for text in (KEY, SOURCE, base64.b64encode(KEY.encode()).decode()[:24]):
        assert not any(text in shown for shown in texts)


async def test_a_key_that_cannot_be_written_is_not_quoted(vendor: Vendor) -> None:
    target = target_at(vendor.url("/v1"))
    assert target.calls is not None
    bad = (("Authorization", Secret(f"{KEY}\nInjected: yes")),)
    desk = Desk(replace(target, calls=replace(target.calls, credentials=bad)))

    async with desk.open() as session:
        with pytest.raises(RequestFailed, match="cannot be written") as caught:
            await session.get("/x")

    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert not vendor.seen


async def test_a_failing_status_raises_only_when_asked_for(vendor: Vendor) -> None:
    vendor.on("/v1/x", answer(404))

    async with desk_at(vendor).open() as session:
        response = await session.get("/x")
        with pytest.raises(RequestFailed, match="it: status 404"):
            await session.get("/x", raise_for_status=True)

    assert response.status == 404


# -- TLS and proxies --------------------------------------------------------------------------


async def test_the_services_authority_is_trusted(tls_vendor: Vendor, authority: Authority) -> None:
    check = {"allow_private_addresses": True, "tls": {"ca_file": authority.file}}
    tls_vendor.on("/v1/x", answer(200))

    async with desk_at(tls_vendor, health_check=check).open() as session:
        assert (await session.get("/x")).status == 200


async def test_an_untrusted_certificate_is_not_retried(tls_vendor: Vendor) -> None:
    desk = desk_at(tls_vendor)

    async with desk.open() as session:
        with pytest.raises(RequestFailed, match="TLS handshake") as caught:
            await session.get("/x")

    assert caught.value.attempts == 1


async def test_a_proxy_of_the_service_is_used(vendor: Vendor, proxy: Vendor) -> None:
    desk = desk_at(vendor, health_check={"proxy": proxy.url().rstrip("/")})
    vendor.on("/v1/x", answer(200))

    async with desk.open() as session:
        assert (await session.get("/x")).status == 200

    assert proxy.seen[0].target == vendor.url("/v1/x")


@pytest.mark.parametrize(
    "change", [{"proxy": "socks5h://127.0.0.1:1"}, {"tls": TlsSettings(ca_file="missing.pem")}]
)
async def test_a_session_that_cannot_work_does_not_open(change: dict[str, Any]) -> None:
    target = target_at("https://api.example.com/")
    assert target.calls is not None
    session = Desk(replace(target, calls=replace(target.calls, **change))).open()

    with pytest.raises(RequestFailed, match="cannot"):
        await session.__aenter__()


async def test_a_service_whose_address_is_not_known_has_no_paths(vendor: Vendor) -> None:
    session = Desk(service_target("it")).open()

    async with session:
        with pytest.raises(RequestFailed, match="no base URL"):
            await session.get("/x")


# -- calls of a target ------------------------------------------------------------------------


def test_a_preset_demands_its_headers_of_calls_too() -> None:
    key = {"api_key": KEY, "additional_headers": {}}
    target = target_at("https://proxy.example/v1", provider="anthropic", **key)

    calls = target.calls
    assert calls is not None
    assert (target.base_url, calls.url) == ("https://proxy.example/v1",) * 2
    assert ("anthropic-version", "2023-06-01") in calls.headers
    assert [(n, v.reveal()) for n, v in calls.credentials] == [("x-api-key", KEY)]


def test_the_credentials_of_calls_are_known_as_secrets() -> None:
    target = replace(target_at("https://api.example.com/"), endpoint=None, key=None)

    assert {s.reveal() for s in target.secrets()} == {f"Bearer {KEY}", SOURCE}
