"""Read JSON with the line of each value, as `settings` does for YAML.

Refuses deep nesting, names given twice and comments. Error messages quote nothing of the text.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from json import JSONDecodeError, JSONDecoder
from typing import Any

from exporter.settings import FieldPath, Loaded, Problem, SettingsError
from exporter.settings.document import MAX_BYTES, MAX_DEPTH, Document

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_STRINGS = JSONDecoder()
_LITERALS = {"true": True, "false": False, "null": None}


class _WrongError(ValueError):
    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at, self.message = at, message


def read_json(text: str, source: str) -> Loaded:
    """Return the data of the JSON in *text* with the line of everything in it.

    Raises:
        SettingsError: not JSON, larger than 32 MiB, nested too deep, or a name is given twice.
    """
    reader = _Reader(text)
    try:
        if len(text) > MAX_BYTES:
            raise _WrongError(0, "the file is larger than 32 MiB")
        data = reader.read()
    except _WrongError as wrong:
        line, column = reader.place(wrong.at)
        problem = Problem(source, line, "(file)", f"{wrong.message} (column {column})")
        raise SettingsError([problem]) from None
    return Loaded(source, data, reader.document, {})


class _Reader:
    """Reads the text in one pass; positions are offsets of characters."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [newline.end() for newline in re.finditer("\n", text)]
        self.document = Document(None, {}, {})

    def line(self, at: int) -> int:
        return bisect_right(self._starts, at) + 1

    def place(self, at: int) -> tuple[int, int]:
        """Return line and column, both from 1, of an offset."""
        line = self.line(at)
        return line, at - (self._starts[line - 2] if line > 1 else 0) + 1

    def read(self) -> Any:
        value, at = self._value(self._skip_space(0), ())
        if self._skip_space(at) != len(self._text):
            raise self._wrong(at, "something follows the value")
        return value

    def _skip_space(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at

    def _value(self, at: int, path: FieldPath) -> tuple[Any, int]:
        if len(path) > MAX_DEPTH:
            raise _WrongError(at, f"nested deeper than {MAX_DEPTH} levels")
        self.document.lines[path] = self.line(at)
        first = self._text[at : at + 1]
        if first == "{":
            return self._object(at, path)
        if first == "[":
            return self._list(at, path)
        if first == '"':
            return self._string(at)
        for word, value in _LITERALS.items():
            if self._text.startswith(word, at):
                return value, at + len(word)
        match = _NUMBER.match(self._text, at)
        # int() raises ValueError for more than 4300 digits; no setting needs 40
        if not match or len(match.group()) > 40:
            raise self._wrong(at, "a value is missing or misspelt")
        number = match.group()
        found = float(number) if match.group(1) or match.group(2) else int(number)
        if not math.isfinite(found):
            raise _WrongError(at, "a number that is too large")
        return found, match.end()

    def _string(self, at: int) -> tuple[str, int]:
        try:
            decoded: tuple[str, int] = _STRINGS.raw_decode(self._text, at)
        except JSONDecodeError:
            message = "not valid JSON: a text that is not closed, or an unknown escape in it"
            raise _WrongError(at, message) from None
        return decoded

    def _object(self, at: int, path: FieldPath) -> tuple[dict[str, Any], int]:
        members: dict[str, Any] = {}
        at = self._skip_space(at + 1)
        while self._text[at : at + 1] != "}":
            if members:
                at = self._expect(",", at, "a , or } is missing")
            if self._text[at : at + 1] != '"':
                raise self._wrong(at, "a name in quotes is missing")
            start = at
            name, at = self._string(at)
            if name in members:
                raise _WrongError(start, "this name is given twice; remove one")
            at = self._expect(":", self._skip_space(at), "a : is missing")
            members[name], at = self._value(at, (*path, name))
            self.document.key_lines[(*path, name)] = self.line(start)
            at = self._skip_space(at)
        return members, at + 1

    def _list(self, at: int, path: FieldPath) -> tuple[list[Any], int]:
        items: list[Any] = []
        at = self._skip_space(at + 1)
        while self._text[at : at + 1] != "]":
            if items:
                at = self._expect(",", at, "a , or ] is missing")
            value, at = self._value(at, (*path, len(items)))
            items.append(value)
            at = self._skip_space(at)
        return items, at + 1

    def _expect(self, mark: str, at: int, message: str) -> int:
        if self._text[at : at + 1] != mark:
            raise self._wrong(at, message)
        return self._skip_space(at + 1)

    def _wrong(self, at: int, message: str) -> _WrongError:
        """Return the error at *at*; what JavaScript and YAML allow there has a message of its own.

        The text is only looked at, never quoted.
        """
        rest, before = self._text[at : at + 2], self._text[:at].rstrip()
        if rest[:1] == "#" or rest in ("//", "/*"):
            message = "a comment, which JSON does not have; remove it"
        elif before.endswith(",") and rest[:1] in ("}", "]"):
            message = f"a comma before {rest[:1]}; remove it"
        elif rest[:1] in ("'", "`"):
            message = "a text in other quotes; JSON has double ones only"
        return _WrongError(at, f"not valid JSON: {message}")
