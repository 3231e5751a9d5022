"""Which HTTP statuses are good: foreign ranges and comparisons as the list that our files want."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus

FIRST, LAST = 200, 599
ASSIGNED = tuple(sorted({*map(int, HTTPStatus), 520, 521, 522, 523, 524, 525, 526, 527, 529}))
ANY_2XX = tuple(status for status in ASSIGNED if 200 <= status < 300)
LISTED = "every assigned status that was good before; keep those you expect"


def chosen(allows: Callable[[int], bool], named: Iterable[int] = ()) -> list[int]:
    """Return the statuses that *allows* accepts: those with a meaning, and the *named* ones.

    A final answer never has a status below 200, so those count only if they are named.
    """
    known = {status for status in ASSIGNED if status >= FIRST} | set(named)
    return sorted(status for status in known if 100 <= status <= LAST and allows(status))


def from_ranges(texts: Iterable[str]) -> list[int]:
    """Return the statuses of ranges such as `200-299` and single ones such as `204`.

    Raises:
        ValueError: one of them is neither.
    """
    found: set[int] = set()
    for text in texts:
        low, dash, high = text.partition("-")
        first, last = int(low), int(high or low)
        if not 100 <= first <= last <= LAST:
            raise ValueError
        found |= {s for s in ASSIGNED if first <= s <= last} if dash else {first}
    return sorted(found)
