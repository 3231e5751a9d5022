"""A server that sends our secrets back: in a request id or a certificate, they are not kept."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from exporter.app import App, Options
from exporter.cli import main
from exporter.clock import SystemClock
from exporter.config import read_text
from exporter.log import Redaction
from exporter.model import Certificate, Outcome, Reason
from exporter.probers import Endpoint, Probers
from exporter.probers.curl import CurlTransport
from exporter.probers.kinds.http import HttpProber
from exporter.secret import HIDDEN, Secret
from tests.fakes import KEY, make_endpoint
from tests.vendor import Vendor, answer

OTHER = "sk-sentinel-of-another-9876543210"
ECHOES = [
    KEY,
    f"id-{KEY}-1",
    KEY.upper(),
    quote(f"/{KEY}/", safe=""),
    "".join(f"%{ord(character):02X}" for character in KEY),
    KEY[4:14],
]


async def _request_id(vendor: Vendor, prober: HttpProber, echo: str, endpoint: Endpoint) -> str:
    path = endpoint.url.partition("?")[0].removeprefix(vendor.url("").rstrip("/"))
    vendor.on(path, answer(200, b"", [("X-Request-Id", echo)]))
    outcome = await prober.probe(endpoint)
    assert outcome.status == 200
    return outcome.request_id


@pytest.mark.parametrize("echo", ECHOES)
async def test_a_secret_of_the_query_in_a_request_id_is_dropped(
    echo: str, vendor: Vendor, prober: HttpProber
) -> None:
    endpoint = make_endpoint(vendor.url(f"/q?token={KEY}"))

    assert await _request_id(vendor, prober, echo, endpoint) == ""
    assert await _request_id(vendor, prober, "req-1", endpoint) == "req-1"


@pytest.mark.parametrize("echo", ECHOES)
async def test_a_key_that_is_sent_in_the_query_is_dropped_from_a_request_id(
    echo: str, vendor: Vendor, prober: HttpProber
) -> None:
    endpoint = make_endpoint(vendor.url("/q"), query=(("token", Secret(KEY)),))

    assert await _request_id(vendor, prober, echo, endpoint) == ""
    assert vendor.seen[0].holds(KEY)


@pytest.mark.parametrize("echo", ECHOES)
async def test_a_hidden_path_in_a_request_id_is_dropped(
    echo: str, vendor: Vendor, prober: HttpProber
) -> None:
    endpoint = make_endpoint(vendor.url(f"/hook/{KEY}"), shown=vendor.url(f"/{HIDDEN}"))

    assert await _request_id(vendor, prober, echo, endpoint) == ""
    assert await _request_id(vendor, prober, "req-1", endpoint) == "req-1"


@pytest.mark.parametrize("echo", [KEY, KEY.upper(), quote(KEY, safe="")])
async def test_a_secret_in_the_link_of_an_announcement_is_dropped(
    echo: str, vendor: Vendor, prober: HttpProber
) -> None:
    links = f'<https://a.example/{echo}>; rel="sunset", <https://a.example/>; rel=deprecation'
    vendor.on("/q", answer(200, b"", [("Deprecation", "true"), ("Link", links)]))

    outcome = await prober.probe(make_endpoint(vendor.url(f"/q?token={KEY}")))

    assert outcome.retirement is not None
    (notice,) = outcome.retirement.notices.values()
    assert notice.links == (("deprecation", "https://a.example/"),)


async def test_a_shown_path_in_a_request_id_stays(vendor: Vendor, prober: HttpProber) -> None:
    endpoint = make_endpoint(vendor.url("/v1/completions"))

    assert await _request_id(vendor, prober, "completions-1", endpoint) == "completions-1"


async def test_the_password_of_the_proxy_in_a_request_id_is_dropped(
    vendor: Vendor, prober: HttpProber
) -> None:
    proxy = vendor.url().replace("//", f"//user:{KEY}@")
    endpoint = make_endpoint("http://api.example/", proxy=proxy)

    found = []
    for echo in (KEY, "req-1"):
        vendor.on("http://api.example/", answer(200, b"", [("X-Request-Id", echo)]))
        outcome = await prober.probe(endpoint)
        found.append((outcome.status, outcome.request_id))

    assert found == [(200, ""), (200, "req-1")]


class Says:
    """A kind of probe that saw what it was made with."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    async def probe(self, endpoint: Endpoint) -> Outcome:
        return self.outcome


@pytest.mark.parametrize(
    "echo", [OTHER, OTHER[:20], f"a%20{quote(OTHER)}", OTHER.replace("-", "%2D")]
)
async def test_the_key_of_another_service_is_dropped_by_every_kind_of_probe(
    echo: str, transport: CurlTransport
) -> None:
    redaction = Redaction()
    redaction.replace([Secret(f"Bearer {OTHER}")])
    probers = Probers(transport, SystemClock(), redaction.holds)
    certificate = Certificate(expiry=1.0, subject=f"CN={echo}", issuer="CN=ca", verified=True)
    seen = Outcome(reason=Reason.OK, request_id=echo, certificate=certificate)
    probers._by_kind["http"] = Says(seen)

    outcome = await probers.probe(make_endpoint("http://api.example/"))

    assert outcome.request_id == ""
    assert outcome.certificate is not None
    assert (outcome.certificate.subject, outcome.certificate.issuer) == ("", "")


def test_a_text_without_a_key_is_not_touched() -> None:
    redaction = Redaction()
    redaction.replace([Secret(OTHER), Secret("short"), Secret(f"Basic {KEY}")])

    assert not redaction.holds("req_0123456789")
    assert not redaction.holds("sk-sentinel-of-somebody")
    assert redaction.holds(f"x{KEY}")


SERVICES = f"""
services:
  - id: a
    base_url: URL
    health_check: {{allow_private_addresses: true}}
  - {{id: b, base_url: 'https://b.example', api_key: {OTHER}}}
"""


async def test_the_exporter_knows_the_keys_of_all_services(vendor: Vendor) -> None:
    vendor.on("/", answer(200, b"", [("X-Request-Id", OTHER)]))
    text = SERVICES.replace("URL", vendor.url())
    app = App(Options(source=lambda: read_text(text, "s.yaml", {}), environment={}))
    app.loader.load()
    endpoint = app.registry.get("a").endpoint
    assert endpoint is not None

    outcome = await app.prober.probe(endpoint)
    await app.transport.close()

    assert (outcome.status, outcome.request_id) == (200, "")


async def test_one_probe_from_the_terminal_knows_them_too(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.on("/", answer(200, b"", [("X-Request-Id", OTHER)]))
    file = tmp_path / "services.yaml"
    file.write_text(SERVICES.replace("URL", vendor.url()))

    code = await asyncio.to_thread(main, ["probe", "a", "--config", str(file), "--json"])

    shown = capsys.readouterr().out
    assert code == 0
    assert json.loads(shown)["request_id"] is None
    assert OTHER not in shown
