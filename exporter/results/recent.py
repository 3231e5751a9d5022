"""The last results of a service, packed: there may be 10,000 services."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from exporter.model import FACTS, Reason, Result, Verdict

REASONS = tuple(Reason)
INDEX = {reason: index for index, reason in enumerate(REASONS)}
KEPT_RESULTS = 20
_NETWORK = Verdict.NETWORK  # to look into an enumeration takes its metaclass
_HIDDEN = 128
"""Added to the reason of what our own network is to blame for."""
_ONE = struct.Struct("<ddB")
_pack = _ONE.pack
_FULL = KEPT_RESULTS * _ONE.size


class Recent:
    """The last results as (Unix time, seconds, reason, verdict), oldest first; 500 bytes."""

    __slots__ = ("_packed",)

    def __init__(self) -> None:
        self._packed = bytearray()

    def __len__(self) -> int:
        return len(self._packed) // _ONE.size

    def __iter__(self) -> Iterator[tuple[float, float, Reason, Verdict]]:
        for at, duration, index in _ONE.iter_unpack(self._packed):
            reason = REASONS[index % _HIDDEN]
            yield at, duration, reason, FACTS[reason].verdict if index < _HIDDEN else _NETWORK

    def append(self, result: Result) -> None:
        """Add *result* and drop the oldest beyond the twentieth."""
        packed, outcome = self._packed, result.outcome
        index = INDEX[outcome.reason]
        if result.verdict is _NETWORK:
            index += _HIDDEN
        packed += _pack(result.at, outcome.duration, index)
        if len(packed) > _FULL:
            del packed[: _ONE.size]
