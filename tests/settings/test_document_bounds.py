"""YAML that is made to take long: refused after few steps, with its line."""

from __future__ import annotations

import gc
import time
from itertools import pairwise

import pytest

from exporter.settings import document
from exporter.settings.document import MAX_DUPLICATES, DocumentError, read
from tests.steps import steps_of


def bomb(row: str, anchors: str = "abcdefghij") -> str:
    first = "a: &a {k: x}\n"
    return first + "".join(
        row.format(name=name, before=before) for before, name in pairwise(anchors)
    )


BOMBS = {
    "lists": (bomb("{name}: &{name} [" + ", ".join(["*{before}"] * 10) + "]\n"), 6),
    "mappings": (
        bomb("{name}: &{name} {{p: *{before}, q: *{before}}}\n", "abcdefghijklmnopqr"),
        16,
    ),
    "merges": (bomb("{name}: &{name} {{<<: [" + "*{before}, " * 10 + "]}}\n"), 6),
    "merges of merges": (
        "a0: &a0 {k: x}\n" + "".join(f"a{i}: &a{i} {{<<: *a{i - 1}}}\n" for i in range(1, 2000)),
        447,
    ),
    "its own part": ("a: 1\nb: &b\n  - [*b, *b]\n", 3),
    "its own merge": ("a: &a\n  k: x\n  <<: *a\n", 3),
}


@pytest.mark.parametrize(("text", "line"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_before_it_is_resolved(text: str, line: int) -> None:
    found: list[DocumentError] = []

    def attempt() -> None:
        with pytest.raises(DocumentError) as caught:
            read(text)
        found.append(caught.value)

    assert steps_of(attempt) < 100 * len(text)
    assert found[0].line == line
    assert "alias" in found[0].what


def test_an_alias_counts_as_often_as_it_is_used() -> None:
    shared = "a: &a [" + "x," * 999 + "]\n"

    read(shared + "b: [" + "*a," * 99 + "]")
    with pytest.raises(DocumentError, match="repeat more than"):
        read(shared + "b: [" + "*a," * 101 + "]")


def test_a_file_of_too_many_values_is_refused_while_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(document, "MAX_VALUES", 1_000)

    assert len(read("a: 1\n" * 1 + "b: [" + "x," * 990 + "]").data["b"]) == 990
    with pytest.raises(DocumentError, match="holds more than 1000 values"):
        read("[" + "x," * 1_000 + "]")


def test_the_time_of_merges_grows_with_their_number() -> None:
    def seconds(count: int) -> float:
        text = "a: {<<: [" + ", ".join(f"{{k{i}: x}}" for i in range(count)) + "]}"
        gc.collect()
        gc.disable()  # as `examine` does
        try:
            begun = time.process_time()
            assert len(read(text).data["a"]) == count
            return time.process_time() - begun
        finally:
            gc.enable()

    few = min(seconds(1_000) for _ in range(5))

    # 20 times as much; copying what is merged so far, each time, would take 400 times as long
    assert min(seconds(20_000) for _ in range(3)) < 70 * few


def test_no_more_duplicates_are_reported_than_anybody_mends() -> None:
    found = read("a: 1\n" * (3 * MAX_DUPLICATES))

    assert len(found.problems) == MAX_DUPLICATES


def test_aliases_that_are_nested_in_depth_are_refused() -> None:
    deep = "[" * 20 + "{}" + "]" * 20

    with pytest.raises(DocumentError, match="nested deeper than 32 levels"):
        read("a: &a " + deep.format("x") + "\nb: " + deep.format("*a"))
