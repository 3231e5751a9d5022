"""Whatever is written is read back equal, by our reader and by PyYAML."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.importers.emitter import emit, scalar
from exporter.settings.document import read
from tests.documents import yaml_of

TRICKY = [
    "yes",
    "NO",
    "On",
    "y",
    "1e3",
    "0x1F",
    "0o17",
    "0b1",
    "12:30",
    "12:30:00",
    "2020-01-01",
    "a: b",
    "a #b",
    "- x",
    "!t",
    "&a",
    "*a",
    "<<",
    "=",
    "~",
    "null",
    "1_000",
    ".5",
    ".inf",
    ".nan",
    "+1",
    "x\ny",
    "x\n  y\n",
    "x\n\n",
    "\nx",
    "x\n y",
    "${A}",
    "$${A}",
    "$.a.b",
    "500ms",
    "|",
    ">",
    "%a",
    "@a",
    "`a",
    "?",
    "? a",
    ":",
    ": a",
    "a:",
    "--- a",
    "...",
    "'",
    '"',
    "a'b\\",
    "#x",
    " a",
    "a ",
    "\tA",
    "é",
    "😀",
    "\ufeff",
    "\x85",
    "\u2028",
    "\x00",
    "{a}",
    "[a]",
    "a,b",
    "https://x.example/?a=1",
]
TEXTS = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(TRICKY))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**15), 10**15),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)
KEYS = st.one_of(TEXTS.filter(lambda t: len(t) < 80), st.just("x" * 200))
DATA = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=20,
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@settings(max_examples=300)
@given(st.dictionaries(KEYS, DATA, max_size=4), st.booleans())
def test_what_is_written_is_read_back_equal(data: dict[str, Any], commented: bool) -> None:
    comments: dict[Any, str] = {}
    if commented:
        comments = {(key,): "a comment" for key in data}
        comments |= {
            (key, i): "above\nit"
            for key, v in data.items()
            if isinstance(v, list)
            for i in range(len(v))
        }

    text = emit(data, comments)

    assert same(yaml_of(text), data)
    assert same(read(text).data, data)


@pytest.mark.parametrize("text", TRICKY)
def test_a_text_that_could_be_misread_is_quoted_or_safe(text: str) -> None:
    for flow in (False, True):
        written = scalar(text, flow=flow)
        around = f"[{written}]" if flow else f"- {written}"

        assert yaml_of(around) == [text]
        assert read(around).data == [text]


def test_comments_are_at_the_end_or_above() -> None:
    data = {"services": [{"id": "a", "enabled": False}, {"id": "b"}]}
    comments: dict[Any, str] = {
        ("services", 0, "enabled"): "off",
        ("services", 1): "two\nlines",
        ("services",): "all",
    }

    assert emit(data, comments) == (
        "services:  # all\n  - id: a\n    enabled: false  # off\n\n  # two\n  # lines\n  - id: b\n"
    )


def test_a_long_list_is_wrapped() -> None:
    text = emit({"codes": list(range(200, 260))}, {})

    assert max(map(len, text.splitlines())) <= 100
    assert yaml_of(text) == {"codes": list(range(200, 260))}
