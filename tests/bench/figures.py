"""The arithmetic of the bench: medians, spreads, ratios of one round, what else the machine did."""

from __future__ import annotations

import os
import resource
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROC_STAT = Path("/proc/stat")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the least and the most that were seen."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{shown(self.median)} ({shown(self.least)} to {shown(self.most)})"


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of the rounds' *values*, of which there is at least one.

    spread([3, 1, 2])  # Spread(median=2, least=1, most=3)
    """
    return Spread(statistics.median(values), min(values), max(values))


def ratios(values: Sequence[float], of: Sequence[float]) -> Spread:
    """Return the spread of each round's ratio: what a slow minute does to both sides cancels out.

    ratios([1, 3], of=[2, 4])  # Spread(median=0.625, least=0.5, most=0.75)
    """
    return spread([mine / theirs for mine, theirs in zip(values, of, strict=True)])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of *values* that is not exceeded by *share* of them.

    percentile([1, 2, 3, 4], 0.5)  # 2
    """
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


def shown(value: float) -> str:
    """Return *value* with three digits that mean something: 0.0123, 1.23, 12.3, 1,234."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.{1 if size >= 10 else 2 if size >= 1 else 3}f}"


@dataclass(frozen=True, slots=True)
class Processor:
    """What all cores together did so far, in seconds."""

    every: float
    busy: float
    stolen: float
    own: float
    """By this process and by those of its children that have ended, and theirs."""

    @classmethod
    def now(cls) -> Processor:
        """Read it."""
        usage = [
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        own = sum(one.ru_utime + one.ru_stime for one in usage)
        return cls.of(PROC_STAT.read_text(), own)

    @classmethod
    def of(cls, text: str, own: float = 0.0) -> Processor:
        """Return what *text*, that of /proc/stat, says."""
        fields = [int(field) / TICKS for field in text.splitlines()[0].split()[1:9]]
        user, nice, system, idle, wait, irq, soft, stolen = fields
        busy = user + nice + system + irq + soft
        return cls(busy + idle + wait + stolen, busy, stolen, own)

    def shares_since(self, before: Processor) -> tuple[float, float]:
        """Return which share of all cores was stolen by other machines, and used by others here."""
        every = (self.every - before.every) or 1.0
        others = (self.busy - before.busy) - (self.own - before.own)
        return (self.stolen - before.stolen) / every, max(0.0, others) / every
