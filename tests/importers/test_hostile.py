"""Files that are wrong on purpose, very large, or oddly named."""

from __future__ import annotations

import json
import time

import pytest

from exporter.importers import FORMATS, NoImportError, import_text
from exporter.importers.json_lines import read_json
from exporter.importers.naming import Ids, slug
from exporter.settings import SettingsError
from tests.importers.foreign import gatus, kuma, only_service

OK = '    conditions: ["[STATUS] == 200"]\n'
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8)
)


@pytest.mark.parametrize("top", ["endpoints: *i\n", "modules: {m: *i}\n", "monitorList: *i\n"])
def test_an_alias_bomb_is_refused(top: str) -> None:
    with pytest.raises(SettingsError, match="aliases repeat"):
        import_text(BOMB + top, "bomb.yaml")


@pytest.mark.parametrize(
    "text", ["", "[]", "5", "x", "{}", "null", "a: 1", "[1, 2]", "scrape_configs: []", '{"a": 1}']
)
def test_an_unknown_format_is_reported_with_the_known_ones(text: str) -> None:
    with pytest.raises(NoImportError, match=r"--from|--targets"):
        import_text(text, "x")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("text", ["5", "[]", "x: 1", "{", "\t", "a: b: c", "\x00", "!x y"])
def test_a_wrong_format_never_breaks(kind: str, text: str) -> None:
    with pytest.raises((NoImportError, SettingsError)):
        import_text(text, "x", kind=kind)


def outcome(text: str) -> str:
    """Return the message of an import that refuses, else nothing."""
    try:
        import_text(text, "x")
    except (NoImportError, SettingsError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("value", [None, 5, "x", [], {}, [5], {"a": 5}, True, [[]], [{}], 1.5])
def test_any_type_anywhere_is_a_mistake_or_imported_but_never_a_crash(value: object) -> None:
    names = (
        "name",
        "group",
        "url",
        "method",
        "headers",
        "body",
        "interval",
        "enabled",
        "conditions",
        "client",
        "alerts",
        "ui",
        "maintenance-windows",
        "extra-labels",
        "dns",
        "graphql",
        "type",
        "tags",
        "proxyId",
        "parent",
        "accepted_statuscodes",
        "timeout",
        "keyword",
        "jsonPath",
        "maxredirects",
        "authMethod",
        "basic_auth_user",
        "active",
        "upsideDown",
        "ignoreTls",
    )
    base = {"name": "a", "url": "https://a.example", "type": "keyword", "keyword": "x"}
    for name in names:
        entry = base | {name: value}
        for top in ("endpoints", "monitorList"):
            assert "check-config" not in outcome(json.dumps({top: [entry]}))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("💥💥💥", "api-example-com"),
        ("Zürich Straße", "zurich-strasse"),
        ("--a--", "a"),
        ("A" * 200, "a" * 63),
        ("日本", "api-example-com"),
        ("a/b:c", "a-b-c"),
        ("1st", "1st"),
        ("https://x.example/a?api_key=1#f", "x-example-a"),
        ("${X}", "x"),
    ],
)
def test_ids_come_from_names(name: str, expected: str) -> None:
    service = only_service(kuma(name=name))

    assert service["id"] == expected


def test_names_that_are_the_same_stay_apart() -> None:
    text = "endpoints:\n" + "".join(
        f"  - name: {name}\n    group: {group}\n    url: https://a.example\n" + OK
        for name, group in [("A b", "x"), ("a-b", "x"), ("a b", "x"), ("a b", "y"), ("a b", "y")]
    )

    imported = import_text(text, "g.yaml")

    assert [s["id"] for s in imported.services] == ["a-b", "x-a-b", "a-b-2", "y-a-b", "a-b-3"]


def test_ids_are_cut_and_unique_at_their_longest() -> None:
    ids = Ids()

    taken = [ids.take(["x" * 80]) for _ in range(200)]

    assert len(set(taken)) == 200
    assert all(len(name) <= 63 and slug(name) == name for name in taken)


def test_lone_surrogates_and_private_characters_do_no_harm() -> None:
    imported = kuma(name="a\ud800b\ue000#0\ue001c", description="\ud83d\ude00 \ue000X\ue001")

    assert only_service(imported)["metadata"]["description"] == "😀 \ufffdX\ufffd"


def test_a_dollar_of_kuma_is_not_a_variable() -> None:
    imported = only_service(
        kuma(body="${HOME} $${X}", headers='{"X-A": "${HOME}"}', httpBodyEncoding="form")
    )

    assert imported["health_check"]["body"] == "$${HOME} $$${X}"
    assert imported["health_check"]["headers"]["X-A"] == "$${HOME}"


def test_control_characters_and_long_names_are_listed() -> None:
    imported = gatus('    headers: {"X A": b, X-B: "a\\nb", Content-Length: "5", X-C: ""}\n' + OK)

    assert len(imported.warnings) == 4
    assert "headers" not in only_service(imported)["health_check"]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ('{"a": 1,\n "a": 2}', 2, "given twice"),
        ('{"a": 1,}', 1, "a comma before }; remove it (column 9)"),
        ('{"a": [1, 2,\n]}', 2, "a comma before ]; remove it (column 1)"),
        ('{"a": 1, b: 2}', 1, "a name in quotes is missing (column 10)"),
        ('{"a": 1, // x\n}', 1, "a comment, which JSON does not have; remove it (column 10)"),
        ('/* x */ {"a": 1}', 1, "a comment, which JSON does not have; remove it (column 1)"),
        ("{\n # x\n}", 2, "a comment"),
        ("{'a': 1}", 1, "double ones only"),
        ('{"a": 1e999}', 1, "too large"),
        ('{"a" 1}', 1, "a : is missing"),
        ('{\n"a": [1 2]}', 2, ", or ]"),
        ('{"a": tru}', 1, "misspelt"),
        ('{"a": "x', 1, "not closed"),
        ('{"a": 1} x', 1, "follows"),
        ('{"a": NaN}', 1, "misspelt"),
        ("[" * 100, 1, "nested"),
        ('{"a": "\\x"}', 1, "unknown escape"),
        ('{"a": ' + "9" * 50 + "}", 1, "misspelt"),
    ],
)
def test_wrong_json_is_reported_with_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_json(text, "x.json")

    (problem,) = caught.value.problems
    assert (problem.line, what in problem.what) == (line, True), problem


def test_json_is_read_as_json_reads_it() -> None:
    text = (
        '{"a": [1, -2.5e3, true, false, null, "\\u00e9\\ud83d\\ude00\\/\\n"],'
        ' "b": {"c": {}}, "d": []}'
    )

    loaded = read_json(text, "x.json")

    assert loaded.data == json.loads(text)


def key_of(length: int) -> float:
    """Return how long a service takes whose key has *length* characters."""
    service = {"id": "a", "baseUrl": "https://a.example", "apiKey": "${ " * (length // 3)}
    started = time.thread_time()
    import_text(json.dumps([service]), "r.json")
    return time.thread_time() - started


def test_a_huge_key_costs_little_more_than_a_small_one() -> None:
    key_of(10)
    small = key_of(3_000)

    assert key_of(1_000_000) < 200 * small


def many(count: int) -> tuple[list[str], float]:
    """Return the ids that *count* endpoints get, and how long it takes."""
    endpoint = (
        "  - name: service {0}\n    group: g{1}\n"
        "    url: https://s{0}.example.com/health?token=t0k3nT0K3N{0}\n"
        "    headers: {{Authorization: Bearer abcDEF123456789012{0}}}\n    conditions:\n"
        '      - "[STATUS] == 200"\n      - "[BODY].status == UP"\n'
        '      - "[RESPONSE_TIME] < 300"\n'
    )
    text = "endpoints:\n" + "".join(endpoint.format(i, i % 7) for i in range(count))
    started = time.thread_time()
    imported = import_text(text, "g.yaml")
    return [s["id"] for s in imported.services], time.thread_time() - started


def test_the_time_grows_with_the_endpoints_and_not_with_their_square() -> None:
    many(10)
    _, few = many(1_000)

    ids, took = many(10_000)

    assert len(set(ids)) == 10_000
    assert took < 30 * few
