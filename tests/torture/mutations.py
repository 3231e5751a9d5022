"""Documents with some of their values replaced, removed, renamed or wrapped: nearly right."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

SENTINEL = "sk-FUZZ-q7W9xZ2mK4vT8nB1cD5fG6hJ"
Path = tuple[Any, ...]

TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "",
            " ",
            "\0",
            "a\r\nb: c",
            "\u202ea",
            "\u2028",
            "\U0001f525",
            "\x7f",
            "x" * 10_000,
            "${UNSET}",
            "${",
            "{{ .Labels }}",
            "<!channel>",
            "https://[::1",
            "https://user:pass@api.example.org/",
            "file:///etc/passwd",
            "http://127.0.0.1:1/",
            "0s",
            "1e999s",
            "-5s",
            "99.99%",
            "200-",
            "2026-02-30T00:00:00Z",
            "[a-",
            "(a+)+$",
            "$..[?@.a]",
            "*",
            "/dev/zero",
            "..",
        ]
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.integers(-3, 700),
    st.floats(),
    TEXTS,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = VALUES | st.binary(max_size=3) | st.dates() | st.just(object()) | st.just({1, 2})
"""What a program can give, but no file holds."""


def places(document: Any, path: Path = ()) -> list[Path]:
    """Return the path of everything in *document*."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(document, dict):
        inner = list(document.items())
    elif isinstance(document, list):
        inner = list(enumerate(document))
    return [path, *(found for key, value in inner for found in places(value, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn, *documents: Any, values: Any = VALUES) -> Any:
    """Draw one of *documents* with one to four changes in it."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(places(document)))
        if not path:
            if draw(st.integers(0, 30)) == 0:
                return draw(values)
            continue
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        _change(draw, parent, path[-1], values)
    return document


def _change(draw: st.DrawFn, parent: Any, key: Any, values: Any) -> None:
    how = draw(st.sampled_from(("replace", "replace", "remove", "rename", "wrap", "repeat")))
    value = parent[key]
    if how == "remove":
        del parent[key]
    elif how == "rename" and isinstance(parent, dict):
        del parent[key]
        parent[draw(TEXTS)] = value
    elif how == "wrap":
        parent[key] = draw(st.sampled_from(([value], {"a": value})))
    elif how == "repeat" and isinstance(parent, list):
        parent.append(copy.deepcopy(value))
    else:
        parent[key] = draw(values)
