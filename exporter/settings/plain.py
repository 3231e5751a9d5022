"""Settings that a program gives as Python objects: copied as plain data, with every mistake.

No message repeats a value, and none shows the name of a key that may be a secret.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from exporter.secret import Secret
from exporter.settings.document import MAX_DEPTH, MAX_VALUES, Document, FieldPath

_LARGEST = 10**18
_ALLOWED = "must be text, a number, true or false, None, a list or a mapping"


@dataclass(frozen=True, slots=True)
class Plain:
    """Data that nobody else holds."""

    data: Any = field(repr=False)
    literal: frozenset[FieldPath]
    """The places whose text is taken as it is: a `${` in it names no variable."""
    secrets: frozenset[FieldPath]
    """The places that held a `Secret`."""
    problems: tuple[tuple[FieldPath, str], ...]


def copied(given: Any) -> Plain:
    """Return *given* with mappings as dicts, lists and tuples as lists, paths and secrets as text.

    What is no setting at all is None in it, and a problem.
    """
    copying = _Copying()
    data = copying.value(given, ())
    literal, secrets = frozenset(copying.literal), frozenset(copying.secrets)
    return Plain(data, literal, secrets, tuple(copying.problems))


def document_of(plain: Plain, expand: Callable[[str], str] | None) -> Document:
    """Return *plain* as a document without lines; *expand* replaces `${NAME}` as for `read`.

    The data are a copy: what is checked is changed, and *plain* can be read again.
    """
    document = Document(None, {(): 0}, {}, references=set(plain.secrets))
    document.problems = [(path, 0, what) for path, what in plain.problems]
    document.data = _expanded(plain.data, (), document, plain.literal, expand)
    return document


class _Copying:
    def __init__(self) -> None:
        self.literal: set[FieldPath] = set()
        self.secrets: set[FieldPath] = set()
        self.problems: list[tuple[FieldPath, str]] = []
        self._around: set[int] = set()
        self._left = MAX_VALUES

    def value(self, given: Any, path: FieldPath) -> Any:
        self._left -= 1
        if self._left < 0:
            if self._left == -1:
                self._refuse((), f"holds more than {MAX_VALUES} values")
            return None
        if given is None or isinstance(given, bool):
            return given
        if isinstance(given, (int, float)):
            return self._number(given, path)
        if isinstance(given, str):
            return self._text(str.__str__(given), path)
        if isinstance(given, Secret):
            self.literal.add(path)
            self.secrets.add(path)
            return self._text(given.reveal(), path)
        if isinstance(given, PurePath):
            self.literal.add(path)
            return self._text(str(given), path)
        if isinstance(given, (Mapping, list, tuple)):
            return self._several(given, path)
        return self._refuse(path, f"{_ALLOWED}, not {type(given).__name__}")

    def _refuse(self, path: FieldPath, what: str) -> None:
        self.problems.append((path, what))

    def _number(self, given: float, path: FieldPath) -> Any:
        if not math.isfinite(given) if isinstance(given, float) else abs(given) >= _LARGEST:
            return self._refuse(path, "must be a finite number of at most 18 digits")
        # Of a subclass, such as an IntEnum, the number.
        return float(given) if isinstance(given, float) else int(given)

    def _text(self, text: str, path: FieldPath) -> Any:
        try:
            text.encode()
        except UnicodeEncodeError:
            return self._refuse(path, "holds half of a character (a lone surrogate)")
        return text

    def _several(self, given: Any, path: FieldPath) -> Any:
        if id(given) in self._around:
            return self._refuse(path, "contains itself")
        if len(path) >= MAX_DEPTH:
            return self._refuse(path, f"is nested deeper than {MAX_DEPTH} levels")
        self._around.add(id(given))
        try:
            if isinstance(given, Mapping):
                return self._mapping(given, path)
            return [self.value(one, (*path, index)) for index, one in enumerate(given)]
        finally:
            self._around.discard(id(given))

    def _mapping(self, given: Mapping[Any, Any], path: FieldPath) -> dict[str, Any]:
        found = {}
        for name, value in given.items():
            if not isinstance(name, str):
                self._refuse(path, "has a key that is no text")
            elif self._text(name, path) is not None:
                found[str.__str__(name)] = self.value(value, (*path, str.__str__(name)))
        return found


def _expanded(
    value: Any,
    path: FieldPath,
    document: Document,
    literal: frozenset[FieldPath],
    expand: Callable[[str], str] | None,
) -> Any:
    if isinstance(value, dict):
        return {
            name: _expanded(inner, (*path, name), document, literal, expand)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [
            _expanded(inner, (*path, index), document, literal, expand)
            for index, inner in enumerate(value)
        ]
    if expand is None or not isinstance(value, str) or "${" not in value or path in literal:
        return value
    return document.expanded_text(value, path, 0, expand)
