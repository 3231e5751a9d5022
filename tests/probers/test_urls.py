"""One spelling for a URL: the same name for the resolver, SNI, the certificate and Host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import make_target, read_text
from exporter.config.requests import canary_endpoint
from exporter.model import Reason
from exporter.probers.curl import CurlTransport
from exporter.probers.kinds.http import HttpProber
from exporter.probers.redirects import origin
from exporter.probers.urls import ascii_host, normalized
from tests.conftest import Authority
from tests.fakes import make_endpoint, make_request
from tests.vendor import Proxy, Vendor, answer, redirect

NAME = "bücher.localhost"
ASCII = "xn--bcher-kva.localhost"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://api.example/v1?a=b#c", "https://api.example/v1?a=b#c"),
        ("HTTPS://API.Example:8443/V1", "https://api.example:8443/V1"),
        ("https://Bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://日本語。jp:8443/", "https://xn--wgv71a119e.jp:8443/"),
        ("https://пример.рф/путь", "https://xn--e1afmkfd.xn--p1ai/%D0%BF%D1%83%D1%82%D1%8C"),
        ("https://my_api.bücher.example/", "https://my_api.xn--bcher-kva.example/"),
        ("https://☕.example/", "https://xn--53h.example/"),
        ("https://１２７.0.0.1/", "https://127.0.0.1/"),
        ("https://[::1]:8443/", "https://[::1]:8443/"),
        ("http://u:p@bücher.example/", "http://u:p@xn--bcher-kva.example/"),
        ("https://a.example/a b|c", "https://a.example/a%20b%7Cc"),
        ('https://a.example/"<>^`{}é', "https://a.example/%22%3C%3E%5E%60%7B%7D%C3%A9"),
        ("https://a.example/a%20b%7cc", "https://a.example/a%20b%7cc"),
        ("https://a.example/?q=a b|c/é?d", "https://a.example/?q=a%20b%7Cc/%C3%A9?d"),
        ("https://a.example/v1;x=[1],*(2)!$&'+:@~", "https://a.example/v1;x=[1],*(2)!$&'+:@~"),
        ("socks5h://Bücher.example:1080", "socks5h://xn--bcher-kva.example:1080"),
    ],
)
def test_a_url_has_one_spelling(url: str, wanted: str) -> None:
    assert normalized(url) == wanted
    assert normalized(wanted) == wanted


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example",
        "https://a\\@b.example/",
        "https://a/\r\nX: 1",
        "https://a/\0",
        "http://[::1",
    ],
)
def test_what_must_be_refused_is_not_repaired(url: str) -> None:
    assert normalized(url) == url


@pytest.mark.parametrize("host", ["a\u2100b.example", "é b.example", "é/b", "é@b", "\u00e9" * 70])
def test_a_host_that_is_no_name_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"character|label|host"):
        ascii_host(host)


@given(st.text(max_size=30))
def test_normalizing_never_raises_and_is_done_once(text: str) -> None:
    for url in (text, f"https://{text}/", f"https://a.example/{text}"):
        assert normalized(normalized(url)) == normalized(url)


@pytest.mark.parametrize(
    "url", [f"http://{NAME}/x", f"HTTP://{ASCII}:80/", "http://BÜCHER.localhost"]
)
def test_an_origin_is_the_same_in_every_spelling(url: str) -> None:
    assert origin(url) == ("http", ASCII, 80)


async def test_the_same_name_is_resolved_asked_for_and_verified(
    authority: Authority, transport: CurlTransport
) -> None:
    async with Vendor(authority.server(ASCII)) as vendor:
        vendor.on("/", answer())
        urls = [vendor.url(name=name) for name in (NAME, ASCII, "BÜCHER.localhost")]
        urls.append(urls[0].replace("https", "HTTPS"))

        got = [await transport.fetch(make_request(url, tls=authority.trusted())) for url in urls]

    assert [one.failure for one in got] == [None] * 4
    assert {seen.header("host") for seen in vendor.seen} == {f"{ASCII}:{vendor.port}"}


async def test_a_server_name_beyond_ascii_is_verified_too(
    authority: Authority, transport: CurlTransport
) -> None:
    async with Vendor(authority.server(ASCII)) as vendor:
        vendor.on("/", answer())
        tls = authority.trusted(server_name=NAME)

        got = await transport.fetch(make_request(vendor.url(), tls=tls))

    assert (got.failure, got.status) == (None, 200)


async def test_a_proxy_may_have_a_name_beyond_ascii(
    vendor: Vendor, proxy: Proxy, transport: CurlTransport
) -> None:
    vendor.on("/", answer())

    got = await transport.fetch(make_request(vendor.url(), proxy=proxy.url(name=NAME)))

    assert (got.failure, got.status) == (None, 200)


@pytest.mark.parametrize("url", ["http://\u2488.example/", "http://é b.example/", "http://é%/"])
async def test_a_host_that_is_no_name_is_our_mistake(url: str, transport: CurlTransport) -> None:
    got = await transport.fetch(make_request(url))

    assert got.failure is Reason.CLIENT_ERROR


@pytest.mark.parametrize(
    "location", ["/a b|c", "/a%20b%7Cc", "a b|c", "http://HOST/a b|c#part", "HTTP://HOST/a b|c"]
)
async def test_a_location_with_spaces_is_followed(
    location: str, vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", redirect(location.replace("HOST", f"127.0.0.1:{vendor.port}")))
    vendor.on("/a%20b%7Cc", answer())

    outcome = await prober.probe(make_endpoint(vendor.url(), follow_redirects=1))

    assert (outcome.reason, outcome.status) == (Reason.OK, 200)


async def test_a_location_may_name_the_same_host_in_either_spelling(
    vendor: Vendor, prober: HttpProber
) -> None:
    utf8 = NAME.encode().decode("latin-1")
    vendor.on("/", redirect(f"http://{utf8}:{vendor.port}/caf\u00c3\u00a9"))
    vendor.on("/caf%C3%A9", redirect(f"http://{ASCII}:{vendor.port}/end"))
    vendor.on("/end", answer())

    outcome = await prober.probe(make_endpoint(vendor.url(name=NAME), follow_redirects=2))

    assert (outcome.reason, outcome.redirects) == (Reason.OK, 2)


def test_a_configured_address_is_normalized_once() -> None:
    declared = read_text(
        'services: [{id: a, base_url: "HTTPS://Bücher.example", '
        'health_check: {endpoint: "https://BÜCHER.example:443/a|c"}}, '
        '{id: b, base_url: "https://b.example", health_check: {endpoint: "/a b|c"}}]\n'
        'canaries: [{url: "https://Bücher.example"}]\n',
        "services.yaml",
        {},
    )

    endpoints = [make_target(one, {}).endpoint for one in declared.services]
    endpoints.append(canary_endpoint(declared.canaries[0]))

    assert [endpoint and endpoint.url for endpoint in endpoints] == [
        "https://xn--bcher-kva.example:443/a%7Cc",
        "https://b.example/a%20b%7Cc",
        "https://xn--bcher-kva.example",
    ]
