"""Read JSON and remember on which line each value stands, as `settings` does for YAML.

Refuses nesting beyond reason and keys given twice. Error messages quote nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from json import JSONDecodeError, JSONDecoder
from typing import Any

from exporter.settings import FieldPath, Loaded, Problem, SettingsError
from exporter.settings.document import MAX_BYTES, MAX_DEPTH, Document

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_STRINGS = JSONDecoder()
_WORDS = {"true": True, "false": False, "null": None}


class _WrongError(ValueError):
    def __init__(self, at: int, what: str) -> None:
        super().__init__(what)
        self.at, self.what = at, what


def read_json(text: str, source: str) -> Loaded:
    """Return the data of the JSON in *text* with the line of everything in it.

    Raises:
        SettingsError: it is no JSON that we accept.
    """
    reader = _Reader(text)
    try:
        if len(text) > MAX_BYTES:
            raise _WrongError(0, "the file is larger than 32 MiB")
        data = reader.all()
    except _WrongError as wrong:
        problem = Problem(source, reader.line(wrong.at), "(file)", wrong.what)
        raise SettingsError([problem]) from None
    return Loaded(source, data, reader.document, {})


class _Reader:
    """Walks the text once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [found.end() for found in re.finditer("\n", text)]
        self.document = Document(None, {}, {})

    def line(self, at: int) -> int:
        return bisect_right(self._starts, at) + 1

    def all(self) -> Any:
        value, at = self._value(self._skip(0), ())
        if self._skip(at) != len(self._text):
            raise _WrongError(at, "not valid JSON: something follows the value")
        return value

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

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
        for word, value in _WORDS.items():
            if self._text.startswith(word, at):
                return value, at + len(word)
        found = _NUMBER.match(self._text, at)
        if not found or len(found.group()) > 40:
            raise _WrongError(at, "not valid JSON: a value is missing or misspelt")
        number = found.group()
        return (float(number) if found.group(1) or found.group(2) else int(number)), found.end()

    def _string(self, at: int) -> tuple[str, int]:
        try:
            found: tuple[str, int] = _STRINGS.raw_decode(self._text, at)
        except JSONDecodeError:
            what = "not valid JSON: a text that is not closed, or an unknown escape in it"
            raise _WrongError(at, what) from None
        return found

    def _object(self, at: int, path: FieldPath) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        at = self._skip(at + 1)
        while self._text[at : at + 1] != "}":
            if found:
                at = self._expect(",", at, "a , or } is missing")
            if self._text[at : at + 1] != '"':
                raise _WrongError(at, "not valid JSON: a name in quotes is missing")
            start = at
            name, at = self._string(at)
            if name in found:
                raise _WrongError(start, "this name is given twice; remove one")
            at = self._expect(":", self._skip(at), "a : is missing")
            found[name], at = self._value(at, (*path, name))
            self.document.key_lines[(*path, name)] = self.line(start)
            at = self._skip(at)
        return found, at + 1

    def _list(self, at: int, path: FieldPath) -> tuple[list[Any], int]:
        found: list[Any] = []
        at = self._skip(at + 1)
        while self._text[at : at + 1] != "]":
            if found:
                at = self._expect(",", at, "a , or ] is missing")
            value, at = self._value(at, (*path, len(found)))
            found.append(value)
            at = self._skip(at)
        return found, at + 1

    def _expect(self, mark: str, at: int, what: str) -> int:
        if self._text[at : at + 1] != mark:
            raise _WrongError(at, f"not valid JSON: {what}")
        return self._skip(at + 1)
