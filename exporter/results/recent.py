"""The last results of a service, packed: there may be 10,000 services."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from exporter.model import Reason, Result

REASONS = tuple(Reason)
INDEX = {reason: index for index, reason in enumerate(REASONS)}
KEPT_RESULTS = 20
_ONE = struct.Struct("<ddB")
_pack = _ONE.pack
_FULL = KEPT_RESULTS * _ONE.size


class Recent:
    """The last results as (Unix time, duration, reason), oldest first; packed, 500 bytes."""

    __slots__ = ("_packed",)

    def __init__(self) -> None:
        self._packed = bytearray()

    def __len__(self) -> int:
        return len(self._packed) // _ONE.size

    def __iter__(self) -> Iterator[tuple[float, float, Reason]]:
        for at, duration, index in _ONE.iter_unpack(self._packed):
            yield at, duration, REASONS[index]

    def append(self, result: Result) -> None:
        """Add *result* and drop the oldest beyond the twentieth."""
        packed, outcome = self._packed, result.outcome
        packed += _pack(result.at, outcome.duration, INDEX[outcome.reason])
        if len(packed) > _FULL:
            del packed[: _ONE.size]
