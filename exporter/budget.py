"""When the next request may be sent: exact sliding windows, for services and for hosts."""

from __future__ import annotations

from collections import deque


class Budget:
    """At most *per_minute* in any 60 seconds and *per_hour* in any 3,600; None means no limit.

    >>> budget = Budget(1, None)
    >>> budget.spend(100.0)
    >>> budget.wait(115.0)
    45.0
    """

    __slots__ = ("_windows",)

    def __init__(self, per_minute: int | None, per_hour: int | None) -> None:
        limits = ((60.0, per_minute), (3600.0, per_hour))
        self._windows: tuple[tuple[float, deque[float]], ...] = tuple(
            (seconds, deque(maxlen=limit)) for seconds, limit in limits if limit
        )

    def changed(self, per_minute: int | None, per_hour: int | None) -> Budget:
        """Return a budget with other limits, to which counts what was sent under these.

        >>> Budget(1, None).changed(2, None).wait(0.0)
        0.0
        """
        other = Budget(per_minute, per_hour)
        known = max((sent for _, sent in self._windows), key=len, default=())
        for _, sent in other._windows:
            sent.extend(known)
        return other

    def wait(self, now: float) -> float:
        """Return how many seconds after *now* the next request may be sent; 0 means at once."""
        if not self._windows:
            return 0.0
        waits = (
            max(0.0, sent[0] + seconds - now)
            for seconds, sent in self._windows
            if sent.maxlen is not None and len(sent) == sent.maxlen
        )
        return max(waits, default=0.0)

    def spend(self, now: float) -> None:
        """Count one request sent at *now*."""
        for _, sent in self._windows:
            sent.append(now)
