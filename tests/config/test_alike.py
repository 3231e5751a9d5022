"""Many services that differ in names and address alone are made from one, and are what they were.

What `make_target` returns for each is the measure: a reload compares targets, and one that came out
different would have its probe restarted for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from exporter.config import Target, alike, make_target, make_targets, read_text
from exporter.providers import presets
from exporter.secret import Secret

VARIABLES = {
    "TOKEN": "bot-token-0123456789abcd",
    "API_KEY": "k" * 24,
    "OTHER_KEY": "other-key-0123456789",
    "TWILIO_ACCOUNT_SID": "AC" + "0123456789abcdef" * 2,
    "OPENAI_API_KEY": "sk-" + "o" * 40,
}
PLAIN = {"base_url": "https://api.example/v1"}
_HEADER = {"version_header": "X-Version"}
UNLIKE: tuple[dict[str, Any], ...] = (
    PLAIN,
    {"base_url": "https://b.example:8443/"},
    {"base_url": "HTTPS://BÜCHER.example/a"},
    {"base_url": "https://api.example", "health_check": {"endpoint": "/ok?probe=1"}},
    {"base_url": "https://api.example", "health_check": {"endpoint": "https://api.example/up"}},
    {
        "base_url": "https://api.example/sk_live_0123456789/v1",
        "health_check": {"endpoint": "https://api.example/up"},
    },
    {"base_url": "https://api.example", "health_check": {"endpoint": "/${TOKEN}/getMe"}},
    {
        "base_url": "https://api.example",
        "health_check": {"endpoint": "/bot-token-0123456789abcd/x"},
    },
    {"base_url": "https://api.example", "health_check": {"endpoint": "/?key=sk_live_0123456789"}},
    {"base_url": "https://api.example", "health_check": {"method": "HEAD"}},
    {"base_url": "https://api.example", "health_check": {"headers": {"X-Own": "secret-0"}}},
    {"base_url": "https://api.example", "health_check": {"proxy": "http://u:pw@proxy.example"}},
    PLAIN
    | {"name": "Shop", "metadata": {"owner": "ada", "runbook": "https://r.example", "cost": "7"}},
    PLAIN | {"metadata": {"owner": "sk-live-0123456789abcdef0123", "note": "${TOKEN}"}},
    PLAIN | {"api_key": "${API_KEY}"},
    PLAIN | {"api_key": "${NOT_SET}"},
    PLAIN | {"api_key": "${NOT_SET_EITHER}"},
    PLAIN | {"api_key": "${API_KEY}", "api_key_next": "next-key-0123456789"},
    PLAIN | {"api_key": "${API_KEY}", "auth": {"kind": "query", "name": "token"}},
    PLAIN | {"api_key": "${API_KEY}", "auth": {"kind": "basic", "username": "ada"}},
    PLAIN | {"additional_headers": {"X-Team": "payments-0123"}, "enabled": False},
    PLAIN | {"health_check": {"body": {"n": 1}, "method": "POST"}},
    PLAIN | {"health_check": {"body": {"n": True}, "method": "POST"}},
    PLAIN | {"health_check": {"body": {"n": 1.0}, "method": "POST"}},
    PLAIN | {"health_check": {"assertions": [{"json": "$.ok", "equals": True}]}},
    PLAIN | {"health_check": {"assertions": [{"json": "$.ok", "equals": 1}]}},
    PLAIN | {"alerts": {"down_after": 2}, "objectives": {"availability": "99.9%"}},
    PLAIN | {"maintenance": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}]},
    PLAIN | {"status_page": {"url": "https://status.example", "adapter": "statuspage"}},
    PLAIN | {"uses": {"api_version": "2024-01", "version_header": "X-Version"}},
    {"provider": "openai"},
    {"provider": "openai", "base_url": "https://proxy.example/openai"},
    {
        "provider": "openai",
        "base_url": "https://proxy.example",
        "health_check": {"endpoint": "/up"},
    },
    {"provider": "stripe", "api_key": "${API_KEY}", "environment": "staging"},
    {"provider": "openai", "base_url": "https://proxy.example/${TOKEN}/v1"},
    {"provider": "openai", "base_url": "https://proxy.example/bot-token-0123456789abcd/v1"},
    *(
        {"provider": provider, "api_key": key} | more
        for provider in presets()
        for key in ("${API_KEY}", "${OTHER_KEY}", "${NOT_SET}")
        for more in ({}, {"metadata": {"owner": "ada"}}, {"uses": {"api_version": "1"} | _HEADER})
    ),
    *(
        PLAIN | {"api_key": "${OTHER_KEY}"} | more
        for more in (
            {},
            {"auth": {"kind": "query", "name": "token"}},
            {"auth": {"kind": "basic", "username": "ada"}},
            {"auth": {"kind": "none"}},
            {"api_key_header": "X-Key", "additional_headers": {"X-Team": "payments-0123"}},
            {"api_key_header": "X-Key", "api_key": "${API_KEY}"}
            | {"additional_headers": {"X-Team": "payments-0123"}},
            {"health_check": {"headers": {"X-Own": "secret-0"}}},
            {"api_key": "${API_KEY}", "health_check": {"headers": {"X-Own": "secret-0"}}},
        )
    ),
)


def made(
    services: list[dict[str, Any]], keys: Mapping[str, Secret] | None = None
) -> tuple[list[Target], list[Target]]:
    """Return the targets of *services*, made together and one by one."""
    named = [{"id": f"s{n}", **service} for n, service in enumerate(services)]
    declared = read_text(json.dumps({"services": named}), "x.yaml", VARIABLES).services
    held = keys or {}
    together = make_targets(declared, VARIABLES, held.get)
    return together, [make_target(one, VARIABLES, held.get(one.raw["id"])) for one in declared]


def secrets_of(target: Target) -> list[str]:
    return [secret.reveal() for secret in target.secrets()]


@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_each_is_what_it_would_be_by_itself(turned: bool) -> None:
    services = [*UNLIKE, *UNLIKE]
    together, one_by_one = made(services[::-1] if turned else services)

    for number, (found, expected) in enumerate(zip(together, one_by_one, strict=True)):
        assert found == expected, number
        assert secrets_of(found) == secrets_of(expected), number


@pytest.fixture
def by_themselves(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of those that are made like no other."""
    found: list[str] = []

    def counted(declared: Any, *arguments: Any) -> Target:
        found.append(declared.raw["id"])
        return make_target(declared, *arguments)

    monkeypatch.setattr(alike, "make_target", counted)
    return found


def test_those_that_differ_in_names_and_address_alone_are_made_from_one(
    by_themselves: list[str],
) -> None:
    paths = [PLAIN | {"health_check": {"endpoint": f"/{n}"}} for n in range(50)]
    hosts = [{"name": f"S {n}", "base_url": f"https://s{n}.example"} for n in range(50)]

    together, _ = made([*paths, *hosts])

    assert by_themselves == ["s0", "s50"]
    assert [target.host for target in together[-2:]] == ["s48.example", "s49.example"]


@pytest.mark.parametrize("provider", sorted({"openai", "stripe", "twilio", "openrouter"}))
def test_those_of_a_preset_that_differ_in_names_and_key_alone_are_made_from_one(
    provider: str, by_themselves: list[str]
) -> None:
    keys = [f"tenant-{n:02}-0123456789" for n in range(20)]

    together, one_by_one = made([{"provider": provider, "api_key": key} for key in keys])

    assert by_themselves == ["s0"]
    assert together == one_by_one
    assert [set(secrets_of(target)) for target in together] == [
        set(secrets_of(target)) for target in one_by_one
    ]
    assert [target.key.reveal() for target in together if target.key] == keys
    for target, key in zip(together, keys, strict=True):
        others = {other for other in keys if other != key}
        assert not any(other in text for other in others for text in secrets_of(target))


def test_a_key_that_replaces_one_is_its_services_alone() -> None:
    keyed = PLAIN | {"api_key": "${API_KEY}"}

    together, one_by_one = made([keyed, keyed, keyed], {"s1": Secret("rotated-key-0123")})

    assert together == one_by_one
    assert [target.key.reveal() for target in together if target.key] == [
        "k" * 24,
        "rotated-key-0123",
        "k" * 24,
    ]


@pytest.mark.parametrize("check", ["https://api.example/up", "/up", ""])
def test_a_key_in_the_base_url_is_a_secret_wherever_the_check_is(check: str) -> None:
    """The user's own calls go there, and what sends them may log the address."""
    health = {"health_check": {"endpoint": check}} if check else {}

    together, _ = made([{"base_url": "https://api.example/sk_live_0123456789/v1"} | health])

    assert [secrets_of(target) for target in together] == [["sk_live_0123456789"]]
