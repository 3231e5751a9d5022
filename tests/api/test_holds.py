"""Pausing and maintenance at run time: what they change, what survives, what is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.registry.holding import MOST_WINDOWS, NO_HOLD, restored
from tests.api.managed import Client, running, secret_key
from tests.vendor import Vendor, answer

ANN = {"by": "ann", "reason": "they rebuild it"}
HOUR = {**ANN, "duration": "1h"}
CHECK = {"allow_private_addresses": True, "timeout": "2s", "retries": 0, "interval": "5m"}


def declared(name: str, url: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "base_url": url.rstrip("/"), "health_check": CHECK, **more}


@pytest.fixture
def config(vendor: Vendor) -> str:
    vendor.on("/", answer())
    window = {"start": "2020-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}
    return json.dumps(
        {
            "services": [
                declared("filed", vendor.url()),
                declared("off", vendor.url(), enabled=False),
                declared("planned", vendor.url(), maintenance=[window]),
            ]
        }
    )


@pytest.fixture
async def client(config: str, tmp_path: Path) -> AsyncIterator[Client]:
    async with running(config, data=tmp_path / "data", environment=secret_key(tmp_path)) as found:
        yield found


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def metric(client: Client, name: str, service: str) -> str:
    page = (await client.ask("GET", "/metrics")).text
    start = f'{name}{{service="{service}"'
    (line,) = [line for line in page.splitlines() if line.startswith(start)]
    return line.rpartition(" ")[2]


# -- pausing -------------------------------------------------------------------------------------


async def test_a_paused_service_of_a_file_is_off_and_says_who_paused_it(client: Client) -> None:
    found = await client.ask("POST", "/api/services/filed/pause", ANN)

    shown = found.json
    assert (found.status, shown["enabled"], shown["paused"]) == (200, False, True)
    assert shown["since"] == shown["pause"]["at"]
    assert (shown["pause"]["by"], shown["pause"]["reason"]) == ("ann", "they rebuild it")
    assert shown["advice"] == "nothing to do: ann paused it; `resume filed` ends that"
    assert await metric(client, "service_enabled", "filed") == "0"


async def test_a_second_pause_keeps_the_first_author(client: Client) -> None:
    await client.ask("POST", "/api/services/filed/pause", ANN)

    found = await client.ask("POST", "/api/services/filed/pause", {"by": "bob"})

    assert (found.status, found.json["pause"]["by"]) == (200, "ann")


async def test_a_resumed_service_is_probed_again(client: Client) -> None:
    await client.ask("POST", "/api/services/filed/pause", ANN)

    found = await client.ask("POST", "/api/services/filed/resume", {"by": "bob"})

    assert (found.status, found.json["enabled"], found.json["pause"]) == (200, True, None)
    assert await metric(client, "service_enabled", "filed") == "1"


@pytest.mark.parametrize(
    ("service", "title"),
    [
        ("filed", "filed is not paused"),
        (
            "off",
            "off is not paused: it is switched off where it is declared (enabled, or monitoring)",
        ),
    ],
)
async def test_what_is_not_paused_cannot_be_resumed(
    client: Client, service: str, title: str
) -> None:
    found = await client.ask("POST", f"/api/services/{service}/resume", ANN)

    assert (found.status, found.json["title"], found.json["code"]) == (409, title, "no_hold")


async def test_a_reload_does_not_end_a_pause(client: Client) -> None:
    await client.ask("POST", "/api/services/filed/pause", ANN)
    await client.ask("POST", "/-/reload")

    assert (await client.ask("GET", "/api/services/filed")).json["paused"] is True


async def test_pause_and_maintenance_outlive_the_process(config: str, tmp_path: Path) -> None:
    environment, data = secret_key(tmp_path), tmp_path / "data"
    async with running(config, data=data, environment=environment) as client:
        await client.ask("POST", "/api/services/filed/maintenance", HOUR)
        before = await client.ask("POST", "/api/services/filed/pause", ANN)
    async with running(config, data=data, environment=environment) as client:
        after = await client.ask("GET", "/api/services/filed")

    for name in ("pause", "maintenance", "paused", "in_maintenance"):
        assert after.json[name] == before.json[name]


async def test_a_service_that_is_registered_again_is_not_paused(
    client: Client, vendor: Vendor
) -> None:
    service = declared("a", vendor.url())
    await client.ask("POST", "/api/services", service)
    await client.ask("POST", "/api/services/a/pause", ANN)
    await client.ask("DELETE", "/api/services/a")

    found = await client.ask("POST", "/api/services", service)

    assert (found.json["enabled"], found.json["pause"]) == (True, None)
    assert client.app.store.services().keys() == {"a"}


async def test_without_a_directory_nothing_is_held_and_the_way_out_is_named(config: str) -> None:
    async with running(config) as client:
        found = await client.ask("POST", "/api/services/filed/pause", ANN)
        shown = (await client.ask("GET", "/api/services/filed")).json

    assert (found.status, found.json["code"]) == (409, "no_storage")
    assert "--data-dir" in found.json["title"]
    assert shown["enabled"] is True


async def test_who_paused_is_in_the_audit(client: Client) -> None:
    await client.ask("POST", "/api/services/filed/pause", ANN)
    await client.ask("POST", "/api/services/filed/resume", {"by": "bob"})

    entries = (await client.ask("GET", "/api/audit?service=filed")).json["entries"]

    assert [entry["action"] for entry in entries] == ["resumed by bob", "paused by ann"]


# -- maintenance ---------------------------------------------------------------------------------


async def test_a_window_that_begins_now_is_open_at_once(client: Client) -> None:
    found = await client.ask("POST", "/api/services/filed/maintenance", HOUR)

    (window,) = found.json["maintenance"]
    assert (found.status, found.json["in_maintenance"]) == (201, True)
    assert window["end"] - window["start"] == 3600
    assert (window["by"], window["origin"]) == ("ann", "api")
    await client.app.aging.look()
    assert await metric(client, "service_maintenance", "filed") == "1"


async def test_a_planned_window_is_not_open_yet(client: Client) -> None:
    start = client.app.clock.now() + 7200
    body = {**ANN, "start": at(start), "end": at(start + 60)}

    found = await client.ask("POST", "/api/services/filed/maintenance", body)

    assert found.json["in_maintenance"] is False
    assert await metric(client, "service_maintenance", "filed") == "0"


async def test_windows_are_taken_out_by_whether_they_are_open(client: Client) -> None:
    path = "/api/services/filed/maintenance"
    start = at(client.app.clock.now() + 7200)
    await client.ask("POST", path, HOUR)
    await client.ask("POST", path, {**HOUR, "start": start})

    ended = await client.ask("DELETE", path)
    again = await client.ask("DELETE", path)
    cancelled = await client.ask("DELETE", path + "?which=planned")

    assert (ended.json["in_maintenance"], len(ended.json["maintenance"])) == (False, 1)
    assert (again.status, again.json["title"]) == (409, "filed has no maintenance that is open")
    assert cancelled.json["maintenance"] == []
    assert client.app.overlay.hold("filed") == NO_HOLD


async def test_the_metric_of_a_window_that_was_taken_out_is_0(client: Client) -> None:
    await client.ask("POST", "/api/services/filed/maintenance", HOUR)
    await client.app.aging.look()

    await client.ask("DELETE", "/api/services/filed/maintenance")

    assert await metric(client, "service_maintenance", "filed") == "0"


async def test_a_window_of_a_file_is_ended_in_the_file(client: Client) -> None:
    found = await client.ask("DELETE", "/api/services/planned/maintenance")

    title = "the maintenance of planned is in its declaration; change it there"
    assert (found.status, found.json["title"]) == (409, title)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"duration": "1h"}, "by must be"),
    (ANN, "give end or duration"),
    ({**HOUR, "end": "2100-01-01T00:00:00Z"}, "give end or duration"),
    ({**ANN, "duration": "an hour"}, "duration must be a duration such as 2h"),
    ({**ANN, "end": "tomorrow"}, "end must be RFC 3339"),
    ({**HOUR, "start": "2100-01-01"}, "start must be RFC 3339"),
    ({**ANN, "end": "2020-01-01T00:00:00Z"}, "must end after its start, and after now"),
    ({**HOUR, "start": "2020-01-01T00:00:00Z"}, "must end after its start, and after now"),
    ({**ANN, "duration": "31d"}, "at most 30 days"),
    ({**HOUR, "until": 1}, "the body may only have"),
    ({**HOUR, "reason": "x" * 257}, "reason must be"),
]


async def test_a_window_that_cannot_be_meant_is_refused(client: Client) -> None:
    for body, why in REFUSED:
        found = await client.ask("POST", "/api/services/filed/maintenance", body)

        assert found.status == 400, body
        assert why in found.json["title"]


async def test_windows_are_bounded_and_those_that_are_over_do_not_count(client: Client) -> None:
    path = "/api/services/filed/maintenance"
    for _ in range(MOST_WINDOWS):
        assert (await client.ask("POST", path, HOUR)).status == 201

    refused = await client.ask("POST", path, HOUR)

    assert (refused.status, refused.json["code"]) == (409, "no_hold")


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"pause": None, "windows": 7},
        {"pause": 7, "windows": []},
        {"pause": {"at": "x", "by": "ann", "reason": ""}, "windows": []},
        {"pause": None, "windows": [{"start": 1.0, "end": 2.0}]},
    ],
)
def test_what_was_kept_and_is_damaged_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="what was set for a service"):
        restored(raw)


# -- results, warnings ---------------------------------------------------------------------------


async def test_the_last_results_are_listed_oldest_first_with_what_is_known(
    client: Client, vendor: Vendor
) -> None:
    vendor.on("/health", answer(status=503))
    check = {"interval": "1s", "timeout": "1s", "retries": 0, "allow_private_addresses": True}
    service = {
        "id": "a",
        "base_url": vendor.url(),
        "health_check": {**check, "endpoint": "/health"},
    }
    await client.ask("POST", "/api/services", service)
    await client.probed("a")

    found = (await client.ask("GET", "/api/services/a/results")).json["results"]

    assert (found[0]["reason"], found[0]["success"]) == ("overloaded", False)
    assert (found[0]["status_code"], found[0]["detail"] != "") == (503, True)


async def test_the_answer_to_a_registration_has_the_warnings_of_check_config(
    client: Client, vendor: Vendor
) -> None:
    service = {"id": "a", "base_url": vendor.url(), "health_check": {"enabled": False}}

    found = await client.ask("POST", "/api/services", service)

    what = "base_url: is not a public address: needs health_check.allow_private_addresses"
    assert (found.status, found.json["warnings"]) == (201, [what])
