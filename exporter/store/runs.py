"""The minutes of a service and day as few bytes: equal entries that follow each other are one run.

A day of a dead service is one run; a day in which every other minute fails is 720 short ones. Both
are packed as JSON, compressed, so that a person with `sqlite3` and `zlib` can still read them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any

from exporter.results.minutes import DAY_MINUTES, PROOFS, Minute, Seen

_MOST_BYTES = 1024 * 1024
"""Of a day, decompressed; 1440 entries that all differ have a fifth of it."""
_MOST_HOLD = 366 * DAY_MINUTES


def pack(entries: Iterable[Minute]) -> bytes:
    """Return *entries* of one day, in order, as bytes."""
    kinds: dict[tuple[Any, ...], int] = {}
    runs: list[list[int]] = []
    for entry in entries:
        kind = kinds.setdefault(tuple(entry[1:]), len(kinds))
        start, last = entry.minute % DAY_MINUTES, runs[-1] if runs else None
        if last is not None and last[2] == kind and last[0] + last[1] * entry.hold == start:
            last[1] += 1
        else:
            runs.append([start, 1, kind])
    text = json.dumps({"kinds": list(kinds), "runs": runs}, separators=(",", ":"))
    return zlib.compress(text.encode())


def unpack(data: Any, day: int) -> list[Minute]:
    """Return the entries of the *day*, a Unix time divided by 86,400.

    Raises:
        ValueError: *data* is not what `pack` returns.
    """
    if not isinstance(data, bytes):
        raise ValueError("not bytes")
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, _MOST_BYTES)
        found = json.loads(text)
    except (zlib.error, RecursionError, ValueError):
        raise ValueError("not compressed JSON") from None
    match found:
        case {"kinds": list(kinds), "runs": list(runs)} if len(runs) <= DAY_MINUTES:
            shapes = [_shape(kind) for kind in kinds]
            return [entry for run in runs for entry in _entries(run, shapes, day)]
    raise ValueError("no runs")


def _entries(run: Any, shapes: list[Minute], day: int) -> Iterable[Minute]:
    match run:
        case [int(start), int(times), int(kind)] if 0 <= kind < len(shapes):
            shape = shapes[kind]
            if start >= 0 and times > 0 and start + (times - 1) * shape.hold < DAY_MINUTES:
                first = day * DAY_MINUTES + start
                return [shape._replace(minute=first + n * shape.hold) for n in range(times)]
    raise ValueError("no run")


def _shape(kind: Any) -> Minute:
    match kind:
        case [int(hold), str(seen), int(probes), int(failed), str(reason), int(status), *rest]:
            sound = 1 <= hold <= _MOST_HOLD and 0 <= failed <= probes < 2**31
            right = (seen == Seen.FAILING) == (failed > 0) and 0 <= status < 1000
            plain = len(rest) == 2 and rest[0] in PROOFS and isinstance(rest[1], str)
            if sound and right and plain:
                return Minute(0, hold, Seen(seen), probes, failed, reason, status, *rest)
    raise ValueError("no entry")
