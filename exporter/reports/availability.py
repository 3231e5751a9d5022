"""Availability by our own objective, and the windows in which a service was down.

Exact: shares are fractions, rounded only where a person or a file gets them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from exporter.reports.ledger import Stretch
from exporter.results import Seen
from exporter.results.minutes import PROOFS


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Minutes of a period by what is known of them."""

    total: int
    failing: int
    """In which at least one probe failed, or that follow such a minute without a probe."""
    down: Fraction
    """The same weighted: of a minute of which one of two probes failed, half."""
    unobserved: dict[Seen, int]

    @property
    def observed(self) -> int:
        return self.total - sum(self.unobserved.values())

    @property
    def availability(self) -> Fraction | None:
        """The share of observed minutes that were not down; None if nothing was observed."""
        return 1 - self.down / self.observed if self.observed else None


def totals(stretches: Iterable[Stretch]) -> Totals:
    """Return the sums of *stretches*."""
    total = failing = 0
    down, unobserved = Fraction(0), Counter[Seen]()
    for one in stretches:
        total += one.length
        if not one.seen.observed:
            unobserved[one.seen] += one.length
        elif one.seen is Seen.FAILING and one.entry is not None:
            failing += one.length
            down += one.length * Fraction(one.entry.failed, one.entry.probes)
    return Totals(total=total, failing=failing, down=down, unobserved=dict(unobserved))


@dataclass(slots=True)
class Window:
    """Failing minutes that follow each other; it ends with a good minute, or one nobody saw."""

    start: int
    end: int
    probes: int = 0
    failed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    network: str = PROOFS[-1]
    pages: list[str] = field(default_factory=list)
    """States of the provider's status page in it, in the order in which they came."""
    after: Seen | None = None
    """What the first minute after it was; None at the end of the period."""

    def take(self, one: Stretch) -> None:
        """Add a stretch that follows."""
        self.end = one.end
        entry = one.entry
        if entry is None or not one.probed:
            return
        self.probes, self.failed = self.probes + entry.probes, self.failed + entry.failed
        self.reasons[entry.reason] += 1
        if entry.status:
            self.statuses[entry.status] += 1
        self.network = min(self.network, entry.network, key=PROOFS.index)
        if entry.page and entry.page not in self.pages[-1:]:
            self.pages.append(entry.page)


def windows(stretches: Iterable[Stretch]) -> list[Window]:
    """Return the windows of downtime in *stretches*, in order."""
    found: list[Window] = []
    is_open = False
    for one in stretches:
        if one.seen is Seen.FAILING:
            if not is_open:
                found.append(Window(one.start, one.end))
            found[-1].take(one)
        elif is_open:
            found[-1].after = one.seen
        is_open = one.seen is Seen.FAILING
    return found
