"""What a service uses by name, and which answers are looked at for its end."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.config import ThresholdKind, read_text
from exporter.config.declarations import Alerts
from exporter.config.thresholds import thresholds_of
from exporter.providers import presets
from exporter.readings import GENERIC
from exporter.settings import SettingsError
from tests.config.test_targets import custom, endpoint_of, openai

KEY = {"api_key": "custom-key-0123456789"}


def ladder(**alerts: Any) -> list[tuple[str, float]]:
    rows = thresholds_of(Alerts(**alerts), 60.0)
    kind = ThresholdKind.SUNSET_REMAINING
    return [(row.severity, row.value / 86400) for row in rows if row.kind is kind]


def test_the_list_that_is_fetched_anyway_is_read_and_no_other() -> None:
    target = openai(uses={"models": ["gpt-9"]}, models=[{"id": "gpt-5", "price": PRICE}])
    radar = endpoint_of(target).readings.radar

    assert radar.models == ("gpt-9", "gpt-5")
    assert target.uses.named == {"gpt-9"}
    assert target.model_list is None
    assert set(target.uses.facts) == {"gpt-5"}
    assert target.models[0].endpoint.readings.radar.subject == "gpt-5"
    assert target.models[0].endpoint.readings.radar.listing is None


PRICE = {"input": 1, "output": 2}


def test_a_check_of_ones_own_is_joined_by_a_rare_request_for_the_list() -> None:
    target = openai(uses={"models": ["gpt-9"]}, health_check={"endpoint": "/me"})

    assert endpoint_of(target).readings.radar.listing is None
    assert target.model_list is not None
    asked = target.model_list.endpoint
    assert asked.url == "https://api.openai.com/v1/models"
    assert asked.readings.radar.models == ("gpt-9",)
    assert asked.credentials
    assert (asked.body_limit, target.model_list.interval) == (4 * 1024 * 1024, 3600)


def test_without_a_key_no_list_is_asked_for() -> None:
    target = openai({"OPENAI_API_KEY": ""}, uses={"models": ["m"]}, health_check={"endpoint": "/"})

    assert target.model_list is None


def test_what_uses_nothing_shares_the_readings_of_all() -> None:
    assert endpoint_of(custom()).readings is GENERIC
    assert endpoint_of(openai()).readings.radar is presets()["openai"].readings.radar


def test_the_version_in_answers_is_compared_in_checks_and_calls() -> None:
    target = custom(uses={"api_version": "2026-01", "version_header": "X-Api-Version"})

    for endpoint in (target.endpoint, target.calls):
        assert endpoint is not None
        radar = endpoint.readings.radar
        assert (radar.version_header, radar.version) == ("x-api-version", "2026-01")


@pytest.mark.parametrize(
    ("service", "what"),
    [
        ("base_url: https://x.example, uses: {models: [m]}", "does not know where this API lists"),
        ("provider: openai, uses: {models: [a b]}", "without spaces"),
        ("provider: openai, uses: {models: [api]}", "is the name of the API itself"),
        ("provider: openai, uses: {api_version: v1}", "need each other"),
        ("provider: openai, alerts: {sunset_days: [7, 30]}", "from many to few"),
        ("provider: openai, alerts: {sunset_days: [7, 0]}", "from many to few"),
    ],
)
def test_what_cannot_be_compared_is_a_mistake(service: str, what: str) -> None:
    with pytest.raises(SettingsError) as failed:
        read_text(f"services: [{{id: it, {service}}}]", "services.yaml", {})

    assert what in str(failed.value)


def test_the_days_before_an_end_are_a_ladder_of_severities() -> None:
    assert ladder() == [("low", 90), ("medium", 30), ("high", 7)]
    assert ladder(sunset_days=(60, 5)) == [("medium", 60), ("high", 5)]
    assert ladder(sunset_days=(5,)) == [("high", 5)]
    assert ladder(severity={"sunset": "medium"}) == [("low", 90), ("medium", 7)]
    assert ladder(severity={"sunset": "critical"}) == [("low", 90), ("medium", 30), ("critical", 7)]


def test_every_announcement_of_a_preset_has_a_sane_day_and_says_until_when_it_is_good() -> None:
    facts = [
        fact
        for preset in presets().values()
        if preset.models is not None
        for fact in preset.models.retirements
    ]

    assert facts
    for fact in facts:
        assert fact.source.startswith("https://")
        assert 1.7e9 < fact.sunset_at < 4e9
        assert fact.good_until > 1.7e9
