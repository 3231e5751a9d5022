"""Expected HTTP statuses: foreign ranges and comparisons as the list that our files have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus

FIRST, LAST = 200, 599
# 520 to 527 are Cloudflare's; with 529 APIs such as Anthropic's say that they are overloaded.
ASSIGNED = tuple(sorted({*map(int, HTTPStatus), 520, 521, 522, 523, 524, 525, 526, 527, 529}))
ANY_2XX = tuple(status for status in ASSIGNED if 200 <= status < 300)
LISTED = "every assigned status accepted before; keep those you expect"


def chosen(allows: Callable[[int], bool], named: Iterable[int] = ()) -> list[int]:
    """Return the statuses that *allows* accepts, of the assigned ones and the *named* ones.

    A status below 200 is interim, not final (RFC 9110, 15.2), so it counts only if it is named.
    """
    known = {status for status in ASSIGNED if status >= FIRST} | set(named)
    return sorted(status for status in known if 100 <= status <= LAST and allows(status))


def from_ranges(texts: Iterable[str]) -> list[int]:
    """Return the statuses of ranges such as `200-299` and single ones such as `204`.

    Raises:
        ValueError: a text is neither.
    """
    statuses: set[int] = set()
    for text in texts:
        low, dash, high = text.partition("-")
        first, last = int(low), int(high or low)
        if not 100 <= first <= last <= LAST:
            raise ValueError
        # an unassigned status counts if it is named alone, but not inside a range
        statuses |= {s for s in ASSIGNED if first <= s <= last} if dash else {first}
    return sorted(statuses)
