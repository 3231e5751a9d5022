"""/api/services: register, list, change and remove; what is refused, and with which message."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exporter.api.status import service_health
from exporter.model import Outcome, Reason, Result, verdict_of
from exporter.results import Tally
from tests.api.managed import OLD, QUIET, Client, declared, running, secret_key
from tests.fakes import service_target
from tests.vendor import Vendor, answer

LIMITS = ["0", "1001", "-1", "x", "", "1.5", "²", "٣", "9" * 5000]


@pytest.fixture
async def client(vendor: Vendor, tmp_path: Path) -> AsyncIterator[Client]:
    vendor.on("/", answer())
    config = json.dumps({"services": [declared("filed", vendor.url(), environment="staging")]})
    data = tmp_path / "data"
    async with running(config, data=data, environment=secret_key(tmp_path)) as found:
        yield found


# -- register ------------------------------------------------------------------------------------


async def test_a_registered_service_is_answered_with_its_location(
    client: Client, vendor: Vendor
) -> None:
    found = await client.ask("POST", "/api/services", declared("a", vendor.url(), team="core"))
    again = await client.ask("GET", found.headers["Location"])

    assert (found.status, found.headers["Location"]) == (201, "/api/services/a")
    assert found.json["origin"] == "api"
    assert found.json["config"]["team"] == "core"
    assert again.json == found.json


async def test_a_registered_service_is_probed_and_on_the_metrics_page(
    client: Client, vendor: Vendor
) -> None:
    check = {"interval": "1s", "timeout": "1s", "allow_private_addresses": True}

    await client.ask(
        "POST", "/api/services", {"id": "a", "base_url": vendor.url(), "health_check": check}
    )
    await client.probed("a")
    page = (await client.ask("GET", "/metrics")).text

    assert 'service_info{service="a"' in page
    assert 'probe_success{service="a",environment="production",provider="custom"} 1' in page


async def test_a_registered_service_outlives_the_process(vendor: Vendor, tmp_path: Path) -> None:
    environment, data = secret_key(tmp_path), tmp_path / "data"
    service = declared("a", vendor.url(), api_key=OLD, additional_headers={"X-Tenant": "acme"})
    vendor.on("/", answer())

    async with running(data=data, environment=environment) as client:
        before = await client.ask("POST", "/api/services", service)
    async with running(data=data, environment=environment) as client:
        after = await client.ask("GET", "/api/services/a")
        await client.ask("POST", "/api/services/a/test")

    assert after.json == before.json
    assert vendor.seen[-1].header("Authorization") == f"Bearer {OLD}"
    assert vendor.seen[-1].header("X-Tenant") == "acme"


@pytest.mark.parametrize("name", ["filed", "a"])
async def test_an_id_that_is_taken_is_a_conflict(client: Client, vendor: Vendor, name: str) -> None:
    await client.ask("POST", "/api/services", declared("a", vendor.url()))

    found = await client.ask("POST", "/api/services", declared(name, vendor.url()))

    assert (found.status, found.type) == (409, "application/problem+json")
    assert found.json["code"] == "taken"


async def test_every_mistake_is_reported_at_once_and_no_value(client: Client) -> None:
    wrong = {
        "id": "Not An Id",
        "base_url": 7,
        "health_check": {"interval": "0s", "timeout": "soon"},
        "envirnoment": "secret-looking-value",
    }

    found = await client.ask("POST", "/api/services", wrong)

    assert (found.status, found.type) == (422, "application/problem+json")
    assert {mistake["where"] for mistake in found.json["errors"]} >= {
        "id",
        "base_url",
        "health_check.interval",
        "health_check.timeout",
        "envirnoment",
    }
    assert "did you mean environment?" in found.text
    assert "secret-looking-value" not in found.text
    assert len((await client.ask("GET", "/api/services")).json["services"]) == 1


async def test_a_variable_is_refused_and_not_sent_as_a_key(
    client: Client, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH_LIKE", "expanded")
    headers = {"X-Source": "${PATH_LIKE:-none}"}
    service = declared("a", vendor.url(), api_key="${PATH_LIKE}", additional_headers=headers)

    found = await client.ask("POST", "/api/services", service)

    assert found.status == 422
    refused = {error["where"]: error["what"] for error in found.json["errors"]}
    assert set(refused) == {"api_key", "additional_headers.X-Source"}
    assert all("send the value" in what for what in refused.values())
    assert "expanded" not in str(found.json)


async def test_a_deep_service_is_refused_or_invalid(client: Client, vendor: Vendor) -> None:
    deep: Any = "${PATH}"
    for _ in range(900):
        deep = [deep]

    found = await client.ask("POST", "/api/services", declared("a", vendor.url(), metadata=deep))

    assert found.status in (400, 422)


async def test_a_key_given_at_registration_is_not_thrown_away(
    client: Client, vendor: Vendor
) -> None:
    service = declared("a", vendor.url(), api_key="sk-the-only-one-0123456789")
    await client.ask("POST", "/api/services", service)

    refused = await client.ask("DELETE", "/api/services/a/key")
    await client.ask("POST", "/api/services/a/test")

    assert (refused.status, refused.json["code"]) == (409, "only_key")
    assert vendor.seen[-1].header("Authorization") == "Bearer sk-the-only-one-0123456789"


@pytest.mark.parametrize(
    ("field", "where"),
    [
        ({"api_key_file": "/etc/hostname"}, "api_key_file"),
        ({"health_check": {"tls": {"ca_file": "/etc/hosts"}}}, "health_check.tls.ca_file"),
        ({"health_check": {"tls": {"cert_file": "a"}}}, "health_check.tls.cert_file"),
    ],
)
async def test_a_file_of_the_machine_cannot_be_named(
    client: Client, vendor: Vendor, field: dict[str, Any], where: str
) -> None:
    await client.ask("POST", "/api/services", declared("a", vendor.url()))

    added = await client.ask("POST", "/api/services", {**declared("b", vendor.url()), **field})
    changed = await client.ask("PATCH", "/api/services/a", field)

    for found in (added, changed):
        assert found.status == 422
        assert where in [mistake["where"] for mistake in found.json["errors"]]


async def test_the_answer_does_not_say_which_files_the_machine_has(
    client: Client, vendor: Vendor
) -> None:
    answers = []
    for file in (__file__, "/nowhere/at/all", "/"):
        tls = {"ca_file": file, "cert_file": file, "key_file": file}
        service = declared("b", vendor.url()) | {"health_check": {"tls": tls}}
        answers.append((await client.ask("POST", "/api/services", service)).json["errors"])

    assert answers[0] == answers[1] == answers[2]


# -- list ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["a", "b", "filed"]),
        ("?environment=staging", ["b", "filed"]),
        ("?provider=custom&type=ai", ["a"]),
        ("?status=healthy", []),
        ("?status=unknown&environment=production", ["a"]),
        ("?provider=nonsense", []),
    ],
)
async def test_the_list_has_what_fits_every_filter(
    client: Client, vendor: Vendor, query: str, expected: list[str]
) -> None:
    await client.ask("POST", "/api/services", declared("b", vendor.url(), environment="staging"))
    await client.ask("POST", "/api/services", declared("a", vendor.url(), type="ai"))

    found = await client.ask("GET", "/api/services" + query)

    assert [row["id"] for row in found.json["services"]] == expected
    assert found.json["next"] is None


STATUSES = "status must be one of healthy, degraded, unhealthy, unknown"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=bad", f"{STATUSES}, not bad"),
        ("status=", STATUSES),
        ("status=sk-live-0123456789", STATUSES),
        ("status=Healthy", f"{STATUSES}, not Healthy"),
        ("type=nonsense&environment=x", "type must be one of ai, payment, communication, business"),
    ],
)
async def test_a_filter_that_no_service_can_match_is_refused(
    client: Client, query: str, said: str
) -> None:
    refused = await client.ask("GET", f"/api/services?{query}")

    assert (refused.status, refused.headers["Content-Type"]) == (
        400,
        "application/problem+json; charset=utf-8",
    )
    assert refused.json["title"].startswith(said)
    assert "0123" not in refused.text


@pytest.mark.parametrize(
    ("path", "title"),
    [
        (
            "/api/incidents?status=bad",
            "status must be one of open, acknowledged, resolved, not bad",
        ),
        (
            "/api/incidents?severity=worst",
            "severity must be one of critical, high, medium, low, not worst",
        ),
        ("/api/services/filed/history?range=year", "range must be one of 24h, 30d, not year"),
        ("/api/services/filed/report?format=pdf", "format must be one of "),
    ],
)
async def test_other_choices_are_refused_in_the_same_words(
    client: Client, path: str, title: str
) -> None:
    refused = await client.ask("GET", path)

    assert refused.status == 400
    assert refused.json["title"].startswith(title)


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 1000])
async def test_pages_hold_every_service_once(client: Client, vendor: Vendor, limit: int) -> None:
    for name in "edcba":
        await client.ask("POST", "/api/services", declared(name, vendor.url()))

    seen, cursor, pages = [], "", 0
    while cursor is not None:
        page = await client.ask("GET", f"/api/services?limit={limit}&cursor={cursor}")
        seen += [row["id"] for row in page.json["services"]]
        assert len(page.json["services"]) <= limit
        cursor, pages = page.json["next"], pages + 1

    assert seen == ["a", "b", "c", "d", "e", "filed"]
    assert pages == -(-6 // limit), "no empty page at the end"


async def test_a_page_is_full_although_filters_leave_others_out(
    client: Client, vendor: Vendor
) -> None:
    for number in range(6):
        where = "staging" if number % 2 else "production"
        service = declared(f"s{number}", vendor.url(), environment=where)
        await client.ask("POST", "/api/services", service)

    page = await client.ask("GET", "/api/services?environment=production&limit=2")

    assert [row["id"] for row in page.json["services"]] == ["s0", "s2"]
    assert page.json["next"] == "s2"


@pytest.mark.parametrize("limit", LIMITS)
async def test_a_bad_limit_is_refused(client: Client, limit: str) -> None:
    found = await client.ask("GET", "/api/services", params={"limit": limit})

    assert (found.status, found.type) == (400, "application/problem+json")
    assert "1 to 1000" in found.json["title"]


# -- change and remove ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patch", "where"),
    [
        ({"teem": None}, "teem"),
        ({"": None}, "(…)"),
        ({"health_check": {"tiemout": None}}, "health_check.tiemout"),
        ({"health_check": {"tls": {"ca": None}}, "name": "x"}, "health_check.tls.ca"),
    ],
)
async def test_a_null_of_a_misspelt_field_is_a_mistake(
    patch: dict[str, Any], where: str, client: Client, vendor: Vendor
) -> None:
    await client.ask("POST", "/api/services", declared("a", vendor.url()))

    found = await client.ask("PATCH", "/api/services/a", patch)
    after = await client.ask("GET", "/api/services/a")

    assert found.status == 422
    assert [mistake["where"] for mistake in found.json["errors"]] == [where]
    assert after.json["name"] == "a"


async def test_a_patch_merges_and_null_removes_at_every_depth(
    client: Client, vendor: Vendor, tmp_path: Path
) -> None:
    check = {**QUIET, "interval": "5m", "endpoint": "/x"}
    headers = {"X-One": "1", "X-Two": "2"}
    service = declared(
        "a", vendor.url(), team="core", metadata={"owner": "me", "runbook": "http://r"}
    )
    await client.ask(
        "POST", "/api/services", {**service, "health_check": check, "additional_headers": headers}
    )
    vendor.on("/y", answer())
    patch = {
        "team": None,
        "environment": "staging",
        "metadata": {"owner": None, "tier": "1"},
        "health_check": {"interval": None, "endpoint": "/y"},
        "additional_headers": {"X-One": None, "X-Three": "3"},
    }

    found = await client.ask("PATCH", "/api/services/a", patch)
    await client.ask("POST", "/api/services/a/test")

    assert found.status == 200
    assert found.json["environment"] == "staging"
    assert "team" not in found.json["config"]
    assert found.json["config"]["metadata"] == {"runbook": "http://r", "tier": "1"}
    assert "interval" not in found.json["config"]["health_check"]
    assert vendor.seen[-1].path == "/y"
    sent = {name: vendor.seen[-1].header(name) for name in ("X-One", "X-Two", "X-Three")}
    assert sent == {"X-One": None, "X-Two": "2", "X-Three": "3"}


async def test_what_a_patch_removed_stays_removed_after_a_restart(
    vendor: Vendor, tmp_path: Path
) -> None:
    environment, data = secret_key(tmp_path), tmp_path / "data"
    vendor.on("/", answer())
    service = declared("a", vendor.url(), api_key=OLD, additional_headers={"X-Gone": "1"})

    async with running(data=data, environment=environment) as client:
        await client.ask("POST", "/api/services", service)
        patch = {"api_key": None, "additional_headers": None}
        await client.ask("PATCH", "/api/services/a", patch)
    async with running(data=data, environment=environment) as client:
        await client.ask("POST", "/api/services/a/test")

    assert vendor.seen[-1].header("X-Gone") is None
    assert vendor.seen[-1].header("Authorization") is None


@pytest.mark.parametrize("content", ["application/json", "application/merge-patch+json"])
async def test_a_patch_may_name_its_media_type(
    client: Client, vendor: Vendor, content: str
) -> None:
    await client.ask("POST", "/api/services", declared("a", vendor.url()))

    found = await client.ask(
        "PATCH", "/api/services/a", data=b'{"team": "x"}', headers={"Content-Type": content}
    )

    assert found.json["config"]["team"] == "x"


@pytest.mark.parametrize("other", ["b", None, 7])
async def test_an_id_cannot_be_changed(client: Client, vendor: Vendor, other: Any) -> None:
    await client.ask("POST", "/api/services", declared("a", vendor.url()))

    found = await client.ask("PATCH", "/api/services/a", {"id": other, "team": "x"})

    assert found.status == 422
    assert "register it again" in found.json["detail"]
    assert "team" not in (await client.ask("GET", "/api/services/a")).json["config"]


async def test_a_wrong_patch_changes_nothing(client: Client, vendor: Vendor) -> None:
    before = await client.ask("POST", "/api/services", declared("a", vendor.url(), team="x"))

    found = await client.ask("PATCH", "/api/services/a", {"team": "y", "base_url": None})

    assert found.status == 422
    assert (await client.ask("GET", "/api/services/a")).json == before.json


async def test_a_service_of_a_file_is_changed_in_its_file(client: Client) -> None:
    changed = await client.ask("PATCH", "/api/services/filed", {"team": "x"})
    removed = await client.ask("DELETE", "/api/services/filed")

    for found in (changed, removed):
        assert (found.status, found.json["code"]) == (409, "in_file")
    assert (await client.ask("GET", "/api/services/filed")).json["origin"] == "file"


async def test_a_removed_service_takes_its_series_and_key_with_it(
    client: Client, vendor: Vendor
) -> None:
    await client.ask("POST", "/api/services", declared("a", vendor.url(), api_key=OLD))

    found = await client.ask("DELETE", "/api/services/a")
    await client.ask("POST", "/api/services", declared("a", vendor.url()))
    again = await client.ask("GET", "/api/services/a")
    await client.ask("DELETE", "/api/services/a")

    assert (found.status, found.text) == (204, "")
    assert not any(again.json["key"].values()), "the key is gone"
    assert (await client.ask("GET", "/api/services/a")).status == 404
    assert 'service="a"' not in (await client.ask("GET", "/metrics")).text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/services/nobody", None),
        ("PATCH", "/api/services/nobody", {"team": "x"}),
        ("DELETE", "/api/services/nobody", None),
        ("POST", "/api/services/nobody/test", None),
        ("PUT", "/api/services/nobody/key", {"api_key": OLD}),
        ("PUT", "/api/services/nobody/key", {"rollback": True}),
        ("DELETE", "/api/services/nobody/key", None),
        ("GET", "/api/services/%2e%2e%2fnobody", None),
        ("GET", "/api/services/<script>", None),
    ],
)
async def test_an_unknown_service_is_not_found_and_not_repeated(
    client: Client, method: str, path: str, body: Any
) -> None:
    found = await client.ask(method, path, body)

    assert (found.status, found.type) == (404, "application/problem+json")
    assert "nobody" not in found.text
    assert "script" not in found.text


# -- test ----------------------------------------------------------------------------------------


async def test_a_test_reports_the_outcome_and_counts_nothing(
    client: Client, vendor: Vendor
) -> None:
    vendor.on("/", answer(status=500))
    before = (await client.ask("GET", "/metrics")).text

    found = await client.ask("POST", "/api/services/filed/test")
    after = (await client.ask("GET", "/metrics")).text

    assert found.status == 200
    assert (found.json["success"], found.json["status_code"]) == (False, 500)
    assert found.json["reason"] == "server_error"
    assert sum(found.json["phases"].values()) == pytest.approx(found.json["duration_ms"], abs=0.01)
    for name in ("probe_results_total", "service_sli_events_total", "probe_attempts_total"):
        assert _of(after, name) == _of(before, name)
        assert _of(after, name), name
    assert (await client.ask("GET", "/api/services/filed")).json["last_probe"] is None


def _of(page: str, name: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith(name + "{")]


def test_until_when_a_provider_makes_us_wait_is_in_the_health() -> None:
    target, found = service_target(), []

    for outcome in (
        Outcome(reason=Reason.RATE_LIMITED, retry_after=90.0),
        Outcome(reason=Reason.OK),
    ):
        tally = Tally()
        verdict = verdict_of(outcome.reason)
        tally.add(Result(service="api", at=1.8e9, outcome=outcome, verdict=verdict), target)
        found.append(service_health(target, tally, 1.8e9)["retry_after"])

    assert found == ["2027-01-15T08:01:30Z", None]
