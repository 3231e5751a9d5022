"""openapi.json: a valid document of exactly these routes, and every answer conforms to it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from exporter.api import ROUTES
from exporter.api.guard import Access
from exporter.api.openapi import document
from exporter.page.assets import assets
from exporter.page.home import HomePage
from exporter.page.views import IncidentsPage, ServicePage
from exporter.public.assets import by_served_name
from exporter.store.vault import VARIABLE
from tests.api.managed import NEW, OLD, TOKEN, Answer, Client, declared, running, secret_key
from tests.programs import exporter
from tests.vendor import Vendor, answer

DOCUMENT = document(ROUTES, "1.2.3")
OPERATIONS = {
    (method.upper(), path): operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
NEVER_HERE = {
    ("GET", "/", 404),
    ("GET", "/incidents", 404),
    ("GET", "/api", 404),
    ("GET", "/api/events", 503),
    ("GET", "/probe", 200),
    ("GET", "/probe", 400),
    ("GET", "/probe", 403),
    ("GET", "/probe", 503),
    ("POST", "/api/services/{id}/models/{model}/test", 503),
}
EVERYWHERE = {404, 405}


def operation_of(method: str, path: str) -> tuple[str, str] | None:
    """Return the operation that answers *path*."""
    plain = path.partition("?")[0]
    for known, template in OPERATIONS:
        if known == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), plain):
            return known, template
    return None


_FREE: dict[str, Any] = {"protocol": "openai_chat", "price": {"input": 0, "output": 0}}
MODELS = [
    {"id": "m", **_FREE},
    {"id": "costly", **_FREE, "price": {"input": 9, "output": 9}, "budget": {"day": 0}},
]


class Conformance:
    """Compares every answer with the document, and remembers which were seen."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str, int]] = set()

    def look(self, method: str, path: str, found: Answer) -> None:
        operation = operation_of(method, path)
        if operation is None:
            assert found.status in EVERYWHERE, f"{method} {path}"
            assert found.type == "application/problem+json"
            self._matches({"$ref": "#/components/schemas/Problem"}, found)
            return
        responses = OPERATIONS[operation]["responses"]
        assert str(found.status) in responses, f"{method} {path}: {found.status} is not described"
        self.seen.add((*operation, found.status))
        content = responses[str(found.status)].get("content")
        if content is None:
            assert (found.text, found.headers.get("Content-Type")) == ("", None)
            return
        assert found.type in content, f"{method} {path}: {found.type}"
        if schema := content[found.type].get("schema"):
            self._matches(schema, found)

    def _matches(self, schema: dict[str, Any], found: Answer) -> None:
        whole = {**schema, "components": DOCUMENT["components"]}
        Draft202012Validator(whole).validate(found.json)


@pytest.fixture
async def client(vendor: Vendor, tmp_path: Path) -> AsyncIterator[Client]:
    vendor.on("/", answer())
    vendor.on("/bad", answer(status=503))
    vendor.on("/rejects", answer(status=401))
    fast = {"interval": "1s", "timeout": "1s", "retries": 0, "allow_private_addresses": True}
    config = {
        "services": [
            {"id": "good", "base_url": vendor.url(), "health_check": fast, "models": MODELS},
            {"id": "bad", "base_url": vendor.url(), "health_check": {**fast, "endpoint": "/bad"}},
            declared("keyless", vendor.url(), api_key="${SURELY_NOT_SET}"),
        ]
    }
    environment = secret_key(tmp_path)
    async with running(
        json.dumps(config), data=tmp_path / "data", environment=environment, public_page=True
    ) as found:
        await found.probed("good")
        await found.probed("bad")
        yield found


@pytest.mark.parametrize(
    ("path", "view"),
    [("/", HomePage), ("/services/{id}", ServicePage), ("/incidents", IncidentsPage)],
)
def test_what_a_page_can_be_asked_for_is_described(path: str, view: Any) -> None:
    names = {"number": "page"}  # as they are in the address
    read = {names.get(one.name, one.name) for one in fields(view) if one.init}
    read -= {"id", "ignored"}  # in the path; what was asked for in vain

    asked = OPERATIONS["GET", path].get("parameters", ())

    assert {one["name"] for one in asked if one["in"] == "query"} == read


def test_what_incidents_can_be_filtered_by_is_described() -> None:
    asked = {
        one["name"]: one["schema"] for one in OPERATIONS["GET", "/api/incidents"]["parameters"]
    }

    assert asked["status"]["enum"] == ["open", "acknowledged", "resolved"]
    assert "critical" in asked["severity"]["enum"]
    assert asked.keys() == {"severity", "status", "service", "environment", "cursor", "limit"}


def test_a_probe_can_be_asked_for_a_host_name_as_blackbox_exporter_can() -> None:
    names = {one["name"] for one in OPERATIONS["GET", "/probe"]["parameters"]}

    assert names == {"target", "module", "hostname", "debug"}


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()

    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_document_has_every_route_and_none_else() -> None:
    assert set(OPERATIONS) == {(route.method, route.path) for route in ROUTES}


def test_the_document_tells_what_needs_the_token() -> None:
    secured = {name for name, operation in OPERATIONS.items() if operation.get("security")}

    assert secured == {(r.method, r.path) for r in ROUTES if r.access is not Access.OPEN}


def test_the_document_offers_no_variable_and_no_file_of_the_machine() -> None:
    text = json.dumps(DOCUMENT["components"]["schemas"])

    assert "A-Za-z_][A-Za-z0-9_]*(:-" not in text
    assert not re.search(r'"[a-z_]+_file"', text)


@pytest.mark.parametrize("patch", [{"team": None}, {"health_check": {"interval": None}}, {}])
def test_a_patch_needs_no_id_and_may_take_out(patch: dict[str, Any]) -> None:
    schemas = DOCUMENT["components"]["schemas"]

    Draft202012Validator(schemas["ServicePatch"]).validate(patch)

    assert not Draft202012Validator(schemas["NewService"]).is_valid(patch)


async def test_the_served_document_is_that_of_the_routes(client: Client) -> None:
    found = await client.ask("GET", "/openapi.json")

    assert {**found.json, "info": None} == {**DOCUMENT, "info": None}


def _asset(name: str) -> str:
    return f"/assets/{assets()[name].name}"


async def _reads(client: Client) -> None:
    for path in (
        "/",
        "/metrics",
        "/probe?target=x",
        "/sd",
        "/openapi.json",
        "/-/healthy",
        "/-/ready",
        "/api/health",
        "/api/stats",
        "/api/services",
        "/api/services?limit=1",
        "/api/services?limit=x",
        "/api/services/good",
        "/api/services/bad",
        "/api/services/keyless",
        "/api/services/nobody",
        "/nowhere",
        "/api/services/good/history",
        "/api/services/good/history?range=30d",
        "/api/services/good/history?range=1y",
        "/api/services/nobody/history",
        "/api/services/good/results",
        "/api/services/nobody/results",
        "/api/services/good/report?from=never",
        "/api/services/bad/failures",
        "/api/services/bad/failures?limit=1",
        "/api/services/bad/failures?cursor=x",
        "/api/services/nobody/failures",
        "/api/audit",
        "/api/audit?service=good&limit=1",
        "/api/audit?limit=0",
        "/api/incidents/stats",
        "/api/incidents/nobody",
        "/api/incidents?severity=high&status=open&service=good&environment=production&limit=1",
        "/api/incidents",
        "/api/incidents?status=closed",
        "/api/incidents?cursor=x",
        "/services/good",
        "/services/nobody",
        "/incidents",
        "/incidents/nobody",
        "/assets/nobody",
        "/api/events",
        "/api/events?of=/nowhere",
        *map(_asset, assets()),
        "/api",
        "/public",
        "/public/feed.atom",
        "/public/assets/nobody",
        *(f"/public/assets/{name}" for name in by_served_name()),
        "/badge/nobody.svg",
        "/badge/nobody.json",
        "/badge/good.json",
        "/badge/good.svg?show=uptime&days=7",
        "/badge/good.svg?show=x",
        "/badge/good.json?days=x",
    ):
        await client.ask("GET", path)
    for path in ("/public", "/public/feed.atom", "/badge/good.svg"):
        await client.ask("GET", path, headers={"If-None-Match": "*"})
    async with client.session.get(f"{client.base}/api/events?of=/") as stream:  # it has no end
        client.answered("GET", "/api/events", Answer(stream.status, stream.headers, ""))
    await client.ask("GET", "/metrics", headers={"Accept": "application/openmetrics-text"})
    await client.ask("DELETE", "/metrics")
    client.app.readiness.set_not_ready("stopping")
    await client.ask("GET", "/-/ready")
    client.app.readiness.set_ready()


async def _changes(client: Client, vendor: Vendor) -> None:
    large = {"api_key": "x" * 1024 * 1024, "id": "a"}
    hour = {"by": "ann", "duration": "1h"}
    watched = {"health_check": {"allow_private_addresses": True}}
    page = {"url": vendor.url().rstrip("/"), "adapter": "statuspage"}
    rejecting = declared("b", vendor.url("/rejects"), api_key=OLD)
    for method, path, bodies in (
        (
            "POST",
            "/api/services",
            [
                declared("a", vendor.url(), api_key=OLD),
                declared("paged", vendor.url(), status_page=page) | watched,
                {"id": "A"},
                [],
                declared("a", vendor.url()),
                rejecting,
                large,
            ],
        ),
        ("PATCH", "/api/services/a", [{"team": "x"}, {"team": 7}, [], large]),
        ("PATCH", "/api/services/good", [{}]),
        ("PATCH", "/api/services/nobody", [{}]),
        ("POST", "/api/services/good/test", [None]),
        ("POST", "/api/services/keyless/test", [None]),
        ("POST", "/api/services/nobody/test", [None]),
        ("POST", "/api/services/good/models/m/test", [None]),
        ("POST", "/api/services/good/models/costly/test", [None]),
        ("POST", "/api/services/good/models/nobody/test", [None]),
        (
            "PUT",
            "/api/services/a/key",
            [{"api_key": NEW}, {"rollback": True}, {"rollback": True}, {}, large],
        ),
        ("PUT", "/api/services/b/key", [{"api_key": NEW}, {"api_key": NEW, "force": True}]),
        ("PUT", "/api/services/nobody/key", [{"api_key": NEW}]),
        ("DELETE", "/api/services/a/key", [None]),
        ("DELETE", "/api/services/good/key", [None]),
        ("DELETE", "/api/services/nobody/key", [None]),
        ("POST", "/api/services/good/pause", [{"by": "ann"}, {}, large]),
        ("POST", "/api/services/good/resume", [{"by": "ann"}, {"by": "ann"}, {}, large]),
        ("POST", "/api/services/good/maintenance", [hour, {"by": "ann"}, large]),
        ("DELETE", "/api/services/good/maintenance", [None, None]),
        ("DELETE", "/api/services/good/maintenance?which=x", [None]),
        ("POST", "/api/services/nobody/pause", [{"by": "ann"}]),
        ("POST", "/api/services/nobody/resume", [{"by": "ann"}]),
        ("POST", "/api/services/nobody/maintenance", [hour]),
        ("DELETE", "/api/services/nobody/maintenance", [None]),
        ("GET", "/api/services/paged", [None]),
        ("POST", "/api/status-page/paged", [{}, large]),
        ("POST", "/api/status-page/nobody", [{}]),
        ("DELETE", "/api/services/a", [None, None]),
        ("DELETE", "/api/services/good", [None]),
        ("POST", "/-/reload", [None]),
    ):
        for body in bodies:
            await client.ask(method, path, body)


async def _incidents(client: Client) -> None:
    """Let Alertmanager report an incident; acknowledge it, resolve it, and read it."""
    large = {"by": "x" * 1024 * 1024, "note": "x"}
    firing = {
        "status": "firing",
        "startsAt": "2026-12-01T22:00:00.5Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "labels": {"alertname": "ServiceDown", "service": "good", "severity": "critical"},
        "annotations": {"summary": "good is down"},
        "fingerprint": "f",
    }
    message = {"version": "4", "alerts": [firing], "truncatedAlerts": 1}
    huge = {**message, "x": "x" * 16 * 1024 * 1024}
    for body in (message, message, {"version": "3"}, [], huge):
        await client.ask("POST", "/api/alertmanager", body)
    manual = {"by": "ann", "summary": "nobody can pay", "service": "good", "severity": "low"}
    for body in (manual, {"by": "ann"}, {**manual, "service": "nobody"}, large):
        await client.ask("POST", "/api/incidents", body)
    id_ = (await client.ask("GET", "/api/incidents?service=good&limit=1")).json["incidents"][0][
        "id"
    ]
    word = {"by": "ann", "note": "mine"}
    for place in (id_, "nobody"):
        for verb in ("note", "acknowledge", "resolve", "acknowledge"):
            for body in (word, {"note": "x"}, large, {**word, "public": verb == "note"}):
                await client.ask("POST", f"/api/incidents/{place}/{verb}", body)
    await client.ask("GET", f"/api/incidents/{id_}")
    await client.ask("GET", f"/incidents/{id_}")


async def _refusals(client: Client, conformance: Conformance) -> None:
    """Ask with a wrong token, where changes are off, and for a configuration that is wrong."""
    paths = [(method, re.sub(r"\{\w+\}", "good", path)) for method, path in OPERATIONS]
    for method, path in paths:
        await client.ask(method, path, headers={"Authorization": "Bearer wrong"})
    async with running(token=None) as closed:
        closed.answered = conformance.look
        for method, path in paths:
            await closed.ask(method, path)
    quiet = json.dumps({"services": [declared("good", "http://127.0.0.1:9")]})
    texts = iter([quiet, "services: [{id: A}]"])
    async with running(lambda: next(texts)) as wrong:
        wrong.answered = conformance.look
        await wrong.ask("POST", "/-/reload")
        await wrong.ask("DELETE", "/api/services/good/key")
        await wrong.ask("POST", "/api/services/good/pause", {"by": "ann"})
        await wrong.ask("POST", "/api/services/good/maintenance", {"by": "ann", "duration": "1h"})


async def test_every_answer_conforms_to_the_document(client: Client, vendor: Vendor) -> None:
    conformance = Conformance()
    client.answered = conformance.look

    await _reads(client)
    await _incidents(client)
    await _reads(client)
    await _changes(client, vendor)
    await _refusals(client, conformance)

    promised = {
        (*operation, int(status))
        for operation, described in OPERATIONS.items()
        for status in described["responses"]
    }
    assert promised - conformance.seen == NEVER_HERE


SCHEMATHESIS = r"""
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "404", "409", "422"]
[[operations]]
include-path-regex = '/api/services/\{id\}/(test|key)$'
parameters = { "path.id" = "filed" }
[[operations]]
include-path-regex = '/api/incidents/\{id\}'
parameters = { "path.id" = "INCIDENT" }
"""


@pytest.fixture
def loopback() -> Iterator[tuple[str, list[str]]]:
    """A server that accepts everything; its URL and the paths that were asked."""
    asked: list[str] = []

    class Accepts(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Accepts) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


def _opened(base: str) -> str:
    """Return the id of a fresh incident."""
    body = json.dumps({"by": "ann", "summary": "for schemathesis"}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    request = urllib.request.Request(f"{base}/api/incidents", body, headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return str(json.load(answer)["id"])


@pytest.mark.slow
def test_schemathesis_finds_no_difference_to_the_document(
    tmp_path: Path, loopback: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked = loopback
    monkeypatch.setenv(VARIABLE, secret_key(tmp_path)[VARIABLE])
    (tmp_path / "token").write_text(TOKEN)
    # Nothing is probed by itself, and the two routes that probe are only given this service.
    config = {"monitoring": {"enabled": False}, "services": [declared("filed", url, api_key=OLD)]}
    more = ("--admin-token-file", f"{tmp_path}/token", "--data-dir", f"{tmp_path}/data")

    with exporter(tmp_path, json.dumps(config), *more) as (_, base):
        toml = tmp_path / "schemathesis.toml"
        toml.write_text(SCHEMATHESIS.replace("INCIDENT", _opened(base)))
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file",
            f"{tmp_path}/schemathesis.toml",
            "run",
            f"{base}/openapi.json",
            "--header",
            f"Authorization: Bearer {TOKEN}",
            "--max-examples",
            "15",
            "--max-time",
            "60",
            "--no-color",
            # The same cases every time; another seed looks elsewhere.
            "--seed",
            os.environ.get("SCHEMATHESIS_SEED", "1"),
        ]
        done = subprocess.run(
            command, check=False, cwd=tmp_path, capture_output=True, timeout=100, text=True
        )

    assert done.returncode == 0, done.stdout
    assert re.search(r"Selected: 2[5-9]/|Selected: [3-9][0-9]/", done.stdout), done.stdout
    assert asked, "the service was tested"
