"""A module's credentials are sent to the targets that it names, whatever /probe is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.multitarget import read_modules
from exporter.multitarget.allowed import Pattern
from exporter.probers.curl import CurlTransport
from exporter.settings import SettingsError
from tests.conftest import Authority
from tests.fakes import KEY
from tests.multitarget.asking import Ask, application_of, asking, ours, value
from tests.vendor import Vendor, answer, redirect


@pytest.fixture
async def ask(transport: CurlTransport, tmp_path: Path, authority: Authority) -> AsyncIterator[Ask]:
    path = tmp_path / "modules.yaml"
    path.write_text(ours(authority))
    async with asking(application_of(transport, path)) as ask:
        yield ask


def refused(http: str) -> list[str]:
    try:
        read_modules(f"modules:\n  m:\n    prober: http\n    http: {http}\n", "modules.yaml")
    except SettingsError as error:
        return [str(problem) for problem in error.problems]
    return []


CREDENTIALS = [
    ("basic_auth", "basic_auth: {username: u, password: pppp}"),
    ("authorization", "authorization: {credentials: abc}"),
    ("bearer_token", "bearer_token: abc"),
    ("bearer_token_file", "bearer_token_file: FILE"),
    ("headers.X-Api-Key", "headers: {X-Api-Key: abc}"),
    ("headers.Cookie", "headers: {Cookie: session=abc}"),
    ("headers.authorization", "headers: {authorization: Basic dTpw}"),
    ("headers.User-Agent", "headers: {User-Agent: probe sk-live-0123456789abcdef}"),
    ("tls_config.cert_file", "tls_config: {cert_file: FILE, key_file: FILE}"),
    ("body", "body: 'grant_type=client_credentials&client_secret=abc'"),
    ("body", 'body: \'{"key": "sk-live-0123456789abcdef"}\''),
    ("body_file", "body_file: FILE"),
]


@pytest.mark.parametrize(("where", "http"), CREDENTIALS)
def test_a_module_with_a_credential_must_name_its_targets(
    where: str, http: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("stuv")
    http = http.replace("FILE", str(file))

    found = [line for line in refused(f"{{{http}}}") if "allowed_targets" in line]

    assert len(found) == 1
    assert found[0].startswith(f"modules.yaml:4: modules.m.http.{where}: is sent to every target=")
    named = refused(f"{{{http}, allowed_targets: [api.example.com]}}")
    assert not [line for line in named if "allowed_targets" in line]


@pytest.mark.parametrize(
    "http",
    [
        "{}",
        "{headers: {Accept: application/json, Host: inner.example, User-Agent: blackbox}}",
        "{method: POST, body: '{\"ping\": 1}'}",
        "{proxy_url: 'http://u:p@proxy.example:3128'}",
        "{tls_config: {ca_file: " + __file__ + "}}",
    ],
)
def test_a_module_without_a_credential_needs_no_list(http: str) -> None:
    assert not [line for line in refused(http) if "allowed_targets" in line]


ALLOWED = [
    ("https://api.example.com", "https://api.example.com/v1?x=1"),
    ("https://api.example.com/", "https://api.example.com:443/"),
    ("HTTPS://API.example.com", "https://api.example.com/"),
    ("api.example.com", "https://api.example.com/"),
    ("api.example.com:8443", "https://api.example.com:8443/"),
    ("http://api.example.com:*", "http://api.example.com:9/"),
    ("*.example.com", "https://a.b.example.com/"),
    ("http://[2001:db8::1]:80", "http://[2001:db8::1]/"),
    ("bücher.example", "https://xn--bcher-kva.example/"),
]
NOT_ALLOWED = [
    ("https://api.example.com", "http://api.example.com/"),
    ("https://api.example.com", "https://api.example.com:8443/"),
    ("api.example.com", "http://api.example.com/"),
    ("api.example.com", "https://api.example.com.evil.example/"),
    ("api.example.com", "https://evil.example/api.example.com"),
    ("api.example.com", "https://xapi.example.com/"),
    ("api.example.com", "https://apixexample.com/"),
    ("*.example.com", "https://example.com/"),
    ("*.example.com", "https://evilexample.com/"),
    ("*.example.com", "https://example.com.evil.example/"),
    ("*.example.com", "http://api.example.com/"),
]


@pytest.mark.parametrize(("pattern", "url"), ALLOWED)
def test_a_pattern_allows_what_it_names(pattern: str, url: str) -> None:
    assert Pattern(pattern).allows(url)


@pytest.mark.parametrize(("pattern", "url"), NOT_ALLOWED)
def test_a_pattern_allows_nothing_else(pattern: str, url: str) -> None:
    assert not Pattern(pattern).allows(url)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "*",
        "*.com",
        "*.*.example.com",
        "https://",
        "ftp://api.example.com",
        "https://u:p@api.example.com",
        "https://api.example.com/v1",
        "api.example.com:99999",
        "api.example.com:0",
        "a b",
        ".*example.com",
    ],
)
def test_a_pattern_of_another_form_is_refused_without_repeating_it(pattern: str) -> None:
    found = refused(f"{{allowed_targets: ['{pattern}']}}")

    assert len(found) == 1
    assert found[0].startswith("modules.yaml:4: modules.m.http.allowed_targets[0]: must be ")


@pytest.mark.parametrize(
    "target", ["URL", "u:p@127.0.0.1:PORT", "http://127.0.0.1:PORT/api.example.com", "127.1:PORT"]
)
async def test_another_target_is_refused_before_anything_is_sent(
    ask: Ask, vendor: Vendor, target: str
) -> None:
    asked = target.replace("URL", vendor.url()).replace("PORT", str(vendor.port))

    status, page = await ask(module="strict", target=asked, debug="true")

    assert status == 403
    assert "allowed_targets" in page
    assert vendor.connections == 0
    assert KEY not in page


async def test_another_host_name_for_an_allowed_address_is_refused(
    ask: Ask, vendor: Vendor
) -> None:
    status, _ = await ask(module="keyed", target=vendor.url(), hostname="evil.example")

    assert status == 403
    assert vendor.connections == 0


async def test_the_named_target_gets_the_credential(ask: Ask, vendor: Vendor) -> None:
    vendor.on("/", answer(200))

    status, page = await ask(module="keyed", target=vendor.url())

    assert (status, value(page, "probe_success")) == (200, 1)
    assert vendor.seen[0].holds(KEY)


async def test_a_redirect_takes_no_credential_even_to_an_origin_of_the_list(
    ask: Ask, vendor: Vendor, other: Vendor
) -> None:
    vendor.on("/", redirect(other.url("/landed"), 307))
    other.on("/landed", answer(200))

    await ask(module="keyed", target=vendor.url())

    assert vendor.seen[0].holds(KEY)
    assert len(other.seen) == 1
    assert not other.seen[0].holds(KEY)
