"""Patterns (RE2, linear time) and paths (JSONPath, RFC 9535) over hostile text, compiled once."""

from __future__ import annotations

import functools
import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import jsonpath
import re2


class _NoJson:
    """The type of NO_JSON."""

    def __repr__(self) -> str:
        return "NO_JSON"


NO_JSON: Any = _NoJson()
"""The data of a body that is not JSON; not None, which is the data of the body `null`."""

_PART_DIGITS, _MAX_DIGITS = 640, 65_536
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# The library lets the last three out: on deep nesting and on absurd numbers.
_PATH_ERRORS = (jsonpath.JSONPathError, RecursionError, ValueError, OverflowError)


@functools.lru_cache(maxsize=4096)
def _pattern(text: str) -> Any:
    options = re2.Options()
    options.log_errors = False  # RE2 would write the pattern to standard error
    return re2.compile(text, options)


@functools.lru_cache(maxsize=4096)
def _path(text: str) -> Any:
    return jsonpath.JSONPathEnvironment(strict=True).compile(text)


def pattern_mistake(text: str) -> str | None:
    """Return what is wrong with a pattern, without quoting it; None if it is valid."""
    try:
        _pattern(text)
    except (re2.error, UnicodeEncodeError):
        return "is not a valid RE2 pattern (no look-around, no back-reference)"
    return None


def path_mistake(text: str) -> str | None:
    """Return what is wrong with a JSONPath, without quoting it; None if it is valid."""
    try:
        _path(text)
    except _PATH_ERRORS:
        return "is not a valid JSONPath such as $.data[0].id"
    return None


def pattern_matches(pattern: str, text: str) -> bool:
    """Return whether *pattern* matches anywhere in *text*.

    >>> pattern_matches("^ok", "ok: ready")
    True
    """
    compiled = _pattern(pattern)
    try:
        return compiled.search(text) is not None
    except UnicodeEncodeError:  # a lone surrogate: JSON may contain one
        return compiled.search(text.encode("utf-8", "replace").decode()) is not None


Groups = dict[str, str]
"""The groups of a match by number and by name; "0" is the whole text, an unused one is empty."""


def groups_of(pattern: str, text: str) -> Groups | None:
    """Return the groups of the first match of *pattern* in *text*, None without a match.

    >>> groups_of("^(.*):(?P<port>[0-9]+)$", "a:443")
    {'0': 'a:443', '1': 'a', '2': '443', 'port': '443'}
    """
    match = _pattern(pattern).search(text.encode("utf-8", "replace").decode())
    if match is None:
        return None
    numbered = {str(i + 1): group or "" for i, group in enumerate(match.groups())}
    named = {name: group or "" for name, group in match.groupdict().items()}
    return {"0": match.group(), **numbered, **named}


class UnsearchableError(ValueError):
    """The data cannot be searched: it is not JSON, or nested deeper than the search goes."""


def json_values(path: str, data: Any) -> list[Any]:
    """Return every value at *path*; an empty list if there is none.

    Raises:
        UnsearchableError: it cannot be found out whether there is a value.

    >>> json_values("$.data[*].id", {"data": [{"id": 1}, {"id": 2}]})
    [1, 2]
    """
    if data is NO_JSON:
        raise UnsearchableError("the body is not JSON")
    if path == "$":
        return [data]
    try:
        return list(_path(path).findall(data))
    except _PATH_ERRORS:
        raise UnsearchableError("the body cannot be searched") from None


def json_of(body: bytes | str) -> Any:
    """Return the data of a JSON *body* or NO_JSON; never raises, whatever the bytes.

    Strictly RFC 8259: NaN and Infinity are no JSON. Integers are exact, to 65,536 digits.

    >>> json_of(b'{"a": [1]}'), json_of(b"[NaN]")
    ({'a': [1]}, NO_JSON)
    """
    try:
        return json.loads(body, parse_constant=_refuse_constant, parse_int=_integer)
    except (ValueError, RecursionError):
        return NO_JSON


def _refuse_constant(name: str) -> None:
    raise ValueError


class _LongInteger(int):
    """An integer that knows its digits: Python refuses to write more than 4,300 of them."""

    text: str

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def _integer(text: str) -> int:
    if len(text) <= _PART_DIGITS:
        return int(text)
    if len(text) > _MAX_DIGITS:
        raise ValueError
    digits = text.removeprefix("-")
    number = _LongInteger(_value_of(digits) * (-1 if len(digits) < len(text) else 1))
    number.text = text
    return number


def _value_of(digits: str) -> int:
    """Return the value of *digits* in parts: `int` refuses long texts, and is quadratic."""
    if len(digits) <= _PART_DIGITS:
        return int(digits)
    half = len(digits) // 2
    high, low = _value_of(digits[:-half]), _value_of(digits[-half:])
    return high * int(10**half) + low


def number_of(value: Any) -> int | float | Decimal | None:
    """Return *value*, a number or its text, exactly; None if it is neither.

    `float` would round an integer beyond 2**53, and takes "NaN" and "Infinity" for numbers.

    >>> number_of("9007199254740993"), number_of("Infinity"), number_of(True)
    (Decimal('9007199254740993'), None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond what Decimal can hold
        return float(text)
