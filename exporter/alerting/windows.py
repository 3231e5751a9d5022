"""Counters over a time: what they were before each change within it, and nothing while they rest.

What a window gives is what Prometheus' `increase` gives where the scrapes are as far apart as the
evaluations: the difference to the value at the beginning of the window, or to the first one known.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence


class Count:
    """A counter and its increase over the last *seconds*."""

    __slots__ = ("_steps", "seconds", "value")

    def __init__(self, seconds: float, value: int) -> None:
        self.seconds, self.value = seconds, value
        self._steps: list[tuple[float, int]] | None = None
        """When it changed, and what it was before; None while it has not."""

    def take(self, value: int, tick: float) -> None:
        """Note that the counter is at *value*; one that falls has begun anew."""
        if value > self.value:
            if self._steps is None:
                self._steps = []
            self._steps.append((tick, self.value))
        elif value < self.value:
            self._steps = None
        self.value = value

    def increase(self, tick: float) -> int:
        """Return by how much it rose in the time before *tick*."""
        steps = self._steps
        if steps is None:
            return 0
        while steps and steps[0][0] <= tick - self.seconds:
            del steps[0]
        if not steps:
            self._steps = None
            return 0
        return self.value - steps[0][1]


class Histogram:
    """The counts of a histogram's buckets over the last *seconds*."""

    __slots__ = ("_counts", "_steps", "seconds")

    def __init__(self, seconds: float, counts: array[int]) -> None:
        self.seconds, self._counts = seconds, counts[:]
        self._steps: list[tuple[float, array[int]]] = []

    def take(self, counts: array[int], tick: float) -> None:
        """Note what the buckets have now; a bucket alone counts what is in no smaller one."""
        if counts != self._counts:
            if any(new < old for new, old in zip(counts, self._counts, strict=True)):
                self._steps.clear()
            else:
                self._steps.append((tick, self._counts))
            self._counts = counts[:]
        while self._steps and self._steps[0][0] <= tick - self.seconds:
            del self._steps[0]

    def quantile(self, rank: float, bounds: Sequence[float]) -> float | None:
        """Return the value below which the share *rank* lies; None without an observation.

        As Prometheus' histogram_quantile does it of rates, to the last digit (promql/quantile.go of
        2.42): within a bucket evenly spread, above the last bound that bound.
        """
        if not self._steps:
            return None
        total, rates = 0, []
        for now, before in zip(self._counts, self._steps[0][1], strict=True):
            total += now - before
            rates.append(total / self.seconds)
        wanted = rank * rates[-1]
        found = next((i for i, rate in enumerate(rates[:-1]) if rate >= wanted), len(bounds))
        if found == len(bounds):
            return bounds[-1]
        start, below = (bounds[found - 1], rates[found - 1]) if found else (0.0, 0.0)
        return start + (bounds[found] - start) * ((wanted - below) / (rates[found] - below))
