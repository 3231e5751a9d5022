"""Bodies that are not a service are refused, and nothing of them is stored."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exporter.api import bodies
from exporter.registry import management
from tests.api.managed import Client, declared, running, secret_key
from tests.vendor import Vendor, answer

JSON = {"Content-Type": "application/json"}
PLACES = [("POST", "/api/services"), ("PATCH", "/api/services/a"), ("PUT", "/api/services/a/key")]
BAD = {
    "nothing": b"",
    "not JSON": b"{",
    "YAML": b"id: a",
    "not text": b"\xff\xfe\x00\x01",
    "a list": b"[]",
    "a text": b'"x"',
    "null": b"null",
    "NaN": b'{"id": "b", "metadata": NaN}',
    "Infinity": b'{"id": "b", "x": -Infinity}',
    "a number too large": b'{"id": "b", "health_check": {"body": 1e999}}',
    "half a character": b'{"id": "b", "name": "\\ud800", "api_key": "\\udfff"}',
    "a number too long": b'{"id": ' + b"1" * 5000 + b"}",
    "a name twice": b'{"id": "b", "base_url": "http://a", "base_url": "http://b"}',
    "a name twice within": b'{"api_key": "k", "id": "b", "metadata": {"a": 1, "\\u0061": 2}}',
    "very deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
}


@pytest.fixture
async def client(vendor: Vendor, tmp_path: Path) -> AsyncIterator[Client]:
    vendor.on("/", answer())
    async with running(data=tmp_path / "data", environment=secret_key(tmp_path)) as client:
        await client.ask("POST", "/api/services", declared("a", vendor.url()))
        yield client


@pytest.mark.parametrize(("method", "path"), PLACES)
@pytest.mark.parametrize("name", BAD)
async def test_a_body_that_is_not_an_object_is_refused(
    client: Client, method: str, path: str, name: str
) -> None:
    before = await client.ask("GET", "/api/services/a")

    response = await client.ask(method, path, data=BAD[name], headers=JSON)

    assert (response.status, response.type) == (400, "application/problem+json")
    assert "JSON" in response.json["title"]
    assert (await client.ask("GET", "/api/services/a")).json == before.json


@pytest.mark.parametrize("depth", [10, 60, 100, 200, 400, 600, 800, 980])
async def test_a_deep_body_is_never_an_internal_error(
    client: Client, vendor: Vendor, depth: int
) -> None:
    deep = json.dumps(declared("b", vendor.url()))[:-2].encode()
    body = deep + b', "body": ' + b"[" * depth + b"1" + b"]" * depth + b"}}"

    response = await client.ask("POST", "/api/services", data=body, headers=JSON)
    again = await client.ask("GET", "/metrics")

    assert response.status in (201, 400, 422), response.text
    assert again.status == 200


@pytest.mark.parametrize(("method", "path"), PLACES)
async def test_a_body_over_a_mebibyte_is_too_large(client: Client, method: str, path: str) -> None:
    body = json.dumps({"id": "b", "team": "x" * (1024 * 1024)}).encode()

    response = await client.ask(method, path, data=io.BytesIO(body), headers=JSON)

    assert (response.status, response.type) == (413, "application/problem+json")


@pytest.mark.parametrize(("method", "path"), PLACES)
@pytest.mark.parametrize(
    "content", ["text/plain", "application/x-www-form-urlencoded", "application/yaml", "nonsense"]
)
async def test_another_media_type_is_refused(
    client: Client, method: str, path: str, content: str
) -> None:
    response = await client.ask(method, path, data=b"{}", headers={"Content-Type": content})

    assert (response.status, response.type) == (400, "application/problem+json")
    assert "application/json" in response.json["title"]


@pytest.mark.parametrize(("method", "path"), PLACES)
async def test_a_body_of_more_values_than_any_service_has_is_not_read(
    client: Client, method: str, path: str
) -> None:
    body = {"id": "b", "metadata": {f"k{i}": "x" for i in range(5_001)}}

    response = await client.ask(method, path, body)

    assert response.status == 400
    assert response.json["title"] == "the JSON of the body has more than 5000 values"


async def test_what_takes_long_to_check_or_read_is_done_beside_the_loop(
    client: Client, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran_in: dict[str, set[threading.Thread]] = {"check": set(), "read": set()}
    check, read = management.read_request, bodies._data

    def checked(*given: Any) -> Any:
        ran_in["check"].add(threading.current_thread())
        return check(*given)

    def data(*given: Any) -> Any:
        ran_in["read"].add(threading.current_thread())
        return read(*given)

    monkeypatch.setattr(management, "read_request", checked)
    monkeypatch.setattr(bodies, "_data", data)
    service = declared("b", vendor.url())
    service["health_check"] = {**service["health_check"], "body": "y" * 20_000, "method": "POST"}

    made = await client.ask("POST", "/api/services", service)
    changed = await client.ask("PATCH", "/api/services/b", service)

    assert (made.status, changed.status) == (201, 200)
    assert threading.main_thread() not in ran_in["check"] | ran_in["read"]
    assert all(ran_in.values())
