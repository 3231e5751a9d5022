"""Follows a JSONPath through hostile data, counting its steps.

`$..a..a` over 64 KiB of nested objects has a quarter of a million results, `$..*..*..*` more than
memory holds. The library (python-jsonpath 2.2) sets no bound, keeps the path of each node as a
text, and gives the patterns of `match()` and `search()` to a backtracking engine; so only its
parser is used.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from exporter.matching.patterns import pattern_matches

try:
    from jsonpath import filter as expressions
    from jsonpath import segments, selectors
except ImportError as error:
    raise ImportError(
        "the package jsonpath is not that of python-jsonpath: jsonpath-python, which mistralai "
        "requires, may have replaced its files. pip uninstall -y jsonpath-python, then "
        "pip install --force-reinstall --no-deps python-jsonpath"
    ) from error

MOST_STEPS = 100_000
"""Of one evaluation: a value looked at or found, a part of a filter tried, a comparison, 256
characters of a text that is searched or compared. Takes about 50 ms; `$..*` over 64 KiB of any
JSON, the default of `body_limit`, needs fewer."""
_CHARACTERS_PER_STEP = 256
_NOTHING = object()


class TooManyStepsError(Exception):
    """The evaluation needs more than `MOST_STEPS` steps."""


class Evaluation:
    """One path over one body; `left` is how many steps it may still make."""

    __slots__ = ("_of_root", "_root", "left")

    def __init__(self, root: Any) -> None:
        self.left = MOST_STEPS
        self._root = root
        self._of_root: dict[int, list[Any]] = {}

    def _spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooManyStepsError

    def nodes(self, path: Any, start: Any) -> list[Any]:
        """Return the values that *path*, which `paths` has read, finds from *start* on.

        Raises:
            TooManyStepsError: there are too many to look at.
        """
        self._spend(1)
        found = [start]
        for segment in path.segments:
            found = [child for node in found for child in self._segment(segment, node)]
        return found

    def _segment(self, segment: Any, node: Any) -> Iterator[Any]:
        deep = isinstance(segment, segments.JSONPathRecursiveDescentSegment)
        for one in self._descendants(node) if deep else (node,):
            for selector in segment.selectors:
                self._spend(1)
                for child in self._selected(selector, one):
                    self._spend(1)
                    yield child

    def _descendants(self, node: Any) -> Iterator[Any]:
        """Yield *node* and what is below it, a value before its members; only lists and objects."""
        waiting = [node]
        while waiting:
            one = waiting.pop()
            yield one
            if isinstance(one, (dict, list)):
                members = list(one.values()) if isinstance(one, dict) else one
                self._spend(len(members))
                waiting += [m for m in reversed(members) if isinstance(m, (dict, list))]

    def _selected(self, selector: Any, node: Any) -> Iterator[Any]:
        if isinstance(selector, selectors.NameSelector):
            if isinstance(node, dict) and selector.name in node:
                yield node[selector.name]
        elif isinstance(selector, selectors.IndexSelector):
            if isinstance(node, list) and -len(node) <= selector.index < len(node):
                yield node[selector.index]
        elif isinstance(selector, selectors.SliceSelector):
            if isinstance(node, list) and selector.slice.step != 0:
                yield from (node[i] for i in range(*selector.slice.indices(len(node))))
        else:
            members = node.values() if isinstance(node, dict) else node
            if isinstance(node, (dict, list)):
                yield from self._filtered(selector, members)

    def _filtered(self, selector: Any, members: Any) -> Iterator[Any]:
        if not isinstance(selector, selectors.Filter):
            yield from members
            return
        for member in members:
            if self._holds(selector.expression.expression, member):
                yield member

    def _holds(self, test: Any, current: Any) -> bool:
        """Return whether the logical expression *test* holds for *current*, which is `@`."""
        self._spend(1)
        if isinstance(test, expressions.PrefixExpression):
            return not self._holds(test.right, current)
        if isinstance(test, expressions.FilterQuery):
            return bool(self._queried(test, current))
        if isinstance(test, expressions.FunctionExtension):
            return self._matches(test, current)
        if not isinstance(test, expressions.InfixExpression):
            return test.value is True
        if test.operator == "&&":
            return self._holds(test.left, current) and self._holds(test.right, current)
        if test.operator == "||":
            return self._holds(test.left, current) or self._holds(test.right, current)
        left, right = self._value(test.left, current), self._value(test.right, current)
        return self._compared(left, test.operator, right)

    def _queried(self, query: Any, current: Any) -> list[Any]:
        if isinstance(query, expressions.RelativeFilterQuery):
            return self.nodes(query.path, current)
        # What begins at the root is the same for each `@`.
        if id(query) not in self._of_root:
            self._of_root[id(query)] = self.nodes(query.path, self._root)
        return self._of_root[id(query)]

    def _value(self, expression: Any, current: Any) -> Any:
        """Return the value of a literal, a singular query or a function; or _NOTHING."""
        if isinstance(expression, expressions.FilterQuery):
            found = self._queried(expression, current)
            return found[0] if len(found) == 1 else _NOTHING
        if isinstance(expression, expressions.Nil):
            return None
        if not isinstance(expression, expressions.FunctionExtension):
            return expression.value
        argument = expression.args[0]
        if expression.name == "count":
            return len(self._queried(argument, current))
        value = self._value(argument, current)
        if expression.name == "length":
            return len(value) if isinstance(value, (str, list, dict)) else _NOTHING
        return value

    def _matches(self, function: Any, current: Any) -> bool:
        text = self._value(function.args[0], current)
        if not isinstance(text, str):
            return False
        self._spend(1 + len(text) // _CHARACTERS_PER_STEP)
        pattern = function.args[1].value
        return pattern_matches(_as_re2(pattern, whole=function.name == "match"), text)

    def _compared(self, left: Any, operator: str, right: Any) -> bool:
        self._spend(1)
        match operator:
            case "==":
                return self._equal(left, right)
            case "!=":
                return not self._equal(left, right)
            case "<" | "<=":
                return _less(left, right) or (operator == "<=" and self._equal(left, right))
            case _:
                return _less(right, left) or (operator == ">=" and self._equal(left, right))

    def _equal(self, left: Any, right: Any) -> bool:
        """Return whether two values of JSON are equal; `==` would take 1 for true."""
        pairs = [(left, right)]
        while pairs:
            one, other = pairs.pop()
            if isinstance(one, dict) and isinstance(other, dict) and len(one) == len(other):
                self._spend(len(one))
                if one.keys() != other.keys():
                    return False
                pairs += [(value, other[name]) for name, value in one.items()]
            elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
                self._spend(len(one))
                pairs += zip(one, other, strict=True)
            elif not self._same(one, other):
                return False
        return True

    def _same(self, one: Any, other: Any) -> bool:
        if isinstance(one, str) and isinstance(other, str) and len(one) == len(other):
            self._spend(len(one) // _CHARACTERS_PER_STEP)
        elif isinstance(one, bool) or isinstance(other, bool):
            return one is other
        elif isinstance(one, (dict, list)):
            return False
        return bool(one == other)


def _less(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
    texts = isinstance(left, str) and isinstance(right, str)
    return bool(left < right) if numbers or texts else False


@functools.lru_cache(maxsize=1024)
def _as_re2(pattern: str, *, whole: bool) -> str:
    """Return an I-Regexp (RFC 9485) for RE2: its `.` takes no CR, and `match()` takes all."""
    parts, escaped, in_class = [], False, False
    for character in pattern:
        dot = character == "." and not escaped and not in_class
        parts.append(r"[^\n\r]" if dot else character)
        if not escaped:
            in_class = character == "[" or (in_class and character != "]")
        escaped = character == "\\" and not escaped
    text = "".join(parts)
    return rf"\A(?:{text})\z" if whole else text
