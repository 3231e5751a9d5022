"""No secret of a foreign file comes out anywhere, whatever its place."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from exporter.cli.importing import run_import
from exporter.importers import Imported, NoImportError
from exporter.importers.address import split_url
from exporter.importers.credentials import holds_key, is_secret_name
from exporter.secret import looks_like_key
from exporter.settings import SettingsError
from tests.importers.foreign import (
    EXAMPLES,
    arguments,
    blackbox,
    example,
    gatus,
    kuma,
    only_service,
    original,
)
from tests.sentinel import forms_of

SECRET = "Zq7Sk9-SENTINEL/x4Wv8+Tb2Ke=="
PLAIN = "Zq7Sk9SENTINELx4Wv8Tb2Ke"
BASIC = base64.b64encode(f"user:{PLAIN}".encode()).decode()
OK = '    conditions: ["[STATUS] == 200"]\n'
Q = quote(SECRET, safe="")


def everything(imported: Imported) -> str:
    parts = [imported.text, json.dumps(imported.data)]
    parts += map(str, (*imported.warnings, *imported.remarks, *imported.settings))
    return "\n".join(parts) + repr(imported)


def forms(secret: str) -> Iterator[bytes]:
    for form in forms_of(secret).values():
        yield form
        yield form.lower()


def assert_clean(output: str, *secrets: str) -> None:
    raw = output.encode()
    for secret in secrets:
        for form in forms(secret):
            assert form not in raw, form
            assert form not in raw.lower(), form


def _gatus(text: str, **fields: str) -> Imported:
    return gatus(text + OK, **fields)


HEADERS = {
    "Authorization": f"Bearer {SECRET}",
    "X-Api-Key": SECRET,
    "Cookie": f"session={SECRET}",
    "authorization": f"Basic {BASIC}",
    "X-Custom": PLAIN,
    "X-Note": f"see {PLAIN} there",
    "User-Agent": f"probe/{PLAIN}",
    "Proxy-Authorization": f"Basic {BASIC}",
    "Authorization-2": f"Weird {SECRET}",
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_give_nothing_away(name: str) -> None:
    value = HEADERS[name]
    quoted = json.dumps(value)
    section = f"      headers:\n        {name}: {quoted}\n"

    assert_clean(everything(_gatus(f"    headers:\n      {name}: {quoted}\n")), SECRET, PLAIN)
    assert_clean(everything(kuma(headers=json.dumps({name: value}))), SECRET, PLAIN)
    assert_clean(everything(blackbox(section)), SECRET, PLAIN)
    for headers in (
        {"additionalHeaders": {name: value}},
        {"healthCheck": {"headers": {name: value}}},
    ):
        assert_clean(everything(original(headers)), SECRET, PLAIN)


URLS = [
    f"https://api.example.com/v1?{PLAIN}",
    f"https://api.example.com/v1?{Q}",
    f"https://api.example.com/v1?a=1&{PLAIN}",
    f"https://api.example.com/v1?a=1;token={PLAIN};b=2",
    f"https://api.example.com/v1?a=1;{PLAIN}",
    f"https://api.example.com/v1;jsessionid=1;token={PLAIN}/x",
    f"https://api.example.com/v1;auth={Q}?a=1",
    f"https://{PLAIN}@api.example.com/v1",
    f"https://u:{Q}@api.example.com/v1?{PLAIN}x",
    f"https://api.example.com/v1?api_key={Q}",
    f"https://api.example.com/v1?a=1&token={PLAIN}&b=2",
    f"https://api.example.com/v1?key={Q}&secret={Q}x",
    f"https://api.example.com/x?q={PLAIN}",
    f"https://user:{Q}@api.example.com/v1",
    f"https://{PLAIN}:@api.example.com/v1",
    f"https://{PLAIN}@api.example.com/",
    f"https://api.example.com/hook/{PLAIN}/x",
    f"https://api.example.com/token/{PLAIN}",
    f"https://api.example.com/v1#{SECRET}",
    f"https://api.telegram.org/bot123456:{PLAIN}/getMe",
]


PATH = f"/hook/{PLAIN}/x?token={Q}"


@pytest.mark.parametrize("url", URLS)
def test_urls_give_nothing_away(url: str) -> None:
    for imported in (
        _gatus("", url=json.dumps(url)),
        kuma(url=url, name=url),
        blackbox("      method: GET\n", url),
        original({"baseUrl": url, "name": url}),
        original({"healthCheck": {"endpoint": url}}),
        original({"healthCheck": {"endpoint": url.partition("example.com")[2].partition("#")[0]}}),
        original({"provider": "openai", "baseUrl": "", "healthCheck": {"endpoint": PATH}}),
    ):
        assert_clean(everything(imported), SECRET, PLAIN)


BODIES = [
    json.dumps({"user": "me", "password": SECRET}),
    json.dumps({"a": [{"client_secret": SECRET}]}),
    json.dumps({"note": PLAIN}),
    f"user=me&password={Q}&x=1",
    f"<login><password>{PLAIN}</password></login>",
    f"token: {PLAIN}",
    f'{{"broken": "password": "{PLAIN}"',
    f"free text with {PLAIN} inside",
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("encoding", ["json", "form", "xml"])
def test_bodies_give_nothing_away(body: str, encoding: str) -> None:
    assert_clean(everything(_gatus(f"    body: {json.dumps(body)}\n")), SECRET, PLAIN)
    assert_clean(everything(kuma(body=body, httpBodyEncoding=encoding)), SECRET, PLAIN)
    assert_clean(everything(blackbox(f"      body: {json.dumps(body)}\n")), SECRET, PLAIN)
    assert_clean(everything(original({"healthCheck": {"body": body}})), SECRET, PLAIN)


def test_kumas_other_places_give_nothing_away() -> None:
    imported = kuma(
        name=f"API {SECRET} of {PLAIN}",
        description=f"key is {PLAIN}",
        basic_auth_user="u",
        basic_auth_pass=SECRET,
        tags=[
            {"name": "token", "value": SECRET},
            {"name": "x", "value": PLAIN},
            {"name": PLAIN, "value": "y"},
        ],
        pushToken=SECRET,
        databaseConnectionString=f"postgres://u:{SECRET}@h/d",
        oauth_client_secret=SECRET,
        mqttPassword=SECRET,
        unknownThing=SECRET,
    )

    assert_clean(everything(imported), SECRET, PLAIN)


ALONE: list[dict[str, object]] = [
    {"apiKey": f"${{{PLAIN}}}"},
    {"apiKey": f"${{X:-{PLAIN}}}"},
    {"apiKey": f"process.env.X || '{PLAIN}'"},
    {"apiKey": "x", "apiKeyHeader": PLAIN},
    {"apiKey": "x", "apiKeyPrefix": PLAIN},
    {"apiKeyEnv": PLAIN},
    {"apiKeyEnv": SECRET},
    {"environment": PLAIN},
    {"id": PLAIN},
    {"name": PLAIN},
    {"provider": PLAIN},
    {"type": PLAIN},
    {"owner": PLAIN},
    {"metadata": {PLAIN: "x"}},
    {"metadata": {"x": [PLAIN]}},
    {PLAIN: 1},
    {"healthCheck": {f"expect{PLAIN}": 1}},
    {"healthCheck": {"endpoint": f"https://a.example/{PLAIN}"}},
]


@pytest.mark.parametrize("service", ALONE)
def test_one_place_of_the_original_gives_nothing_away(service: dict[str, object]) -> None:
    assert_clean(everything(original(service)), SECRET, PLAIN)


@pytest.mark.parametrize("provider", ["", "openai", "anthropic", PLAIN])
def test_the_originals_places_give_nothing_away(provider: str) -> None:
    texts: dict[str, object] = dict.fromkeys(
        ("id", "name", "type", "team", "owner", "description", "environment", "apiKeyEnv"), PLAIN
    )
    texts |= {"metadata": {"token": SECRET, "x": PLAIN, PLAIN: "y", "z": [PLAIN]}, PLAIN: 1}
    for key in (SECRET, f"${{{PLAIN}}}", f"process.env.X || '{PLAIN}'", f"${{X:-{SECRET}}}"):
        for part in ({"apiKeyPrefix": PLAIN}, {"apiKeyHeader": PLAIN}, {"apiKeyPrefix": "Bearer"}):
            service = {"provider": provider, "apiKey": key, **texts, **part}
            check = {"body": {"password": SECRET, "n": 1.5, PLAIN: PLAIN}, PLAIN: PLAIN}
            imported = original(
                service | {"healthCheck": check | {f"expect{PLAIN}": 1}, "retryPolicy": {PLAIN: 1}},
                monitoring={PLAIN: 1, "metricsRetentionDays": 30},
                **{PLAIN: SECRET},
            )

            assert_clean(everything(imported), SECRET, PLAIN)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "keyword", "keyword": PLAIN},
        {"type": "json-query", "jsonPath": "a", "expectedValue": PLAIN},
        {"authMethod": "mtls", "tlsKey": PLAIN, "tlsCert": PLAIN},
    ],
)
def test_kumas_expectations_give_nothing_away(fields: dict[str, str]) -> None:
    assert_clean(everything(kuma(**fields)), PLAIN)


@pytest.mark.parametrize(
    "http",
    [
        f"      bearer_token: {json.dumps(SECRET)}\n",
        f"      authorization: {{credentials: {json.dumps(SECRET)}}}\n",
        f"      basic_auth: {{username: u, password: {json.dumps(SECRET)}}}\n",
        f"      basic_auth: {{username: {json.dumps(PLAIN)}}}\n",
        f"      proxy_url: http://u:{Q}@p.example:1\n",
        f"      oauth2: {{client_secret: {json.dumps(SECRET)}}}\n",
    ],
)
def test_modules_give_nothing_away(http: str) -> None:
    assert_clean(everything(blackbox(http)), SECRET, PLAIN)


def test_conditions_and_labels_give_nothing_away() -> None:
    imported = gatus(
        f"    group: {PLAIN}\n    extra-labels: {{api_token: {PLAIN}x, note: {PLAIN}}}\n"
        "    conditions:\n"
        f'      - "[STATUS] == 200"\n      - "[BODY].token == {PLAIN}"\n'
        f'      - "[BODY].a == pat(*{PLAIN}*)"\n      - "[BODY].{PLAIN} == 1"\n      - "{PLAIN}"\n'
    )

    assert_clean(everything(imported), PLAIN)


WEAK = "hunter2-tiger"
"""Does not look like a key: only the name of its field says that it is one."""


@pytest.mark.parametrize(
    ("condition", "assertion"),
    [
        (f"[BODY].token == {WEAK}", {"json": "$.token", "matches": "^\\Q${API_TOKEN}\\E$"}),
        (f"{WEAK} == [BODY].a.password", {"json": "$.a.password"}),
        (f"[HEADER].X-Api-Key == {WEAK}", {"header": "X-Api-Key", "equals": "${API_X_API_KEY}"}),
        (f"[BODY].keys[0].secret != {WEAK}", {"json": "$.keys[0].secret"}),
        (f"[BODY].token == any({WEAK}, {WEAK}2)", {"json": "$.token"}),
        ("[BODY].token == true", {"json": "$.token", "in": [True, "true"]}),
        ("[BODY].code == 0", {"json": "$.code", "equals": 0}),
        ("len([BODY].token) > 12", {"exists": True}),
        ("[BODY].state == running", {"json": "$.state", "equals": "running"}),
    ],
)
def test_what_a_secret_field_is_compared_with_becomes_a_variable(
    condition: str, assertion: dict[str, object]
) -> None:
    imported = gatus(f'    conditions: ["[STATUS] == 200", {json.dumps(condition)}]\n')

    (found,) = only_service(imported)["health_check"]["assertions"]
    assert assertion.items() <= found.items()
    assert WEAK not in everything(imported)
    assert bool(imported.settings) is (WEAK in condition)


@pytest.mark.parametrize(
    "condition", [f"[BODY].token == pat(*{WEAK}*)", f'[BODY] == pat(*"password":"{WEAK}"*)']
)
def test_a_glob_of_a_secret_is_not_copied(condition: str) -> None:
    imported = gatus(f'    conditions: ["[STATUS] == 200", {json.dumps(condition)}]\n')

    assert only_service(imported)["enabled"] is False
    assert WEAK not in everything(imported)


def test_kumas_and_blackbox_secrets_in_checks_are_not_copied() -> None:
    query = {"type": "json-query", "jsonPath": "user.token", "expectedValue": WEAK}
    compared = kuma(**query)
    contained = kuma(**query, jsonPathOperator="contains")
    keyword = kuma(type="keyword", keyword=f'"password":"{WEAK}"')
    pattern = blackbox(f"      fail_if_body_not_matches_regexp: ['token={WEAK}']\n")

    (assertion,) = only_service(compared)["health_check"]["assertions"]
    assert assertion == {"json": "$.user.token", "equals": "${API_TOKEN}"}
    for imported in (contained, keyword, pattern):
        assert only_service(imported)["enabled"] is False
        assert "assertions" not in only_service(imported)["health_check"]
    for imported in (compared, contained, keyword, pattern):
        assert WEAK not in everything(imported)


def test_a_pattern_of_a_field_is_no_secret() -> None:
    assert "enabled" not in only_service(kuma(type="keyword", keyword='"auth":true'))
    pattern = blackbox("""      fail_if_body_not_matches_regexp: ['"token":"[a-z]+"']\n""")
    assert "enabled" not in only_service(pattern)


@pytest.mark.parametrize(
    "where", ["name: [{0}]", "url: {{a: {0}}}", "interval: {0}", "enabled: {0}"]
)
def test_mistakes_give_nothing_away(where: str) -> None:
    with pytest.raises((SettingsError, NoImportError)) as caught:
        gatus(f"    {where.format(PLAIN)}\n  - name: {{{PLAIN}: 1}}\n" + OK)

    assert_clean(str(caught.value), PLAIN)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_examples_give_nothing_away(kind: str) -> None:
    output = everything(example(kind))

    assert "SENTINEL" not in output
    for secret in (
        "hunter2",
        "tiger",
        "0123456789abcdef",
        "AAHdqTcv",
        "correct-horse",
        "def-def",
        "QUNT",
    ):
        assert secret not in output


def test_the_command_gives_nothing_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "g.yaml"
    file.write_text(f"endpoints:\n  - name: a\n    url: https://a.example/?key={PLAIN}\n" + OK)

    assert run_import(arguments(file)) == 0
    assert run_import(arguments(file, json=True)) == 0

    output = capsys.readouterr()
    assert_clean(output.out + output.err, PLAIN)
    assert "A_KEY  (now in " in output.err


def test_one_secret_is_one_variable_and_two_are_two() -> None:
    shared = gatus(
        f"    headers: {{X-Api-Key: {PLAIN}}}\n"
        + OK
        + f"  - name: b\n    url: https://b.example\n    headers: {{X-Api-Key: {PLAIN}}}\n"
        + OK
        + f"  - name: c\n    url: https://c.example\n    headers: {{X-Api-Key: {PLAIN}2}}\n"
        + OK
    )

    assert [s["api_key"] for s in shared.services] == ["${API_KEY}", "${API_KEY}", "${C_KEY}"]


def test_a_variable_of_the_foreign_file_is_not_named_twice() -> None:
    imported = gatus(f"    headers:\n      X-Api-Key: {PLAIN}\n      X-Env: ${{API_KEY}}\n" + OK)

    assert only_service(imported)["api_key"] == "${API_KEY_2}"


@pytest.mark.parametrize(
    "name",
    ["api_key", "X-API-Key", "apiKey", "access_token", "PASSWORD", "sig", "clientSecret", "Cookie"],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["keyword", "author", "monkey", "Accept", "page", "Content-Type"])
def test_names_that_are_not_secret(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "sk-live-51H8xkq",
        "ghp_0123456789abcdef",
        "AKIAIOSFODNN7EXAMPLE",
        "a8f3k2l9d0s7f6g5h4j3",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
    ],
)
def test_texts_that_look_like_keys(text: str) -> None:
    assert looks_like_key(text)
    assert holds_key(f"see {text} there")


@pytest.mark.parametrize(
    "text",
    [
        "my-service-health-check-v2",
        "GetUserAccountDetailsV2",
        "application/json",
        "2023-06-01",
        "550e8400-e29b-41d4-a716-446655440000",
        "status.example.com",
        "internationalization",
    ],
)
def test_texts_that_do_not_look_like_keys(text: str) -> None:
    assert not holds_key(text)


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("hunter22", "${QUERY}"),
        ("a=1&hunter22", "a=1&${QUERY}"),
        ("wsdl", "wsdl"),
        ("pretty&v2", "pretty&v2"),
        ("a=1;b=2", "a=1;b=2"),
        ("a=1;token=abc", "a=1;token=${TOKEN}"),
    ],
)
def test_a_query_without_names_becomes_a_variable_unless_it_is_a_flag(
    query: str, left: str
) -> None:
    address = split_url(
        f"https://api.example.com/v1?{query}", lambda value, purpose: f"${{{purpose.upper()}}}"
    )

    assert address.endpoint == f"/v1?{left}"
