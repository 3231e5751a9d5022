"""Settings: kinds, schemas, values, variables, YAML with its lines, and silence about values."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import math
import time
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config import file_schema, read_text
from exporter.secret import MissingVariableError, Secret, expand
from exporter.settings import (
    Duration,
    Ratio,
    SettingsError,
    Timestamp,
    Url,
    build,
    check,
    duration,
    load,
    object_schema,
    option,
    parse,
    reference,
    schema,
    timestamp,
    url,
)
from exporter.settings import document as document_module
from exporter.settings.document import MAX_BYTES, DocumentError, read, resolve
from exporter.settings.kinds import ratio

SENTINEL = "SENTINEL-sk-live-51H8xkq"


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int = option(1, "How large.", minimum=1, maximum=9)
    factor: float = option(1.0, "How much.")


@dataclass(frozen=True, kw_only=True)
class Sample:
    name: str = option(doc="Who.", pattern="^[a-z]+$", hint="must be small letters")
    every: Duration = option(60.0, "How often.", min=1, max=3600, shown="1m")
    share: Ratio | None = option(None, "How much of it.", min=0.5)
    where: Url | None = option(None, "Where.")
    at: Timestamp | None = option(None, "When.")
    colour: Colour = option(Colour.RED, "Which.")
    mode: Literal["fast", "slow"] | None = option(None, "How.")
    key: Secret | None = option(None, "The key.")
    inner: Inner = option(doc="Inside.", factory=Inner)
    parts: tuple[Inner, ...] = option((), "Parts.")
    codes: tuple[int, ...] = option((200,), "Codes.", minItems=1, shown="[200]")
    facts: dict[str, str] = option(doc="Facts.", factory=dict)
    flag: bool = option(True, "Whether.")
    in_: Any = option(None, "Anything.")


def told(data: Any, cls: Any = Sample) -> list[str]:
    return [what for _, what in check(data, object_schema(cls))]


# -- kinds ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("10s", 10),
        ("5m", 300),
        ("1h30m", 5400),
        ("30d", 2592000),
        ("1w", 604800),
        ("0s", 0),
        ("1d12h", 129600),
        ("007s", 7),
    ],
)
def test_a_duration_is_a_sum_of_numbers_with_units(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        10,
        1.5,
        None,
        True,
        [],
        "s",
        "1.5s",
        "-5s",
        "5 s",
        " 5s",
        "5s ",
        "5s\n",
        "5S",
        "1h30",
        "5sec",
        "٥s",
        "9" * 16 + "s",
        "9" * 5000 + "s",
        "1e3s",
    ],
)
def test_anything_else_is_no_duration(text: Any) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("99.9%", 0.999),
        ("100%", 1.0),
        ("0%", 0.0),
        ("5 %", 0.05),
        (0.999, 0.999),
        (1, 1.0),
        (0, 0.0),
        ("0.25", 0.25),
        (".5", 0.5),
        ("1", 1.0),
        ("1.0", 1.0),
        ("99.999%", 0.99999),
    ],
)
def test_a_ratio_is_a_percentage_or_a_share(text: Any, value: float) -> None:
    assert ratio(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%",
        "101%",
        "-1%",
        "99,9%",
        "nan",
        "inf",
        "1_0%",
        "2",
        1.01,
        -0.1,
        99.9,
        True,
        False,
        None,
        [],
        {},
        math.nan,
        math.inf,
        10**400,
        "50%\n",
        " 50%",
        "٥%",
        "1e-1",
        "0x1",
    ],
)
def test_anything_else_is_no_ratio(text: Any) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        ratio(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com",
        "http://example.com:8080/a/b?c=d",
        "https://[2001:db8::1]:443/",
        "https://example.com/@user",
        "https://example.com/a%20b",
        "HTTPS://EXAMPLE.COM",
        "https://bücher.example/",
        "http://localhost",
    ],
)
def test_a_url_is_taken_as_it_is(text: str) -> None:
    assert url(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "//example.com",
        "/path",
        "ftp://example.com",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://user@example.com",
        "https://user:pw@example.com",
        "https://example.com#x",
        "https://example.com/#",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com:x/",
        "https://exam ple.com",
        "https://example.com\n",
        "https://exa\tmple.com",
        "https://[::1",
        "https://a\\@b.example",
        None,
        5,
        ["https://example.com"],
    ],
)
def test_anything_else_is_no_url(text: Any) -> None:
    with pytest.raises(ValueError):
        url(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1970-01-01 00:00:01.5Z", 1.5),
        ("2026-12-01T22:00:00Z", 1796162400.0),
        ("0001-01-01T00:00:00+14:00", -62135647200.0),
        ("9999-12-31T23:59:59-14:00", 253402351199.0),
    ],
)
def test_a_timestamp_is_a_time_with_its_zone(text: str, at: float) -> None:
    assert timestamp(text) == at


@pytest.mark.parametrize(
    "text", ["", "2026-12-01", "2026-12-01T22:00:00", "22:00Z", "yesterday", 1796162400, None, []]
)
def test_anything_else_is_no_timestamp(text: Any) -> None:
    with pytest.raises(ValueError):
        timestamp(text)


# -- schemas ----------------------------------------------------------------------------------


@pytest.mark.parametrize("references", [False, True])
@pytest.mark.parametrize("made", [object_schema, schema], ids=["object_schema", "schema"])
def test_a_schema_of_settings_is_valid_json_schema(made: Any, references: bool) -> None:
    jsonschema.Draft202012Validator.check_schema(made(Sample, references=references))


@pytest.mark.parametrize("references", [False, True])
def test_the_schema_of_the_configuration_is_valid_json_schema(references: bool) -> None:
    jsonschema.Draft202012Validator.check_schema(file_schema(references=references))


def test_a_schema_for_editors_holds_no_keywords_of_our_own() -> None:
    text = json.dumps(file_schema(references=True))

    assert '"x-' not in text


def test_required_are_the_fields_without_a_default() -> None:
    assert object_schema(Sample)["required"] == ["name"]


def test_a_partial_schema_requires_nothing() -> None:
    assert "required" not in object_schema(Sample, partial=True)


def test_further_properties_replace_those_of_the_same_name() -> None:
    found = object_schema(Sample, name={"type": "integer"}, more={"type": "boolean"})

    assert found["properties"]["name"] == {"type": "integer"}
    assert found["properties"]["more"] == {"type": "boolean"}


def test_a_trailing_underscore_is_not_written() -> None:
    assert "in" in object_schema(Sample)["properties"]


def test_a_type_without_a_schema_is_refused() -> None:
    with pytest.raises(TypeError, match="no JSON Schema"):
        schema(complex)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "${NAME}"),
        ("every", "${EVERY}"),
        ("share", "${SHARE:-99%}"),
        ("where", "${URL}"),
        ("at", "${AT}"),
        ("colour", "${COLOUR}"),
        ("mode", "${MODE}"),
        ("key", "${KEY}"),
        ("inner", {"size": "${SIZE}", "factor": "${FACTOR}"}),
        ("codes", [200, "${CODE}"]),
        ("flag", "${FLAG}"),
        ("facts", {"a": "${FACT}"}),
        ("where", "https://${HOST}/v1"),
        ("every", "5m"),
        ("share", 0.9),
        ("share", None),
        ("where", "https://example.com"),
    ],
)
def test_an_editor_accepts_a_reference_wherever_the_file_may_hold_one(
    field: str, value: Any
) -> None:
    validator = jsonschema.Draft202012Validator(object_schema(Sample, references=True))

    assert validator.is_valid({"name": "x", field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("every", "soon"),
        ("share", "much"),
        ("where", "there"),
        ("colour", "green"),
        ("inner", {"size": "large"}),
        ("codes", ["ok"]),
        ("flag", "yes"),
        ("name", "UPPER"),
        ("share", 1.5),
        ("inner", {"size": 10}),
        ("unknown", 1),
    ],
)
def test_an_editor_still_refuses_what_is_no_reference(field: str, value: Any) -> None:
    validator = jsonschema.Draft202012Validator(object_schema(Sample, references=True))

    assert not validator.is_valid({"name": "x", field: value})


# -- what check says --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ({}, "name is missing"),
        ({"name": "X"}, "must be small letters"),
        ({"name": "x\n"}, "must be small letters"),
        ({"name": 5}, "must be text (in quotes if it looks like a number)"),
        ({"name": "x", "every": "1d"}, "must be at most 3600s"),
        ({"name": "x", "every": "1ms"}, "must be at least 1s"),
        ({"name": "x", "every": None}, "must be a duration such as 500ms, 10s, 5m, 1h30m or 30d"),
        ({"name": "x", "share": "1%"}, "must be at least 0.5"),
        ({"name": "x", "colour": "rad"}, "must be one of red, blue; did you mean red?"),
        ({"name": "x", "mode": 5}, "must be text (in quotes if it looks like a number) or empty"),
        ({"name": "x", "inner": {"size": 0}}, "must be at least 1"),
        ({"name": "x", "inner": {"size": 10}}, "must be at most 9"),
        ({"name": "x", "inner": {"size": -0.5}}, "must be a whole number"),
        ({"name": "x", "inner": []}, "must be a mapping (name: value); its fields: factor, size"),
        ({"name": "x", "codes": []}, "must have at least 1 item"),
        ({"name": "x", "flag": 1}, "must be true or false"),
        ({"name": "x", "key": ""}, "must not be empty"),
        ({"name": "x", "at": "now"}, "must be a time with its zone, such as 2026-12-01T22:00:00Z"),
        ({"name": "x", "nam": 1}, "unknown field nam; did you mean name?"),
    ],
)
def test_each_mistake_has_one_sentence(data: Any, what: str) -> None:
    assert told(data) == [what]


@pytest.mark.parametrize(
    "name", ["latency_p95", "X-Api-Key", "baseUrl", "http2", "OAuth2", "a", "verify-tls"]
)
def test_the_name_of_an_unknown_field_is_shown_when_it_is_made_of_words(name: str) -> None:
    assert f"unknown field {name};" in told({"name": "x", name: 1})[0]


@pytest.mark.parametrize(
    "name",
    [
        SENTINEL,
        "sk_live_51H8xkqABCDEFG",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_16C7e42F292c6912E7710c8",
        "a" * 33,
        "5up3r",
        "eyJhbGciOiJIUzI1NiJ9.x",
        "user:password",
        "",
        "pass word",
        "name\n",
    ],
)
def test_the_name_of_an_unknown_field_is_hidden_when_it_may_be_a_key(name: str) -> None:
    (what,) = told({"name": "x", name: 1})

    assert what.startswith("unknown field (its name is not shown); ")


def test_every_mistake_is_found_in_one_go() -> None:
    data = {"nmae": 1, "every": "x", "inner": {"size": 0}, "parts": [{}, {"size": "a"}, 5]}

    paths = {path for path, _ in check(data, object_schema(Sample))}

    assert paths == {
        (),
        ("nmae",),
        ("every",),
        ("inner", "size"),
        ("parts", 1, "size"),
        ("parts", 2),
    }


# -- values -----------------------------------------------------------------------------------


def test_build_makes_each_type_of_value() -> None:
    found: Sample = build(
        Sample,
        {
            "name": "x",
            "every": "5m",
            "share": "99%",
            "where": "https://example.com",
            "at": "1970-01-01T00:00:10Z",
            "colour": "blue",
            "mode": "slow",
            "key": SENTINEL,
            "inner": {"size": 2, "factor": 3},
            "parts": [{"size": 4}],
            "codes": [200, 204],
            "facts": {"a": "b"},
            "flag": False,
            "in": {"x": [1]},
        },
    )

    assert found == Sample(
        name="x",
        every=300.0,
        share=0.99,
        where="https://example.com",
        at=10.0,
        colour=Colour.BLUE,
        mode="slow",
        key=Secret(SENTINEL),
        inner=Inner(size=2, factor=3.0),
        parts=(Inner(size=4),),
        codes=(200, 204),
        facts={"a": "b"},
        flag=False,
        in_={"x": [1]},
    )


def test_build_leaves_out_what_is_left_out() -> None:
    assert build(Sample, {"name": "x"}) == Sample(name="x")


def test_build_takes_null_where_it_is_allowed() -> None:
    found: Sample = build(Sample, {"name": "x", "share": None, "key": None})

    assert (found.share, found.key) == (None, None)


@pytest.mark.parametrize(("written", "kind"), [(2, float), (2.5, float)])
def test_a_number_is_built_as_a_float(written: Any, kind: type) -> None:
    assert type(build(Inner, {"factor": written}).factor) is kind


def test_a_whole_number_written_with_a_point_is_built_as_an_integer() -> None:
    found = build(Inner, {"size": 2.0})

    assert type(found.size) is int


def test_parse_reads_checks_and_builds() -> None:
    assert parse("name: x\ninner: {size: 3}", Sample, "f") == Sample(name="x", inner=Inner(size=3))


def test_parse_replaces_no_variables() -> None:
    found: Sample = parse("name: x\nfacts: {a: '${HOME}'}", Sample, "f")

    assert found.facts == {"a": "${HOME}"}


def test_parse_raises_every_problem_with_its_line() -> None:
    with pytest.raises(SettingsError) as caught:
        parse("every: x\nflag: maybe\n", Sample, "f.yaml")

    assert [(p.line, p.where) for p in caught.value.problems] == [
        (1, "(top)"),
        (1, "every"),
        (2, "flag"),
    ]
    assert str(caught.value).splitlines()[2] == "f.yaml:2: flag: must be true or false"


# -- variables --------------------------------------------------------------------------------

VARIABLES = {"A": "one", "B": "two", "EMPTY": "", "EVIL": "${A} $${A} }"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("", ""),
        ("$A", "$A"),
        ("$", "$"),
        ("}", "}"),
        ("{}", "{}"),
        ("${A}", "one"),
        ("<${A}${B}>", "<onetwo>"),
        ("${A:-x}", "one"),
        ("${U:-x}", "x"),
        ("${U:-}", ""),
        ("${EMPTY:-x}", "x"),
        ("${U:-${A}}", "one"),
        ("${U:-${V:-${B}}}", "two"),
        ("${A:-${U}}", "one"),
        ("${U:-a:-b}", "a:-b"),
        ("${EVIL}", "${A} $${A} }"),
        ("${U:-${EVIL}}", "${A} $${A} }"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$${A}${A}", "${A}one"),
        ("${A}$${A}", "one${A}"),
        ("$${", "${"),
        ("a$${b", "a${b"),
    ],
)
def test_references_are_replaced_once(text: str, result: str) -> None:
    assert expand(text, VARIABLES) == result


@pytest.mark.parametrize(
    ("text", "name"),
    [("${U}", "U"), ("${EMPTY}", "EMPTY"), ("${U:-${V}}", "V"), ("a${A}${W}", "W")],
)
def test_a_variable_that_is_not_set_is_named(text: str, name: str) -> None:
    with pytest.raises(MissingVariableError) as caught:
        expand(text, VARIABLES)

    assert caught.value.name == name


@pytest.mark.parametrize(
    "name", ["sk_live_51H8xkqABCDEFG", "ghp_16C7e42F292c6912E7710c", "rk51H8xkq", "x" * 40]
)
def test_a_variable_whose_name_may_be_a_key_is_not_named(name: str) -> None:
    with pytest.raises(MissingVariableError) as caught:
        expand(f"${{{name}}}", {})

    assert name not in str(caught.value)
    assert str(caught.value) == "(its name is not shown)"


@pytest.mark.parametrize(
    "text",
    ["${", "${A", "${U:-${A}", "${}", "${1}", "${A-b}", "${A:b}", "${ A}", "${a.b}", "${U:-${}}"],
)
def test_a_malformed_reference_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a \$\{ ") as caught:
        expand(text, VARIABLES)

    assert "A" not in str(caught.value).replace("NAME", "")


@pytest.mark.parametrize("text", ["${A:-" * 100_000, "${U:-" * 17 + "}" * 17])
def test_defaults_nested_beyond_reason_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="nested deeper than 16 levels"):
        expand(text, {})


# -- documents --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("1", 1),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("5.", 5.0),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("012", "012"),
        ("0x1f", "0x1f"),
        ("0o7", "0o7"),
        ("12:30:00", "12:30:00"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("2026-12-01", "2026-12-01"),
        ("1.2.3", "1.2.3"),
        ("9" * 30, "9" * 30),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_a_plain_scalar_is_what_it_looks_like(text: str, value: Any) -> None:
    found = resolve(text)

    assert (found, type(found)) == (value, type(value))


def test_a_quoted_scalar_is_text() -> None:
    assert read("[\"1\", 'true', '', '~']").data == ["1", "true", "", "~"]


def test_an_empty_text_has_no_data() -> None:
    assert read("# nothing\n").data is None


def test_the_lines_inside_of_services_are_found_when_something_is_wrong_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walks: list[None] = []

    class Counted(document_module._Places):
        def read(self, node: Any) -> Any:
            walks.append(None)
            return super().read(node)

    monkeypatch.setattr(document_module, "_Places", Counted)
    found = document_module.read("services:\n- id: a\n- id: b\n  tls:\n    x: 1\n    x: 2\n")

    assert [found.line(("services", index)) for index in range(2)] == [2, 3]
    assert found.problems == [
        (("services", 1, "tls", "x"), 6, "this key is given twice, first in line 5; remove one")
    ]
    assert walks == []

    assert [found.line(("services", 1, "tls", name)) for name in ("x", "y")] == [5, 5]
    assert found.line(("services", 0, "id")) == 2
    assert walks == [None]
    assert len(found.problems) == 1


def test_each_value_and_key_has_its_line() -> None:
    document = read("a: 1\nb:\n  - x\n  - c:\n      2\n")

    assert document.line(("a",)) == 1
    assert document.line(("b",)) == 2
    assert document.line(("b", 0)) == 3
    assert document.line(("b", 1, "c")) == 4
    assert document.lines["b", 1, "c"] == 5


def test_a_place_that_is_not_in_the_file_has_the_line_of_what_is_above_it() -> None:
    document = read("a: 1\nb:\n  c: 2\n")

    assert document.line(("b", "x", "y")) == 3
    assert document.line(("z",)) == 1


def test_a_merged_value_has_the_line_where_it_stands() -> None:
    document = read("a: &a\n  x: 1\n  y: 2\nb:\n  <<: *a\n  y: 3\n")

    assert document.data["b"] == {"x": 1, "y": 3}
    assert document.line(("b", "x")) == 2
    assert document.line(("b", "y")) == 6


@pytest.mark.parametrize(
    ("text", "merged"),
    [
        ("<<: *a\n  x: 9", {"x": 9, "y": 2}),
        ("x: 9\n  <<: *a", {"x": 9, "y": 2}),
        ("<<: [*b, *a]", {"x": 5, "y": 2, "z": 6}),
        ("<<: [*a, *b]", {"x": 1, "y": 2, "z": 6}),
        ("<<: {<<: *b, x: 7}", {"x": 7, "z": 6}),
        ("'<<': 1", {"<<": 1}),
    ],
)
def test_merge_keys_come_below_own_keys_and_in_order(text: str, merged: Any) -> None:
    document = read(f"a: &a {{x: 1, y: 2}}\nb: &b {{x: 5, z: 6}}\nc:\n  {text}\n")

    assert document.data["c"] == merged


def test_a_reference_in_a_merged_value_that_is_replaced_does_not_count() -> None:
    text = "a: &a {k: {deep: '${U}'}, n: '${U}'}\nb: {<<: *a, k: {}, n: 1}"

    document = read(text, lambda text: expand(text, {}))

    assert document.data["b"] == {"k": {}, "n": 1}
    assert set(document.missing) == {("a", "k", "deep"), ("a", "n")}


def row(name: str, before: str) -> str:
    return f"{name}: &{name} [" + ", ".join([f"*{before}"] * 10) + "]\n"


MONSTERS = {
    "bomb": "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(row(name, before) for before, name in pairwise("abcdefghij")),
    "merge bomb": "a0: &a0 {x: 1}\n"
    + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 30)),
    "merge chain": "a0: &a0 {x: 1}\n"
    + "".join(f"a{i}: &a{i} {{<<: *a{i - 1}}}\n" for i in range(1, 2000)),
    "recursive list": "a: &a [*a, *a]",
    "recursive mapping": "a: &a {x: *a, y: *a}",
    "recursive merge": "a: &a {<<: *a}",
    "recursive merges": "a: &a {<<: [*a, *a]}",
    "brackets": "[" * 100_000,
    "dashes": "- " * 100_000,
    "deep": "a: " + "[" * 500 + "]" * 500,
}


@pytest.mark.parametrize("text", MONSTERS.values(), ids=MONSTERS)
def test_aliases_and_nesting_beyond_reason_are_refused_quickly(text: str) -> None:
    before = time.process_time()

    with pytest.raises(DocumentError):
        read(text)

    assert time.process_time() - before < 5


def test_two_thousand_services_may_share_their_fields_through_an_alias() -> None:
    shared = "a: &a {" + ", ".join(f"f{i}: {i}" for i in range(20)) + "}\n"

    document = read(shared + "".join(f"s{i}: {{<<: *a}}\n" for i in range(2000)))

    assert len(document.data["s1999"]) == 20


def test_a_text_beyond_all_measure_is_refused() -> None:
    with pytest.raises(DocumentError, match="larger than 32 MiB"):
        read("#" * (MAX_BYTES + 1))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 'x\n", 2),
        ("a: 1\n\tb: 2", 2),
        ("a: [1\nb: 2\n", 2),
        ("a\x00b", 1),
        ("a: 1\nb: \x1b[0m\n", 2),
        ("a: 1\n---\nb: 2", 2),
        ("a: *x", 1),
        ("a: 1\n? [b]\n: c", 2),
        ("a: \ud800", 1),
        ("a: 1\nb: !!binary aGk=", 2),
        ("a: !!int 5", 1),
        ("a: 1\n<<: [1]", 2),
    ],
)
def test_what_is_no_acceptable_yaml_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(DocumentError) as caught:
        read(text)

    assert caught.value.line == line


def test_a_variable_becomes_a_number_only_where_the_schema_wants_one() -> None:
    text = (
        "name: x\ninner: {size: '${N}', factor: '${N}'}\nfacts: {a: '${N}'}\nflag: ${T}\nin: ${N}"
    )
    environment = {"N": "5", "T": "false"}

    found = load(text, "f", object_schema(Sample), environment=environment).data

    assert found["inner"] == {"size": 5, "factor": 5}
    assert (found["facts"], found["flag"], found["in"]) == ({"a": "5"}, False, "5")


def test_a_missing_variable_is_allowed_where_the_caller_says_so() -> None:
    text = "name: x\nkey: ${UNSET}"

    loaded = load(
        text, "f", object_schema(Sample), environment={}, may_miss=lambda path: path == ("key",)
    )

    assert loaded.missing == {("key",): "UNSET"}
    assert loaded.data["key"] is None


@pytest.mark.parametrize("text", ["name: x", "name: 5", "'"])
def test_the_collector_runs_again_after_each_load(text: str) -> None:
    with contextlib.suppress(SettingsError):
        load(text, "f", object_schema(Sample))

    assert gc.isenabled()


# -- reference --------------------------------------------------------------------------------


def test_the_reference_has_a_row_for_each_setting_also_inside() -> None:
    rows = list(reference(Sample))

    assert rows[0] == "| `name` | text | required | Who. |"
    assert "| `every` | duration | `1m` | How often. |" in rows
    assert "| `colour` | `red` \\| `blue` | `red` | Which. |" in rows
    assert "| `mode` | `fast` \\| `slow` |  | How. |" in rows
    assert "| `inner.size` | whole number | `1` | How large. |" in rows
    assert "| `parts[].factor` | number | `1.0` | How much. |" in rows
    assert "| `codes` | list of whole number | `[200]` | Codes. |" in rows
    assert "| `facts` | mapping of text |  | Facts. |" in rows
    assert "| `flag` | true/false | `true` | Whether. |" in rows
    assert "| `in` | any |  | Anything. |" in rows
    assert "| `key` | secret |  | The key. |" in rows


def test_a_prefix_stands_before_each_name() -> None:
    assert all(row.startswith("| `services[].") for row in reference(Inner, "services[]."))


def test_no_setting_goes_without_an_explanation() -> None:
    described = [f for f in dataclasses.fields(Sample) if f.metadata["doc"]]

    assert len(described) == len(list(reference(Sample))) - 2 * len(dataclasses.fields(Inner))


# -- silence ----------------------------------------------------------------------------------

FIELDS = [
    "services",
    "defaults",
    "canaries",
    "monitoring",
    "id",
    "provider",
    "base_url",
    "api_key",
    "health_check",
    "headers",
    "tls",
    "assertions",
    "json",
    "matches",
    "equals",
    "body",
    "timeout",
    "interval",
    "alerts",
    "escalate_after",
    "severity",
    "down_after",
    "maintenance",
    "start",
    "end",
    "metadata",
    "runbook",
    "status_page",
    "component_filter",
    "url",
    "auth",
    "kind",
    "username",
    "objectives",
    "availability",
    "latency",
    "additional_headers",
    "expected_status_codes",
    "rate_limit",
    "requests_per_minute",
    "retry_policy",
    "region",
    "enabled",
    "method",
    "endpoint",
]
secrets = st.builds(
    lambda before, after: before + SENTINEL + after,
    st.sampled_from(["", "/", "https://", "$.", "(", "${", "Bearer ", "5"]),
    st.sampled_from(["", "}", "%", "s", ")", "\n", ":x", "\x00", "'"]),
)
scalars = st.one_of(
    secrets,
    st.none(),
    st.booleans(),
    st.integers(-5, 600),
    st.floats(allow_nan=False),
    st.sampled_from(
        ["shop", "openai", "custom", "5s", "1m", "99%", "GET", "HEAD", "https://x.example"]
    ),
)
long_names = st.builds(
    lambda text: f"{SENTINEL}{text}", st.text("abcdefgh0123456789ABCDEF_-", max_size=40)
)
names = st.one_of(st.sampled_from(FIELDS), st.sampled_from(FIELDS), long_names)
data = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=15,
)
services = st.fixed_dictionaries(
    {}, optional={name: data for name in FIELDS if name not in ("services", "defaults")}
)
files = data | st.fixed_dictionaries(
    {"services": st.lists(services, max_size=3)},
    optional={"defaults": services, "canaries": st.lists(services, max_size=2)},
)


def problems_in(text: str) -> list[str]:
    try:
        read_text(text, "services.yaml", {})
    except SettingsError as error:
        return [*map(str, error.problems), str(error)]
    return []


def leaked(messages: list[str]) -> list[str]:
    pieces = [SENTINEL[i : i + 8] for i in range(len(SENTINEL) - 7)]
    return [message for message in messages if any(piece in message for piece in pieces)]


@settings(max_examples=100)
@given(
    files, st.integers(0, 400), st.sampled_from(["", "\t", "'", '"', "{", "]", ": ", "!x ", "*a"])
)
def test_no_message_about_any_data_or_broken_yaml_holds_a_piece_of_it(
    found: Any, at: int, what: str
) -> None:
    """To draw the data takes thirty times what reading it takes, so it is drawn once for both."""
    broken = json.dumps(found, indent=1)

    of_data = problems_in(json.dumps(found))
    of_broken = problems_in(broken[:at] + what + broken[at + 1 :])

    assert leaked(of_data) == []
    assert leaked(of_broken) == []
