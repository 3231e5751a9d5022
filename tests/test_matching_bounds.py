"""Paths and JSON of a hostile body: bounded by counted steps, whatever the path and the body."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import jsonpath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.checks import Assertion
from exporter.matching import (
    MOST_STEPS,
    MOST_VALUES,
    TOO_LARGE,
    TooManyValuesError,
    UnsearchableError,
    json_in_turns,
    json_of,
    json_values,
    path_mistake,
)
from exporter.probers import Answer
from exporter.probers.judging import assertion_failure
from tests.steps import steps_of


def nested(levels: int, inner: Any = 1) -> Any:
    for _ in range(levels):
        inner = {"a": inner, "b": 1}
    return inner


HOSTILE = {
    "two descendants": ("$..a..a", [nested(90) for _ in range(60)]),
    "three descendants": ("$..*..*..*", nested(90)),
    "a query in a filter": ("$[?@.x == 1 || $[?@.y == 2]]", [{"z": i} for i in range(60_000)]),
    "a count of all, for each": ("$..[?count(@..*) > 1]", [nested(90) for _ in range(60)]),
    "a filter in a filter": ("$[?@[?@[?@[?@ > 1]]]]", [[[[0] * 50] * 50] * 50]),
    "filters side by side": (
        "$[?" + " && ".join(["count($.n[*]) > count(@[*])"] * 20) + "]",
        {"n": list(range(50)), **{str(i): [0] * 40 for i in range(300)}},
    ),
    "many selectors": ("$[" + ",".join("*" * 400) + "]", list(range(2_000))),
    "the same lists compared": ("$[?@ == $[0]]", [list(range(300)) for _ in range(700)]),
    "the same objects compared": (
        "$[?@ == $[0]]",
        [{str(i): 0 for i in range(300)} for _ in range(700)],
    ),
    "long texts compared": ("$[?$[?@ == $[0]] && @ == 0]", ["x" * 1_000_000] * 60),
    "long texts searched": ("$[?search(@, 'b$')]", ["a" * 1_000_000] * 60),
}


@pytest.mark.parametrize(("path", "data"), HOSTILE.values(), ids=HOSTILE)
def test_what_takes_too_many_steps_is_given_up(path: str, data: Any) -> None:
    assert path_mistake(path) is None

    def search() -> None:
        with pytest.raises(UnsearchableError, match=r"^the body is too large to evaluate$"):
            json_values(path, data)

    assert steps_of(search) < 20 * MOST_STEPS


def test_an_assertion_over_a_body_that_is_too_large_fails_and_says_so() -> None:
    data = [nested(90) for _ in range(60)]
    answer = Answer(status=200, body=json.dumps(data).encode())

    for operator in ({"exists": False}, {"exists": True}, {"not_equals": 2}):
        failure = assertion_failure(Assertion(json="$..a..a", **operator), answer, lambda: data)
        assert failure == "$..a..a: the body is too large to evaluate"


def test_one_visit_of_each_value_of_a_usual_body_is_within_the_bound() -> None:
    models = [{"id": f"m-{i}", "owner": "x", "tags": ["a", "b"], "n": {"a": i}} for i in range(900)]
    assert len(json.dumps({"data": models})) > 60_000

    assert len(json_values("$..id", {"data": models})) == 900
    assert len(json_values("$.data[?@.n.a > 449].id", {"data": models})) == 450
    assert len(json_values("$.data[?search(@.id, '9$')]", {"data": models})) == 90


@pytest.mark.parametrize("item", ["1", "[]", "{}", '{"":1}', "[1]", '""'])
def test_each_value_of_any_body_of_the_default_size_can_be_visited(item: str) -> None:
    data = json_of("[" + ",".join([item] * (65_535 // (len(item) + 1))) + "]")

    assert len(json_values("$..*", data)) >= len(data)


def test_nesting_as_deep_as_any_is_searched() -> None:
    data: Any = {"error": 1}
    for _ in range(20_000):
        data = [data]

    assert json_values("$..error", data) == [1]


EVIL = "(a|aa)+$"


@pytest.mark.parametrize("function", ["match", "search"])
def test_a_pattern_in_a_path_takes_linear_time(function: str) -> None:
    # a backtracking engine would need 2**40 steps
    assert json_values(f"$[?{function}(@, '{EVIL}')]", ["a" * 60 + "!"]) == []
    assert json_values(f"$[?{function}(@, '{EVIL}')]", ["a" * 60]) == ["a" * 60]


@pytest.mark.parametrize(
    ("path", "mistake"),
    [
        ("$.x[?match(@, $.p)]", "needs the pattern of match() as a text in quotes"),
        ("$[?@[?search(@.a, @.b)]]", "needs the pattern of search() as a text in quotes"),
        (
            "$[?search(@, '(?=a)')]",
            "has a pattern in search() that is not a valid RE2 pattern "
            "(no look-around, no back-reference)",
        ),
        ("$" + ".a" * 512, "is longer than 1024 characters"),
    ],
    ids=["from the root", "from the node", "look-around", "long"],
)
def test_a_path_that_cannot_be_bounded_is_refused(path: str, mistake: str) -> None:
    assert path_mistake(path) == mistake


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$[?match(@, 'a.c')]", ["abc"]),
        ("$[?search(@, 'a.c')]", ["abc", "xabc"]),
        ("$[?search(@, 'a[.]c')]", ["a.c"]),
        (r"$[?search(@, 'a\\.c')]", ["a.c"]),
        ("$[?match(@, 'a|abc')]", ["abc"]),
    ],
)
def test_match_is_of_the_whole_text_and_a_dot_is_no_end_of_line(
    path: str, found: list[str]
) -> None:
    data = ["abc", "xabc", "a\rc", "a\nc", "a.c", 1, None]

    assert [v for v in json_values(path, data) if v in found] == found
    assert "a\rc" not in json_values(path, data)


PATHS = [
    *("$", "$.a", "$..a", "$.*", "$..*", "$[0]", "$[-1]", "$..[0]", "$[::-1]", "$[0:2]", "$[::2]"),
    *("$['a','b']", "$[0,0]", "$..['a',0]", "$.a..b", "$[?@.a]", "$[?!@.a]", "$[?@.a == 1]"),
    *("$[?@.a != $.b]", "$[?@ < 1]", "$[?@ <= 1]", "$[?@ > 'a']", "$[?@ >= null]", "$..[?@ == @]"),
    *("$[?@.a == @.b]", "$[?count(@.*) > 1]", "$[?length(@) == 1]", "$[?value(@..a) == 1]"),
    *("$[?@.a && @.b || !@.a]", "$[?(@.a || @.b) && @.c]", "$[?@[?@ == 1]]", "$[?@ == true]"),
    *("$[?search(@, 'a')]", "$[?match(@, 'a+')]", "$[?@.a == 'a']", "$[?$.a == 1]", "$[?@ == 1.0]"),
]
VALUES = st.recursive(
    st.none() | st.integers(-2, 2) | st.sampled_from([0.5, 1.0, "a", "b", "aa", ""]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=20,
)


# python-jsonpath 2.2 slices a bare text as if it were a list, and takes true for the number 1.
@given(data=VALUES.filter(lambda value: isinstance(value, (list, dict))))
def test_the_result_is_that_of_the_library(data: Any) -> None:
    environment = jsonpath.JSONPathEnvironment(strict=True)
    for path in PATHS:
        wanted = environment.compile(path).findall(data)
        assert json.dumps(json_values(path, data)) == json.dumps(wanted), path


def test_true_is_no_number_and_a_text_is_no_list() -> None:
    data = [True, 1, [True], [1]]

    assert [type(one) for one in json_values("$[?@ == 1]", data)] == [int]
    assert [type(one) for one in json_values("$[?@ < 2]", data)] == [int]
    assert json_values("$[?@ == $[2]]", data)[0] is data[2]
    assert len(json_values("$[?@ == $[2]]", data)) == 1
    assert json_values("$[0:1]", "text") == json_values("$[0]", "text") == []


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"[]," * MOST_VALUES + b"[]]",
        "[" + "1," * MOST_VALUES + "1]",
        b"[" + b"{}," * MOST_VALUES + b"{}]",
        b"{" + b",".join(b'"%d":0' % i for i in range(MOST_VALUES + 1)) + b"}",
        ("[" + "1," * MOST_VALUES + "1]").encode("utf-16"),
        b"[" + b"7" * 60_000 + b"," + b"7" * 60_000 + b"]",
        b"[" * 10_000_000,
    ],
    ids=["lists", "text", "objects", "keys", "UTF-16", "digits", "depth"],
)
def test_a_body_that_would_take_long_to_read_is_not_read(body: bytes | str) -> None:
    assert json_of(body) is TOO_LARGE
    with pytest.raises(UnsearchableError, match="too large to evaluate"):
        json_values("$.a", json_of(body))


def test_as_many_values_as_are_allowed_are_read() -> None:
    assert len(json_of(b"[" + b"1," * (MOST_VALUES - 2) + b"1]")) == MOST_VALUES - 1
    # long texts have many commas: a body is not refused for its bytes
    assert (
        len(json_of(json.dumps({"text": "word, " * 16_000 + "x" * 4_000_000}))["text"]) > 4_000_000
    )


@given(body=st.lists(st.sampled_from([b"[", b"]", b"{", b"}", b",", b'"a"', b":", b"1"])))
def test_no_value_escapes_the_count(body: list[bytes]) -> None:
    text = b"".join(body)

    def values(data: Any) -> int:
        members = data.values() if isinstance(data, dict) else data
        return 1 + sum(map(values, members)) if isinstance(data, (dict, list)) else 1

    with contextlib.suppress(ValueError):
        assert values(json.loads(text)) <= 1 + sum(map(text.count, (b",", b"[", b"{")))


def test_what_is_read_in_a_thread_lets_others_run() -> None:
    alerts = json.dumps({"alerts": [{"labels": {"a": "b"}}] * 100}).encode()
    samples = json.dumps({"values": [[1700000000, "1"], [1700000000.5, "1"]] * 100}).encode()

    # a thread gives way to others only where Python code runs
    for text in (alerts, samples):
        assert json_in_turns(text, 1_000) == json.loads(text)
        assert steps_of(lambda text=text: json_in_turns(text, 1_000)) > 200


@pytest.mark.parametrize(
    "text", [b"[NaN]", b"[1e999]", b"[-Infinity]", b"[", b"[1,]", b"9" * 5_000]
)
def test_what_is_no_json_is_none_in_a_thread_either(text: bytes) -> None:
    with pytest.raises(ValueError):
        json_in_turns(text, 1_000)


def test_more_values_than_are_taken_are_not_read() -> None:
    with pytest.raises(TooManyValuesError):
        json_in_turns(b"[" + b"[]," * 1_000 + b"[]]", 1_000)
