"""GET /probe beside the real blackbox_exporter, and its parameters."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from exporter.multitarget.families import FAMILIES, address_hash
from exporter.probers.curl import CurlTransport
from tests.conftest import Authority
from tests.fakes import KEY
from tests.mischief import hang
from tests.multitarget.asking import Ask, application_of, asking, families, ours, scripted, value
from tests.multitarget.asking import theirs as their_modules
from tests.programs import free_port, program, running
from tests.vendor import Vendor, answer

# Copied from answers of blackbox_exporter 0.23.0: every family is a gauge.
GOLDEN = {
    "probe_dns_lookup_time_seconds": "Returns the time taken for probe dns lookup in seconds",
    "probe_duration_seconds": "Returns how long the probe took to complete in seconds",
    "probe_failed_due_to_regex": "Indicates if probe failed due to regex",
    "probe_http_content_length": "Length of http content response",
    "probe_http_duration_seconds": "Duration of http request by phase, summed over all redirects",
    "probe_http_last_modified_timestamp_seconds": (
        "Returns the Last-Modified HTTP response header in unixtime"
    ),
    "probe_http_redirects": "The number of redirects",
    "probe_http_ssl": "Indicates if SSL was used for the final redirect",
    "probe_http_status_code": "Response HTTP status code",
    "probe_http_uncompressed_body_length": "Length of uncompressed response body",
    "probe_http_version": "Returns the version of HTTP of the probe response",
    "probe_ip_addr_hash": (
        "Specifies the hash of IP address. It's useful to detect if the IP address changes."
    ),
    "probe_ip_protocol": "Specifies whether probe ip protocol is IP4 or IP6",
    "probe_ssl_earliest_cert_expiry": "Returns last SSL chain expiry in unixtime",
    "probe_ssl_last_chain_expiry_timestamp_seconds": "Returns last SSL chain expiry in timestamp",
    "probe_ssl_last_chain_info": "Contains SSL leaf certificate information",
    "probe_success": "Displays whether or not the probe was a success",
    "probe_tls_version_info": "Returns the TLS version used or NaN when unknown",
}
LABELS = {
    "probe_http_duration_seconds": {"phase"},
    "probe_ssl_last_chain_info": {
        "fingerprint_sha256",
        "issuer",
        "subject",
        "subjectalternative",
    },
    "probe_tls_version_info": {"version"},
}


@pytest.fixture
def application(transport: CurlTransport, tmp_path: Path, authority: Authority) -> web.Application:
    path = tmp_path / "modules.yaml"
    path.write_text(ours(authority))
    return application_of(transport, path)


@pytest.fixture
async def ask(application: web.Application) -> AsyncIterator[Ask]:
    async with asking(application) as ask:
        yield ask


@pytest.fixture(scope="module")
def blackbox(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[str]:
    """The real exporter with the same modules."""
    folder = tmp_path_factory.mktemp("blackbox")
    path = folder / "blackbox.yml"
    path.write_text(their_modules(authority))
    base = f"http://127.0.0.1:{free_port()}"
    command = [
        program("prometheus-blackbox-exporter"),
        "--config.file",
        str(path),
        "--web.listen-address",
        base.removeprefix("http://"),
    ]
    with running(command, None, base + "/-/healthy"):
        yield base


CASES = [
    ("http_2xx", "/ok"),
    ("post", "/ok"),
    ("http_2xx", "/hop"),
    ("post", "/307"),
    ("http_2xx", "/loop"),
    ("http_2xx", "/nowhere"),
    ("http_2xx", "/empty"),
    ("only_302", "/hop"),
    ("http_2xx", "/500"),
    ("http_2xx", "/missing"),
    ("http_2xx", "/gzip"),
    ("gzip", "/gzip"),
    ("gzip", "/ok"),
    ("http_2xx", "/chunked"),
    ("short", "/hang"),
    ("http_2xx", "/close"),
    ("http_2xx", "/short"),
    ("only_ip6", "/ok"),
    ("small", "/ok"),
    ("body", "/json"),
    ("body", "/ok"),
    ("body", "/500"),
    ("no_body", "/ok"),
    ("header", "/header"),
    ("header", "/ok"),
    ("lax", "/ok"),
    ("no_b", "/twice"),
    ("one", "/twice"),
    ("http2", "/ok"),
    ("tls", "/ok"),
    ("no_tls", "/ok"),
]
TLS_CASES = [
    ("tls", "/ok"),
    ("tls", "/hop"),
    ("no_tls", "/ok"),
    ("blind", "/ok"),
    ("http_2xx", "/ok"),
    ("name", "/ok"),
    ("body", "/json"),
]
TIMES = {"probe_dns_lookup_time_seconds", "probe_duration_seconds", "probe_http_duration_seconds"}


async def assert_alike(ask: Ask, blackbox: str, module: str, target: str) -> None:
    """Ask both the same and compare everything but the seconds."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(blackbox + "/probe", params={"module": module, "target": target}) as response,
    ):
        expected = families(await response.text())
    _, page = await ask(module=module, target=target)
    found = families(page)

    more = {"probe_tls_cipher_info"}
    assert list(expected) == [name for name in found if name not in more]
    for name, family in expected.items():
        assert (family.help, family.type) == (found[name].help, found[name].type)
        assert family.samples.keys() == found[name].samples.keys()
        if name not in TIMES:
            assert family.samples == found[name].samples, name


@pytest.mark.parametrize(("module", "path"), CASES)
async def test_an_answer_is_judged_as_the_real_exporter_does(
    ask: Ask, blackbox: str, vendor: Vendor, module: str, path: str
) -> None:
    scripted(vendor)

    await assert_alike(ask, blackbox, module, vendor.url(path))


@pytest.mark.parametrize(("module", "path"), TLS_CASES)
async def test_a_certificate_is_told_as_the_real_exporter_does(
    ask: Ask, blackbox: str, tls_vendor: Vendor, module: str, path: str
) -> None:
    scripted(tls_vendor)

    await assert_alike(ask, blackbox, module, tls_vendor.url(path))


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/", "ftp://x/", "http://nowhere.invalid/"])
async def test_what_gives_no_answer_looks_as_with_the_real_exporter(
    ask: Ask, blackbox: str, target: str
) -> None:
    await assert_alike(ask, blackbox, "http_2xx", target)


@pytest.mark.parametrize(("module", "success"), [("no_b", 0), ("one", 1)])
async def test_a_rule_tries_each_value_of_a_repeated_header(
    ask: Ask, vendor: Vendor, module: str, success: int
) -> None:
    scripted(vendor)

    _, page = await ask(module=module, target=vendor.url("/twice"))

    assert value(page, "probe_success") == success


async def test_a_pattern_is_tried_on_the_body_in_its_declared_charset(
    ask: Ask, vendor: Vendor
) -> None:
    scripted(vendor)

    _, page = await ask(module="ready", target=vendor.url("/latin"))

    assert value(page, "probe_success") == 1


async def test_both_send_the_same_request_but_for_the_agent(
    ask: Ask, blackbox: str, vendor: Vendor
) -> None:
    scripted(vendor)

    await assert_alike(ask, blackbox, "post", vendor.url("/ok"))

    first, second = vendor.seen
    named = [{n.lower() for n, _ in seen.headers} - {"connection"} for seen in (first, second)]
    assert named[0] == named[1]
    assert (first.method, first.body) == (second.method, second.body)


def test_names_and_helps_are_the_golden_ones() -> None:
    families_of_ours = {name: text for name, text, _ in FAMILIES if name != "probe_tls_cipher_info"}

    assert families_of_ours == GOLDEN


async def test_types_and_labels_are_the_golden_ones(ask: Ask, tls_vendor: Vendor) -> None:
    scripted(tls_vendor)

    _, page = await ask(module="tls", target=tls_vendor.url("/ok"))

    found = families(page)
    assert found.keys() - {"probe_tls_cipher_info"} == GOLDEN.keys()
    assert {family.type for family in found.values()} == {"gauge"}
    for name in GOLDEN:
        labels = {frozenset(re.findall(r"(\w+)=\"", s)) for s in found[name].samples}
        assert labels == {frozenset(LABELS.get(name, ()))}


async def test_the_cipher_is_told_by_its_iana_name(ask: Ask, tls_vendor: Vendor) -> None:
    scripted(tls_vendor)

    _, page = await ask(module="tls", target=tls_vendor.url("/ok"))

    assert value(page, 'probe_tls_cipher_info{cipher="TLS_AES_256_GCM_SHA384"}') == 1


def test_the_hash_of_an_address_is_that_of_blackbox() -> None:
    assert address_hash("127.0.0.1") == 3668918509
    assert address_hash("") == 0


async def test_phases_are_summed_over_redirects_and_fit_the_duration(
    ask: Ask, vendor: Vendor
) -> None:
    vendor.on("/slow", answer(302, headers=[("Location", "/ok")], head_delay=0.1))
    vendor.on("/ok", answer(200, head_delay=0.1))

    _, page = await ask(target=vendor.url("/slow"))

    total = sum(families(page)["probe_http_duration_seconds"].samples.values())
    assert value(page, 'probe_http_duration_seconds{phase="processing"}') >= 0.2
    # libcurl's clock and ours differ by a fraction of a millisecond
    assert abs(value(page, "probe_duration_seconds") - total) < 0.05


# -- parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ({}, "target parameter is missing"),
        ({"target": ""}, "target parameter is missing"),
        ({"target": "x", "module": f"{KEY}"}, "unknown module"),
        ({"target": "x", "module": "ping"}, "this module is not supported"),
        ({"target": "x", "module": "http3"}, "this module is not supported"),
        ({"target": "x", "scrape": "abc"}, "not a number"),
        ({"target": "x", "scrape": "nan"}, "not a number"),
        ({"target": "x", "hostname": "a b"}, "not a host name"),
    ],
)
async def test_a_wrong_query_is_a_400_that_repeats_nothing(
    ask: Ask, query: dict[str, str], title: str
) -> None:
    status, body = await ask(**query)

    assert status == 400
    assert title in json.loads(body)["title"]
    assert KEY not in body


async def test_a_target_without_scheme_is_asked_over_http(ask: Ask, vendor: Vendor) -> None:
    scripted(vendor)

    _, page = await ask(target=vendor.url("/ok").removeprefix("http://"))

    assert value(page, "probe_success") == 1


async def test_a_hostname_is_asked_for_and_verified(ask: Ask, tls_vendor: Vendor) -> None:
    scripted(tls_vendor)

    _, good = await ask(module="tls", target=tls_vendor.url("/ok"), hostname="localhost")
    _, bad = await ask(module="tls", target=tls_vendor.url("/ok"), hostname="other.example")

    assert [value(page, "probe_success") for page in (good, bad)] == [1, 0]
    assert tls_vendor.seen[0].header("host") == "localhost"


async def test_half_a_second_of_the_scrape_is_left_for_the_way_back(
    ask: Ask, vendor: Vendor
) -> None:
    vendor.on("/", hang)

    _, page = await ask(target=vendor.url(), scrape="0.7")
    _, debug = await ask(target=vendor.url(), scrape="0.7", debug="true")

    assert 0.1 < value(page, "probe_duration_seconds") < 0.5
    assert "timeout_seconds=0.2\n" in debug


async def test_the_modules_timeout_caps_the_scrapes(ask: Ask, vendor: Vendor) -> None:
    vendor.on("/", hang)

    _, debug = await ask(target=vendor.url(), module="short", scrape="15", debug="true")

    assert "timeout_seconds=0.2\n" in debug


async def test_the_time_counts_for_all_redirects_together(ask: Ask, vendor: Vendor) -> None:
    vendor.on("/", answer(302, headers=[("Location", "/")], head_delay=0.08))

    _, page = await ask(target=vendor.url(), module="short")

    assert value(page, "probe_success") == 0
    assert value(page, "probe_duration_seconds") < 0.4


async def test_without_modules_the_route_is_off_and_says_how_to_enable_it(
    transport: CurlTransport,
) -> None:
    async with asking(application_of(transport, None)) as ask:
        status, body = await ask(target="http://127.0.0.1/")

    assert status == 404
    assert "--probe.enable" in json.loads(body)["detail"]


async def test_the_page_is_text_and_compressed_for_whoever_asks(
    application: web.Application, vendor: Vendor
) -> None:
    scripted(vendor)

    async with (
        TestClient(TestServer(application)) as client,
        client.get("/probe", params={"target": vendor.url("/ok")}) as response,
    ):
        page = await response.text()

    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["Content-Encoding"] == "gzip"
    assert value(page, "probe_success") == 1
