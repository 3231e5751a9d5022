"""JSONPath (RFC 9535): the library reads a path, `evaluation` follows it in counted steps."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import jsonpath
from jsonpath import filter as expressions
from jsonpath import segments, selectors

from exporter.matching.data import NO_JSON, is_json
from exporter.matching.evaluation import Evaluation, TooManyStepsError
from exporter.matching.patterns import pattern_mistake

LONGEST = 1024
"""Characters of a path: reading one takes time too."""
# The library lets the last three out: on deep nesting and on absurd numbers.
_PATH_ERRORS = (jsonpath.JSONPathError, RecursionError, ValueError, OverflowError)
_NO_PATH = "is not a valid JSONPath such as $.data[0].id"
_KNOWN = (
    segments.JSONPathChildSegment,
    segments.JSONPathRecursiveDescentSegment,
    selectors.NameSelector,
    selectors.IndexSelector,
    selectors.SliceSelector,
    selectors.WildcardSelector,
    selectors.Filter,
    expressions.FilterExpression,
    expressions.InfixExpression,
    expressions.PrefixExpression,
    expressions.FilterQuery,
    expressions.FunctionExtension,
    expressions.FilterExpressionLiteral,
    expressions.Nil,
)
_PATTERN_FUNCTIONS = ("match", "search")


class UnsearchableError(ValueError):
    """The data cannot be searched: it is not JSON, or too large to evaluate."""


class _PathError(ValueError):
    """A valid path that is refused; the message says why and quotes nothing of it."""


@functools.cache
def _environment() -> jsonpath.JSONPathEnvironment:
    """Return the rules of RFC 9535; to make them takes longer than to compile a path."""
    return jsonpath.JSONPathEnvironment(strict=True)


@functools.lru_cache(maxsize=4096)
def _path(text: str) -> Any:
    if len(text) > LONGEST:
        raise _PathError(f"is longer than {LONGEST} characters")
    path = _environment().compile(text)
    for part in _parts(path):
        if not isinstance(part, _KNOWN):
            raise _PathError(_NO_PATH)
        if isinstance(part, expressions.FunctionExtension) and part.name in _PATTERN_FUNCTIONS:
            _check_pattern(part)
    return path


def _parts(path: Any) -> Iterator[Any]:
    """Yield every segment, selector and expression of *path*."""
    for segment in path.segments:
        yield segment
        for selector in segment.selectors:
            yield selector
            if isinstance(selector, selectors.Filter):
                yield from _expressions(selector.expression)


def _expressions(expression: Any) -> Iterator[Any]:
    yield expression
    if isinstance(expression, expressions.FilterQuery):
        yield from _parts(expression.path)
        return
    for child in expression.children():
        yield from _expressions(child)


def _check_pattern(function: Any) -> None:
    """Refuse a pattern that comes from the body: the provider would choose what we compile."""
    pattern = function.args[1]
    if not isinstance(pattern, expressions.StringLiteral):
        raise _PathError(f"needs the pattern of {function.name}() as a text in quotes")
    if what := pattern_mistake(pattern.value):
        raise _PathError(f"has a pattern in {function.name}() that {what}")


def path_mistake(text: str) -> str | None:
    """Return what is wrong with a JSONPath, without quoting it; None if it is valid.

    Refused is also what could not be evaluated in bounded time: a pattern of `match()` or
    `search()` that RE2 does not know, or that is read from the body.
    """
    try:
        _path(text)
    except _PathError as error:
        return str(error)
    except _PATH_ERRORS:
        return _NO_PATH
    return None


def json_values(path: str, data: Any) -> list[Any]:
    """Return every value at *path*; an empty list if there is none.

    Raises:
        UnsearchableError: it cannot be found out whether there is a value: *data* is no JSON, or
            the path would need more than `MOST_STEPS` steps.

    >>> json_values("$.data[*].id", {"data": [{"id": 1}, {"id": 2}]})
    [1, 2]
    """
    if not is_json(data):
        why = "is not JSON" if data is NO_JSON else "is too large to evaluate"
        raise UnsearchableError(f"the body {why}")
    if path == "$":
        return [data]
    try:
        return Evaluation(data).nodes(_path(path), data)
    except TooManyStepsError:
        raise UnsearchableError("the body is too large to evaluate") from None
    except _PATH_ERRORS:
        raise UnsearchableError("the body cannot be searched") from None
