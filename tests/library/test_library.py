"""The registry as a library: what its documentation promises, on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import exporter
from exporter import ServiceRegistry, create_service_registry_from_env
from exporter.library import (
    InFileError,
    ManagementError,
    SettingsError,
    TakenError,
    UnknownIncidentError,
    UnknownServiceError,
)
from exporter.secret import Secret
from tests.fakes import KEY
from tests.library.answers import JSON, MODELS
from tests.patience import patient
from tests.vendor import Peer, Seen, Vendor, answer

NEW_KEY = "sk-another-9876543210-key"


def service(vendor: Vendor, **more: Any) -> dict[str, Any]:
    check = {"interval": "1s", "timeout": "1s", "retries": 0, "allow_private_addresses": True}
    return {
        "id": "api",
        "base_url": vendor.url("").rstrip("/"),
        "api_key": KEY,
        "health_check": check,
    } | more


@pytest.fixture
async def registry() -> AsyncIterator[ServiceRegistry]:
    made = ServiceRegistry(variables={})
    yield made
    await made.stop()


def only(key: str) -> Any:
    """Answer 200 to *key* and 401 to every other."""
    good, bad = answer(), answer(401)

    async def behave(peer: Peer, seen: Seen) -> None:
        await (good if seen.header("Authorization") == f"Bearer {key}" else bad)(peer, seen)

    return behave


async def until_probed(registry: ServiceRegistry, name: str = "api") -> dict[str, Any]:
    async with patient(10):
        while (health := registry.get_service_health(name))["last_probe"] is None:
            await asyncio.sleep(0.02)
    return health


async def test_the_ten_lines_of_the_documentation(vendor: Vendor) -> None:
    vendor.on("/", answer())

    registry = ServiceRegistry()
    await registry.register_service(service(vendor))
    await registry.start_all_monitoring()
    health = await until_probed(registry)
    await registry.stop()

    assert (health["status"], health["verdict"]) == ("healthy", "ok")
    assert vendor.seen[0].header("Authorization") == f"Bearer {KEY}"


async def test_the_complete_life_of_a_service(vendor: Vendor, registry: ServiceRegistry) -> None:
    vendor.on("/", only(KEY))
    vendor.on("/health", only(KEY))

    await registry.register_service(service(vendor, name="Payments", team="pay"))
    first = await registry.test_service("api")
    await registry.update_service("api", {"health_check": {"endpoint": "/health"}, "team": None})
    second = await registry.health_monitor.check_service_health("api")
    refused = await registry.rotate_api_key("api", NEW_KEY)
    kept = registry.get_service_config("api", mask=False)["api_key"]
    vendor.on("/health", only(NEW_KEY))
    rotated = await registry.rotate_api_key("api", NEW_KEY)
    config = registry.get_service_config("api")
    await registry.remove_service("api")

    assert (first["success"], second["success"]) == (True, True)
    assert (refused["success"], refused["reason"], refused["verdict"]) == (
        (False, "auth_invalid", "credential")
    )
    assert "the old one stays" in refused["message"]
    assert (refused["rotated_at"], refused["next_step"], kept) == (None, None, KEY)
    assert (rotated["success"], rotated["reason"], rotated["message"]) == (True, "ok", None)
    assert rotated["rotated_at"] > 1.7e9
    assert refused["duration_ms"] > 0 < rotated["duration_ms"]
    assert refused.keys() == rotated.keys()
    assert [seen.path for seen in vendor.seen] == ["/", "/health", "/health", "/health"]
    assert config["api_key"] == f"{NEW_KEY[:3]}…{NEW_KEY[-4:]}"
    assert "team" not in config
    assert registry.get_all_service_health() == []


async def test_a_rotation_says_what_remains_to_be_done(
    vendor: Vendor, registry: ServiceRegistry
) -> None:
    vendor.on("/models", answer(200, MODELS, JSON))
    about = {"id": "openai", "provider": "openai", "name": "OpenAI"}
    await registry.register_service(service(vendor) | about)

    done = await registry.rotate_api_key("openai", Secret(f"sk-{'n' * 40}"))

    assert done["success"]
    assert done["next_step"].startswith("the old key still works at OpenAI: revoke it there")


async def test_a_key_that_no_probe_can_send_is_not_rotated_unless_forced(
    registry: ServiceRegistry,
) -> None:
    await registry.register_service({"id": "twilio", "provider": "twilio", "api_key": KEY})

    with pytest.raises(ManagementError, match="TWILIO_ACCOUNT_SID"):
        await registry.rotate_api_key("twilio", NEW_KEY)
    forced = await registry.rotate_api_key("twilio", NEW_KEY, force=True)

    assert (forced["success"], forced["reason"], forced["duration_ms"]) == (True, None, None)


async def test_a_test_is_not_counted(vendor: Vendor, registry: ServiceRegistry) -> None:
    vendor.on("/", answer())
    await registry.register_service(service(vendor))

    await registry.test_service("api")

    page = await registry.metrics()
    assert 'probe_results_total{service="api",environment="production",provider="custom",' in page
    assert not [line for line in page.splitlines() if "probe_results" in line and line[-2:] == " 1"]


async def test_the_masked_configuration_holds_no_secret(
    vendor: Vendor, registry: ServiceRegistry
) -> None:
    hidden = {"additional_headers": {"X-Own": KEY}}
    await registry.register_service(service(vendor, **hidden))

    masked = registry.get_service_config("api")
    clear = registry.get_service_config("api", mask=False)

    assert KEY not in str(masked)
    assert masked["additional_headers"] == {"X-Own": "…"}
    assert clear["api_key"] == KEY


async def test_own_calls_carry_the_key_and_are_counted_apart(
    vendor: Vendor, registry: ServiceRegistry
) -> None:
    vendor.on("/v1/things", answer(body={"things": 3}))
    await registry.register_service(service(vendor))

    async with registry.session("api") as session, session.get("/v1/things") as response:
        found = await response.json(content_type=None)

    page = await registry.metrics()
    labels = 'code="200",environment="production",provider="custom",service="api"'
    assert found == {"things": 3}
    assert vendor.seen[0].header("Authorization") == f"Bearer {KEY}"
    assert f"service_requests_total{{{labels}}} 1.0" in page
    assert (
        'probe_attempts_total{service="api",environment="production",provider="custom"} 0' in page
    )


async def test_a_removed_service_leaves_no_series_of_own_calls(
    vendor: Vendor, registry: ServiceRegistry
) -> None:
    vendor.on("/", answer())
    await registry.register_service(service(vendor))
    async with registry.session("api") as session, session.get("/"):
        pass

    await registry.remove_service("api")

    assert 'service="api"' not in await registry.metrics()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            lambda r, v: r.register_service({"id": "api", "base_url": "https://x.example"}),
            TakenError,
        ),
        (lambda r, v: r.register_service({"id": "NO"}), SettingsError),
        (lambda r, v: r.update_service("api", {"base_url": 7}), SettingsError),
        (lambda r, v: r.update_service("nobody", {}), UnknownServiceError),
        (lambda r, v: r.remove_service("nobody"), UnknownServiceError),
        (lambda r, v: r.test_service("nobody"), UnknownServiceError),
        (lambda r, v: r.rotate_api_key("nobody", NEW_KEY), UnknownServiceError),
    ],
)
async def test_an_impossible_change_raises_its_error(
    change: Any, error: type[Exception], vendor: Vendor, registry: ServiceRegistry
) -> None:
    await registry.register_service(service(vendor))

    with pytest.raises(error):
        await change(registry, vendor)


@pytest.mark.parametrize("given", [None, "a", ["a"], {"id": "a", "team": object()}, {"id": {1}}])
async def test_what_is_no_service_is_refused_in_words(
    registry: ServiceRegistry, given: Any
) -> None:
    with pytest.raises(SettingsError, match=r"\(top\): (must be a mapping|holds something else)"):
        await registry.register_service(given)


async def test_any_limit_of_incidents_will_do(registry: ServiceRegistry) -> None:
    for limit in (-1, 0, 10**30):
        assert await registry.incidents.get_incidents(limit=limit) == []


async def test_services_of_a_file_are_changed_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "services.yaml"
    path.write_text("services: [{id: filed, base_url: 'https://x.example', api_key: '${NONE}'}]")
    registry = ServiceRegistry(path, variables={})

    with pytest.raises(InFileError):
        await registry.remove_service("filed")
    with pytest.raises(ManagementError, match="NONE is not set"):
        await registry.test_service("filed")
    await registry.stop()


async def test_with_a_directory_everything_is_there_again(vendor: Vendor, tmp_path: Path) -> None:
    raw = service(vendor)
    raw.pop("api_key")
    vendor.on("/", answer())
    async with ServiceRegistry(data_dir=tmp_path / "data", variables={}) as registry:
        await registry.register_service(raw)
        await until_probed(registry)

    async with ServiceRegistry(data_dir=tmp_path / "data", variables={}) as again:
        health = again.get_service_health("api")

    assert health["status"] == "healthy"


async def test_the_environment_names_the_providers() -> None:
    registry = create_service_registry_from_env({"OPENAI_API_KEY": KEY, "KIT_API_KEY": KEY})

    found = [health["id"] for health in registry.get_all_service_health()]
    await registry.stop()

    assert found == ["convertkit", "openai"]


async def test_a_wrong_file_is_reported_when_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "services.yaml"
    path.write_text("services: [{id: a, base_ur: x}]")
    registry = ServiceRegistry(path, variables={})

    with pytest.raises(SettingsError, match="did you mean base_url"):
        await registry.start_all_monitoring()
    await registry.stop()


def test_the_package_exports_the_names_in_all() -> None:
    for name in exporter.__all__:
        assert getattr(exporter, name).__name__ == name
    with pytest.raises(AttributeError):
        _ = exporter.nothing


async def test_a_rule_escalates_what_alertmanager_reports(registry: ServiceRegistry) -> None:
    paged: list[str] = []
    done = asyncio.Event()

    async def page(incident: dict[str, Any]) -> None:
        paged.append(incident["summary"])
        done.set()

    registry.incidents.add_escalation_rule(
        "page the boss", lambda incident: incident["severity"] == "critical", page
    )
    for severity in ("low", "critical"):
        labels = {"alertname": f"Is{severity}", "severity": severity, "service": "api"}
        firing = {"status": "firing", "labels": labels, "startsAt": "2026-12-01T22:00:00Z"}
        notes = {"annotations": {"summary": f"it is {severity}"}, "endsAt": "0001-01-01T00:00:00Z"}
        await registry.incidents.receive({"version": "4", "alerts": [firing | notes]})
    async with patient(5):
        await done.wait()

    assert paged == ["it is critical"]


async def test_the_complete_life_of_an_incident(vendor: Vendor, registry: ServiceRegistry) -> None:
    await registry.register_service(service(vendor, team="pay"))

    made = await registry.incidents.create_incident("nobody can pay", service="api", by="ann")
    await registry.incidents.add_note(made["id"], "ann", "the bank is asked")
    await registry.incidents.acknowledge_incident(made["id"], "bob")
    taken = await registry.incidents.get_incidents(status="acknowledged", service="api")
    await registry.incidents.resolve_incident(made["id"], "bob", "the bank is back")
    stats = await registry.incidents.get_incident_stats()

    assert (made["severity"], made["team"], made["status"]) == ("high", "pay", "open")
    assert [incident["acknowledged_by"] for incident in taken] == ["bob"]
    assert (stats["total"], stats["resolved"], stats["by_service"]) == (1, 1, {"api": 1})
    with pytest.raises(UnknownServiceError):
        await registry.incidents.create_incident("x", service="nobody")
    with pytest.raises(ValueError, match="severity"):
        await registry.incidents.create_incident("x", severity="awful")
    with pytest.raises(UnknownIncidentError):
        await registry.incidents.add_note("nobody", "ann", "x")
