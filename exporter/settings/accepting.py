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

_TYPES: dict[str, Callable[[Any], bool]] = {
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
    for keyword, asked in rules.items():
        if keyword not in _NOTES and not _TESTS.get(keyword, _unknown)(asked, value, rules):
            return False
    return True


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


def _unknown(asked: Any, value: Any, rules: Mapping[str, Any]) -> bool:
    return False


def _type(asked: Any, value: Any, rules: Mapping[str, Any]) -> bool:
    if isinstance(asked, str):
        return _TYPES[asked](value)
    return any(_TYPES[name](value) for name in asked)


def _properties(asked: Any, value: Any, rules: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    return all(accepts(asked[name], inner) for name, inner in value.items() if name in asked)


def _additional(asked: Any, value: Any, rules: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    known = rules.get("properties", {})
    more = [inner for name, inner in value.items() if name not in known]
    return not more or (isinstance(asked, dict) and all(accepts(asked, inner) for inner in more))


def _unique(asked: Any, value: Any, rules: Mapping[str, Any]) -> bool:
    texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return not isinstance(value, list) or (texts and len(set(value)) == len(value))


def _bounded(kind: Any, within: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    return lambda asked, value, rules: not isinstance(value, kind) or within(asked, value)


_TESTS: dict[str, Callable[[Any, Any, Mapping[str, Any]], bool]] = {
    "type": _type,
    "properties": _properties,
    "additionalProperties": _additional,
    "required": _bounded(dict, lambda names, value: all(name in value for name in names)),
    "items": _bounded(list, lambda rules, value: all(accepts(rules, item) for item in value)),
    "x-kind": lambda name, value, rules: not kind_mistake(name, value, rules),
    # Of texts and null only: Python holds True for equal to 1, JSON Schema does not.
    "enum": lambda known, value, rules: isinstance(value, str | None) and value in known,
    "pattern": _bounded(str, fits_pattern),
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
