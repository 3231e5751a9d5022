"""Lines as they are kept: bytes without the labels that every line of their service begins with.

Most lines of a service then equal those of many others and are one object for all: of 10,000
services that is more than half of what their page takes. Writing the labels in costs a copy that
joining the page needs anyway.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from itertools import repeat

PLACE = "\udcff"
"""Where the common labels go in text: no character, so that no value of a label holds it."""
_PLACE = b"\xff"
"""The same in bytes, which is in no UTF-8."""


def packed(text: str) -> bytes:
    r"""Return *text* as it is kept.

    >>> packed('up{' + PLACE + '} 1\n')
    b'up{\xff} 1\n'

    Raises:
        UnicodeEncodeError: a label holds half of a surrogate pair.
    """
    return _PLACE.join([part.encode() for part in text.split(PLACE)])


def unpacked(lines: bytes) -> str:
    r"""Return the text that *lines* were made from.

    >>> unpacked(packed('up{' + PLACE + '} 1\n')) == 'up{' + PLACE + '} 1\n'
    True
    """
    return PLACE.join([part.decode() for part in lines.split(_PLACE)])


@functools.lru_cache(maxsize=1024)
def shared(lines: bytes) -> bytes:
    """Return the first of all equal *lines*."""
    return lines


def written(lines: Sequence[bytes], labels: Sequence[bytes]) -> bytes:
    r"""Return the *lines* of services, one after the other, each with the *labels* of its service.

    >>> written([b'up{\xff} 1\n', b'up{\xff} 0\n'], [b'service="a"', b'service="b"'])
    b'up{service="a"} 1\nup{service="b"} 0\n'
    """
    first = lines[0]
    if lines.count(first) == len(lines):
        if not first:
            return b""
        if first.count(_PLACE) == 1:  # a third of the time: nothing is copied but into the page
            before, _, after = first.partition(_PLACE)
            return before + (after + before).join(labels) + after
    return b"".join(each(lines, labels))


def each(lines: Sequence[bytes], labels: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the *lines* of one service after the other, each with its *labels*."""
    return map(bytes.replace, lines, repeat(_PLACE), labels)


def length(lines: bytes, labels: bytes) -> int:
    """Return how long *lines* are with their *labels*."""
    return len(lines) + lines.count(_PLACE) * (len(labels) - 1)
