"""What all formats share: addresses, credentials, proxies, labels, limits."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from exporter.importers import NoImportError
from tests.importers.foreign import blackbox, gatus, kuma, only_service, warnings_of

OK = '    conditions: ["[STATUS] == 200"]\n'


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer abc", {}),
        ("Token abc", {"api_key_prefix": "Token "}),
        ("abc", {"api_key_prefix": ""}),
        (basic("me:abc"), {"auth": {"kind": "basic", "username": "me"}}),
        (basic("sk-live-51H8xkq:"), {"auth": {"kind": "basic"}}),
        ("Basic ###", {"api_key_prefix": "Basic "}),
    ],
)
def test_the_authorization_header_becomes_the_key(header: str, expected: dict[str, Any]) -> None:
    service = only_service(gatus(f'    headers: {{Authorization: "{header}"}}\n' + OK))

    assert service.pop("api_key") == "${API_KEY}"
    imported = {name: service[name] for name in ("auth", "api_key_prefix") if name in service}
    assert imported == expected


@pytest.mark.parametrize(
    ("url", "base", "endpoint"),
    [
        ("https://a.example", "https://a.example", None),
        ("HTTPS://a.example/", "https://a.example", None),
        ("https://a.example:8443/x/?y=1#z", "https://a.example:8443", "/x/?y=1"),
        ("https://a.example?y=1", "https://a.example", "/?y=1"),
        ("https://a.example/a b", "https://a.example", "/a%20b"),
        ("https://[2606:4700::1]/x", "https://[2606:4700::1]", "/x"),
    ],
)
def test_a_url_becomes_base_and_endpoint(url: str, base: str, endpoint: str | None) -> None:
    service = only_service(kuma(url=url))

    assert service["base_url"] == base
    assert service["health_check"].get("endpoint") == endpoint


def test_the_variables_of_a_url_without_scheme_stay() -> None:
    service = only_service(gatus(OK, url="${BASE}/health?verbose=1&token=${T}"))

    assert service["base_url"] == "${BASE}/health?verbose=1"
    assert (service["auth"], service["api_key"]) == ({"kind": "query", "name": "token"}, "${T}")


def test_an_endpoint_that_is_too_long_is_not_imported() -> None:
    with pytest.raises(NoImportError) as caught:
        kuma(url="https://a.example/" + "x/" * 2000)

    assert "2048" in str(caught.value.warnings[0])


@pytest.mark.parametrize("proxy", ["socks4://p.example:1", "p.example:1", "http://"])
def test_a_proxy_without_equivalent_switches_the_service_off(proxy: str) -> None:
    imported = gatus(f"    client: {{proxy-url: '{proxy}'}}\n" + OK)

    assert only_service(imported)["enabled"] is False
    assert "client.proxy-url" in warnings_of(imported)[0]


def test_a_password_file_needs_a_user() -> None:
    imported = blackbox("      basic_auth: {password_file: /run/x}\n")

    assert "no user name that may be written" in warnings_of(imported)[0]


@pytest.mark.parametrize(
    ("label", "value", "expected"),
    [
        ("env", "qa", {"environment": "qa"}),
        ("team", "core", {"team": "core"}),
        ("owner", "me", {"metadata": {"owner": "me"}}),
        ("runbook", "https://wiki.example/x", {"metadata": {"runbook": "https://wiki.example/x"}}),
        ("runbook", "see wiki", None),
        ("api_token", "x", None),
        ("a", "x" * 600, None),
        ("a", "", {}),
    ],
)
def test_labels_become_fields(label: str, value: str, expected: dict[str, Any] | None) -> None:
    imported = gatus(f"    extra-labels: {{{label}: '{value}'}}\n" + OK)

    service = only_service(imported)
    for name in ("environment", "team", "metadata"):
        assert service.get(name) == (expected or {}).get(name)
    assert bool(imported.warnings) is (expected is None)


def test_intervals_beyond_our_limits_are_cut_and_reported() -> None:
    imported = gatus("    interval: 100ms\n    client: {timeout: 50ms}\n" + OK)

    check = only_service(imported)["health_check"]
    assert (check["interval"], check["timeout"]) == ("1s", "50ms")
    assert len(imported.warnings) == 1


def test_a_service_that_check_config_refuses_is_left_out_and_the_others_are_taken() -> None:
    other = "  - name: other\n    url: https://b.example\n" + OK
    text = "    extra-labels: {runbook: 'https://:x'}\n"

    imported = gatus(text + OK + other)

    assert [s["id"] for s in imported.services] == ["other"]
    assert any(
        "endpoints[0]: not imported: metadata.runbook" in line for line in warnings_of(imported)
    )
