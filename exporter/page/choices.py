"""Choices in the address of a page: a value that does not exist is ignored, in words. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

Ignored = tuple[tuple[str, str], ...]
"""The names of what was chosen in vain, each with what there is to choose."""


def without_unknown(
    asked: Mapping[str, str], known: Mapping[str, Collection[str]]
) -> tuple[dict[str, str], Ignored]:
    """Return *asked* without values that are not *known* for their name, and what was left out.

    >>> without_unknown({"state": "bad", "q": "x"}, {"state": ("down", "off")})
    ({'state': '', 'q': 'x'}, (('state', 'down, off'),))
    """
    unknown = [name for name, values in known.items() if asked[name] and asked[name] not in values]
    kept = {name: "" if name in unknown else value for name, value in asked.items()}
    return kept, tuple((name, ", ".join(known[name])) for name in unknown)
