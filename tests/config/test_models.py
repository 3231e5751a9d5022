"""How models are asked: request, limits of families, money."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.config import UNITS, Budget, ModelTarget, read_text
from exporter.model import Reason
from exporter.providers import presets
from exporter.settings import SettingsError
from tests.config.test_targets import OPENAI_KEY, target_of

PRICE = {"input": 0.25, "output": 2}


def model(provider: str, id_: str, **check: Any) -> ModelTarget:
    settings = {"id": id_, "price": PRICE} | check
    (found,) = target_of(provider=provider, api_key=OPENAI_KEY, models=[settings]).models
    return found


def body(target: ModelTarget) -> dict[str, Any]:
    assert target.endpoint.body is not None
    return dict(json.loads(target.endpoint.body))


@pytest.mark.parametrize(
    ("provider", "id_", "limit", "members"),
    [
        (
            "openai",
            "gpt-5-mini",
            256,
            {"max_completion_tokens": 256, "reasoning_effort": "minimal"},
        ),
        ("openai", "o3", 256, {"max_completion_tokens": 256, "reasoning_effort": "minimal"}),
        ("openai", "gpt-5-codex", 512, {"reasoning_effort": "low"}),
        ("openai", "gpt-5.4", 16, {"max_completion_tokens": 16, "reasoning_effort": "none"}),
        ("openai", "gpt-4o", 16, {"max_completion_tokens": 16}),
        ("anthropic", "claude-sonnet-5", 16, {"thinking": {"type": "disabled"}, "max_tokens": 16}),
        ("anthropic", "claude-fable-5", 1024, {"max_tokens": 1024}),
        ("mistral", "codestral-latest", 16, {"max_tokens": 16}),
        ("vllm", "llama", 1, {"max_tokens": 1}),
    ],
)
def test_a_family_is_asked_as_it_wants(
    provider: str, id_: str, limit: int, members: dict[str, Any]
) -> None:
    found = model(provider, id_)

    assert found.max_tokens == limit
    assert members.items() <= body(found).items()
    assert body(found)["stream"] is True
    assert not {"temperature", "top_p", "seed"} & body(found).keys()
    assert found.endpoint.method == "POST"


def test_what_a_vendor_refuses_is_not_sent() -> None:
    assert "max_tokens" not in body(model("openai", "gpt-5"))
    assert "stream_options" not in body(model("mistral", "mistral-large"))
    assert "reasoning_effort" not in body(model("openai", "gpt-4.1"))


@pytest.mark.parametrize(
    ("id_", "thinking"),
    [
        ("gemini-2.5-flash", {"thinkingBudget": 0}),
        ("gemini-2.5-pro", {"thinkingBudget": 128}),
        ("gemini-3-flash-preview", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-pro", {"thinkingLevel": "LOW"}),
    ],
)
def test_gemini_is_asked_for_little_thought(id_: str, thinking: dict[str, Any]) -> None:
    found = model("gemini", id_)

    config = body(found)["generationConfig"]
    assert config == {"maxOutputTokens": found.max_tokens, "thinkingConfig": thinking}
    assert found.endpoint.url.endswith(f"/models/{id_}:streamGenerateContent?alt=sse")


def test_the_key_is_sent_as_for_the_health_check_and_nothing_is_followed() -> None:
    found = model("anthropic", "claude-x")

    names = {name.lower() for name, _ in found.endpoint.credentials}
    assert "x-api-key" in names
    assert dict(found.endpoint.headers)["anthropic-version"] == "2023-06-01"
    assert found.endpoint.follow_redirects == 0
    assert found.endpoint.expect.assertions == ()
    rules = {rule.reason for rule in found.endpoint.expect.rules}
    assert Reason.AUTH_INVALID in rules
    assert OPENAI_KEY not in repr(found)


def test_a_check_is_reserved_at_the_most_that_it_can_cost() -> None:
    prompt = "Grüße"
    found = model("openai", "gpt-4o", prompt=prompt, max_tokens=100)

    assert found.most_input >= len(prompt.encode())
    assert found.reserve == found.most_input * 250_000 + 100 * 2_000_000
    assert found.cost(1_000_000, 0) == UNITS // 4


@pytest.mark.parametrize(("price", "units"), [(0.0375, 37_500), (1 / 3, 333_334), (0, 0)])
def test_a_token_never_costs_less_than_its_price(price: float, units: int) -> None:
    assert model("openai", "gpt-4o", price={"input": price, "output": 0}).input_price == units


def test_a_published_price_is_used_and_ones_own_comes_first() -> None:
    published = model("anthropic", "claude-haiku-4-5", price=None)
    own = model("anthropic", "claude-haiku-4-5", price={"input": 7, "output": 7})

    assert (published.input_price, published.output_price) == (1_000_000, 5_000_000)
    assert own.input_price == 7_000_000
    assert model("ollama", "llama", price=None).reserve == 0


def test_without_a_key_no_model_is_asked() -> None:
    assert target_of(provider="openai", models=[{"id": "x", "price": PRICE}]).models == ()
    off = target_of(provider="vllm", models=[{"id": "x", "enabled": False}])
    assert off.models == ()


@pytest.mark.parametrize(
    ("service", "where", "words"),
    [
        ({"provider": "openai", "models": [{"id": "x"}]}, "models[0]", "price is missing"),
        ({"provider": "litellm", "models": [{"id": "x"}]}, "models[0]", "price is missing"),
        (
            {"base_url": "https://x.example", "models": [{"id": "x", "price": PRICE}]},
            "models[0]",
            "protocol is missing",
        ),
        (
            {"provider": "vllm", "models": [{"id": "x"}, {"id": "x"}]},
            "models[1].id",
            "in the list before",
        ),
        (
            {
                "provider": "openai",
                "models": [{"id": "x", "price": PRICE, "budget": {"day": 1, "currency": "EUR"}}],
            },
            "models[0].budget.currency",
            "is not the currency of the price",
        ),
        ({"provider": "vllm", "models": [{"id": "a b"}]}, "models[0].id", "must be 1 to 128"),
        ({"provider": "vllm", "models": [{"id": "x", "interval": "5s"}]}, "interval", "at least"),
    ],
)
def test_mistakes_are_found_before_they_cost(
    service: dict[str, Any], where: str, words: str
) -> None:
    text = json.dumps({"services": [{"id": "it", **service}]})

    with pytest.raises(SettingsError) as error:
        read_text(text, "services.yaml", {})

    found = [one for one in error.value.problems if where in one.where]
    assert [one for one in found if words in one.what], error.value.problems


def test_all_together_have_a_budget_unless_it_is_changed() -> None:
    assert read_text("services: []", "x.yaml", {}).budgets.model_checks == Budget(day=1, month=10)
    own = read_text("budgets: {model_checks: {day: 3}}", "x.yaml", {})
    assert own.budgets.model_checks == Budget(day=3)


def test_every_preset_that_sells_models_knows_how_they_are_asked() -> None:
    for name, preset in presets().items():
        if preset.type == "ai":
            assert preset.models is not None, name
