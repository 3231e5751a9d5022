"""Equal values as one object: 10,000 services have a few of each between them."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from typing import TypeVar, cast

T = TypeVar("T", bound=Hashable)


def shared(value: T) -> T:
    """Return the first of all values that equal *value*, which cannot be changed.

    Not for what a user may write as any value: to Python `true` equals 1.

    >>> shared((1, "a")) is shared(tuple([1, "a"]))
    True
    """
    return cast(T, _first(value))


@functools.lru_cache(maxsize=4096)
def _first(value: Hashable) -> Hashable:
    return value
