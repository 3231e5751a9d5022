"""/probe within its own bounds: probes at one time, bytes of all of them, the debug page."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import trustme
from aiohttp.test_utils import TestClient, TestServer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from exporter.api.multitarget import MAX_DEBUG_CHARACTERS
from exporter.multitarget.capacity import MAX_BYTES, MAX_PROBES, RETRY_AFTER_SECONDS
from exporter.probers import Answer, Request
from tests.fakes import KEY
from tests.multitarget.asking import Client, application_of, families
from tests.patience import within

MIB = 1024 * 1024
MODULES = f"""
modules:
  http_2xx: {{prober: http}}
  large: {{prober: http, http: {{body_size_limit: 10MB}}}}
  keyed: {{prober: http, http: {{bearer_token: {KEY}, allowed_targets: ['api.example']}}}}
  {KEY}: {{prober: http}}
"""


class Held:
    """A transport that answers when it is released, and knows what may be in memory meanwhile."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer or Answer(status=200)
        self.release = asyncio.Event()
        self.waiting = self.allowed = self.most = 0
        self.changed = asyncio.Event()

    async def fetch(self, request: Request) -> Answer:
        self.waiting += 1
        self.allowed += request.max_body
        self.most = max(self.most, self.allowed)
        self.changed.set()
        await self.release.wait()
        self.waiting -= 1
        self.allowed -= request.max_body
        return self.answer

    async def until(self, waiting: int) -> None:
        while self.waiting < waiting:
            self.changed.clear()
            await self.changed.wait()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "modules.yaml"
    path.write_text(MODULES)
    return path


async def status_of(client: Client, module: str) -> tuple[int, str]:
    query = {"module": module, "target": "http://api.example"}
    async with client.get("/probe", params=query) as response:
        await response.read()
        return response.status, response.headers.get("Retry-After", "")


@pytest.mark.parametrize(
    ("module", "fitting"), [("http_2xx", MAX_PROBES), ("large", MAX_BYTES // (10 * MIB + 65536))]
)
async def test_what_does_not_fit_is_refused_and_fits_again_later(
    file: Path, module: str, fitting: int
) -> None:
    transport = Held()
    async with TestClient(TestServer(application_of(transport, file))) as client:
        running = [asyncio.create_task(status_of(client, module)) for _ in range(fitting)]
        await within(20, transport.until(fitting))

        refused = await within(20, status_of(client, module))
        transport.release.set()
        answered = await asyncio.gather(*running)
        afterwards = await status_of(client, module)

    assert refused == (503, str(RETRY_AFTER_SECONDS))
    assert {status for status, _ in answered} == {200}
    assert afterwards == (200, "")
    assert transport.most <= MAX_BYTES


async def test_a_large_answer_takes_room_from_small_ones(file: Path) -> None:
    transport = Held()
    fitting = MAX_BYTES // (10 * MIB + 65536)
    left = (MAX_BYTES - fitting * (10 * MIB + 65536)) // (2 * 65536)
    async with TestClient(TestServer(application_of(transport, file))) as client:
        tasks = [asyncio.create_task(status_of(client, "large")) for _ in range(fitting)]
        await within(20, transport.until(fitting))
        tasks += [asyncio.create_task(status_of(client, "http_2xx")) for _ in range(left)]
        await within(20, transport.until(fitting + left))

        status, _ = await within(20, status_of(client, "http_2xx"))
        transport.release.set()
        await asyncio.gather(*tasks)

    assert 0 < left < MAX_PROBES - fitting
    assert status == 503


async def test_the_debug_page_strikes_known_secrets(file: Path) -> None:
    transport = Held()
    transport.release.set()
    query = {"module": KEY, "target": "http://api.example", "debug": "true"}
    async with (
        TestClient(TestServer(application_of(transport, file))) as client,
        client.get("/probe", params=query) as response,
    ):
        page = await response.text()

    assert "beginning the probe" in page
    assert KEY not in page


async def test_the_debug_page_is_bounded(file: Path) -> None:
    many = ", ".join(["200"] * 30_000)
    file.write_text(f"modules: {{m: {{prober: http, http: {{valid_status_codes: [{many}]}}}}}}")
    transport = Held()
    transport.release.set()
    query = {"module": "m", "target": "http://api.example", "debug": "true"}
    async with (
        TestClient(TestServer(application_of(transport, file))) as client,
        client.get("/probe", params=query) as response,
    ):
        page = await response.text()

    assert page.endswith("(cut)\n")
    assert len(page) < MAX_DEBUG_CHARACTERS + 16 * 1024


def _der(*names: str) -> bytes:
    pem = trustme.CA().issue_cert(*names).cert_chain_pems[0].bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


async def _names_shown(file: Path, module: str, *names: str) -> str:
    transport = Held(Answer(status=200, chain=(_der(*names),)))
    transport.release.set()
    query = {"module": module, "target": "https://api.example"}
    async with (
        TestClient(TestServer(application_of(transport, file))) as client,
        client.get("/probe", params=query) as response,
    ):
        samples = families(await response.text())["probe_ssl_last_chain_info"].samples
    return next(iter(samples))


async def test_a_certificate_that_echoes_the_credential_is_shown_without_its_names(
    file: Path,
) -> None:
    shown = await _names_shown(file, "keyed", f"{KEY}.example")

    assert KEY not in shown
    assert 'subjectalternative=""' in shown


async def test_a_certificate_with_very_many_names_makes_no_endless_label(file: Path) -> None:
    shown = await _names_shown(file, "http_2xx", *(f"host-{i}.example" for i in range(2000)))

    assert "host-1.example" in shown
    assert len(shown) < 20_000
