"""Patterns (RE2, linear time) and paths (JSONPath, RFC 9535) over hostile text, compiled once."""

from __future__ import annotations

import functools
import json
from typing import Any

import jsonpath
import re2


class _NoJson:
    """The type of NO_JSON."""

    def __repr__(self) -> str:
        return "NO_JSON"


NO_JSON: Any = _NoJson()
"""The data of a body that is not JSON; not None, which is the data of the body `null`."""

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


def json_of(body: bytes) -> Any:
    """Return the data of a JSON *body* or NO_JSON; never raises, whatever the bytes."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return NO_JSON
