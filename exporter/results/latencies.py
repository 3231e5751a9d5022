"""Response times as a few bytes from which any percentile can be read, and that can be joined.

Pure. A time becomes one of 254 levels, each 5 % above the one before, so what is read back is
within 2.5 % of what was measured. One byte is one time; where they are many, a run of three bytes
is up to 255 equal levels. Two such texts, one after the other, are the text of both.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import accumulate

_SHORTEST_SECONDS = 0.0005
_STEP = 1.05
_RUN = 255
"""The byte that begins a run: then come the level and how often."""
_LAST_LEVEL = _RUN - 1
"""Two minutes and more; what is shorter than half a millisecond is in the first."""
_PER_STEP = 1 / math.log(_STEP)
_FIRST = math.log(_SHORTEST_SECONDS) * _PER_STEP
_MAX_BYTES = 512
"""A quarter of an hour that has more is counted in runs."""


def level_of(seconds: float) -> bytes:
    """Return the one byte for a time of *seconds*."""
    if seconds <= _SHORTEST_SECONDS:
        return b"\0"
    return _BYTES[min(int(math.log(seconds) * _PER_STEP - _FIRST), _LAST_LEVEL)]


_BYTES = tuple(bytes((level,)) for level in range(_RUN))


def joined(former: bytes, fresh: bytes) -> bytes:
    """Return the text of the times of both."""
    levels = former + fresh
    return levels if len(levels) <= _MAX_BYTES else in_runs(levels)


def in_runs(levels: bytes) -> bytes:
    """Return the same times in ascending order, as short as that can be written."""
    text = bytearray()
    for level, number in sorted(counts(levels).items()):
        runs, rest = divmod(number, 255)
        text += bytes((_RUN, level, 255)) * runs
        text += bytes((_RUN, level, rest)) if rest > 3 else bytes((level,)) * rest
    return bytes(text)


def counts(levels: bytes) -> Counter[int]:
    """Return how many times are of each level; a run that is cut off is left out."""
    if _RUN not in levels:
        return Counter(levels)
    found, place = Counter[int](), 0
    while place < len(levels):
        if levels[place] != _RUN:
            found[levels[place]] += 1
            place += 1
        elif place + 2 < len(levels):
            found[levels[place + 1]] += levels[place + 2]
            place += 3
        else:
            break
    return found


def percentile(found: Counter[int], share: float) -> float | None:
    """Return the time in seconds that the part *share*, 0 to 1, of all does not exceed.

    It is one that was measured, to 2.5 %: of few times the 95th percentile is the longest.
    """
    total = found.total()
    if not total:
        return None
    wanted = max(1, math.ceil(share * total - 1e-9))
    levels = sorted(found)
    below = accumulate(found[level] for level in levels)
    level = next(level for level, number in zip(levels, below, strict=True) if number >= wanted)
    return _SHORTEST_SECONDS * math.pow(_STEP, level + 0.5)
