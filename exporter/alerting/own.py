"""What the exporter notices of itself: late probes, shortages, a disk that refuses."""

from __future__ import annotations

import socket
from array import array
from collections.abc import Callable, Iterator

from exporter.alerting.facts import OwnFacts
from exporter.alerting.windows import Count, Histogram
from exporter.model import Shortage

JOB = "service-registry"
"""As in the shipped prometheus.yml."""
LAG_BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LAG_RANK, _TEN_MINUTES = 0.99, 600.0
_FIVE_MINUTES, _UNSAVED_SECONDS = 300.0, 120.0
_NEVER = float("-inf")


def instance_of(host: str, port: int) -> str:
    """Return the label `instance` of who listens there, as a scrape of it would have it."""
    anywhere = host in ("", "0.0.0.0", "::")  # noqa: S104
    name = socket.gethostname() if anywhere else host
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def both(*followers: Callable[..., object]) -> Callable[..., None]:
    """Return what calls each of *followers* with what it is called with."""

    def call(*values: object) -> None:
        for follower in followers:
            follower(*values)

    return call


class OwnWatch:
    """Counts what is reported to it, and looks at it in each evaluation. Durations are seconds."""

    def __init__(
        self, refused: Callable[[], bool], instance: Callable[[], str], lags: array[int]
    ) -> None:
        """*refused*: whether an older configuration is in force than is wanted.

        *lags* says of how many probes the delay was in which of the buckets of `LAG_BOUNDS`.
        """
        self._refused, self._instance = refused, instance
        self._lags = lags
        self._lag = Histogram(_TEN_MINUTES, lags)
        self._spoiled = dict.fromkeys(Shortage, 0)
        self._shortages = {what: Count(_TEN_MINUTES, 0) for what in Shortage}
        self._saves = self._is_whole = True
        self._damaged = self._stalled = 0
        self._stalls = Count(_TEN_MINUTES, 0)
        self._unsaved_at = self._accepted_at = self._whole_at = _NEVER

    def note_shortage(self, what: Shortage) -> None:
        """Note that a shortage of ours spoiled an attempt of a probe."""
        self._spoiled[what] += 1

    def note_saved(self, well: float) -> None:
        """Note whether results could be saved."""
        self._saves = bool(well)

    def note_intact(self, well: float) -> None:
        """Note whether the file of the database was found whole."""
        self._is_whole = bool(well)

    def note_damaged_row(self, table: str) -> None:
        """Note that a row of *table* could not be read."""
        self._damaged += 1

    def note_stall(self) -> None:
        """Note that the event loop stood still; may be called in a thread."""
        self._stalled += 1

    def look(self, tick: float) -> Iterator[OwnFacts]:
        """Yield what is to be said of the exporter, and of each shortage, at the tick *tick*."""
        self._lag.take(self._lags, tick)
        if not self._refused():
            self._accepted_at = tick
        if not self._saves:
            self._unsaved_at = tick
        if self._is_whole:
            self._whole_at = tick
        self._stalls.take(self._stalled, tick)
        instance = self._instance()
        yield OwnFacts(
            job=JOB,
            instance=instance,
            refused=tick - self._accepted_at > _FIVE_MINUTES,
            unsaved=tick - self._unsaved_at <= _UNSAVED_SECONDS,
            damaged=0 if tick - self._whole_at > _FIVE_MINUTES else self._damaged or None,
            stalls=self._stalls.increase(tick),
            lag=self._lag.quantile(_LAG_RANK, LAG_BOUNDS),
        )
        for what, count in self._spoiled.items():
            window = self._shortages[what]
            window.take(count, tick)
            spoiled = window.increase(tick)
            yield OwnFacts(job=JOB, instance=instance, what=what, spoiled=spoiled)
