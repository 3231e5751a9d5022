"""The vendor's own rule, applied to our minutes: what a claim could rest on, and what it cannot.

Cautious on purpose: a window without a probe counts as available, and a minute without one in a
window of five counts as if it had been as busy as usual or as the busiest there, and had answered.
So the result is never lower than what our probes prove.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

from exporter.providers import Counting, Credit, Promise
from exporter.reports.ledger import Stretch
from exporter.results import Seen
from exporter.results.minutes import MINUTE_SECONDS

_MONTHS = {"month": 1, "quarter": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A calendar month or quarter in UTC, in minutes."""

    name: str
    start: int
    end: int


def periods(kind: str, start: int, end: int) -> list[Period]:
    """Return the months or quarters that have a minute from *start* until *end*."""
    months = _MONTHS[kind]
    first = datetime.fromtimestamp(start * MINUTE_SECONDS, UTC)
    year, month = first.year, (first.month - 1) // months * months + 1
    found: list[Period] = []
    while (begin := _minute_of(year, month)) < end:
        after = (year + (month + months > 12), (month + months - 1) % 12 + 1)
        name = f"{year}-{month:02}" if months == 1 else f"{year} Q{month // 3 + 1}"
        found.append(Period(name=name, start=begin, end=_minute_of(*after)))
        year, month = after
    return found


def _minute_of(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) // MINUTE_SECONDS


def availability(
    counting: Counting, period: Period, stretches: Iterable[Stretch], interval: float
) -> Fraction:
    """Return the availability of *period* by the vendor's rule, from 0 to 1.

    *stretches* may cover a part of the period; the rest counts as available. *interval* is that of
    our probes, in seconds.
    """
    usual = max(1, math.ceil(MINUTE_SECONDS / interval))
    width = 5 if counting.window == "5m" else 1
    total = (period.end - period.start) // width
    found = _windows(width, stretches).values()
    lost = sum((_lost(counting, width, usual, window) for window in found), Fraction(0))
    return 1 - lost / total


@dataclass(slots=True)
class _Window:
    probes: int = 0
    failed: int = 0
    busiest: int = 0
    probed: int = 0
    """How many of its minutes had a probe."""


def _windows(width: int, stretches: Iterable[Stretch]) -> dict[int, _Window]:
    """Return the windows of *width* minutes of which a minute has an entry."""
    found: dict[int, _Window] = defaultdict(_Window)
    for one in stretches:
        if one.probed and one.entry is not None and one.seen.observed:
            window = found[one.start // width]
            window.probes += one.entry.probes
            window.failed += one.entry.failed
            window.busiest = max(window.busiest, one.entry.probes)
            window.probed += 1
    return found


def _lost(counting: Counting, width: int, usual: int, window: _Window) -> Fraction:
    """Return the share of *window* that was lost, where a minute has *usual* probes of ours."""
    if not window.failed or window.probes < counting.minimum_requests:
        return Fraction(0)
    answered = (width - window.probed) * max(usual, window.busiest)
    share = Fraction(window.failed, window.probes + answered)
    if counting.kind == "error_rate":
        return share
    return Fraction(int(share > Fraction(str(counting.above))))


def credit(steps: Iterable[Credit], found: Fraction) -> int:
    """Return the largest credit that *found* gives, in percent; 0 without one."""
    given = [step.percent for step in steps if _is_below(found, step)]
    return max(given, default=0)


def _is_below(found: Fraction, step: Credit) -> bool:
    limit = Fraction(str(step.below))
    return found < limit or (step.or_equal and found == limit)


def kept_promise(promise: Promise, found: Fraction) -> bool | None:
    """Return whether *found* keeps the promise; None if no number of the vendor's is known."""
    if promise.availability is None or promise.confidence != "doc":
        return None
    return found >= Fraction(str(promise.availability))


def shortfalls(counting: Counting, interval: float, stretches: Iterable[Stretch]) -> list[str]:
    """Return what our probes of every *interval* seconds cannot show of the vendor's rule."""
    seconds = 300.0 if counting.window == "5m" else 60.0
    found = []
    if interval > seconds:
        found.append(
            f"We probe every {interval:g} s and the rule counts windows of {seconds:g} s: a window"
            " without a probe of ours is not claimed, so our probes cannot prove how long an"
            " outage lasted. Probe at least once in each window to prove more."
        )
    a_window = max(1, int(seconds // interval))
    needed = -int(-1 // counting.above) if counting.above else 1
    if a_window < needed:
        found.append(
            f"The rule asks for more than {counting.above * 100:g} % of the requests of a window;"
            f" with {a_window} of ours in each, one failure is already {100 / a_window:.0f} %."
            f" It takes at least {needed} requests a window to see that share: our minutes support"
            " a claim, they do not prove it."
        )
    if counting.minimum_requests > a_window:
        found.append(
            f"The rule needs at least {counting.minimum_requests} requests in a window; we send"
            f" {a_window}. Our minutes alone prove nothing by it: add logs of your own calls."
        )
    unprobed = sum(
        one.length - one.probed for one in stretches if one.seen is Seen.FAILING and one.entry
    )
    if unprobed:
        found.append(
            f"{unprobed} minutes lie between failed probes without one of their own; they count"
            " as available in the vendor's rule."
        )
    return found
