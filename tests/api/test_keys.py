"""/api/services/{id}/key: rotate, refuse, force, roll back, forget; where no key can be kept."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.managed import NEW, NEXT, OLD, Client, declared, running, secret_key
from tests.vendor import Behaviour, Peer, Seen, Vendor, answer

KEY = "/api/services/a/key"


def only(*keys: str) -> Behaviour:
    """Accept requests with one of *keys*."""

    async def behave(peer: Peer, seen: Seen) -> None:
        good = seen.header("Authorization") in {f"Bearer {key}" for key in keys}
        await answer(status=200 if good else 401)(peer, seen)

    return behave


@pytest.fixture
async def client(vendor: Vendor, tmp_path: Path) -> AsyncIterator[Client]:
    vendor.on("/", only(OLD, NEW, NEXT))
    service = declared("a", vendor.url(), api_key="${VENDOR_KEY}")
    keyless = declared("keyless", vendor.url())
    environment = {**secret_key(tmp_path), "VENDOR_KEY": OLD}
    config = json.dumps({"services": [service, keyless]})
    async with running(config, data=tmp_path / "data", environment=environment) as found:
        yield found


async def used(client: Client, vendor: Vendor, service: str = "a") -> str:
    """Return the Authorization header of a probe made now."""
    await client.ask("POST", f"/api/services/{service}/test")
    return vendor.seen[-1].header("Authorization") or ""


async def test_an_accepted_key_is_verified_and_used(client: Client, vendor: Vendor) -> None:
    found = await client.ask("PUT", KEY, {"api_key": NEW})
    shown = (await client.ask("GET", "/api/services/a")).json["key"]

    assert found.status == 200
    assert found.json["service"] == "a"
    assert found.json["verified"]["reason"] == "ok"
    assert [seen.header("Authorization") for seen in vendor.seen] == [f"Bearer {NEW}"]
    assert await used(client, vendor) == f"Bearer {NEW}"
    assert (shown["configured"], shown["masked"]) == (True, "sk-…6789")
    assert shown["rotated_at"] == found.json["rotated_at"]
    assert found.json["next_step"] is None, "nothing is known of this provider's keys"


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("openai", "the old key still works at OpenAI: revoke it there once nothing uses it"),
        ("slack", "Slack knows one key at a time: the old one has ended, a rollback cannot help"),
    ],
)
async def test_a_rotation_says_what_to_do_with_the_old_key(
    vendor: Vendor, tmp_path: Path, provider: str, expected: str
) -> None:
    service = declared("a", vendor.url(), provider=provider, api_key="${VENDOR_KEY}")
    environment = {**secret_key(tmp_path), "VENDOR_KEY": OLD}
    config = json.dumps({"services": [service]})
    async with running(config, data=tmp_path / "data", environment=environment) as client:
        found = await client.ask("PUT", KEY, {"api_key": NEW, "force": True})

    assert found.json["next_step"] == expected


async def test_a_rejected_key_is_refused_and_the_old_one_stays(
    client: Client, vendor: Vendor
) -> None:
    vendor.on("/", only(OLD))

    found = await client.ask("PUT", KEY, {"api_key": NEW})

    assert (found.status, found.type) == (422, "application/problem+json")
    assert found.json["reason"] == "auth_invalid"
    assert "force" in found.json["detail"]
    assert vendor.seen[-1].header("Authorization") == f"Bearer {NEW}", "it was verified"
    assert await used(client, vendor) == f"Bearer {OLD}"


async def test_a_key_that_cannot_be_verified_is_refused(client: Client, vendor: Vendor) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        await client.ask("POST", "/api/services", declared("dead", url, api_key=OLD))

        found = await client.ask("PUT", "/api/services/dead/key", {"api_key": NEW})

    assert (found.status, found.json["reason"]) == (422, "connect")
    assert "did not succeed" in found.json["title"]


async def test_force_uses_a_key_that_is_rejected(client: Client, vendor: Vendor) -> None:
    vendor.on("/", only(OLD))

    found = await client.ask("PUT", KEY, {"api_key": NEW, "force": True})

    assert (found.status, found.json["verified"]["reason"]) == (200, "auth_invalid")
    assert await used(client, vendor) == f"Bearer {NEW}"


async def test_a_rollback_returns_to_the_key_before_once(client: Client, vendor: Vendor) -> None:
    await client.ask("PUT", KEY, {"api_key": NEW})
    await client.ask("PUT", KEY, {"api_key": NEXT})

    back = await client.ask("PUT", KEY, {"rollback": True})
    again = await client.ask("PUT", KEY, {"rollback": True})

    assert (back.status, back.json["verified"]) == (200, None)
    assert await used(client, vendor) == f"Bearer {NEW}"
    assert (again.status, again.type) == (409, "application/problem+json")
    assert "no key to roll back to" in again.json["title"]


@pytest.mark.parametrize("kind", ["variable", "file"])
async def test_a_rollback_works_after_the_first_rotation_of_a_declared_key(
    kind: str, vendor: Vendor, tmp_path: Path
) -> None:
    vendor.on("/", only(OLD, NEW))
    file = tmp_path / "key"
    file.write_text(OLD)
    given = {"api_key": "${VENDOR_KEY}"} if kind == "variable" else {"api_key_file": str(file)}
    environment = {**secret_key(tmp_path), "VENDOR_KEY": OLD}
    config = json.dumps({"services": [declared("a", vendor.url(), **given)]})
    async with running(config, data=tmp_path / "data", environment=environment) as client:
        await client.ask("PUT", KEY, {"api_key": NEW})

        back = await client.ask("PUT", KEY, {"rollback": True})
        shown = (await client.ask("GET", "/api/services/a")).json["key"]

        assert back.status == 200
        assert await used(client, vendor) == f"Bearer {OLD}"
        assert shown["rotated_at"] is None, "the declared key is in use again"


LIMITED = (
    b'{"error": {"message": "You have insufficient permissions. Missing scopes: api.model.read"}}'
)


async def test_a_key_without_a_permission_is_taken_only_if_that_is_allowed(
    vendor: Vendor, tmp_path: Path
) -> None:
    vendor.on("/models", answer(403, LIMITED))
    service = declared("a", vendor.url(), provider="openai", api_key="${VENDOR_KEY}")
    environment = {**secret_key(tmp_path), "VENDOR_KEY": OLD}
    config = json.dumps({"services": [service]})
    async with running(config, data=tmp_path / "data", environment=environment) as client:
        refused = await client.ask("PUT", KEY, {"api_key": NEW})
        allowed = await client.ask("PUT", KEY, {"api_key": NEW, "allow_limited": True})

    assert (refused.status, refused.json["reason"]) == (422, "key_ok_limited")
    assert "allow_limited" in refused.json["detail"]
    assert (allowed.status, allowed.json["verified"]["reason"]) == (200, "key_ok_limited")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (429, "rate_limited"),
        (402, "quota_exhausted"),
        (403, "permission"),
        (404, "client_error"),
        (500, "server_error"),
        (503, "overloaded"),
    ],
)
async def test_a_key_is_proven_by_success_alone(
    status: int, reason: str, client: Client, vendor: Vendor
) -> None:
    vendor.on("/", answer(status))

    found = await client.ask("PUT", KEY, {"api_key": NEW, "allow_limited": True})

    assert (found.status, found.json["reason"]) == (422, reason)
    vendor.on("/", only(OLD, NEW))
    assert await used(client, vendor) == f"Bearer {OLD}"


async def test_a_key_that_no_probe_can_send_is_not_taken(vendor: Vendor, tmp_path: Path) -> None:
    service = declared("a", vendor.url(), provider="twilio", api_key="${VENDOR_KEY}")
    environment = {**secret_key(tmp_path), "VENDOR_KEY": OLD}
    config = json.dumps({"services": [service]})
    async with running(config, data=tmp_path / "data", environment=environment) as client:
        refused = await client.ask("PUT", KEY, {"api_key": NEW})
        forced = await client.ask("PUT", KEY, {"api_key": NEW, "force": True})

    assert (refused.status, refused.json["code"]) == (409, "unprovable_key")
    assert "TWILIO_ACCOUNT_SID" in refused.json["title"]
    assert (forced.status, forced.json["verified"]) == (200, None)


@pytest.mark.parametrize("service", ["a", "keyless"])
async def test_without_a_former_key_there_is_no_rollback(
    client: Client, vendor: Vendor, service: str
) -> None:
    before = await used(client, vendor, service)

    found = await client.ask("PUT", f"/api/services/{service}/key", {"rollback": True})

    assert found.status == 409
    assert await used(client, vendor, service) == before


async def test_a_forgotten_key_returns_to_that_of_the_file(client: Client, vendor: Vendor) -> None:
    await client.ask("PUT", KEY, {"api_key": NEW})

    found = await client.ask("DELETE", KEY)
    back = await client.ask("PUT", KEY, {"rollback": True})

    assert (found.status, found.text) == (204, "")
    assert await used(client, vendor) == f"Bearer {OLD}"
    assert back.status == 409, "the forgotten key is gone"


async def test_a_rotated_key_outlives_the_process_and_a_reload(
    vendor: Vendor, tmp_path: Path
) -> None:
    vendor.on("/", only(OLD, NEW))
    environment = {**secret_key(tmp_path), "VENDOR_KEY": OLD}
    config = json.dumps({"services": [declared("a", vendor.url(), api_key="${VENDOR_KEY}")]})

    async with running(config, data=tmp_path / "data", environment=environment) as client:
        await client.ask("PUT", KEY, {"api_key": NEW})
    async with running(config, data=tmp_path / "data", environment=environment) as client:
        restarted = await used(client, vendor)
        await client.ask("POST", "/-/reload")
        reloaded = await used(client, vendor)

    assert (restarted, reloaded) == (f"Bearer {NEW}", f"Bearer {NEW}")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"api_key": ""},
        {"api_key": 7},
        {"api_key": None},
        {"api_key": "a\nb"},
        {"api_key": ["x"]},
        {"rollback": "yes"},
        {"rollback": False},
        {"rollback": 1},
        {"api_key": NEW, "force": "yes"},
        {"api_key": NEW, "rollback": True},
        {"api_key": NEW, "forse": True},
        {NEW: NEW},
    ],
)
async def test_a_wrong_rotation_changes_nothing(client: Client, vendor: Vendor, body: Any) -> None:
    found = await client.ask("PUT", KEY, body)

    assert (found.status, found.type) == (400, "application/problem+json")
    assert NEW not in found.text
    assert await used(client, vendor) == f"Bearer {OLD}"


async def test_a_key_is_masked_wherever_it_could_be_shown(client: Client, vendor: Vendor) -> None:
    short = "shortkey"
    given = declared("b", vendor.url(), api_key=NEW, additional_headers={"X-Key": NEXT})
    pages = [
        await client.ask("POST", "/api/services", given),
        await client.ask("POST", "/api/services", declared("c", vendor.url(), api_key=short)),
        await client.ask("PATCH", "/api/services/b", {"api_key": NEXT}),
        await client.ask("PUT", KEY, {"api_key": NEW}),
    ]

    for path in ("a", "b", "c", ""):
        pages.append(await client.ask("GET", f"/api/services/{path}".rstrip("/")))
    for path in ("/", "/metrics", "/api/health", "/api/stats", "/sd"):
        pages.append(await client.ask("GET", path))

    for page in pages:
        assert page.status in (200, 201)
        assert not [key for key in (OLD, NEW, NEXT, short) if key in page.text]
    assert pages[1].json["key"]["masked"] == "…", "nothing of a short one"


async def test_without_a_directory_changes_are_refused_with_what_to_do(vendor: Vendor) -> None:
    vendor.on("/", answer())
    config = json.dumps({"services": [declared("a", vendor.url())]})
    asked = [
        ("POST", "/api/services", declared("b", vendor.url())),
        ("PUT", KEY, {"api_key": NEW}),
        ("PUT", KEY, {"rollback": True}),
        ("DELETE", KEY, None),
    ]

    async with running(config) as client:
        found = [await client.ask(method, path, body) for method, path, body in asked]
        tested = await client.ask("POST", "/api/services/a/test")
        listed = await client.ask("GET", "/api/services")

    for one in found:
        assert (one.status, one.json["code"]) == (409, "no_storage")
        assert "--data-dir" in one.json["title"]
    assert tested.json["success"]
    assert [row["id"] for row in listed.json["services"]] == ["a"]


async def test_without_a_secret_key_keys_are_refused_and_the_rest_works(
    vendor: Vendor, tmp_path: Path
) -> None:
    vendor.on("/", answer())
    keyed = declared("b", vendor.url(), api_key=NEW)
    headed = declared("b", vendor.url(), additional_headers={"X-Key": NEXT})

    async with running(data=tmp_path / "data") as client:
        plain = await client.ask("POST", "/api/services", declared("a", vendor.url()))
        refused = [
            await client.ask("POST", "/api/services", keyed),
            await client.ask("POST", "/api/services", headed),
            await client.ask("PUT", KEY, {"api_key": NEW}),
            await client.ask("PATCH", "/api/services/a", {"api_key": NEW}),
        ]
        changed = await client.ask("PATCH", "/api/services/a", {"team": "x"})
        listed = await client.ask("GET", "/api/services")
        removed = await client.ask("DELETE", "/api/services/a")

    assert (plain.status, changed.status, removed.status) == (201, 200, 204)
    assert [row["id"] for row in listed.json["services"]] == ["a"]
    for one in refused:
        assert (one.status, one.type) == (409, "application/problem+json")
        assert "SERVICE_REGISTRY_SECRET_KEY_FILE" in one.json["detail"]
        assert "make-secrets DIR" in one.json["detail"]
        assert NEW not in one.text
