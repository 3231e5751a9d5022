"""Gatus: every form of condition, and what has no equivalent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.importers import NoImportError, import_text
from exporter.settings import SettingsError
from tests.importers.foreign import accepts, conditions, gatus, only_service, warnings_of

OK = '    conditions: ["[STATUS] == 200"]\n'


@pytest.mark.parametrize(
    ("condition", "assertions"),
    [
        ("[BODY].status == UP", [{"json": "$.status", "equals": "UP"}]),
        ("UP == [BODY].status", [{"json": "$.status", "equals": "UP"}]),
        ("[body].Status != DOWN", [{"json": "$.Status", "not_equals": "DOWN"}]),
        ("[BODY].status != DOWN", [{"json": "$.status", "not_equals": "DOWN"}]),
        ("[BODY].n == 5", [{"json": "$.n", "equals": 5}]),
        ("[BODY].n == 5.25", [{"json": "$.n", "equals": 5.25}]),
        ("[BODY].n == 007", [{"json": "$.n", "in": [7, "007"]}]),
        ("[BODY].n == 0x1f", [{"json": "$.n", "in": [31, "0x1f"]}]),
        ("[BODY].n == any(007)", [{"json": "$.n", "equals": "007"}]),
        ("[BODY].ok == true", [{"json": "$.ok", "in": [True, "true"]}]),
        ("[BODY].ok == any(a, 2)", [{"json": "$.ok", "in": ["a", 2]}]),
        (
            "[BODY].ok != any(a, b)",
            [{"json": "$.ok", "not_equals": "a"}, {"json": "$.ok", "not_equals": "b"}],
        ),
        ("[BODY].name == pat(john*)", [{"json": "$.name", "matches": "^john"}]),
        ("[BODY].name != pat(*x?z)", [{"json": "$.name", "not_matches": "(?s)x.z$"}]),
        ("[BODY].data[0].my-id == 1", [{"json": "$.data[0]['my-id']", "equals": 1}]),
        ("[BODY][1].id == 1", [{"json": "$[1].id", "equals": 1}]),
        ("[BODY].n < 5", [{"json": "$.n", "less_than": 5}]),
        ("[BODY].n <= 5", [{"json": "$.n", "less_than": 6}]),
        ("[BODY].n > 5", [{"json": "$.n", "greater_than": 5.999999}]),
        ("5 < [BODY].n", [{"json": "$.n", "greater_than": 5.999999}]),
        ("[BODY].n >= 5", [{"json": "$.n", "greater_than": 4.999999}]),
        ("len([BODY].data) > 0", [{"json": "$[?length($.data) > 0]", "exists": True}]),
        ("len([BODY].data) >= 2", [{"json": "$[?length($.data) >= 2]", "exists": True}]),
        (
            "len([BODY].data) < 5",
            [{"json": "$[?length($.data) < 5 && (!$.data.* || $.data[0])]", "exists": True}],
        ),
        (
            "has([BODY].errors) == false",
            [{"json": "$[?$.errors && $.errors != null]", "exists": False}],
        ),
        (
            "has([BODY].data) != false",
            [{"json": "$[?$.data && $.data != null]", "exists": True}],
        ),
        ("has([BODY]) == true", [{"body": True, "matches": r"\S"}]),
        ("has([BODY]) == false", [{"body": True, "matches": r"^\s*$"}]),
        ("[BODY] == pong", [{"body": True, "matches": r"^\s*pong\s*$"}]),
        ("[BODY] == pat(*a.b*)", [{"body": True, "matches": r"a\.b"}]),
        ("[HEADER].Content-Type == pat(*json*)", [{"header": "Content-Type", "matches": "json"}]),
        ("has([HEADER].ETag) == true", [{"header": "ETag", "exists": True}]),
    ],
)
def test_a_condition_on_the_answer(condition: str, assertions: list[dict[str, Any]] | None) -> None:
    imported = conditions("[STATUS] == 200", condition)

    check = only_service(imported)["health_check"]
    assert check.get("assertions") == assertions
    assert bool(warnings_of(imported)) is (assertions is None)


# What config/endpoint/condition_test.go of Gatus says, and what its code says beyond.
@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [
        ("[BODY] == pong", ["pong", "pong\n", " \r\npong\t"], ["pong!", "xpong", "po\nng", ""]),
        ("[BODY] != pong", ["pong!", ""], ["pong", "pong\n"]),
        ("[BODY] == a.b(c)", ["a.b(c)\n"], ["axb(c)"]),
        ("[BODY] == any(up, ok)", ["up\n", "ok"], ["upok", "u", "up\nok"]),
        ("[BODY] != any(up, ok)", ["down"], ["up\n", "ok"]),
        ("[BODY] == pat(*up)", ["it is up\n", "up"], ["up it is"]),
        ("[BODY] == pat(up*)", ["\n up it is", "up"], ["it is up"]),
        ("[BODY] == pat(u?)", [" up\n"], ["u", "upp"]),
        ("[BODY] == pat(*)", ["", "x"], []),
        ("[BODY] != pat(*error*)", ["fine"], ["an error\n", "a\nerror"]),
        ("[BODY] == [1, 2]", ["[1, 2]\n"], ["[1,2]"]),
        ("[body] == pong", ["pong\n"], ["ping"]),
        ("[Body].name == john", ['{"name": "john"}'], ['{"Name": "john"}', '{"name": " john"}']),
        ("has([BODY]) == false", ["", " \n"], ["x"]),
        ("len([BODY]) > 0", ["x", "[1]"], ["", "[]", "[ ]"]),
        ("len([BODY].name) == 3", ['{"name": "bob"}', '{"name": [1, 2, 3]}'], ['{"name": "bo"}']),
        ("len([BODY].name) > 3", ['{"name": "john"}'], ['{"name": "bob"}', '{"name": [1]}', "{}"]),
        ("len([BODY].name) < 3", ['{"name": "bo"}', '{"name": []}'], ['{"name": {"a": 1}}']),
        ("len([BODY].name) != 3", ['{"name": "bo"}'], ['{"name": "bob"}', '{"name": [1, 2, 3]}']),
        ("has([BODY].errors) == false", ['{"errors": null}', "{}"], ['{"errors": []}']),
        ("has([BODY].data) == true", ['{"data": []}', '{"data": 0}'], ['{"data": null}', "{}"]),
        ("[BODY].ok == true", ['{"ok": true}', '{"ok": "true"}'], ['{"ok": 1}', '{"ok": "True"}']),
        ("[BODY].ok != true", ['{"ok": false}', "{}"], ['{"ok": true}', '{"ok": "true"}']),
        ("[BODY].n == 7", ['{"n": 7}', '{"n": "7"}', '{"n": 7.0}'], ['{"n": 7.5}', '{"n": "x"}']),
        ("[BODY].n == 007", ['{"n": 7}', '{"n": "007"}'], ['{"n": 8}']),
        ("[BODY].n > 5", ['{"n": 6}', '{"n": "6"}'], ['{"n": 5.9}', '{"n": 5}']),
        ("[BODY].n <= 5", ['{"n": 5.9}', '{"n": 5}', '{"n": -1}'], ['{"n": 6}']),
        ("[BODY].n < 0", ['{"n": -1}'], ['{"n": -0.5}', '{"n": 0}']),
        ("[BODY].n >= 0", ['{"n": -0.5}', '{"n": 0}'], ['{"n": -1}']),
        ("[BODY].n < 5.7", ['{"n": 4.9}'], ['{"n": 5}']),
        ("[BODY].n < 1s", ['{"n": 999}'], ['{"n": 1000}']),
        ("[BODY].a == b == c", ['{"a": "b"}'], ['{"a": "b == c"}']),
        ("[BODY].u == pat(*/v1/*)", ['{"u": "x/v1/y"}'], ['{"u": "x/v2/y"}']),
        ("[BODY].u != pat(*/v1/*)", ['{"u": "x/v2/y"}'], ['{"u": "xv1y"}']),
    ],
)
def test_an_answer_is_as_good_as_in_gatus(condition: str, good: list[str], bad: list[str]) -> None:
    imported = conditions("[STATUS] == 200", condition)

    assert not imported.warnings
    assert {body: accepts(imported, body) for body in good} == dict.fromkeys(good, True)
    assert {body: accepts(imported, body) for body in bad} == dict.fromkeys(bad, False)


def test_a_variable_in_a_condition_is_a_text_and_no_pattern() -> None:
    imported = conditions("[STATUS] == 200", "[BODY] == ${PONG}", "[BODY].v == ${VERSION}")

    assert only_service(imported)["health_check"]["assertions"] == [
        {"body": True, "matches": r"^\s*\Q${PONG}\E\s*$"},
        {"json": "$.v", "matches": r"^\Q${VERSION}\E$"},
    ]


@pytest.mark.parametrize("name", ["[STATUS]", "[status]", "[Status]"])
def test_a_placeholder_is_read_in_any_case(name: str) -> None:
    imported = conditions(f"{name} == 200")

    assert not imported.warnings
    assert (accepts(imported, "x"), accepts(imported, "x", 500)) == (True, False)


@pytest.mark.parametrize(
    ("lines", "statuses"),
    [
        (["[STATUS] == 200"], [200]),
        (["[STATUS] == any(200, 429, 499)"], [200, 429, 499]),
        (["[STATUS] >= 200", "[STATUS] < 203"], [200, 201, 202]),
        (["[STATUS] <= 201"], [200, 201]),
        (["[STATUS] > 507", "[STATUS] < 520"], [508, 510, 511]),
        (["[STATUS] == pat(30*)", "[STATUS] != 300"], [301, 302, 303, 304, 305, 307, 308]),
        (["200 == [STATUS]"], [200]),
    ],
)
def test_conditions_on_the_status(lines: list[str], statuses: list[int]) -> None:
    assert only_service(conditions(*lines))["health_check"]["expected_status_codes"] == statuses


def test_no_condition_on_the_status_means_any_and_is_reported() -> None:
    imported = conditions("[BODY].a == 1")

    codes = only_service(imported)["health_check"]["expected_status_codes"]
    assert {200, 404, 503} <= set(codes)
    assert ["any status is accepted" in line for line in warnings_of(imported)] == [True]


@pytest.mark.parametrize(
    "condition",
    [
        "[IP] == 127.0.0.1",
        "[DOMAIN_EXPIRATION] > 720h",
        "[DNS_RCODE] == NOERROR",
        "[CONTEXT].a == 1",
        "age([HEADER].Last-Modified) < 10m",
        "[BODY].x[*].y == 1",
        "len([BODY]) > 5",
        "[BODY].a == [BODY].b",
        "[BODY].x == map[a:1]",
        "[RESPONSE_TIME] > 5",
        "[CERTIFICATE_EXPIRATION] < 48h",
        "[STATUS] == abc",
        "nonsense",
        "[STATUS]==200",
        "[BODY].x == pat([ab]*)",
        "len([BODY].x) == any(1, 2)",
        "[BODY] == [body].b",
        "[CONNECTED] == TRUE",
        "LEN([BODY].x) == 3",
        '[BODY].x == {"a":1}',
        "[BODY].x < abc",
        "[NEW] == 1",
        "1 == 1",
        "len([HEADER].x) == 1",
        "len([STATUS]) == 3",
        "has([BODY].a) == maybe",
    ],
)
def test_a_condition_without_equivalent_is_listed(condition: str) -> None:
    imported = conditions("[STATUS] == 200", condition)

    assert [line.split(": ")[1] for line in warnings_of(imported)] == ["endpoints[0].conditions[1]"]
    assert warnings_of(imported)[0].startswith("gatus.yaml:6: ")
    assert "assertions" not in only_service(imported)["health_check"]
    assert only_service(imported)["enabled"] is False
    assert "enabled: false  # off: conditions[1] has no equivalent" in imported.text


@pytest.mark.parametrize(
    "lines", [["[CONNECTED] == false"], ["[STATUS] == 200", "[STATUS] == 201"]]
)
def test_an_endpoint_that_could_never_be_healthy_is_not_imported(lines: list[str]) -> None:
    with pytest.raises(NoImportError) as caught:
        conditions(*lines)

    assert len(caught.value.warnings) == 1


def test_times_and_certificates_become_alerts() -> None:
    imported = conditions(
        "[STATUS] == 200",
        "[RESPONSE_TIME] < 1s",
        "[RESPONSE_TIME] <= 800",
        "[CERTIFICATE_EXPIRATION] > 49h",
        "[CONNECTED] == true",
    )

    assert only_service(imported)["alerts"] == {"latency_p95": "800ms", "certificate_days": 3}
    assert not imported.warnings


def test_a_timeout_that_nobody_wrote_is_not_mentioned() -> None:
    silent = gatus(OK + "    interval: 5s\n")
    written = gatus(OK + "    interval: 5s\n    client: {timeout: 6s}\n")

    assert only_service(silent)["health_check"]["timeout"] == "5s"
    assert not silent.warnings
    assert [w.where for w in written.warnings] == ["endpoints[0].client.timeout"]


def test_the_smallest_threshold_of_an_enabled_alert_counts() -> None:
    text = OK + (
        "    alerts:\n      - {type: slack}\n      - {type: email, failure-threshold: 9}\n"
        "      - {type: ntfy, failure-threshold: 1, enabled: false}\n"
        "alerting:\n  slack: {default-alert: {failure-threshold: 7}}\n"
    )

    assert only_service(gatus(text))["alerts"] == {"down_after": 7, "critical_after": 9}


@pytest.mark.parametrize(
    "url",
    [
        "tcp://a.example:1",
        "udp://a.example:1",
        "icmp://a.example",
        "tls://a.example:443",
        "starttls://a.example:25",
        "ssh://a.example:22",
        "ws://a.example",
        "wss://a.example",
        "sctp://a.example:1",
        "grpc://a.example:1",
    ],
)
def test_other_kinds_are_listed(url: str) -> None:
    with pytest.raises(NoImportError) as caught:
        gatus(OK, url=url)

    assert "only http and https" in str(caught.value.warnings[0])


@pytest.mark.parametrize("name", ["oauth2", "identity-aware-proxy", "kerberos"])
def test_a_login_without_equivalent_switches_the_service_off(name: str) -> None:
    imported = gatus(OK + f"    client:\n      {name}: {{audience: x}}\n")

    assert only_service(imported)["enabled"] is False
    assert f"client.{name}" in warnings_of(imported)[0]


def test_variables_stay_variables_and_dollars_stay_dollars() -> None:
    imported = gatus(
        "    headers:\n      Authorization: Bearer ${TOKEN}\n      X-A: $HOST/x\n"
        "      X-B: $$5\n      X-C: $${NO}\n" + OK,
        url="https://${HOST}:${PORT}/a/$PATH_",
    )

    service = only_service(imported)
    assert service["base_url"] == "https://${HOST}:${PORT}"
    assert service["api_key"] == "${TOKEN}"
    assert service["health_check"]["endpoint"] == "/a/${PATH_}"
    assert service["health_check"]["headers"] == {
        "X-A": "${HOST}/x",
        "X-B": "$5",
        "X-C": "$${NO}",
    }
    assert not imported.settings


@pytest.mark.parametrize(
    "proxy",
    [
        "${PROXY_URL}",
        "${SCHEME}://${HOST}:${PORT}",
        "http://${HOST}:${PORT}",
        "http://${USER}:${PASS}@proxy.example:3128",
        "socks5://user:${PASS}@proxy.example:1080",
        "${PROXY}:3128",
    ],
)
def test_a_variable_passes_through_in_a_proxy(proxy: str) -> None:
    imported = gatus(f"    client: {{proxy-url: '{proxy}'}}\n" + OK)

    assert only_service(imported)["health_check"]["proxy"] == proxy
    assert "enabled" not in only_service(imported)
    assert not imported.warnings
    assert not imported.settings


def test_a_password_beside_a_variable_of_a_proxy_is_hidden() -> None:
    imported = gatus("    client: {proxy-url: '${SCHEME}://u:hunter2hunter2@${HOST}'}\n" + OK)

    assert "hunter2" not in imported.text
    assert [setting.name for setting in imported.settings] == ["API_PROXY_LOGIN"]


def test_variables_pass_through_in_secret_headers() -> None:
    headers = {"Cookie": "session=${SID}; theme=${THEME}", "X-Auth-Token": "Token ${T}"}
    imported = gatus(f"    headers: {json.dumps({'Authorization': '$A'} | headers)}\n" + OK)

    service = only_service(imported)
    assert (service["api_key"], service["health_check"]["headers"]) == ("${A}", headers)
    assert not imported.settings


def test_a_number_in_a_header_keeps_its_digits() -> None:
    imported = gatus("    headers:\n      X-Version: 1.10\n      X-Yes: yes\n" + OK)

    assert only_service(imported)["health_check"]["headers"] == {
        "X-Version": "1.10",
        "X-Yes": "yes",
    }


def test_all_mistakes_are_reported_at_once() -> None:
    text = (
        "endpoints:\n  - name: a\n    url: https://a.example\n    interval: soon\n"
        "    headers: [x]\n"
        "    enabled: perhaps\n    conditions: {}\n  - url: https://b.example\n  - name: c\n  - 5\n"
    )

    with pytest.raises(SettingsError) as caught:
        import_text(text, "g.yaml", kind="gatus")

    lines = [problem.line for problem in caught.value.problems]
    assert len(lines) >= 7
    assert {4, 5, 6, 7} <= set(lines)
