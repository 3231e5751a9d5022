"""The last results of a service, packed: there may be 10,000 services."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from exporter.model import Reason, Result

REASONS = tuple(Reason)
INDEX = {reason: index for index, reason in enumerate(REASONS)}
KEPT_RESULTS = 20


class Recent:
    """The last results as (Unix time, duration, reason), oldest first; packed, 500 bytes."""

    __slots__ = ("_at", "_durations", "_reasons")

    def __init__(self) -> None:
        self._at, self._durations, self._reasons = array("d"), array("d"), array("B")

    def __len__(self) -> int:
        return len(self._at)

    def __iter__(self) -> Iterator[tuple[float, float, Reason]]:
        for at, duration, index in zip(self._at, self._durations, self._reasons, strict=True):
            yield at, duration, REASONS[index]

    def append(self, result: Result) -> None:
        """Add *result* and drop the oldest beyond the twentieth."""
        self._at.append(result.at)
        self._durations.append(result.outcome.duration)
        self._reasons.append(INDEX[result.reason])
        if len(self._at) > KEPT_RESULTS:
            del self._at[0], self._durations[0], self._reasons[0]
