"""Known providers become presets only where the preset does at least as much."""

from __future__ import annotations

import pytest

from tests.importers.foreign import gatus, only_service

OK = '    conditions: ["[STATUS] == 200"]\n'
URL = "https://api.openai.com/v1/models"
KEY = "    headers: {Authorization: Bearer sk-proj-abcdefghijklmnop123}\n"


def test_the_same_check_becomes_the_preset() -> None:
    service = only_service(gatus(KEY + OK, url=URL))

    assert service["provider"] == "openai"
    assert service["api_key"] == "${OPENAI_API_KEY}"
    assert not {"base_url", "auth", "api_key_header"} & service.keys()
    assert not {"endpoint", "method", "expected_status_codes"} & service["health_check"].keys()


def test_what_the_preset_sends_anyway_is_left_out() -> None:
    text = (
        "    headers:\n      x-api-key: sk-ant-abcdefghijklmnop123\n"
        '      anthropic-version: "2023-06-01"\n      X-Mine: a\n'
    )

    service = only_service(gatus(text + OK, url="https://api.anthropic.com/v1/models"))

    assert service["provider"] == "anthropic"
    assert service["health_check"]["headers"] == {"X-Mine": "a"}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (OK, URL),
        (KEY + OK, URL + "/gpt-4"),
        (KEY + OK, URL + "?x=1"),
        (KEY + "    method: HEAD\n" + OK, URL),
        (KEY + "    body: x\n" + OK, URL),
        (KEY + '    conditions: ["[STATUS] == 401"]\n', URL),
        (KEY + '    conditions: ["[STATUS] < 500"]\n', URL),
        (KEY + '    conditions: ["[STATUS] == 200", "[BODY].object == list"]\n', URL),
        ("    headers: {X-Key: abc-def-123}\n" + OK, URL),
        ("    headers: {Authorization: Token abc-def-123}\n" + OK, URL),
        (KEY + OK, "http://api.openai.com/v1/models"),
    ],
)
def test_another_check_stays_the_users_own_and_is_pointed_at(text: str, url: str) -> None:
    imported = gatus(text, url=url)

    assert "provider" not in only_service(imported)
    assert "a known API: see `service-registry providers openai`" in imported.text


def test_a_second_key_gets_a_variable_of_its_own() -> None:
    second = KEY.replace("abcdefghijklmnop123", "zyxwvutsrqp987")
    second = f"  - name: b\n    url: {URL}\n{second}"

    imported = gatus(KEY + OK + second + OK, url=URL)

    assert [s["api_key"] for s in imported.services] == ["${OPENAI_API_KEY}", "${B_KEY}"]
