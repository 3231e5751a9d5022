"""Nearly right input everywhere: some examples of each kind; `make torture` tries many more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.importers.foreign import EXAMPLES
from tests.torture import fuzz
from tests.torture.fuzz import GIVEN, Library, Server
from tests.torture.mutations import SENTINEL, TEXTS, mutated

pytestmark = pytest.mark.slow
SOME = 40


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with fuzz.serving() as made:
        yield made


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    with fuzz.library() as made:
        yield made


def test_a_configuration_is_read_or_told_what_is_wrong() -> None:
    fuzz.many(fuzz.configuration_is_read, SOME, mutated(*fuzz.CONFIGS))


def test_a_web_configuration_is_read_or_told_what_is_wrong(tmp_path: Path) -> None:
    fuzz.many(fuzz.web_configuration_is_read, SOME, mutated(fuzz.WEB), st.just(tmp_path))


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_foreign_configuration_is_imported_or_told_what_is_wrong(kind: str) -> None:
    fuzz.many(fuzz.foreign_configuration_is_imported, SOME // 2, st.just(kind), fuzz.foreign(kind))


def test_any_label_is_read_back_by_both_parsers() -> None:
    labels = st.text(st.characters(exclude_categories=["Cs"]))
    fuzz.many(fuzz.a_label_is_read_back, 200, labels, labels)


def test_a_body_is_never_an_internal_error(server: Server) -> None:
    fuzz.many(server.is_asked, SOME, fuzz.BODIES)


def test_a_message_is_taken_or_refused(server: Server) -> None:
    fuzz.many(server.is_told, SOME, mutated(*fuzz.MESSAGES))


def test_what_was_taken_is_shown_in_metrics_that_every_parser_reads(server: Server) -> None:
    fuzz.many(server.is_shown, SOME // 4, fuzz.BODIES)
    fuzz.promtool_reads(server.pages()[0])


def test_the_library_takes_any_argument_or_says_what_is_wrong(library: Library) -> None:
    fuzz.many(library.is_given, SOME // 4, GIVEN, GIVEN, st.tuples(TEXTS, TEXTS), st.integers())


def test_a_broken_promise_is_noticed() -> None:
    """The checks themselves: a message with a piece of the secret, and formats that differ."""
    for broken in (
        lambda: fuzz.kept_secret(f"cannot use {SENTINEL}"),
        lambda: fuzz.exposition_is_read('x{service="a"} 1\n', "# EOF\n"),
        lambda: fuzz.promtool_reads("x{ 1\n"),
    ):
        with pytest.raises(fuzz.BrokenError):
            broken()
