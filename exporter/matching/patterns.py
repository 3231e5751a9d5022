"""Regular expressions of RE2, whose time is linear in the text, whatever the pattern."""

from __future__ import annotations

import functools
from typing import Any

import re2

Groups = dict[str, str]
"""The groups of a match by number and by name; "0" is the whole text, an unused one is empty."""


@functools.lru_cache(maxsize=4096)
def _pattern(text: str) -> Any:
    options = re2.Options()
    options.log_errors = False  # RE2 would write the pattern to standard error
    return re2.compile(text, options)


def pattern_mistake(text: str) -> str | None:
    """Return what is wrong with a pattern, without quoting it; None if it is valid."""
    try:
        _pattern(text)
    except (re2.error, UnicodeEncodeError):
        return "is not a valid RE2 pattern (no look-around, no back-reference)"
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
