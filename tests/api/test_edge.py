"""The HTTP API of a running application: access, answers, limits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from exporter.api import ROUTES
from exporter.api.guard import Access
from exporter.app import App, Options
from exporter.config import Configuration, read_text
from exporter.secret import Secret
from tests.patience import patient
from tests.vendor import Vendor, answer

TOKEN = "an-admin-token-of-some-length"
PLACES = {"{id}": "api", "{model}": "m", "{provider}": "custom"}


class Client:
    """A running application and a session towards it."""

    def __init__(self, app: App, session: aiohttp.ClientSession) -> None:
        self.app, self.session = app, session
        self.base = f"http://127.0.0.1:{app.port}"

    async def ask(self, method: str, path: str, **kwargs: Any) -> tuple[int, Any, str]:
        async with self.session.request(method, self.base + path, **kwargs) as response:
            return response.status, response.headers, await response.text()


@contextlib.asynccontextmanager
async def running(config: str, **changes: Any) -> AsyncIterator[Client]:
    def source() -> Configuration:
        return read_text(config, "services.yaml", {})

    options = Options(
        source=source, port=0, admin_token=Secret(TOKEN), **({"environment": {}} | changes)
    )
    app, stop, started = App(options), asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(app.run(stop, lambda _: started.set()))
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    async with aiohttp.ClientSession() as session:
        yield Client(app, session)
    stop.set()
    await task


@pytest.fixture
async def client(vendor: Vendor) -> AsyncIterator[Client]:
    vendor.on("/", answer())
    config = (
        f"services: [{{id: api, name: '<script>alert(1)</script>', base_url: '{vendor.url()}',"
        " health_check: {interval: 1s, timeout: 1s, allow_private_addresses: true}}]"
    )
    async with running(config) as found:
        yield found


def _path(path: str) -> str:
    for place, value in PLACES.items():
        path = path.replace(place, value)
    return path


async def test_every_route_that_is_not_open_refuses_without_the_token(client: Client) -> None:
    guarded = [(r.method, r.path) for r in ROUTES if r.access is not Access.OPEN]

    for method, path in guarded:
        status, headers, _ = await client.ask(method, _path(path))
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer"), path


async def test_every_route_of_the_server_is_in_the_table(client: Client) -> None:
    table = {(route.method, route.path) for route in ROUTES}

    for method, path in (("GET", "/config"), ("GET", "/debug/pprof"), ("POST", "/-/quit")):
        assert (method, path) not in table
        status, headers, _ = await client.ask(method, path)
        assert (status, headers["Content-Type"].split(";")[0]) == (404, "application/problem+json")


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/health", "/-/healthy", "/nowhere"])
async def test_every_answer_has_the_security_headers(client: Client, path: str) -> None:
    _, headers, _ = await client.ask("GET", path)

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "service-registry", "no version is shown"


async def test_a_wrong_method_is_405_and_lists_the_allowed_ones(client: Client) -> None:
    status, headers, _ = await client.ask("DELETE", "/metrics")

    assert status == 405
    assert "GET" in headers["Allow"]


async def test_names_from_the_file_stay_text_on_the_page(client: Client) -> None:
    _, _, page = await client.ask("GET", "/")

    assert "&lt;script&gt;" in page
    assert "<script>" not in page


async def test_the_page_can_be_switched_off() -> None:
    async with running("monitoring: {dashboard_enabled: false}") as client:
        status, _, _ = await client.ask("GET", "/")
        api, _, _ = await client.ask("GET", "/api/health")

    assert (status, api) == (404, 200)


async def test_health_sums_up_the_services(client: Client) -> None:
    async with patient(5):
        while client.app.results.of("api").last is None:
            await asyncio.sleep(0.02)

    async with client.session.get(client.base + "/api/health") as response:
        found = await response.json()

    assert found["status"] == "healthy"
    assert found["summary"] == {
        "total": 1,
        "healthy": 1,
        "degraded": 0,
        "unhealthy": 0,
        "unknown": 0,
    }
    assert found["services"][0]["verdict"] == "ok"


async def test_a_client_that_drips_its_head_is_cut_off() -> None:
    async with running("services: []", head_seconds=0.5) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.app.port)
        begun = asyncio.get_running_loop().time()

        writer.write(b"GET /metrics HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            async with patient(10):
                while await reader.read(100):
                    pass
        writer.close()

    assert asyncio.get_running_loop().time() - begun < 5


async def test_two_scrapes_at_once_are_both_whole(client: Client) -> None:
    pages = await asyncio.gather(*(client.ask("GET", "/metrics") for _ in range(5)))

    assert all(page.rstrip().splitlines()[-1] for _, _, page in pages)
    assert all('service_info{service="api"' in page for _, _, page in pages)


async def test_openmetrics_is_sent_to_clients_that_accept_it(client: Client) -> None:
    accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}

    _, headers, page = await client.ask("GET", "/metrics", headers=accept)

    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert page.endswith("# EOF\n")
