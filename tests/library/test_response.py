"""Incidents in the library: found, told, escalated, ended; also by the original's names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter import ServiceRegistry
from exporter.library import (
    IncidentError,
    ManagementError,
    SettingsError,
    UnknownIncidentError,
    UnknownServiceError,
)
from exporter.secret import Secret
from tests.alertmanager import http_sink, mail_sink
from tests.fakes import KEY
from tests.patience import patient
from tests.vendor import Vendor, answer

SPEED = 25.0
"""A busy machine holds the loop for 40 ms; more would be a second of the registry's."""


class FastClock:
    """Time that runs `SPEED` times as fast."""

    def __init__(self) -> None:
        self._started, self._tick = time.time(), time.monotonic()

    def now(self) -> float:
        return self._started + (time.monotonic() - self._tick) * SPEED

    def tick(self) -> float:
        return time.monotonic() * SPEED

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


def config(vendor: Vendor, **more: Any) -> dict[str, Any]:
    check = {"interval": "10s", "timeout": "2s", "retries": 0, "allow_private_addresses": True}
    service = {
        "id": "api",
        "base_url": vendor.url("/api"),
        "health_check": check,
        "alerts": {"down_after": 2, "critical_after": 3},
    }
    return {"services": [service]} | more


def made(vendor: Vendor, **more: Any) -> ServiceRegistry:
    return ServiceRegistry(config(vendor, **more), variables={}, clock=FastClock())


async def eventually(found: Callable[[], Any], seconds: float = 60) -> Any:
    async with patient(seconds):
        while not (value := found()):
            await asyncio.sleep(0.02)
    return value


async def incidents(registry: ServiceRegistry, **wanted: str) -> list[dict[str, Any]]:
    """Return the incidents that are found, as soon as there are any."""
    async with patient(60):
        while not (found := await registry.incidents.get_incidents(**wanted)):  # type: ignore[arg-type]
            await asyncio.sleep(0.02)
    return found


# -- found and told --------------------------------------------------------------------------


async def test_a_failure_is_found_told_and_ended(vendor: Vendor) -> None:
    vendor.on("/api", answer(500))
    headers = {"Authorization": f"Bearer {KEY}", "X-Team": Secret("pay")}
    with http_sink() as hook, mail_sink() as mail:
        email = {"recipients": ("ann@example.com",), "smtp": mail.address, "tls": "none"}
        told = {"webhook_url": f"{hook.url}/hook", "webhook_headers": headers}
        async with made(vendor) as registry:
            await registry.start_all_monitoring(incident_config=told | {"email_config": email})
            (found,) = await incidents(registry, severity="critical", status="open")
            (message,) = await asyncio.to_thread(hook.wait, lambda got: True, 1, 60)
            (letter,) = await asyncio.to_thread(mail.wait, lambda got: True, 1, 60)
            shown = await registry.incidents.get_incidents(status="open")
            vendor.on("/api", answer())
            await incidents(registry, severity="critical", status="resolved")
            ends = lambda got: got.body["status"] == "resolved"  # noqa: E731
            await asyncio.to_thread(hook.wait, ends, 1, 60)
            # The receiver has it a moment before the sender counts it.
            both = 'service_notifications_total{medium="library-webhook",result="sent"} 2.0'
            async with patient(60):
                while both not in await registry.metrics():
                    await asyncio.sleep(0.02)

    assert (found["alertname"], found["service"]) == ("ServiceDown", "api")
    assert message.path == "/hook"
    assert message.headers["authorization"] == f"Bearer {KEY}"
    assert message.headers["x-team"] == "pay"
    assert (message.body["version"], message.body["status"]) == ("4", "firing")
    assert message.body["alerts"][0]["labels"]["alertname"] == "ServiceDown"
    assert "ann@example.com" in letter.to
    assert {one["receiver"] for one in shown[0]["told"]} == {"library-webhook", "library-email"}


async def test_an_incident_of_the_program_is_told_too(vendor: Vendor) -> None:
    vendor.on("/api", answer())
    with http_sink() as hook:
        async with made(vendor) as registry:
            await registry.start_incident_response(f"{hook.url}/hook")
            response = registry.get_incident_response()
            made_one = await response.create_incident("api", "critical", "nobody can pay", "why")
            (message,) = await asyncio.to_thread(hook.wait, lambda got: True, 1, 60)

    (told,) = message.body["alerts"]
    assert told["labels"]["alertname"] == "ManualIncident"
    assert told["labels"]["incident"] == made_one["id"]
    assert told["annotations"]["summary"] == "nobody can pay"


async def test_entries_of_the_configuration_are_told_as_well(vendor: Vendor) -> None:
    vendor.on("/api", answer())
    with http_sink() as hook:
        notify = [{"name": "ours", "webhook": {"url": f"{hook.url}/ours"}}]
        async with made(vendor, notify=notify) as registry:
            await registry.start_incident_response(webhook_url=f"{hook.url}/first")
            await registry.start_incident_response(webhook_url=f"{hook.url}/second")
            await registry.get_incident_response().create_incident("api", "critical", "x")
            got = await asyncio.to_thread(hook.wait, lambda got: True, 2, 60)

    assert {one.path for one in got} == {"/ours", "/second"}


async def test_nothing_begins_or_ends_while_monitoring_is_stopped(vendor: Vendor) -> None:
    vendor.on("/api", answer(500))
    async with made(vendor) as registry:
        (found,) = await incidents(registry, severity="critical", status="open")
        await registry.health_monitor.stop()
        vendor.on("/api", answer())
        await eventually(lambda: registry.get_service_health("api")["verdict"] == "monitoring")
        registry._app.response._rounds = rounds = 22  # what is not found ends at the 24th
        await eventually(lambda: registry._app.response._rounds > rounds + 4)
        still = await registry.incidents.get_incidents()
        await registry.health_monitor.start()
        (ended,) = await incidents(registry, severity="critical", status="resolved")

    assert [(one["id"], one["status"]) for one in still] == [(found["id"], "open")]
    assert ended["id"] == found["id"]


# -- who decides -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "setting", "why"),
    [
        ({"alertmanager": "http://127.0.0.1:9"}, None, "decided and told by Prometheus"),
        ({}, "alertmanager", "decided and told by Prometheus"),
        ({}, "off", "nobody is told of any"),
    ],
)
async def test_nobody_is_promised_a_message_that_others_would_send(
    more: dict[str, Any], setting: str | None, why: str, vendor: Vendor
) -> None:
    given = config(vendor, monitoring={"incidents": setting} if setting else {})
    registry = ServiceRegistry(given, variables={}, **more)
    url = {"webhook_url": "http://127.0.0.1:9/"}

    with pytest.raises(ManagementError, match=why):
        await registry.start_incident_response(**url)
    with pytest.raises(ManagementError, match=why):
        await registry.start_all_monitoring(incident_config=url)
    await registry.stop()

    assert vendor.seen == []


async def test_incidents_are_decided_here_unless_something_else_is_said(vendor: Vendor) -> None:
    found = []
    for more in ({}, {"alertmanager": "http://127.0.0.1:9"}):
        registry = ServiceRegistry(config(vendor), variables={}, **more)  # type: ignore[arg-type]
        registry.get_all_service_health()
        found.append(str(registry._app.response.decider))
        await registry.stop()

    assert found == ["embedded", "alertmanager"]


# -- mistakes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ({"webhook_url": KEY}, {"webhook_url"}),
        ({"webhook_url": 7}, {"webhook_url"}),
        ({"webhook_headers": {"X-A": KEY}}, {"webhook_headers"}),
        ({"webhook_url": "http://a.example", "webhook_headers": KEY}, {"webhook_headers"}),
        (
            {"webhook_url": "http://a.example", "webhook_headers": {"Content-Type": KEY}},
            {"webhook_headers.Content-Type"},
        ),
        ({"email_config": KEY}, {"email_config"}),
        ({"email_config": {"smtp": "a.example:25"}}, {"email_config"}),
        ({"email_config": {"recipients": [KEY]}}, {"email_config"}),
        (
            {"email_config": {"recipients": ["a@a.example"], "smtp": KEY, "sntp": KEY}},
            {"email_config.smtp", "email_config.sntp"},
        ),
        ({"email_config": {"recipients": [], "to": [KEY]}}, {"email_config.to"}),
        ({"webhook": KEY}, {"webhook"}),
    ],
)
async def test_a_mistake_is_named_by_its_place_in_the_arguments(
    given: dict[str, Any], places: set[str], vendor: Vendor
) -> None:
    registry = made(vendor)

    with pytest.raises(SettingsError) as caught:
        await registry.start_all_monitoring(incident_config=given)
    if "webhook" not in given:
        with pytest.raises(SettingsError, match=r"^start_incident_response: "):
            await registry.start_incident_response(**given)
    await registry.stop()

    assert {problem.where for problem in caught.value.problems} == places
    assert str(caught.value).startswith("incident_config: ")
    assert KEY not in str(caught.value) + repr(caught.value)
    assert vendor.seen == []


# -- by the original's names -----------------------------------------------------------------


async def test_the_life_of_an_incident_by_the_names_of_the_original(vendor: Vendor) -> None:
    registry = made(vendor)
    response = registry.get_incident_response()
    ran: list[str] = []

    async def act(incident: dict[str, Any]) -> None:
        ran.append(incident["summary"])

    response.add_escalation_rule("page", lambda i: bool(i["severity"] == "critical"), act)
    low = await response.create_incident("", "low", "a typo")
    one = await response.create_incident("api", "critical", "nobody can pay", "since ten")
    await eventually(lambda: ran)
    await response.add_note(one["id"], "ann", "the bank is asked")
    taken = await response.acknowledge_incident(one["id"], "bob")
    found = await response.get_incidents(severity="critical", status="acknowledged")
    ended = await response.resolve_incident(one["id"], "bob", "the bank is back")
    stats = await response.get_incident_stats()
    with pytest.raises(IncidentError):
        await response.acknowledge_incident(one["id"], "bob")
    with pytest.raises(UnknownIncidentError):
        await response.resolve_incident("nobody", "bob")
    with pytest.raises(UnknownServiceError):
        await response.create_incident("nobody", "low", "x")
    with pytest.raises(ValueError, match="severity"):
        await response.create_incident("api", "awful", "x")
    with pytest.raises(ValueError, match="page"):
        response.add_escalation_rule("page", lambda i: True, act)
    await registry.stop()

    assert ran == ["nobody can pay"]
    assert (low["service"], one["service"], one["description"]) == (None, "api", "since ten")
    assert (taken["acknowledged_by"], ended["status"]) == ("bob", "resolved")
    assert [incident["id"] for incident in found] == [one["id"]]
    assert (stats["total"], stats["resolved"]) == (2, 1)


async def test_messages_that_wait_survive_the_process(vendor: Vendor, tmp_path: Path) -> None:
    vendor.on("/api", answer())
    data = tmp_path / "data"
    with http_sink() as hook:
        for url, wait in (("http://127.0.0.1:9/", False), (f"{hook.url}/hook", True)):
            registry = ServiceRegistry(
                config(vendor), variables={}, data_dir=data, clock=FastClock()
            )
            await registry.start_all_monitoring(incident_config={"webhook_url": url})
            if not wait:
                await registry.incidents.create_incident("x", service="api", severity="critical")
                states = registry._app.notifier
                await eventually(lambda states=states: states.states[0].failing_since)
            else:
                (got,) = await asyncio.to_thread(hook.wait, lambda got: True, 1, 60)
            await registry.stop()

    assert got.body["alerts"][0]["annotations"]["summary"] == "x"
