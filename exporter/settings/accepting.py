"""Whether data fits a schema: yes, or perhaps not, in far less time than to say what is wrong.

Most data is right, and then nothing needs to be explained. Never yes for what JSON Schema refuses;
a keyword that is not known here, such as `if`, is a perhaps not.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from exporter.settings.kinds import KINDS

_Test = Callable[[Any], bool]
_Maker = Callable[[Any, Mapping[str, Any]], _Test]
_TYPES: dict[str, _Test] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}


def accepts(rules: Mapping[str, Any], value: Any) -> bool:
    """Return whether *value* fits the schema *rules*; what fits may get False, never the reverse.

    >>> accepts({"type": "integer", "minimum": 1}, 2), accepts({"type": "integer"}, "2")
    (True, False)
    """
    return _test_of(rules)(value)


def kind_mistake(name: str, value: Any, rules: Mapping[str, Any]) -> str:
    """Return what is wrong with *value*, a scalar of the kind *name*; nothing if it is right."""
    if value is None and rules.get("x-nullable"):
        return ""
    kind = KINDS[name]
    try:
        found = kind.parse(value)
    except (ValueError, TypeError):
        return kind.hint
    low, high = rules.get("x-min"), rules.get("x-max")
    if low is not None and found < low:
        return f"must be at least {_written(name, low)}"
    if high is not None and found > high:
        return f"must be at most {_written(name, high)}"
    return ""


def fits_pattern(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text) is not None


def _written(kind: str, value: float) -> str:
    if kind == "ratio":
        return f"{value:.6g}"
    return f"{value * 1000:g}ms" if value < 1 else f"{value:g}s"


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Python's $ lets a line break pass before the end, JSON Schema's does not.
    return re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern)


def _test_of(rules: Mapping[str, Any]) -> _Test:
    """Return the test of *rules*, made once for all values at its place: 10,000 of services."""
    tests = tuple(
        _MAKERS.get(keyword, _unknown)(asked, rules)
        for keyword, asked in rules.items()
        if keyword not in _NOTES
    )
    if len(tests) == 1:
        return tests[0]

    def passes_all(value: Any) -> bool:
        for test in tests:  # noqa: SIM110, all() makes a generator for each value
            if not test(value):
                return False
        return True

    return passes_all


def _unknown(asked: Any, rules: Mapping[str, Any]) -> _Test:
    return lambda value: False


def _type(asked: Any, rules: Mapping[str, Any]) -> _Test:
    if isinstance(asked, str):
        return _TYPES[asked]
    tests = [_TYPES[name] for name in asked]
    return lambda value: any(test(value) for test in tests)


def _properties(asked: Any, rules: Mapping[str, Any]) -> _Test:
    made: dict[str, _Test] = {}  # of the fields that are used, a tenth of all

    def test(value: Any) -> bool:
        if not isinstance(value, dict):
            return True
        for name, inner in value.items():
            if name not in made:
                if name not in asked:
                    continue
                made[name] = _test_of(asked[name])
            if not made[name](inner):
                return False
        return True

    return test


def _additional(asked: Any, rules: Mapping[str, Any]) -> _Test:
    known = rules.get("properties", {}).keys()
    if not isinstance(asked, dict):
        return lambda value: not isinstance(value, dict) or value.keys() <= known
    inside = _test_of(asked)

    def test(value: Any) -> bool:
        return not isinstance(value, dict) or all(
            inside(inner) for name, inner in value.items() if name not in known
        )

    return test


def _items(asked: Any, rules: Mapping[str, Any]) -> _Test:
    test = _test_of(asked)
    return lambda value: not isinstance(value, list) or all(map(test, value))


def _kind(asked: Any, rules: Mapping[str, Any]) -> _Test:
    good: set[str] = set()

    def test(value: Any) -> bool:
        if isinstance(value, str) and value in good:
            return True
        if kind_mistake(asked, value, rules):
            return False
        if isinstance(value, str):
            good.add(value)
        return True

    return test


def _pattern(asked: Any, rules: Mapping[str, Any]) -> _Test:
    search = _compiled(asked).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _unique(asked: Any, rules: Mapping[str, Any]) -> _Test:
    def test(value: Any) -> bool:
        texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return not isinstance(value, list) or (texts and len(set(value)) == len(value))

    return test


def _bounded(kind: Any, within: Callable[[Any, Any], bool]) -> _Maker:
    def maker(asked: Any, rules: Mapping[str, Any]) -> _Test:
        return lambda value: not isinstance(value, kind) or within(asked, value)

    return maker


def _enum(known: Any, rules: Mapping[str, Any]) -> _Test:
    # Of texts and null only: Python holds True for equal to 1, JSON Schema does not.
    return lambda value: isinstance(value, str | None) and value in known


_MAKERS: dict[str, _Maker] = {
    "type": _type,
    "properties": _properties,
    "additionalProperties": _additional,
    "required": _bounded(dict, lambda names, value: value.keys() >= set(names)),
    "items": _items,
    "x-kind": _kind,
    "enum": _enum,
    "pattern": _pattern,
    "minimum": _bounded((int, float), lambda least, value: value >= least),
    "maximum": _bounded((int, float), lambda most, value: value <= most),
    "minItems": _bounded(list, lambda least, value: len(value) >= least),
    "maxItems": _bounded(list, lambda most, value: len(value) <= most),
    "minLength": _bounded(str, lambda least, value: len(value) >= least),
    "maxLength": _bounded(str, lambda most, value: len(value) <= most),
    "uniqueItems": _unique,
}
_NOTES = frozenset({"description", "x-hint", "x-max", "x-min", "x-nullable"})
"""What a schema has for people, or for another keyword."""
