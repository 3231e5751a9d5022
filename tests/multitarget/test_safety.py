"""GET /probe is a way to send requests from here: where it does not go, what it does not reveal."""

from __future__ import annotations

import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.app import App, Options
from exporter.cli import main
from exporter.config import Configuration
from exporter.probers.curl import CurlTransport
from tests.conftest import Authority
from tests.fakes import KEY
from tests.mischief import gzip_bomb, reflected
from tests.multitarget.asking import Ask, application_of, asking, ours, scripted, value
from tests.programs import exporter
from tests.vendor import Vendor, answer, redirect


@pytest.fixture
async def ask(transport: CurlTransport, tmp_path: Path, authority: Authority) -> AsyncIterator[Ask]:
    path = tmp_path / "modules.yaml"
    path.write_text(ours(authority))
    async with asking(application_of(transport, path)) as ask:
        yield ask


# -- addresses -------------------------------------------------------------------------------

PRIVATE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0",
    "localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[::]",
    "127.0.0.1.",
    "①②⑦.⓪.⓪.①",
    "u:p@127.0.0.1",
]
ELSEWHERE = [
    "169.254.169.254",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "[fe80::1]",
    "[fc00::1]",
    "2852039166",
    "0xa9fea9fe",
    "[::ffff:169.254.169.254]",
]


@pytest.mark.parametrize("host", PRIVATE)
async def test_no_spelling_of_loopback_opens_a_connection(
    ask: Ask, vendor: Vendor, host: str
) -> None:
    _, page = await ask(module="public", target=f"http://{host}:{vendor.port}/ok")

    assert value(page, "probe_success") == 0
    assert value(page, "probe_ip_addr_hash") == 0
    assert vendor.connections == 0


@pytest.mark.parametrize("host", ELSEWHERE)
async def test_an_inner_address_is_refused_at_once(ask: Ask, host: str) -> None:
    _, page = await ask(module="public", target=f"http://{host}/latest/meta-data", scrape="3")

    assert value(page, "probe_success") == 0
    assert value(page, "probe_http_status_code") == 0
    assert value(page, "probe_duration_seconds") < 1


async def test_a_module_may_allow_them(ask: Ask, vendor: Vendor) -> None:
    scripted(vendor)

    _, page = await ask(module="http_2xx", target=vendor.url("/ok"))

    assert value(page, "probe_success") == 1
    assert vendor.connections == 1


# -- secrets ---------------------------------------------------------------------------------


async def test_no_key_and_no_text_of_the_answer_is_on_the_debug_page(
    ask: Ask, vendor: Vendor
) -> None:
    vendor.on("/echo", reflected())
    target = vendor.url(f"/echo?key={KEY}").replace("//", f"//user:{KEY}@")

    _, page = await ask(module="keyed", target=target, debug="true")

    assert vendor.seen[0].header("x-api-key") == KEY
    assert vendor.seen[0].body == KEY.encode()
    assert KEY not in page
    assert "sentinel" not in page
    assert "X-Api-Key: <secret>" in page
    assert "bearer_token: <secret>" in page


async def test_the_debug_page_has_log_metrics_and_module(ask: Ask, vendor: Vendor) -> None:
    scripted(vendor)

    _, page = await ask(module="lax", target=vendor.url("/hop"), debug="true")

    log, _, rest = page.partition("\n\n\n\nMetrics that would have been returned:\n")
    metrics, _, module = rest.partition("\n\n\nModule configuration:\n")
    assert log.startswith("Logs for the probe:\n")
    assert 'msg="following a redirect" to="the same origin"' in log
    assert value(metrics, "probe_success") == 1
    assert module == (
        'prober: "http"\nhttp:\n  fail_if_header_matches:\n  - header: "X-A"\n'
        "    regexp: <secret>\n    allow_missing: true\n  allow_private_addresses: true\n"
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_origin_takes_no_key_along(
    ask: Ask, vendor: Vendor, other: Vendor, status: int
) -> None:
    vendor.on("/", redirect(other.url("/landed"), status))
    other.on("/landed", answer(200))

    _, page = await ask(module="keyed", target=vendor.url().replace("//", f"//u:{KEY}@"))

    assert value(page, "probe_success") == 1
    assert vendor.seen[0].holds(KEY)
    assert not other.seen[0].holds(KEY)
    assert other.seen[0].header("authorization") is None


async def test_a_redirect_back_home_has_no_key_any_more(
    ask: Ask, vendor: Vendor, other: Vendor
) -> None:
    vendor.on("/", redirect(other.url("/away")))
    other.on("/away", redirect(vendor.url("/home")))
    vendor.on("/home", answer(200))

    _, page = await ask(module="keyed", target=vendor.url())

    assert value(page, "probe_http_redirects") == 2
    assert vendor.seen[0].header("x-api-key") == KEY
    assert not vendor.seen[1].holds(KEY)
    assert not other.seen[0].holds(KEY)


@pytest.mark.parametrize(
    "location", ["ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "file:///etc/passwd", "http://[::1"]
)
async def test_a_redirect_that_leads_to_no_plain_url_fails(
    ask: Ask, vendor: Vendor, location: str
) -> None:
    vendor.on("/", redirect(location))

    _, page = await ask(target=vendor.url())

    assert value(page, "probe_success") == 0
    assert value(page, "probe_http_status_code") == 302


async def test_a_body_that_grows_is_read_to_its_bound_only(ask: Ask, vendor: Vendor) -> None:
    vendor.on("/bomb", gzip_bomb(64))

    _, page = await ask(module="gzip", target=vendor.url("/bomb"))

    assert value(page, "probe_http_uncompressed_body_length") == 64 * 1024


# -- switching it on -------------------------------------------------------------------------


async def test_a_bad_file_at_a_reload_keeps_the_modules_that_were(tmp_path: Path) -> None:
    file = tmp_path / "modules.yaml"
    own = f"bearer_token: {KEY}, allowed_targets: [api.example]"
    file.write_text(f"modules: {{old: {{prober: http, http: {{{own}}}}}}}")
    app = App(Options(source=Configuration, environment={}, modules=file))
    app.loader.load()
    file.write_text("modules: {new: {prober: htp}}")

    error = await app.loader.reload()

    assert error is not None
    assert "must be http" in str(error)
    assert app.modules.get("old") is not None
    assert app.modules.get("new") is None
    assert app.redaction(KEY) != KEY


async def test_a_good_file_at_a_reload_counts_at_once(tmp_path: Path) -> None:
    file = tmp_path / "modules.yaml"
    file.write_text("modules: {old: {prober: http}}")
    app = App(Options(source=Configuration, environment={}, modules=file))
    app.loader.load()
    file.write_text("modules: {new: {prober: http}}")

    error = await app.loader.reload()

    assert error is None
    assert app.modules.get("old") is None
    assert app.modules.get("new") is not None


def test_a_modules_file_without_the_switch_is_wrong_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["serve", "--probe.config.file", "modules.yaml"])

    assert code == 2
    assert "needs --probe.enable" in capsys.readouterr().err


def test_the_exporter_probes_if_it_is_told_to(tmp_path: Path) -> None:
    file = tmp_path / "modules.yaml"
    allowed = "http: {allow_private_addresses: true}"
    file.write_text(f"modules: {{http_2xx: {{prober: http, {allowed}}}}}")
    switch = ("--probe.enable", "--probe.config.file", str(file))

    with exporter(tmp_path, "services: []", *switch) as (_, base):
        target = f"{base}/-/healthy"
        with urllib.request.urlopen(f"{base}/probe?target={target}", timeout=10) as response:
            page = response.read().decode()

    assert value(page, "probe_success") == 1
