"""From what the file declares to how a service is probed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.config import Target, make_target, read_text
from exporter.config.declarations import Alerts
from exporter.config.thresholds import Threshold, thresholds_of
from exporter.probers import Endpoint
from exporter.providers import presets
from exporter.secret import Secret

OPENAI_KEY = "sk-" + "k" * 40
TWILIO_SECRET = "0123456789abcdef0123456789abcdef"
KEY = "custom-key-0123456789"


def targets_of(
    *services: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> list[Target]:
    text = json.dumps({"defaults": defaults or {}, "services": services})
    configuration = read_text(text, "services.yaml", environment or {})
    return [make_target(declared, environment or {}) for declared in configuration.services]


def target_of(
    environment: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    **service: Any,
) -> Target:
    (target,) = targets_of({"id": "it", **service}, environment=environment, defaults=defaults)
    return target


def custom(environment: Mapping[str, str] | None = None, **service: Any) -> Target:
    return target_of(environment, **{"base_url": "https://api.example.com/v1"} | service)


def openai(environment: Mapping[str, str] | None = None, **service: Any) -> Target:
    return target_of(
        {"OPENAI_API_KEY": OPENAI_KEY} | dict(environment or {}), provider="openai", **service
    )


def endpoint_of(target: Target) -> Endpoint:
    assert target.endpoint is not None, target.unprobed
    return target.endpoint


def sent(target: Target) -> dict[str, str]:
    """Return the headers that carry secrets, revealed."""
    return {name: value.reveal() for name, value in endpoint_of(target).credentials}


def warnings_of(service: Mapping[str, Any], **environment: str) -> list[tuple[str, str]]:
    text = json.dumps({"services": [{"id": "it", **service}]})
    found = read_text(text, "services.yaml", environment).warnings
    return [(problem.where, problem.what) for problem in found]


# -- presets and their keys -------------------------------------------------------------------


def test_a_preset_takes_its_key_from_the_environment() -> None:
    target = openai()

    assert target.key == Secret(OPENAI_KEY)
    assert target.key_configured is True
    assert sent(target) == {"Authorization": f"Bearer {OPENAI_KEY}"}


def test_a_preset_with_its_key_asks_the_health_endpoint() -> None:
    target = openai()

    endpoint = endpoint_of(target)
    assert (endpoint.url, endpoint.method) == ("https://api.openai.com/v1/models", "GET")
    assert (endpoint.expect.statuses, endpoint.keyed) == (frozenset({200}), True)
    assert not endpoint.expect.keyless
    assert endpoint.expect.assertions == presets()["openai"].health.assertions
    assert (target.unprobed, target.host) == ("", "api.openai.com")


def test_a_preset_fills_in_what_is_known_of_it() -> None:
    target = openai()

    assert (target.type, target.provider, target.name) == ("ai", "openai", "it")
    assert target.status_page == presets()["openai"].status_page
    assert endpoint_of(target).expect.rules == presets()["openai"].answers
    assert endpoint_of(target).readings.request_id == ("x-request-id",)


def test_a_preset_without_its_key_is_only_asked_whether_it_is_there() -> None:
    target = target_of(provider="openai")

    endpoint = endpoint_of(target)
    assert (target.key, target.key_configured) == (None, False)
    assert target.unprobed == "no key: OPENAI_API_KEY is not set; only reachability"
    assert (endpoint.expect.statuses, endpoint.keyed) == (frozenset({401}), False)
    assert endpoint.expect.keyless
    assert endpoint.credentials == ()


def test_an_unset_variable_of_a_preset_is_named_instead_of_its_usual_one() -> None:
    target = target_of(provider="openai", api_key="${MY_OPENAI_KEY}")

    assert target.unprobed == "no key: MY_OPENAI_KEY is not set; only reachability"


def test_an_unset_variable_is_not_replaced_by_the_presets_usual_one() -> None:
    target = openai(api_key="${MY_OPENAI_KEY}")

    assert (target.key, target.key_configured) == (None, False)


@pytest.mark.parametrize("below", ["api_key", "api_key_file"])
def test_an_unset_variable_is_not_replaced_by_a_key_of_the_defaults(
    tmp_path: Path, below: str
) -> None:
    path = tmp_path / "key"
    path.write_text(KEY)
    value = {"api_key": "${OTHER}", "api_key_file": str(path)}[below]

    target = target_of(
        {"OTHER": KEY}, {below: value}, base_url="https://a.example.com", api_key="${UNSET}"
    )

    assert (target.key, target.endpoint) == (None, None)
    assert target.unprobed == "no key: UNSET is not set"


def test_a_preset_with_an_own_endpoint_and_no_key_is_not_probed() -> None:
    target = target_of(provider="openai", health_check={"endpoint": "/models/gpt-5"})

    assert target.endpoint is None
    assert target.unprobed == "no key: OPENAI_API_KEY is not set"


def test_a_preset_that_is_said_to_need_no_key_is_asked_fully_without() -> None:
    target = target_of(provider="openai", auth={"kind": "none"})

    assert target.key_configured is None
    assert endpoint_of(target).expect.statuses == frozenset({200})
    assert not endpoint_of(target).expect.keyless


@pytest.mark.parametrize("provider", ["openai", "custom"])
def test_a_key_is_not_sent_where_no_login_is_wanted(provider: str) -> None:
    declared = {"provider": provider, "api_key": "k-1", "auth": {"kind": "none"}}
    base = {"base_url": "https://a.example.com"} if provider == "custom" else {}
    endpoint = target_of(**declared, **base).endpoint

    assert endpoint is not None
    assert not endpoint.credentials
    assert not endpoint.keyed  # so it proves no key either


def test_a_key_of_the_environment_is_not_sent_where_none_is_needed() -> None:
    target = target_of({"OPENAI_API_KEY": "k-1"}, provider="openai", auth={"kind": "none"})

    assert target.key is None
    assert not endpoint_of(target).keyed
    assert endpoint_of(target).credentials == ()


def test_a_header_of_a_preset_is_sent_when_its_variable_is_set() -> None:
    without = openai()
    with_it = openai({"OPENAI_ORG_ID": "org-1"})

    assert "OpenAI-Organization" not in dict(endpoint_of(without).headers)
    assert dict(endpoint_of(with_it).headers)["OpenAI-Organization"] == "org-1"


@pytest.mark.parametrize(
    ("region", "host"),
    [(None, "api.openai.com"), ("eu", "eu.api.openai.com"), ("us", "us.api.openai.com")],
)
def test_a_region_chooses_another_base_url(region: str | None, host: str) -> None:
    target = openai(region=region)

    assert target.host == host


def test_an_own_base_url_wins_over_a_region_of_the_defaults() -> None:
    target = target_of(
        {"OPENAI_API_KEY": OPENAI_KEY},
        {"region": "eu"},
        provider="openai",
        base_url="https://proxy.example.com/v1/",
    )

    assert endpoint_of(target).url == "https://proxy.example.com/v1/models"


# -- several variables of a preset ------------------------------------------------------------


def test_twilio_asks_for_its_account_and_names_the_api_key_as_user() -> None:
    environment = {
        "TWILIO_API_SECRET": TWILIO_SECRET,
        "TWILIO_API_KEY": "SK1",
        "TWILIO_ACCOUNT_SID": "AC1",
    }

    target = target_of(environment, provider="twilio")

    endpoint = endpoint_of(target)
    assert endpoint.url == "https://api.twilio.com/2010-04-01/Accounts/AC1/Balance.json"
    assert endpoint.expect.assertions[0].equals == "AC1"
    assert sent(target)["Authorization"].startswith("Basic U0sxOj")


def test_twilio_names_the_account_as_user_without_an_api_key() -> None:
    environment = {"TWILIO_AUTH_TOKEN": TWILIO_SECRET, "TWILIO_ACCOUNT_SID": "AC1"}

    target = target_of(environment, provider="twilio")

    assert sent(target)["Authorization"].startswith("Basic QUMxOj")


def test_twilio_without_its_account_falls_back_to_reachability() -> None:
    target = target_of({"TWILIO_AUTH_TOKEN": TWILIO_SECRET}, provider="twilio")

    assert target.unprobed == "needs TWILIO_ACCOUNT_SID; only reachability"
    assert endpoint_of(target).url == "https://api.twilio.com/2010-04-01/Accounts.json"
    assert not endpoint_of(target).keyed
    assert target.key_configured is True


def test_a_preset_whose_address_is_not_known_says_what_it_needs() -> None:
    target = target_of({"AZURE_OPENAI_API_KEY": KEY}, provider="azure-openai")

    assert target.endpoint is None
    assert target.unprobed.startswith("needs AZURE_")


def test_a_quota_is_asked_with_the_key_only() -> None:
    environment = {"SENDGRID_API_KEY": "SG." + "a" * 22 + "." + "b" * 43}

    with_key = target_of(environment, provider="sendgrid")
    without = target_of(provider="sendgrid")

    assert with_key.quota is not None
    assert with_key.quota.endpoint.keyed
    assert with_key.quota.endpoint.readings.gauges == presets()["sendgrid"].quota.gauges  # type: ignore[union-attr]
    assert without.quota is None


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_becomes_a_target_without_anything_in_the_environment(name: str) -> None:
    target = target_of(provider=name)

    if presets()[name].auth.optional:
        assert target.endpoint is not None
        assert (target.key_configured, target.unprobed) == (None, "")
    else:
        assert target.key_configured is False
        assert target.unprobed


def test_a_program_that_may_be_run_without_keys_is_asked_fully_without() -> None:
    target = target_of(provider="vllm", health_check={"endpoint": "/v1/models/x"})
    endpoint = endpoint_of(target)

    assert (target.key_configured, endpoint.keyed) == (None, False)
    assert endpoint.url == "http://localhost:8000/v1/models/x"
    assert endpoint.expect.keyless  # a 401 would ask for a key, not reject one


def test_the_declared_key_of_such_a_program_is_missed_all_the_same(tmp_path: Path) -> None:
    target = target_of(provider="vllm", api_key_file=str(tmp_path / "absent"))

    assert target.key_configured is False
    assert target.endpoint is not None
    assert target.unprobed.endswith("; only reachability")


def test_such_a_program_with_a_key_is_asked_with_it() -> None:
    target = target_of({"VLLM_API_KEY": "k-1"}, provider="vllm")

    assert target.key_configured is True
    assert endpoint_of(target).keyed
    assert not endpoint_of(target).expect.keyless


# -- custom services --------------------------------------------------------------------------


def test_a_custom_service_without_a_key_needs_none() -> None:
    target = custom()

    assert (target.key, target.key_configured, target.unprobed) == (None, None, "")
    assert endpoint_of(target).credentials == ()
    assert not endpoint_of(target).keyed
    assert not endpoint_of(target).expect.keyless


def test_a_custom_service_is_called_by_its_id_and_is_an_api() -> None:
    target = custom()

    assert (target.name, target.type, target.provider) == ("it", "api", "custom")
    assert (target.environment, target.team, target.status_page) == ("production", "", None)
    assert (target.interval, target.retries, target.enabled) == (60.0, 2, True)


def test_a_custom_service_with_an_unset_variable_is_not_probed_and_says_which() -> None:
    target = custom(api_key="${CUSTOM_KEY}")

    assert (target.endpoint, target.key_configured) == (None, False)
    assert target.unprobed == "no key: CUSTOM_KEY is not set"


def test_an_unset_variable_of_the_defaults_counts_for_the_service() -> None:
    target = target_of(defaults={"api_key": "${SHARED}"}, base_url="https://a.example.com")

    assert target.unprobed == "no key: SHARED is not set"


def test_a_key_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(KEY + "\n")

    target = custom(api_key_file=str(path))

    assert (target.key, target.key_file) == (Secret(KEY), str(path))


def test_a_changed_key_file_makes_another_target(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(KEY)
    before = custom(api_key_file=str(path))

    path.write_text(KEY + "-new")
    after = custom(api_key_file=str(path))

    assert before != after
    assert sent(after) == {"Authorization": f"Bearer {KEY}-new"}


def test_a_missing_key_file_is_a_state_that_says_why(tmp_path: Path) -> None:
    target = custom(api_key_file=str(tmp_path / "nowhere"))

    assert (target.endpoint, target.key_configured) == (None, False)
    assert target.unprobed == ("no key: the key file cannot be read (No such file or directory)")


def test_a_key_file_with_an_impossible_path_is_a_state_too() -> None:
    target = custom(api_key_file="a\x00b")

    assert target.unprobed == "no key: the key file cannot be read (not a valid path)"


@pytest.mark.parametrize(
    ("service", "headers"),
    [
        ({}, {"Authorization": f"Bearer {KEY}"}),
        ({"auth": {"kind": "header"}}, {"Authorization": f"Bearer {KEY}"}),
        ({"api_key_header": "X-Api-Key"}, {"X-Api-Key": f"Bearer {KEY}"}),
        ({"api_key_header": "X-Api-Key", "api_key_prefix": ""}, {"X-Api-Key": KEY}),
        ({"api_key_prefix": "Token "}, {"Authorization": f"Token {KEY}"}),
        (
            {"auth": {"kind": "basic", "username": "me"}},
            {"Authorization": "Basic bWU6Y3VzdG9tLWtleS0wMTIzNDU2Nzg5"},
        ),
        ({"auth": {"kind": "basic"}}, {"Authorization": "Basic Y3VzdG9tLWtleS0wMTIzNDU2Nzg5"}),
        ({"auth": {"kind": "query", "name": "token"}}, {}),
    ],
)
def test_the_key_goes_into_the_header_that_the_service_wants(
    service: dict[str, Any], headers: dict[str, str]
) -> None:
    target = custom({"CUSTOM_KEY": KEY}, api_key="${CUSTOM_KEY}", **service)

    assert sent(target) == headers


def test_a_key_in_the_query_is_kept_out_of_the_url() -> None:
    target = custom(
        {"CUSTOM_KEY": KEY}, api_key="${CUSTOM_KEY}", auth={"kind": "query", "name": "token"}
    )

    endpoint = endpoint_of(target)
    assert endpoint.query == (("token", Secret(KEY)),)
    assert KEY not in endpoint.url + endpoint.shown


def test_an_own_key_header_turns_a_preset_that_uses_basic_into_one_that_uses_a_header() -> None:
    target = target_of(
        {"MAILGUN_API_KEY": KEY}, provider="mailgun", api_key_header="X-Key", api_key_prefix=""
    )

    assert sent(target) == {"X-Key": KEY}


@pytest.mark.parametrize("username", ["${", "${A}", "a${b c}"])
def test_a_user_name_is_expanded_in_the_file_and_never_again(username: str) -> None:
    target = custom(
        {"CUSTOM_KEY": KEY, "A": "wrong"},
        api_key="${CUSTOM_KEY}",
        auth={"kind": "basic", "username": username.replace("${", "$${")},
    )

    assert target.unprobed == ""


def test_an_own_endpoint_is_expanded_in_the_file_and_never_again() -> None:
    target = custom({"A": "wrong"}, health_check={"endpoint": "/$${A}"})

    assert endpoint_of(target).url == "https://api.example.com/v1/$%7BA%7D"


def test_every_derived_form_of_the_key_is_listed_as_secret() -> None:
    target = custom(
        {"CUSTOM_KEY": KEY, "TOKEN": "further"},
        api_key="${CUSTOM_KEY}",
        auth={"kind": "basic", "username": "me"},
        additional_headers={"X-Token": "${TOKEN}"},
    )

    revealed = {secret.reveal() for secret in target.secrets()}
    assert revealed == {KEY, "further", "Basic bWU6Y3VzdG9tLWtleS0wMTIzNDU2Nzg5"}


def test_a_target_does_not_show_its_secrets() -> None:
    target = custom(
        {"CUSTOM_KEY": KEY},
        api_key="${CUSTOM_KEY}",
        additional_headers={"X-Token": KEY},
        health_check={"headers": {"X-Other": KEY}, "body": {"token": KEY}},
    )

    assert KEY not in repr(target)


# -- the request ------------------------------------------------------------------------------


def test_own_headers_replace_the_usual_ones_whatever_their_case() -> None:
    target = custom(
        additional_headers={"user-agent": "mine", "X-A": "1"},
        health_check={"headers": {"X-A": "2"}},
    )

    assert sent(target) == {"user-agent": "mine", "X-A": "2"}
    assert [name for name, _ in endpoint_of(target).headers] == ["Accept"]


@pytest.mark.parametrize(
    ("body", "raw", "content_type"),
    [
        ({"a": [1, None, True]}, b'{"a": [1, null, true]}', "application/json"),
        ([1, 2], b"[1, 2]", "application/json"),
        ("a=1&b=2", b"a=1&b=2", None),
        ("", b"", None),
        (None, None, None),
    ],
)
def test_a_mapping_is_sent_as_json_and_a_text_as_it_is(
    body: Any, raw: bytes | None, content_type: str | None
) -> None:
    target = custom(health_check={"method": "POST", "body": body})

    assert endpoint_of(target).body == raw
    assert dict(endpoint_of(target).headers).get("Content-Type") == content_type


def test_an_own_content_type_wins_over_the_one_of_json() -> None:
    target = custom(
        health_check={
            "method": "POST",
            "body": {"a": 1},
            "headers": {"content-type": "application/ld+json"},
        }
    )

    assert "Content-Type" not in dict(endpoint_of(target).headers)
    assert sent(target) == {"content-type": "application/ld+json"}


@pytest.mark.parametrize(
    ("base", "endpoint", "url"),
    [
        ("https://a.example.com", "", "https://a.example.com"),
        ("https://a.example.com/", "", "https://a.example.com/"),
        ("https://a.example.com/v1/", "/health", "https://a.example.com/v1/health"),
        ("https://a.example.com/v1", "/health?x=1", "https://a.example.com/v1/health?x=1"),
        ("https://a.example.com/v1", "https://a.example.com/up", "https://a.example.com/up"),
    ],
)
def test_the_endpoint_stands_below_the_base_url_unless_it_is_absolute(
    base: str, endpoint: str, url: str
) -> None:
    target = target_of(base_url=base, health_check={"endpoint": endpoint})

    assert endpoint_of(target).url == url
    assert endpoint_of(target).shown == url.partition("?")[0]


@pytest.mark.parametrize(
    ("check", "timeout"),
    [
        ({}, 10.0),
        ({"timeout": "4s"}, 4.0),
        ({"interval": "5s"}, 5.0),
        ({"interval": "5s", "timeout": "2s"}, 2.0),
        ({"timeout": "2m"}, 120.0),
    ],
)
def test_the_timeout_is_never_above_an_explicit_interval(
    check: dict[str, str], timeout: float
) -> None:
    target = custom(health_check=check)

    assert endpoint_of(target).timeout == timeout


# -- what wins --------------------------------------------------------------------------------


def test_an_own_endpoint_drops_the_assertions_of_the_preset() -> None:
    target = openai(health_check={"endpoint": "/models/gpt-5"})

    endpoint = endpoint_of(target)
    assert endpoint.url == "https://api.openai.com/v1/models/gpt-5"
    assert endpoint.expect.assertions == ()
    assert endpoint.keyed


def test_own_assertions_replace_those_of_the_preset_and_keep_its_endpoint() -> None:
    target = openai(health_check={"assertions": [{"json": "$.data", "min_items": 5}]})

    endpoint = endpoint_of(target)
    assert endpoint.url == "https://api.openai.com/v1/models"
    assert [a.min_items for a in endpoint.expect.assertions] == [5]


def test_the_service_wins_over_the_defaults_and_these_over_the_preset() -> None:
    facts = {"owner": "core", "runbook": "https://r.example"}
    defaults = {"type": "business", "team": "core", "metadata": facts}

    one, other = targets_of(
        {"id": "a", "provider": "openai", "team": "shop", "metadata": {"owner": "shop"}},
        {"id": "b", "provider": "openai", "type": "analytics"},
        defaults=defaults,
    )

    assert (one.type, one.team, one.owner, one.runbook) == (
        "business",
        "shop",
        "shop",
        "https://r.example",
    )
    assert (other.type, other.team, other.owner) == ("analytics", "core", "core")


@pytest.mark.parametrize(
    ("service", "defaults", "interval"),
    [
        ({"interval": "90s"}, {"interval": "45s"}, 90.0),
        ({}, {"interval": "45s"}, 45.0),
        ({"timeout": "5s"}, {}, 60.0),
        ({}, {}, 60.0),
    ],
)
def test_an_explicit_interval_wins_and_else_the_presets_is_taken(
    service: dict[str, str], defaults: dict[str, str], interval: float
) -> None:
    target = target_of(
        {"OPENAI_API_KEY": OPENAI_KEY},
        {"health_check": defaults},
        provider="openai",
        health_check=service,
    )

    assert target.interval == interval


@pytest.mark.parametrize(
    ("provider", "interval"), [("openai", 30.0), ("slack", 60.0), ("cohere", 300.0)]
)
def test_without_a_key_the_presets_interval_of_reachability_is_taken(
    provider: str, interval: float
) -> None:
    assert target_of(provider=provider).interval == interval


@pytest.mark.parametrize(
    ("check", "limit"), [({}, 65_536), ({"body_limit": 10_485_760}, 10_485_760)]
)
def test_the_limit_of_the_body_is_the_services(check: dict[str, int], limit: int) -> None:
    assert endpoint_of(custom({}, health_check=check)).body_limit == limit


@pytest.mark.parametrize(
    ("service", "retries"),
    [
        ({}, 2),
        ({"retry_policy": {"max_retries": 5}}, 5),
        ({"retry_policy": {"max_retries": 5}, "health_check": {"retries": 0}}, 0),
    ],
)
def test_retries_of_the_check_win_over_the_policy(service: dict[str, Any], retries: int) -> None:
    assert custom(**service).retries == retries


@pytest.mark.parametrize(
    ("service", "enabled"),
    [
        ({}, True),
        ({"enabled": False}, False),
        ({"health_check": {"enabled": False}}, False),
    ],
)
def test_a_service_or_its_check_can_be_switched_off(service: dict[str, Any], enabled: bool) -> None:
    assert custom(**service).enabled is enabled


# -- status page ------------------------------------------------------------------------------


def test_a_self_hosted_service_loses_the_vendors_status_page() -> None:
    hosted = target_of(provider="plausible")
    own = target_of(provider="plausible", base_url="https://plausible.example.com")

    assert hosted.status_page == presets()["plausible"].status_page
    assert own.status_page is None


def test_another_base_url_of_a_hosted_api_keeps_the_status_page() -> None:
    target = openai(base_url="https://proxy.example.com/v1")

    assert target.status_page == presets()["openai"].status_page


def test_a_status_page_can_be_switched_off() -> None:
    assert openai(status_page={"enabled": False}).status_page is None


def test_a_component_filter_refines_the_status_page_of_a_preset() -> None:
    target = target_of(provider="twilio", status_page={"component_filter": "^SMS"})

    assert target.status_page is not None
    assert target.status_page.component_filter == "^SMS"
    assert target.status_page.url == "https://status.twilio.com"


def test_a_custom_service_may_have_a_status_page() -> None:
    target = custom(status_page={"url": "https://status.example.com", "adapter": "statuspage"})

    assert target.status_page is not None
    assert (target.status_page.url, target.status_page.adapter) == (
        "https://status.example.com",
        "statuspage",
    )


# -- thresholds and windows -------------------------------------------------------------------


def test_thresholds_are_rows_that_make_a_ladder() -> None:
    target = custom(
        health_check={"interval": "20s"},
        alerts={
            "down_after": 2,
            "critical_after": 4,
            "latency_p95": "2s",
            "key_days": 7,
            "escalate_after": ["5m", "15m", "1h"],
            "severity": {"latency": "high"},
        },
    )

    assert target.thresholds == (
        Threshold("consecutive_failures", "high", 2),
        Threshold("consecutive_failures", "critical", 4),
        Threshold("escalate_after_seconds", "high", 300, "1"),
        Threshold("escalate_after_seconds", "high", 900, "2"),
        Threshold("escalate_after_seconds", "critical", 3600, "3"),
        Threshold("state_changes_30m", "medium", 6),
        Threshold("latency_p95_seconds", "high", 2),
        Threshold("key_invalid_seconds", "high", 120),
        Threshold("key_remaining_seconds", "medium", 7 * 86400),
        Threshold("rate_limited_15m", "medium", 5),
        Threshold("rate_limit_remaining_ratio", "low", 0.1),
        Threshold("certificate_remaining_seconds", "high", 14 * 86400),
        Threshold("probe_stale_seconds", "high", 60),
        Threshold("sunset_remaining_seconds", "low", 7776000),
        Threshold("sunset_remaining_seconds", "medium", 2592000),
        Threshold("sunset_remaining_seconds", "high", 604800),
    )


def test_a_single_level_of_escalation_keeps_its_severity() -> None:
    target = custom(alerts={"escalate_after": ["5m"], "severity": {"unresolved": "low"}})

    rows = [t for t in target.thresholds if t.kind == "escalate_after_seconds"]
    assert rows == [Threshold("escalate_after_seconds", "low", 300, "1")]


@pytest.mark.parametrize(
    "severity", [{"down": "critical"}, {"critical": "high"}, {"down": "low", "critical": "low"}]
)
def test_no_two_thresholds_share_their_labels(severity: dict[str, str]) -> None:
    target = custom(alerts={"severity": severity})

    labels = [(t.kind, t.severity, t.escalation) for t in target.thresholds]
    assert len(labels) == len(set(labels))
    assert [t.value for t in target.thresholds if t.kind == "consecutive_failures"] == [3]


def test_there_is_no_threshold_of_latency_unless_one_is_set() -> None:
    assert "latency_p95_seconds" not in {t.kind for t in custom().thresholds}


def test_an_own_time_until_stale_wins_over_three_intervals() -> None:
    target = custom(alerts={"stale_after": "10m"})

    assert Threshold("probe_stale_seconds", "high", 600) in target.thresholds


@pytest.mark.parametrize(
    ("now", "inside"), [(999.9, False), (1000, True), (1059.9, True), (1060, False), (2000, True)]
)
def test_a_window_holds_its_start_and_not_its_end(now: float, inside: bool) -> None:
    target = custom(
        maintenance=[
            {"start": "1970-01-01T00:16:40Z", "end": "1970-01-01T00:17:40Z"},
            {"start": "1970-01-01T01:33:20+01:00", "end": "1970-01-01T00:40:00Z"},
        ]
    )

    assert target.in_maintenance(now) is inside


# -- equality ---------------------------------------------------------------------------------


@pytest.mark.parametrize("service", [{"provider": "openai"}, {"base_url": "https://a.example.com"}])
def test_the_same_declaration_makes_equal_targets(service: dict[str, Any]) -> None:
    environment = {"OPENAI_API_KEY": OPENAI_KEY}

    assert target_of(environment, **service) == target_of(environment, **service)


@pytest.mark.parametrize(
    "changed",
    [
        {"team": "other"},
        {"health_check": {"interval": "61s"}},
        {"base_url": "https://b.example"},
        {"additional_headers": {"X-A": "2"}},
        {"alerts": {"flapping": 7}},
        {"name": "Other"},
        {"health_check": {"tls": {"server_name": "x"}}},
        {"api_key": "${CUSTOM_KEY}-new"},
    ],
)
def test_any_change_makes_another_target(changed: dict[str, Any]) -> None:
    service = {"api_key": "${CUSTOM_KEY}", "additional_headers": {"X-A": "1"}}
    environment = {"CUSTOM_KEY": KEY}

    assert custom(environment, **service) != custom(environment, **service | changed)


# -- warnings ---------------------------------------------------------------------------------


def test_an_interval_below_what_is_safe_is_a_warning() -> None:
    found = warnings_of({"provider": "openai", "health_check": {"interval": "5s"}})

    assert found == [
        ("services[0].health_check.interval", "is below what is safe for OpenAI (15s)")
    ]


def test_the_safe_interval_itself_is_no_warning() -> None:
    assert warnings_of({"provider": "openai", "health_check": {"interval": "15s"}}) == []


def test_a_key_in_the_file_is_a_warning_that_does_not_show_it() -> None:
    found = warnings_of({"base_url": "https://a.example.com", "api_key": KEY})

    assert [where for where, _ in found] == ["services[0].api_key"]
    assert "the key itself is in the file" in found[0][1]
    assert KEY not in found[0][1]


@pytest.mark.parametrize("written", ["${CUSTOM_KEY}", "${UNSET:-${CUSTOM_KEY}}", "x${CUSTOM_KEY}"])
def test_a_key_from_the_environment_is_no_warning(written: str) -> None:
    service = {"base_url": "https://a.example.com", "api_key": written}

    assert warnings_of(service, CUSTOM_KEY=KEY) == []


def test_a_key_in_the_defaults_is_warned_of_there_and_once() -> None:
    text = json.dumps(
        {
            "defaults": {"api_key": KEY, "base_url": "https://a.example.com"},
            "services": [{"id": "a"}, {"id": "b"}],
        }
    )

    warnings = read_text(text, "f", {}).warnings

    assert [problem.where for problem in warnings] == ["defaults.api_key"]


@pytest.mark.parametrize("how", [{"api_key": "${CUSTOM_KEY}"}, {"api_key_file": "/nowhere/key"}])
def test_a_key_over_plain_http_is_a_warning(how: dict[str, str]) -> None:
    found = warnings_of({"base_url": "http://a.example.com", **how}, CUSTOM_KEY=KEY)

    assert found == [("services[0].base_url", "the key travels unencrypted; use https")]


def test_plain_http_without_a_key_is_no_warning() -> None:
    assert warnings_of({"base_url": "http://a.example.com"}) == []


@pytest.mark.parametrize(
    ("service", "where", "what"),
    [
        (
            {"health_check": {"tls": {"insecure_skip_verify": True}}},
            "health_check.tls",
            "certificates are not verified: anybody can answer",
        ),
        (
            {"health_check": {"allow_cross_origin": True}},
            "health_check.allow_cross_origin",
            "has no effect without follow_redirects",
        ),
        (
            {"status_page": {"url": "http://10.1.2.3", "adapter": "statuspage"}},
            "status_page.url",
            "is not a public address: needs status_page.allow_private_addresses",
        ),
        (
            {"rate_limit": {"requests_per_minute": 1}, "health_check": {"interval": "30s"}},
            "rate_limit",
            "allows fewer requests than the interval asks for",
        ),
    ],
)
def test_what_works_but_is_probably_not_meant_is_a_warning(
    service: dict[str, Any], where: str, what: str
) -> None:
    found = warnings_of({"base_url": "https://a.example.com", **service})

    assert found == [(f"services[0].{where}", what)]


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("sk-admin-" + "a" * 40, "an admin key in a probe"),
        ("not-a-key", "does not look like a key of OpenAI"),
    ],
)
def test_a_key_of_the_wrong_kind_is_a_warning_that_does_not_show_it(key: str, what: str) -> None:
    ((where, said),) = warnings_of({"provider": "openai", "api_key": "${K}"}, K=key)

    assert where == "services[0].api_key"
    assert said.startswith(what)
    assert key not in said


@pytest.mark.parametrize(
    ("field", "place"),
    [
        ({"team": "{}"}, "team"),
        ({"name": "{}"}, "name"),
        ({"api_key_header": "{}"}, "api_key_header"),
        ({"metadata": {"owner": "{}"}}, "metadata.owner"),
    ],
)
def test_a_key_in_a_field_that_everybody_sees_is_a_warning(
    field: dict[str, Any], place: str
) -> None:
    key = "sk_live_51H8xkqABCDEFGHIJKLM01"

    pasted = json.loads(json.dumps(field).replace('"{}"', f'"{key}"'))

    ((where, said),) = warnings_of({"base_url": "https://a.example", **pasted})

    assert where == f"services[0].{place}"
    assert said == "looks like a key: it belongs in api_key; everybody may read this field"


@pytest.mark.parametrize(
    "plain",
    ["npm-registry-2", "Production API eu-west-1 v2024", "platform-team-2024", "re-captcha"],
)
def test_an_ordinary_name_is_no_key(plain: str) -> None:
    named = {"base_url": "https://a.example", "name": plain, "team": plain, "metadata": {}}

    assert warnings_of(named) == []


@pytest.mark.parametrize(
    ("address", "allowed", "warned"),
    [
        ("http://127.0.0.1:9800", False, True),
        ("http://localhost", False, True),
        ("https://[fd00::1]/", False, True),
        ("http://10.0.0.7", True, False),
        ("https://93.184.216.34", False, False),
        ("https://api.internal", False, False),
    ],
)
def test_an_address_that_is_always_refused_is_a_warning(
    address: str, allowed: bool, warned: bool
) -> None:
    check = {"allow_private_addresses": allowed}

    found = warnings_of({"base_url": address, "health_check": check})

    assert [where for where, _ in found] == ["services[0].base_url"] * warned


@pytest.mark.parametrize("field", ["base_url", "region", "api_key", "name", "type"])
def test_null_is_as_good_as_leaving_a_field_out(field: str) -> None:
    target = openai(**{field: None})

    assert target == openai()


def test_a_path_that_a_variable_is_part_of_is_not_shown() -> None:
    text = (
        "services: [{id: bot, base_url: 'https://api.example.com',"
        " health_check: {endpoint: '/bot${TOKEN}/getMe'}}]"
    )
    declared = read_text(text, "services.yaml", {"TOKEN": "12345-secret"}).services[0]

    endpoint = make_target(declared, {}).endpoint

    assert endpoint is not None
    assert endpoint.url == "https://api.example.com/bot12345-secret/getMe"
    assert endpoint.shown == "https://api.example.com/…"
    assert "secret" not in repr(endpoint)


def test_without_a_key_no_optional_header_is_sent() -> None:
    declared = read_text("services: [{id: a, provider: openai}]", "services.yaml", {}).services[0]

    endpoint = make_target(declared, {"OPENAI_ORG_ID": "org-1"}).endpoint

    assert endpoint is not None
    assert "OpenAI-Organization" not in dict(endpoint.headers)


def test_the_next_key_has_a_request_of_its_own_and_is_not_used_yet() -> None:
    text = "services: [{id: a, provider: openai, api_key: old-key-1234, api_key_next: next-key-1}]"
    declared = read_text(text, "services.yaml", {}).services[0]

    target = make_target(declared, {})

    assert target.endpoint is not None
    assert target.next_key is not None
    sent = [value.reveal() for _, value in target.endpoint.credentials]
    following = [value.reveal() for _, value in target.next_key.endpoint.credentials]
    assert (sent, following) == (["Bearer old-key-1234"], ["Bearer next-key-1"])
    assert target.next_key.interval == 900
    assert {"Bearer next-key-1", "old-key-1234"} <= {s.reveal() for s in target.secrets()}


def test_an_unset_next_key_is_no_mistake() -> None:
    text = "services: [{id: a, provider: openai, api_key: old-key-1234, api_key_next: '${NO}'}]"

    declared = read_text(text, "services.yaml", {}).services[0]

    assert make_target(declared, {}).next_key is None


@pytest.mark.parametrize(("interval", "limit"), [(1, 5), (60, 5), (120, 3), (300, 1), (3600, 1)])
def test_the_default_of_rate_limited_can_be_reached_at_every_interval(
    interval: float, limit: float
) -> None:
    rows = thresholds_of(Alerts(), interval)

    assert [row.value for row in rows if row.kind == "rate_limited_15m"] == [limit]


def test_what_services_have_in_common_is_one_object() -> None:
    one, other = (custom(id=name) for name in ("a", "b"))
    for field in ("retry_policy", "rate_limit", "objectives", "thresholds"):
        assert getattr(one, field) is getattr(other, field)
    for field in ("tls", "expect", "headers"):
        assert getattr(endpoint_of(one), field) is getattr(endpoint_of(other), field)


def test_an_expected_value_stays_what_was_written_though_another_equals_it() -> None:
    for value in (True, 1):
        check = {"endpoint": "/", "assertions": [{"json": "$.a", "equals": value}]}
        expected = endpoint_of(custom(health_check=check)).expect
        assert expected.assertions[0].equals is value
