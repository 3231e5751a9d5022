"""From a stream to the metrics, through the whole application."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as families

from exporter.metrics.models import MODEL_FAMILIES, model_pieces
from exporter.model import Reason, Verdict
from tests.api.managed import Client, running
from tests.models.serving import KEY, LISTED, config, state
from tests.streams.vendor import finish, stream, text
from tests.vendor import Vendor, answer


async def page(client: Client) -> str:
    return (await client.ask("GET", "/metrics")).text


def values(text: str, name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(v for n, v in sorted(one.labels.items()) if n not in ("environment", "provider")): (
            one.value
        )
        for family in families(text)
        for one in family.samples
        if one.name == name
    }


async def test_a_model_that_stalls_is_seen_while_the_list_of_models_is_fine(
    tmp_path: Path,
) -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/models", answer(200, LISTED))
        good = (0.05, text("OK")), (0.1, finish(prompt_tokens=9, completion_tokens=2))
        vendor.on("/v1/chat/completions", stream(*good))
        async with running(config(vendor, "m"), data=tmp_path) as client:
            await client.probed("ai")
            first = await client.app.models.check(state(client), "person")
            vendor.on("/v1/chat/completions", stream(end="hang"))
            second = await client.app.models.check(state(client), "person")
            shown = await page(client)
            service = client.app.results.of("ai").last

    assert service is not None
    assert service.reason is Reason.OK
    assert (first.reason, second.reason) == (Reason.OK, Reason.TIMEOUT)
    assert second.verdict is Verdict.PROVIDER
    assert values(shown, "model_probe_success") == {("m", "ai"): 0}
    found = values(shown, "model_probe_results_total")
    assert (found["m", "ok", "ai"], found["m", "timeout", "ai"]) == (1, 1)
    assert values(shown, "model_probe_first_token_latency_seconds_count") == {("m", "ai"): 1}
    assert values(shown, "model_probe_consecutive_failures") == {("m", "ai"): 1}
    reserve = state(client).model.reserve
    spent = values(shown, "model_probe_spend_total")["USD", "m", "ai"]
    assert spent == pytest.approx((9 + 2 * 2) / 1e6 + reserve / 1e12)
    sent = [one for one in vendor.seen if one.path == "/v1/chat/completions"]
    assert [one.header("authorization") for one in sent] == [f"Bearer {KEY}"] * 2
    assert json.loads(sent[0].body)["model"] == "m"
    assert KEY not in shown


async def test_both_formats_are_read_and_say_the_same(tmp_path: Path) -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/chat/completions", stream((0, text("OK")), (0, finish())))
        async with running(config(vendor, "m", 'odd"\\x'), data=tmp_path) as client:
            await client.app.models.check(state(client, 'odd"\\x'), "person")
            states = list(client.app.model_states)
    plain = b"".join(model_pieces(states, openmetrics=False)).decode()
    opened = b"".join(model_pieces(states, openmetrics=True)).decode() + "# EOF\n"

    def read(found: Any) -> dict[Any, float]:
        return {
            (one.name, *sorted(one.labels.items())): one.value
            for family in found
            for one in family.samples
        }

    assert read(families(plain)) == read(open_families(opened))
    assert {dict(key[1:])["model"] for key in read(families(plain))} == {"m", 'odd"\\x'}
    names = {family.name for family in MODEL_FAMILIES}
    assert len(names) == len(MODEL_FAMILIES)
    assert all(name.startswith("model_") for name in names)


async def test_what_was_spent_is_known_after_a_restart(tmp_path: Path) -> None:
    async with Vendor() as vendor:
        vendor.on(
            "/v1/chat/completions",
            stream((0, text("OK")), (0, finish(prompt_tokens=9, completion_tokens=2))),
        )
        for _ in range(2):
            async with running(config(vendor, "m"), data=tmp_path) as client:
                await client.app.models.check(state(client), "person")
                shown = await page(client)

    assert values(shown, "model_probe_spend_total")["USD", "m", "ai"] == pytest.approx(26 / 1e6)


async def test_a_model_that_hangs_is_an_incident_of_its_own_after_two_checks(
    tmp_path: Path,
) -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/models", answer(200, LISTED))
        vendor.on("/v1/chat/completions", stream((0, text("OK")), (0, finish())))
        async with running(config(vendor, "m", "good"), data=tmp_path) as client:
            await client.probed("ai")
            await client.app.models.check(state(client, "good"), "person")
            vendor.on("/v1/chat/completions", stream((0, text("O")), end="hang"))
            state(client).model = replace(state(client).model, token_gap=0.5)
            await client.app.models.check(state(client), "person")
            await client.app.response.round()
            first = {one.alertname: one for one in await client.app.incidents.unresolved()}
            await client.app.models.check(state(client), "person")
            await client.app.response.round()
            second = {one.alertname: one for one in await client.app.incidents.unresolved()}

    assert first.keys() == {"ModelStalled"}
    assert second.keys() == {"ModelStalled", "ModelFailing"}
    assert second["ModelStalled"].suppressed == "inhibited"
    failing = second["ModelFailing"]
    assert failing.key == "ModelFailing\x1fproduction\x1fai\x1f\x1fm"
    assert failing.summary == "m of ai (production) fails its check."
    assert "At fault: the provider." in failing.description
    assert failing.description.endswith("it is the model. Answering in time: good.")
