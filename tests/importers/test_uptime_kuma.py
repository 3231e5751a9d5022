"""Uptime Kuma's backup."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.importers import NoImportError, import_text
from exporter.settings import SettingsError
from tests.importers.foreign import kuma, only_service, warnings_of


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"interval": 300, "timeout": 20}, {"interval": "5m", "timeout": "20s"}),
        ({"interval": 60, "timeout": 0}, {"timeout": "48s"}),
        ({"accepted_statuscodes": ["200", "404"]}, {"expected_status_codes": [200, 404]}),
        (
            {"accepted_statuscodes": ["299-310"]},
            {"expected_status_codes": [300, 301, 302, 303, 304, 305, 307, 308]},
        ),
        ({"maxredirects": 3}, {"follow_redirects": 3, "allow_cross_origin": True}),
        ({"ignoreTls": 1}, {"tls": {"insecure_skip_verify": True}}),
        ({"method": "PUT", "body": '{"a": [1]}'}, {"method": "PUT", "body": {"a": [1]}}),
        (
            {"body": "a=b", "httpBodyEncoding": "form"},
            {"body": "a=b", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        ),
        ({"headers": '{"X-A": "b"}'}, {"headers": {"X-A": "b"}}),
        (
            {"type": "keyword", "keyword": "a.b $"},
            {"assertions": [{"body": True, "matches": r"a\.b \$"}]},
        ),
        (
            {"type": "keyword", "keyword": "err", "invertKeyword": True},
            {"assertions": [{"body": True, "not_matches": "err"}]},
        ),
        (
            {"type": "json-query", "jsonPath": "$.a[0].`b-c`", "expectedValue": "true"},
            {"assertions": [{"json": "$.a[0]['b-c']", "in": [True, "true"]}]},
        ),
        (
            {"type": "json-query", "jsonPath": "$", "expectedValue": "x"},
            {"assertions": [{"json": "$", "equals": "x"}]},
        ),
        (
            {"type": "json-query", "jsonPath": "n", "expectedValue": "3", "jsonPathOperator": ">"},
            {"assertions": [{"json": "$.n", "greater_than": 3}]},
        ),
        (
            {
                "type": "json-query",
                "jsonPath": "n",
                "expectedValue": "a+",
                "jsonPathOperator": "contains",
            },
            {"assertions": [{"json": "$.n", "matches": r"a\+"}]},
        ),
    ],
)
def test_fields_of_a_monitor(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    imported = kuma(**fields)

    check = only_service(imported)["health_check"]
    assert {name: check.get(name) for name in expected} == expected
    assert not imported.warnings


@pytest.mark.parametrize(
    ("fields", "timeout"),
    [
        ({"interval": 600}, "5m"),
        ({"interval": 600, "timeout": 0}, "5m"),
        ({"interval": 3}, "2400ms"),
    ],
)
def test_a_timeout_that_nobody_wrote_is_not_mentioned(fields: dict[str, Any], timeout: str) -> None:
    imported = kuma(**fields)

    assert only_service(imported)["health_check"]["timeout"] == timeout
    assert not imported.warnings


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "json-query", "jsonPath": "$sum(a.b)", "expectedValue": "3"},
        {"type": "json-query", "jsonPath": "a", "jsonPathOperator": ">", "expectedValue": "x"},
        {"type": "keyword", "keyword": "x" * 2000},
        {"type": "keyword", "keyword": "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUv"},
    ],
)
def test_a_lost_check_switches_the_service_off(fields: dict[str, Any]) -> None:
    imported = kuma(**fields)

    assert only_service(imported)["enabled"] is False
    assert "# off: " in imported.text


@pytest.mark.parametrize(
    "kind",
    [
        "ping",
        "port",
        "dns",
        "push",
        "docker",
        "steam",
        "mqtt",
        "postgres",
        "grpc-keyword",
        "radius",
        "redis",
        "mongodb",
        "kafka-producer",
        "real-browser",
        "gamedig",
        "group",
        "tailscale-ping",
    ],
)
def test_other_types_are_listed(kind: str) -> None:
    with pytest.raises(NoImportError) as caught:
        kuma(type=kind, url="https://")

    assert "no equivalent: " in str(caught.value.warnings[0])


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"resendInterval": 5}, "resendInterval"),
        ({"authMethod": "ntlm"}, "authMethod"),
        ({"authMethod": "oauth2-cc"}, "authMethod"),
        ({"authMethod": "mtls", "tlsCa": "PEM"}, "tlsCa"),
        ({"type": "json-query", "jsonPath": "$sum(a.b)", "expectedValue": "3"}, "jsonPath"),
        ({"type": "json-query", "jsonPath": "a[x=1]", "expectedValue": "3"}, "jsonPath"),
        ({"proxyId": 7}, "proxyId"),
        ({"maxredirects": 50}, "maxredirects"),
        ({"timeout": 90, "interval": 60}, "timeout"),
        ({"somethingNew": "x"}, "(…)"),
    ],
)
def test_a_field_without_equivalent_is_listed(fields: dict[str, Any], where: str) -> None:
    imported = kuma(**fields)

    assert len(imported.warnings) == 1
    assert imported.warnings[0].where in (f"monitorList[0].{where}", "monitorList[0].somethingNew")
    assert imported.warnings[0].line > 1


def test_upside_down_is_not_imported() -> None:
    with pytest.raises(NoImportError) as caught:
        kuma(upsideDown=True)

    assert "healthy while it fails" in str(caught.value.warnings[0])


def test_retries_become_failures_in_a_row() -> None:
    assert only_service(kuma(maxretries=2))["alerts"] == {"down_after": 3}
    assert only_service(kuma(maxretries=9))["alerts"] == {"down_after": 10, "critical_after": 12}


def test_basic_login_and_a_header_with_a_key_go_together() -> None:
    imported = only_service(
        kuma(basic_auth_user="u", basic_auth_pass="pass-word-1", headers='{"X-Api-Key": "k-1234"}')
    )

    assert imported["auth"] == {"kind": "basic", "username": "u"}
    assert imported["api_key"] == "${API_KEY}"
    assert imported["health_check"]["headers"] == {"X-Api-Key": "${API_X_API_KEY}"}


def test_a_second_authorization_is_listed_and_the_service_off() -> None:
    imported = kuma(
        basic_auth_user="u", basic_auth_pass="p", headers='{"Authorization": "Bearer x"}'
    )

    assert only_service(imported)["enabled"] is False
    assert "second credential" in warnings_of(imported)[0]


def test_monitors_by_number_are_read_too() -> None:
    text = json.dumps(
        {"monitorList": {"3": {"name": "a", "type": "http", "url": "https://a.example"}}}
    )

    assert only_service(import_text(text, "k.json"))["id"] == "a"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"type": None},
        {"url": ""},
        {"headers": "{"},
        {"headers": '{"a": [1]}'},
        {"interval": "soon"},
        {"accepted_statuscodes": ["2xx"]},
        {"tags": 5},
        {"active": "perhaps"},
        {"accepted_statuscodes": ["700"]},
        {"type": "keyword", "keyword": ""},
        {"url": {"a": 1}},
    ],
)
def test_a_mistake_is_reported_with_its_path(fields: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        kuma(**fields)

    assert all(problem.where.startswith("monitorList[0]") for problem in caught.value.problems)
    assert all(problem.line > 1 for problem in caught.value.problems)


@pytest.mark.parametrize("fields", [{"ipFamily": "ipv6"}, {"cacheBust": True}])
def test_what_changes_the_question_is_reported(fields: dict[str, Any]) -> None:
    [warning] = warnings_of(kuma(**fields))

    assert next(iter(fields)) in warning
    assert warnings_of(kuma(**dict.fromkeys(fields))) == []


def test_a_monitor_of_a_paused_group_is_off() -> None:
    assert only_service(kuma(forceInactive=True))["enabled"] is False
