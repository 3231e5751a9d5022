"""Patterns, paths and JSON over whatever a peer sends: no exception, no explosion."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.matching import (
    NO_JSON,
    UnsearchableError,
    groups_of,
    json_of,
    json_values,
    number_of,
    path_mistake,
    pattern_matches,
    pattern_mistake,
)


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        ("b", "abc", True),
        ("^b", "abc", False),
        ("(?i)B", "abc", True),
        ("", "", True),
        ("^$", "", True),
        ("é", "café", True),
        ("a.c", "a\nc", False),
        ("(?s)a.c", "a\nc", True),
        (r"\d{3}", "12", False),
        ("\x00", "a\x00b", True),
        ("ok", "\ud800 ok", True),
        ("ok", "\ud800", False),
    ],
)
def test_a_pattern_is_searched_anywhere_in_the_text(pattern: str, text: str, wanted: bool) -> None:
    assert pattern_matches(pattern, text) is wanted


def test_no_pattern_takes_more_than_linear_time() -> None:
    text = "a" * 65_536 + "!"
    begun = time.thread_time()

    hits = [pattern_matches(pattern, text) for pattern in ("^(a+)+$", "^(a|aa)+$", "^(.*a){20}$")]

    assert hits == [False, False, False]
    assert time.thread_time() - begun < 0.5


BAD_PATTERNS = [
    "(",
    "[a",
    "*",
    "(?=a)",
    "(?<!a)b",
    r"(a)\1",
    "a{1001}",
    "((a{99}){99}){99}",
    "\ud800",
]


@pytest.mark.parametrize("pattern", BAD_PATTERNS)
def test_what_is_wrong_with_a_pattern_is_reported_without_it(pattern: str) -> None:
    mistake = pattern_mistake(pattern)

    assert mistake is not None
    assert "RE2" in mistake


@pytest.mark.parametrize("pattern", ["", "a|b", "(?i)x", r"\bword\b", "^[^a]*$"])
def test_a_good_pattern_has_no_mistake(pattern: str) -> None:
    assert pattern_mistake(pattern) is None


DATA = {"a": {"b": [1, 2, {"c": None}]}, "list": [], "x y": 3, "n": 0}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("$", [DATA]),
        ("$.a.b[0]", [1]),
        ("$.a.b[*]", [1, 2, {"c": None}]),
        ("$..c", [None]),
        ("$.a.b[-1].c", [None]),
        ("$['x y']", [3]),
        ("$.none", []),
        ("$.n.deeper", []),
        ("$.a.b[9]", []),
        ("$.list", [[]]),
        ("$.a.b[?@ > 1]", [2]),
        ("$.a.b[0:2]", [1, 2]),
    ],
)
def test_a_path_finds_every_value_at_its_place(path: str, values: list[Any]) -> None:
    assert json_values(path, DATA) == values


@pytest.mark.parametrize("path", ["$", "$.a", "$..*"])
def test_a_body_that_is_not_json_cannot_be_searched(path: str) -> None:
    with pytest.raises(UnsearchableError, match="is not JSON"):
        json_values(path, NO_JSON)


@pytest.mark.parametrize("data", [None, 0, "", "text", True, [], 1.5])
def test_a_path_into_a_bare_value_finds_nothing_and_the_root_is_the_value(data: Any) -> None:
    assert (json_values("$", data), json_values("$.a.b", data)) == ([data], [])


BAD_PATHS = [
    "",
    "a",
    "$.",
    "$[",
    "$..",
    "$.a[",
    "$[?@.a ==]",
    "$[99999999999999999999]",
    "$.a b",
    "$[?@.a == 1e999]",
    "$[?" + "(" * 500 + "1" + ")" * 500 + "]",
    "$.a[?nope(@)]",
]


@pytest.mark.parametrize("path", BAD_PATHS, ids=[p[:12] for p in BAD_PATHS])
def test_what_is_wrong_with_a_path_is_reported_without_it(path: str) -> None:
    mistake = path_mistake(path)

    assert mistake == "is not a valid JSONPath such as $.data[0].id"


@pytest.mark.parametrize("path", ["$", "$.a", "$..a[*]", "$['a b']", "$[?@.a == 'b']"])
def test_a_good_path_has_no_mistake(path: str) -> None:
    assert path_mistake(path) is None


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b" 21 ", 21),
        ('{"a": 1}'.encode("utf-16"), {"a": 1}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"null", None),
        (b'"\\ud800"', "\ud800"),
    ],
)
def test_a_json_body_is_read_in_any_encoding_of_json(body: bytes, data: Any) -> None:
    assert json_of(body) == data


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{",
        b"{}x",
        b"\xff\xfe",
        b"\xff",
        b"[" * 99_000,
        b"[" * 640,
        b'{"a":' * 50_000,
        b"NaN",
        b'{"a": NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b"[+1]",
        b"[01]",
        b"[.5]",
        b"[1,]",
        b"[0x1]",
        b"\x00",
        b"'a'",
    ],
    ids=lambda body: repr(body[:6]),
)
def test_any_other_body_is_not_json(body: bytes) -> None:
    assert json_of(body) is NO_JSON


def test_the_mark_of_no_json_shows_what_it_is() -> None:
    assert repr(NO_JSON) == "NO_JSON"


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with contextlib.suppress(UnsearchableError):
        json_values("$..a", json_of(body))


@given(st.text("{}[]\"':,.-+0129eEtruefalsnN \\\ufeff\ud800", max_size=40))
def test_a_short_text_is_read_as_a_long_one_is(text: str) -> None:
    short, long = json_of(text), json_of(text + " " * 700)

    assert short is long if short is NO_JSON else repr(short) == repr(long)


def test_what_is_nested_deeper_than_the_stack_raises_nothing() -> None:
    def from_deep(left: int) -> Any:
        return from_deep(left - 1) if left else json_of("[" * 300 + "]" * 300)

    found = [from_deep(left) for left in range(0, sys.getrecursionlimit() - 200, 50)]

    # Python 3.12 counts the parser's calls apart from ours, and reads all of them.
    assert isinstance(found[0], list)
    assert all(one is NO_JSON or one == found[0] for one in found)


@pytest.mark.parametrize("digits", [1, 19, 640, 641, 4_300, 4_301, 20_000, 65_535])
@pytest.mark.parametrize("sign", ["", "-"])
def test_an_integer_of_any_length_is_exact(digits: int, sign: str) -> None:
    text = sign + "7" * digits

    got = json_of(b"[" + text.encode() + b"]")[0]

    assert isinstance(got, int)
    assert str(got) == text
    assert got == (-1 if sign else 1) * (7 * (10**digits - 1) // 9)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (0.5, 0.5),
        (" 9007199254740993 ", 9007199254740993),
        ("1e3", 1000),
        ("-.5", -0.5),
        ("1e" + "9" * 30, float("inf")),
        ("NaN", None),
        ("-Infinity", None),
        ("inf", None),
        ("1_000", None),
        ("٣", None),
        ("", None),
        (True, None),
        (None, None),
        ([1], None),
    ],
)
def test_a_number_or_its_text_is_compared_exactly(value: Any, number: Any) -> None:
    assert number_of(value) == number


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        st.lists,
        max_leaves=9,
    )
)
def test_what_json_writes_is_read_back(data: Any) -> None:
    got = json_of(json.dumps(data).encode())

    assert json.dumps(got) == json.dumps(data)


@pytest.mark.parametrize(
    ("pattern", "text", "groups"),
    [
        ("^(a)(b)?$", "a", {"0": "a", "1": "a", "2": ""}),
        ("(?P<x>[0-9]+)", "a12", {"0": "12", "1": "12", "x": "12"}),
        ("^b", "ab", None),
        ("a(.)", "a\ud800", {"0": "a?", "1": "?"}),
    ],
)
def test_the_groups_of_a_match(pattern: str, text: str, groups: dict[str, str] | None) -> None:
    assert groups_of(pattern, text) == groups


@given(pattern=st.text(max_size=12), text=st.text(st.characters(), max_size=30))
def test_a_pattern_without_a_mistake_never_raises(pattern: str, text: str) -> None:
    if pattern_mistake(pattern) is None:
        assert pattern_matches(pattern, text) in (True, False)


@given(path=st.text("$.[]*?@'\"abc019:(),=<!&| \ud800-", max_size=14), data=st.none() | st.text())
def test_a_path_without_a_mistake_never_raises(path: str, data: Any) -> None:
    if path_mistake(f"${path}") is None:
        assert isinstance(json_values(f"${path}", {"a": [data], "b": data}), list)


def test_another_package_of_the_same_name_is_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "jsonpath").mkdir()
    (tmp_path / "jsonpath" / "__init__.py").write_text("class JSONPath: ...\n")
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parent.parent)])
    }

    done = subprocess.run(
        [sys.executable, "-c", "import exporter.matching"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "pip uninstall -y jsonpath-python" in done.stderr
