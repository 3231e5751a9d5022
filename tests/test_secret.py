"""Secrets: whatever is done with one, its text stays inside."""

from __future__ import annotations

import copy
import io
import json
import logging
import os
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from exporter.secret import (
    MAX_KEY_BYTES,
    MissingVariableError,
    Secret,
    SecretError,
    environment,
    expand,
    file_signature,
    read_key_file,
)

TEXT = "SENTINEL-sk-live-51H8xkq"
PIECES = tuple(TEXT[i : i + 4] for i in range(len(TEXT) - 3))


@dataclass(frozen=True)
class Holder:
    name: str
    key: Secret


def logged(secret: Secret) -> str:
    stream = io.StringIO()
    logger = logging.Logger("test")
    logger.addHandler(logging.StreamHandler(stream))
    logger.error("%s %r %s", secret, secret, {"key": secret})
    return stream.getvalue()


def raised(secret: Secret) -> str:
    try:
        raise ValueError(secret)
    except ValueError as error:
        return repr(error) + str(error) + "".join(traceback.format_exception(error))


SHOWN: dict[str, Callable[[Secret], str]] = {
    "repr": repr,
    "str": str,
    "format": lambda secret: format(secret, ">40"),
    "f-string": lambda secret: f"{secret} {secret!r} {secret!s} {secret!a} {secret:.3}",
    "percent": lambda secret: "%s %r %a" % (secret, secret, secret),  # noqa: UP031
    "str.format": "{0} {0!r}".format,
    "list": lambda secret: str([secret]) + str({secret: secret}) + str((secret,)),
    "dataclass": lambda secret: repr(Holder("a", secret)),
    "asdict": lambda secret: str(asdict(Holder("a", secret))),
    "replace": lambda secret: str(replace(Holder("a", secret), name="b")),
    "deepcopy": lambda secret: str(copy.deepcopy([secret])) + repr(copy.deepcopy(secret)),
    "copy of a holder": lambda secret: str(copy.copy(Holder("a", secret))),
    "json with default=str": lambda secret: json.dumps({"key": secret}, default=str),
    "exception": raised,
    "log": logged,
    "dir": lambda secret: str(dir(secret)),
}


@pytest.mark.parametrize("way", SHOWN)
def test_a_secret_does_not_show_itself(way: str) -> None:
    shown = SHOWN[way](Secret(TEXT))

    assert shown
    assert [piece for piece in PIECES if piece in shown] == []


@pytest.mark.parametrize(
    "dump",
    [pickle.dumps, json.dumps, copy.copy, vars, iter, len, bytes, os.fspath],
    ids=lambda dump: dump.__name__,
)
def test_a_secret_cannot_be_dumped_and_the_error_is_silent(dump: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError) as caught:
        dump(Secret(TEXT))

    assert [piece for piece in PIECES if piece in str(caught.value)] == []


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle_protocol_takes_a_secret_inside_something_else(protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps([Holder("a", Secret(TEXT))], protocol)


def test_a_secret_cannot_be_joined_to_a_text() -> None:
    with pytest.raises(TypeError):
        "Bearer " + Secret(TEXT)  # type: ignore[operator]


def test_a_secret_is_revealed_on_request() -> None:
    assert Secret(TEXT).reveal() == TEXT


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("", "…"),
        ("a", "…"),
        ("abcdefghijk", "…"),
        ("abcdefghijkl", "abc…ijkl"),
        ("abcdefghijklmnopqrstuvwxyz", "abc…wxyz"),
        ("ключключключ", "клю…ключ"),
    ],
)
def test_masked_shows_the_ends_of_long_values_only(value: str, masked: str) -> None:
    assert Secret(value).masked() == masked


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (Secret("a"), Secret("a"), True),
        (Secret("a"), Secret("b"), False),
        (Secret("a"), Secret("aa"), False),
        (Secret("é"), Secret("é"), True),
        (Secret("\udcff"), Secret("\udcff"), True),
        (Secret("a"), "a", False),
        (Secret(""), None, False),
    ],
)
def test_secrets_are_equal_by_value_and_to_nothing_else(
    one: Secret, other: object, equal: bool
) -> None:
    assert (one == other) is equal


def test_equal_secrets_have_one_place_in_a_set() -> None:
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


# -- key files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"abc", "abc"),
        (b"abc\n", "abc"),
        (b"abc\r\n", "abc"),
        (b"abc\n\n", "abc"),
        (b"  abc \t\n", "abc"),
        ("schlüssel".encode(), "schlüssel"),
        (b"a b", "a b"),
        (b"x" * MAX_KEY_BYTES, "x" * MAX_KEY_BYTES),
    ],
)
def test_a_key_file_holds_a_key_and_perhaps_a_line_end(
    tmp_path: Path, content: bytes, key: str
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)

    assert read_key_file(path).reveal() == key


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"\n \r\n", "is empty"),
        (TEXT.encode() * 4000, "is larger than 64 KiB"),
        (TEXT.encode() + b"\xff", "is not UTF-8 text"),
        (TEXT.encode() + b"\x00", "a control character or more than one line"),
        (TEXT.encode() + b"\x7f", "a control character or more than one line"),
        (TEXT.encode() + b"\n" + TEXT.encode(), "a control character or more than one line"),
    ],
)
def test_an_unusable_key_file_is_explained_without_its_content(
    tmp_path: Path, content: bytes, what: str
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)

    with pytest.raises(SecretError, match=what) as caught:
        read_key_file(path)

    assert [piece for piece in PIECES if piece in str(caught.value)] == []
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("nowhere", "No such file or directory"),
        ("", "Is a directory"),
        ("a\x00b", "not a valid path"),
    ],
)
def test_a_key_file_that_cannot_be_opened_says_why(tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(SecretError, match=what):
        read_key_file(tmp_path / name)


def test_the_signature_of_a_file_changes_with_its_content_and_its_replacement(
    tmp_path: Path,
) -> None:
    path = tmp_path / "key"
    path.write_text("one")
    first = file_signature(path)

    path.write_text("three")
    changed = file_signature(path)
    other = tmp_path / "other"
    other.write_text("three")
    other.replace(path)
    replaced = file_signature(path)

    assert len({first, changed, replaced}) == 3


def test_the_signature_of_an_untouched_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("one")

    assert file_signature(path) == file_signature(path)


def test_a_file_that_is_not_there_has_no_signature(tmp_path: Path) -> None:
    assert file_signature(tmp_path / "nowhere") is None


# -- the environment --------------------------------------------------------------------------


def test_the_environment_is_the_process_environment_itself() -> None:
    assert environment() is os.environ


def test_the_error_of_a_malformed_reference_holds_no_value() -> None:
    with pytest.raises(ValueError, match=r"a \$\{ is not closed by a \}") as caught:
        expand(f"${{{TEXT}", {})

    assert [piece for piece in PIECES if piece in str(caught.value)] == []


def test_the_error_of_a_missing_variable_holds_its_name_alone() -> None:
    with pytest.raises(MissingVariableError) as caught:
        expand(f"{TEXT}${{NAME}}{TEXT}", {"OTHER": TEXT})

    assert str(caught.value) == "NAME"
