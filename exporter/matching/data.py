"""JSON over hostile bytes, in bounded time: its values, and its numbers without rounding."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any


class _NoJson:
    """The type of NO_JSON and TOO_LARGE."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


NO_JSON: Any = _NoJson("NO_JSON")
"""The data of a body that is not JSON; not None, which is the data of the body `null`."""
TOO_LARGE: Any = _NoJson("TOO_LARGE")
"""The data of a body that would take too long to read: it may be JSON or not."""

MOST_VALUES = 100_000
"""Of a body: to build so many takes about 50 ms, during which nothing else runs; 10 MiB of `[],`
would take a second. A thread would not help, as the parser keeps the interpreter's lock."""
_PART_DIGITS, _MAX_DIGITS = 640, 65_536
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def json_of(body: bytes | str) -> Any:
    """Return the data of a JSON *body* or NO_JSON; never raises, whatever the bytes.

    Strictly RFC 8259: NaN and Infinity are no JSON. Integers are exact; those of more than 640
    digits may have 65,536 together. With more of them, or if it may have more than `MOST_VALUES`
    values, the body is TOO_LARGE: counted are its `,`, `[` and `{`, also those inside texts.

    >>> json_of(b'{"a": [1]}'), json_of(b"[NaN]"), json_of(b"[" + b"1," * 100_000 + b"1]")
    ({'a': [1]}, NO_JSON, TOO_LARGE)
    """
    if len(body) <= _PART_DIGITS:
        return _of_short(body)
    if _value_count(body) > MOST_VALUES:
        return TOO_LARGE
    try:
        return json.loads(body, parse_constant=_refuse_constant, parse_int=_Integers().read)
    except _TooManyDigitsError:
        return TOO_LARGE
    except (ValueError, RecursionError):
        return NO_JSON


def _of_short(body: bytes | str) -> Any:
    """Return the data of *body*, which is too short for a limit: as `json_of`, at half the price.

    The events of a stream are so short; a decoder for each would cost more than to read them.
    """
    try:
        text = body if isinstance(body, str) else body.decode(json.detect_encoding(body), _ANY)
        return _SHORT.decode(text)
    except (ValueError, RecursionError):
        return NO_JSON


class TooManyValuesError(ValueError):
    """A text of JSON has more values than its reader takes."""


class RepeatedNameError(ValueError):
    """An object of a text of JSON has a name twice: readers differ in which value counts."""


def json_in_turns(text: bytes, most_values: int, *, names_once: bool = False) -> Any:
    """Return the data of the JSON in *text*; in a thread, others run between its objects.

    Of a name that an object has twice the last value counts, unless *names_once*.

    Raises:
        TooManyValuesError: it may have more than *most_values* values, counted as for `json_of`.
        RepeatedNameError: an object has a name twice, and *names_once*.
        ValueError, RecursionError: it is not JSON (RFC 8259), or has a number such as 1e999.
    """
    if _value_count(text) > most_values:
        raise TooManyValuesError
    return json.loads(
        text,
        parse_constant=_refuse_constant,
        parse_float=_finite,
        parse_int=_whole,
        object_hook=_turn,
        object_pairs_hook=_with_names_once if names_once else None,  # goes before the other
    )


def _with_names_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RepeatedNameError
    return found


def _turn(found: dict[str, Any]) -> dict[str, Any]:
    """Do nothing: the parser, written in C, lets go of the interpreter only to call Python code."""
    return found


def _whole(text: str) -> int:
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def is_json(data: Any) -> bool:
    """Return whether *data*, of `json_of`, is the data of JSON."""
    return not isinstance(data, _NoJson)


def _value_count(body: bytes | str) -> int:
    """Return at least how many values *body* has, keys not counted; in no time."""
    if isinstance(body, str):
        return 1 + sum(map(body.count, ",[{"))
    return 1 + sum(map(body.count, (b",", b"[", b"{")))


def _refuse_constant(name: str) -> None:
    raise ValueError


_SHORT = json.JSONDecoder(parse_constant=_refuse_constant)
_ANY = "surrogatepass"
"""How `json.loads` decodes bytes too."""


class _LongInteger(int):
    """An integer that knows its digits: Python refuses to write more than 4,300 of them."""

    text: str

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


class _TooManyDigitsError(Exception):
    """The long integers of a body have too many digits: to read them is more than linear."""


class _Integers:
    """Reads the integers of one body; `left` is how many digits its long ones may still have."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MAX_DIGITS

    def read(self, text: str) -> int:
        if len(text) <= _PART_DIGITS:
            return int(text)
        self.left -= len(text)
        if self.left < 0:
            raise _TooManyDigitsError
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
