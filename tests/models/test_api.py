"""A check of a model over the API, and what the API says of models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from exporter.api.openapi import document
from exporter.api.routes import ROUTES
from exporter.store import StoreError
from tests.api.managed import Client, running
from tests.models.serving import KEY, LISTED, config, state
from tests.streams.vendor import finish, stream, text
from tests.vendor import Vendor, answer

GOOD = stream(
    (0.0, text("O")), (0.05, text("K")), (0.05, finish(prompt_tokens=9, completion_tokens=2))
)
WHOLE = document(ROUTES, "0")


def conforms(found: Any, schema: str) -> None:
    """Fail if *found* is not what the API's description says."""
    jsonschema.validate(
        found, {**WHOLE["components"]["schemas"][schema], "components": WHOLE["components"]}
    )


async def asked(client: Client, model: str = "m", **more: Any) -> Any:
    path = f"/api/services/ai/models/{quote(model, safe='')}/test"
    return await client.ask("POST", path, **more)


async def test_a_check_answers_with_what_it_saw_and_what_it_cost(tmp_path: Path) -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/models", answer(200, LISTED))
        vendor.on("/v1/chat/completions", GOOD)
        async with running(config(vendor, "m"), data=tmp_path) as client:
            await client.probed("ai")
            found = await asked(client)
            shown = await client.ask("GET", "/api/services/ai")

    conforms(found.json, "ModelTest")
    conforms(shown.json, "Service")
    assert found.status == 200
    assert (found.json["success"], found.json["reason"]) == (True, "ok")
    assert found.json["first_token_ms"] > 0
    assert found.json["gap_max_ms"] == pytest.approx(50, abs=45)
    assert found.json["tokens_per_second"] > 0
    assert found.json["usage"] == {"input": 9, "output": 2, "reasoning": None, "cached": None}
    assert found.json["spent"] == pytest.approx((9 + 2 * 2) / 1e6)
    assert found.json["spent_in_all"] == found.json["spent"]
    assert 0.9999 < found.json["remaining"] < 1
    assert found.json["currency"] == "USD"
    assert shown.json["models_verdict"] == "models list fine; m fine"
    (one,) = shown.json["models"]
    assert (one["condition"], one["last"]["reason"], one["skipped"]) == ("fine", "ok", {})
    assert KEY not in found.text + shown.text


async def test_who_answered_and_why_it_ended_is_said(tmp_path: Path) -> None:
    named = {"model": "m-2026-08-06", **text("OK")}
    async with Vendor() as vendor:
        vendor.on("/v1/chat/completions", stream((0, named), (0, finish("length"))))
        async with running(config(vendor, "m"), data=tmp_path) as client:
            found = await asked(client)
            shown = await client.ask("GET", "/api/services/ai")
            vendor.on("/v1/chat/completions", stream((0, text("OK")), end="cut"))
            cut = await asked(client)

    conforms(found.json, "ModelTest")
    conforms(shown.json, "Service")
    (one,) = shown.json["models"]
    for said in (found.json, one["last"]):
        assert (said["answered_by"], said["finish"]) == ("m-2026-08-06", "limit")
    assert (cut.json["answered_by"], cut.json["finish"]) == (None, None)


@pytest.mark.parametrize("model", ["org/model:free", "a%2Fb", 'odd"\\x', "a?b#c&d=e", "..%2e"])
async def test_any_id_is_reached_in_percent_encoding(model: str, tmp_path: Path) -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/chat/completions", GOOD)
        async with running(config(vendor, model, "m"), data=tmp_path) as client:
            found = await asked(client, model)

    assert found.status == 200
    (sent,) = [one for one in vendor.seen if one.path == "/v1/chat/completions"]
    assert json.loads(sent.body)["model"] == model


async def test_a_check_without_room_in_the_budget_is_refused_and_shown(tmp_path: Path) -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/chat/completions", GOOD)
        budget = {"day": 0.00001}
        async with running(config(vendor, "m", budget=budget), data=tmp_path) as client:
            found = await asked(client)
            shown = (await client.ask("GET", "/api/services/ai")).json["models"][0]

    conforms(found.json, "Problem")
    assert (found.status, found.type) == (429, "application/problem+json")
    assert found.json["code"] == "budget_model"
    assert "budget of this model" in found.json["detail"]
    assert shown["not_asked"]["why"] == "budget_model"
    assert shown["skipped"] == {"budget_model": 1}
    assert "not asked since" in shown["sentence"]
    assert not [one for one in vendor.seen if one.path == "/v1/chat/completions"]


async def test_a_check_within_the_time_that_the_provider_asked_to_wait_is_refused(
    tmp_path: Path,
) -> None:
    async with Vendor() as vendor:
        refusal = answer(429, {"error": {"code": "rate_limit_exceeded"}}, {"Retry-After": "30"})
        vendor.on("/v1/chat/completions", refusal)
        async with running(config(vendor, "m"), data=tmp_path) as client:
            first, second = await asked(client), await asked(client)

    assert first.json["reason"] == "rate_limited"
    assert first.json["spent"] == 0
    assert (second.status, second.json["code"]) == (429, "asked_to_wait")
    assert 0 < int(second.headers["Retry-After"]) <= 31


async def test_an_unknown_model_is_404_with_those_that_there_are(tmp_path: Path) -> None:
    async with Vendor() as vendor, running(config(vendor, "m"), data=tmp_path) as client:
        found = await asked(client, "n")
        nobody = await client.ask("POST", "/api/services/x/models/m/test")

    assert (found.status, found.json["detail"]) == (404, "ai: those that are checked: m")
    assert nobody.status == 404


async def test_a_check_needs_the_admin_token(tmp_path: Path) -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/chat/completions", GOOD)
        async with running(config(vendor, "m"), data=tmp_path) as client:
            found = await asked(client, headers={"Authorization": "Bearer nothing-of-the-sort"})

            assert found.status == 401
            assert state(client).last is None


async def test_a_stall_is_in_the_verdict_of_the_service(tmp_path: Path) -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/models", answer(200, LISTED))
        vendor.on("/v1/chat/completions", GOOD)
        async with running(config(vendor, "m", "n", timeout="300ms"), data=tmp_path) as client:
            await client.probed("ai")
            await asked(client, "n")
            vendor.on("/v1/chat/completions", stream((0, text("O")), end="hang"))
            await asked(client, "m")
            await asked(client, "m")
            shown = (await client.ask("GET", "/api/services/ai")).json
            home = (await client.ask("GET", "/")).text
            page = (await client.ask("GET", "/services/ai")).text

    assert "The one service is healthy. But ai: model m fails." in home
    assert "Models list fine; m fails since" in page
    assert shown["status"] == "healthy"
    verdict = shown["models_verdict"]
    assert verdict.startswith("models list fine; m fails since ")
    assert verdict.endswith("; n fine: switch")
    first = next(one for one in shown["models"] if one["id"] == "m")
    assert (first["condition"], first["consecutive_failures"]) == ("failing", 2)
    assert "after 1 piece of visible text" in first["sentence"]
    assert first["advice"] == "use another model until this one answers again"


async def test_without_a_store_that_counts_nothing_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/chat/completions", GOOD)
        async with running(config(vendor, "m"), data=tmp_path) as client:

            def refuse(*_: object) -> None:
                raise StoreError("the disk is full")

            monkeypatch.setattr(type(client.app.store.model_spend), "reserve", refuse)
            found = await asked(client)

    assert (found.status, found.json["code"]) == (503, "no_ledger")
    assert not [one for one in vendor.seen if one.path == "/v1/chat/completions"]
