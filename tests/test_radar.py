"""From an answer to the metrics, the page and the API: what is switched off, and what is gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from exporter.model import Reason, Result, verdict_of
from tests.api.managed import Client, running
from tests.streams.vendor import finish, stream, text
from tests.vendor import Vendor, answer

KEY = "sk-0123456789-sentinel-0123456789"
PRICE = {"input": 1, "output": 2}
CHECKED = {"allow_private_addresses": True, "interval": "1h", "retries": 0}


def config(vendor: Vendor, provider: str = "openai", **service: Any) -> str:
    usual = {"id": "ai", "provider": provider, "base_url": vendor.url("/v1"), "api_key": KEY}
    return json.dumps({"services": [{**usual, "health_check": CHECKED, **service}]})


def models(*ids: str, **further: Any) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": i, "object": "model", **further} for i in ids]}


async def probe(client: Client) -> Result:
    """Probe now, and count it."""
    target = client.app.registry.get("ai")
    assert target.endpoint is not None
    at, outcome = client.app.clock.now(), await client.app.prober.probe(target.endpoint)
    verdict = verdict_of(outcome.reason)
    result = Result(service="ai", at=at, outcome=outcome, verdict=verdict)
    client.app.recording.probe(target, result)
    return result


async def metrics(client: Client) -> dict[tuple[str, ...], float]:
    """Return the samples that are about retirement, by name and own label."""
    page = (await client.ask("GET", "/metrics")).text
    assert KEY not in page
    return {
        (one.name, *(one.labels[n] for n in ("model", "resource", "by") if n in one.labels)): (
            one.value
        )
        for family in families(page)
        for one in family.samples
        if one.name.startswith(("model_listed", "model_gone", "service_sunset", "service_deprec"))
        or one.name == "service_threshold_sunset_remaining_seconds"
    }


async def health(client: Client) -> dict[str, Any]:
    (row,) = (await client.ask("GET", "/api/health")).json["services"]
    return {one["resource"]: one for one in row["retirement"]}


async def test_a_model_that_leaves_the_list_is_gone_by_the_minute(tmp_path: Path) -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/models", answer(200, models("gpt-9", "gpt-8")))
        declared = config(vendor, uses={"models": ["gpt-9", "gpt-typo"]})
        async with running(declared, data=tmp_path) as client:
            await client.probed("ai")
            before = await metrics(client)
            vendor.on("/v1/models", answer(200, models("gpt-8")))
            result = await probe(client)
            after, rows = await metrics(client), await health(client)
            shown = (await client.ask("GET", "/services/ai")).text
            asked = [one.path for one in vendor.seen]
        async with running(declared, data=tmp_path) as client:
            again = await metrics(client)

    assert set(asked) == {"/v1/models"}
    assert before == {("model_listed", "gpt-9"): 1, ("model_listed", "gpt-typo"): 0}
    assert after[("model_listed", "gpt-9")] == 0
    assert after[("model_gone_timestamp_seconds", "gpt-9", "list")] == pytest.approx(result.at)
    assert rows["gpt-9"]["gone_at"] == pytest.approx(result.at)
    assert (rows["gpt-9"]["listed"], rows["gpt-typo"]["gone_at"]) == (False, None)
    assert "model gpt-9 left the list at " in shown
    assert "UTC: retirement, not outage" in shown
    assert "model gpt-typo is not in the provider&#39;s list" in shown
    assert again[("model_gone_timestamp_seconds", "gpt-9", "list")] == pytest.approx(result.at)


async def test_a_days_notice_in_list_header_and_call_is_exported_and_shown_escaped() -> None:
    link = '<https://a.example/?<script>>; rel="x", <https://a.example/"\'&b>; rel="sunset"'
    headers = [("Deprecation", "true"), ("Sunset", "Sun, 30 Jun 2030 23:59:59 GMT"), ("Link", link)]
    async with Vendor() as vendor:
        vendor.on("/v1/models", answer(200, models("gpt-9", shutdown_date="2020-12-11")))
        vendor.on("/v1/x", answer(200, b"{}", headers))
        async with running(config(vendor, uses={"models": ["gpt-9"]})) as client:
            await client.probed("ai")
            async with client.app.sessions.of(client.app.registry.get("ai")) as session:
                await session.get("/x")
            await probe(client)
            found, rows = await metrics(client), await health(client)
            shown = (await client.ask("GET", "/services/ai")).text
            asked = [one.path for one in vendor.seen]

    assert found[("service_sunset_timestamp_seconds", "gpt-9")] == 1607644800
    assert found[("service_sunset_timestamp_seconds", "api")] == 1909094399
    assert ("service_deprecation_timestamp_seconds", "api") in found
    assert rows["api"]["links"] == {"sunset": "https://a.example/\"'&b"}
    assert "model gpt-9 was to be switched off on 11 Dec 2020 (by an answer)" in shown
    assert "\"'&b" not in shown
    assert set(asked) == {"/v1/models", "/v1/x"}


@pytest.mark.parametrize(
    ("provider", "pages"),
    [
        ("anthropic", {"data": [{"id": "m", "type": "model"}], "has_more": False}),
        ("gemini", {"models": [{"name": "models/m"}]}),
    ],
)
async def test_a_check_that_asks_for_one_model_is_joined_by_a_rare_one_for_all(
    provider: str, pages: dict[str, Any]
) -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/models", answer(200, pages))
        declared = config(vendor, provider, uses={"models": ["m", "gone"]})
        async with running(declared) as client:
            target = client.app.registry.get("ai")
            assert target.model_list is not None
            assert target.model_list.interval == 3600
            outcome = await client.app.prober.probe(target.model_list.endpoint)
            client.app.recording.model_list(target, outcome)
            await probe(client)
            found = await metrics(client)
            vendor.on("/v1/models", answer(500))
            outcome = await client.app.prober.probe(target.model_list.endpoint)
            client.app.recording.model_list(target, outcome)
            lost = await metrics(client)
        sent = {one.target for one in vendor.seen if "1000" in one.target}

    assert outcome.reason is Reason.SERVER_ERROR
    assert found == {("model_listed", "m"): 1, ("model_listed", "gone"): 0}
    assert lost == {}
    assert len(sent) == 1


async def test_a_service_that_uses_nothing_is_asked_for_no_list() -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/models", answer(200, models("m")))
        for provider in ("anthropic", "openai"):
            async with running(config(vendor, provider)) as client:
                target = client.app.registry.get("ai")
                assert target.model_list is None
                assert target.endpoint is not None
                assert target.endpoint.readings.radar.listing is None
                await client.probed("ai")
                assert await metrics(client) == {}


async def test_a_model_that_answers_that_it_is_gone_is_gone(tmp_path: Path) -> None:
    refused = {"error": {"message": "The model `m` does not exist", "code": "model_not_found"}}
    async with Vendor() as vendor:
        vendor.on("/v1/models", answer(200, models("m")))
        vendor.on("/v1/chat/completions", answer(404, refused))
        declared = config(vendor, models=[{"id": "m", "price": PRICE}])
        async with running(declared, data=tmp_path) as client:
            await client.probed("ai")
            (state,) = client.app.model_states
            result = await client.app.models.check(state, "person")
            found = await metrics(client)
            vendor.on("/v1/chat/completions", answer(500))
            await client.app.models.check(state, "person")
            during = await metrics(client)
            vendor.on("/v1/chat/completions", stream((0, text("OK")), (0, finish())))
            await client.app.models.check(state, "person")
            later = await metrics(client)

    assert result.reason is Reason.RETIRED
    assert ("model_gone_timestamp_seconds", "m", "answer") in found
    assert found[("model_listed", "m")] == 1
    assert during == found
    assert later == {("model_listed", "m"): 1}


async def test_the_day_in_the_answer_of_a_model_is_its_own(tmp_path: Path) -> None:
    event = {
        "candidates": [{"content": {"parts": [{"text": "OK"}]}, "finishReason": "STOP"}],
        "modelStatus": {"modelStage": "LEGACY", "retirementTime": "2030-06-30T00:00:00Z"},
    }
    async with Vendor() as vendor:
        vendor.on("/v1/models", answer(200, {"models": [{"name": "models/m"}]}))
        vendor.on("/v1/models/m:streamGenerateContent", stream((0, event)))
        declared = config(vendor, "gemini", models=[{"id": "m", "price": PRICE}])
        async with running(declared, data=tmp_path) as client:
            await client.probed("ai")
            (state,) = client.app.model_states
            result = await client.app.models.check(state, "person")
            found = await metrics(client)

    assert result.reading.retires == "2030-06-30T00:00:00Z"
    assert found[("service_sunset_timestamp_seconds", "m")] == 1909008000


async def test_what_was_announced_elsewhere_has_its_source_and_its_age() -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/models", answer(200, models("gpt-4.1-nano", "gpt-5")))
        declared = config(vendor, uses={"models": ["gpt-4.1-nano", "gpt-5"]})
        async with running(declared) as client:
            await client.probed("ai")
            found, rows = await metrics(client), await health(client)

    assert found[("service_sunset_timestamp_seconds", "gpt-5")] == 1796947200  # 2026-12-11
    fact = rows["gpt-5"]["fact"]
    assert (fact["sunset"], fact["read_at"]) == ("2026-12-11", "2026-11")
    assert fact["source"].startswith("https://developers.openai.com/")
