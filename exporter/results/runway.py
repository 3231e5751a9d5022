"""When a quota or a rate limit will be used up, if it goes on falling as it did lately."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.model import Limit

QUOTA_WINDOW_SECONDS = 3600.0
LIMIT_WINDOW_SECONDS = 300.0
"""The pace is that of the last one to two windows, for what was before says nothing of now."""
_SHORTEST_PART = 1 / 12
"""A pace is known after this part of a window; two readings in a row may be chance."""


@dataclass(slots=True)
class _Fall:
    """A number that only falls: a rise (a reset, a top-up) begins another one."""

    start: tuple[float, float]
    middle: tuple[float, float]
    last: tuple[float, float]

    def end(self, window: float) -> float | None:
        """Return the Unix time at which 0 is reached; None if it does not fall, or too little."""
        (began, before), (at, left) = self.start, self.last
        if left <= 0:
            return at
        if at - began < window * _SHORTEST_PART or left >= before:
            return None
        return at + left * (at - began) / (before - left)


class Runways:
    """The runways of one service: of its quotas by (resource, unit), of its limits by resource."""

    __slots__ = ("_falls", "limits", "quotas")

    def __init__(self) -> None:
        self._falls: dict[tuple[str, ...], _Fall] = {}
        self.limits: Mapping[str, float] = {}
        self.quotas: Mapping[tuple[str, str], float] = {}

    def begin_anew(self) -> None:
        """Forget the readings so far; what is known of an end stays until there is a new pace."""
        self._falls.clear()

    def take_limits(self, limits: Mapping[str, Limit], at: float) -> None:
        """Take in what is left of rate limits at the Unix time *at*.

        A limit that is full again before it would be used up has no end.
        """
        ends = dict(self.limits)
        for resource, limit in limits.items():
            ends.pop(resource, None)
            if limit.remaining is None:
                continue
            end = self._end((resource,), limit.remaining, at, LIMIT_WINDOW_SECONDS)
            reset = limit.reset
            refilled = reset is not None and end is not None and at < reset <= end
            if end is not None and not refilled:
                ends[resource] = end
        self.limits = ends

    def take_quotas(self, quotas: Mapping[tuple[str, str], float], at: float) -> None:
        """Take in what is left of quotas at the Unix time *at*."""
        ends = dict(self.quotas)
        for what, left in quotas.items():
            ends.pop(what, None)
            end = self._end(what, left, at, QUOTA_WINDOW_SECONDS)
            if end is not None:
                ends[what] = end
        self.quotas = ends

    def _end(self, what: tuple[str, ...], left: float, at: float, window: float) -> float | None:
        reading, fall = (at, left), self._falls.get(what)
        if fall is None or left > fall.last[1] or at <= fall.last[0]:
            fall = self._falls[what] = _Fall(reading, reading, reading)
        fall.last = reading
        if at - fall.middle[0] >= window:
            fall.start, fall.middle = fall.middle, reading
        return fall.end(window)
