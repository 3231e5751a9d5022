"""A second calculator: minute by minute over the raw list of probes, written to be obvious.

It shares nothing with the product but the verdicts' names: every minute is judged alone, by the
probes in it, before it and after it. What it returns is compared with what the product stores,
packs, reads and sums.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

GOOD, UNSEEN = "good", "unseen"


@dataclass(frozen=True)
class Probe:
    """When it began, how it ended (`ok`, `provider` or whose fault else), in which run."""

    at: float
    verdict: str
    run: int = 0


@dataclass(frozen=True)
class Raw:
    """Everything that happened: probes, runs of the exporter until their last save."""

    probes: tuple[Probe, ...]
    runs: tuple[tuple[float, float], ...]
    interval: float
    states: dict[int, Fraction | str] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def known(self) -> list[Probe]:
        """The probes that were saved before their run ended, in order."""
        return [p for p in self.probes if p.at < self.runs[p.run][1]]

    @cached_property
    def times(self) -> list[float]:
        return [p.at for p in self.known]

    def of_minute(self, minute: int) -> list[Probe]:
        first = bisect_left(self.times, minute * 60)
        return self.known[first : bisect_left(self.times, minute * 60 + 60)]

    def ran(self, minute: int) -> bool:
        """Return whether one run lasted for all of *minute*."""
        return any(a <= minute * 60 and minute * 60 + 60 <= b for a, b in self.runs)

    def registered(self, minute: int) -> bool:
        return bool(self.known) and minute >= self.known[0].at // 60

    def state(self, minute: int) -> Fraction | str:
        """Return the failed share of *minute*, or GOOD or UNSEEN; judged once."""
        if minute not in self.states:
            self.states[minute] = self._state(minute)
        return self.states[minute]

    def _state(self, minute: int) -> Fraction | str:
        if not self.ran(minute) or not self.registered(minute):
            return UNSEEN
        if own := self.of_minute(minute):
            return share_of(own)
        number = bisect_left(self.times, minute * 60)
        last = self.known[number - 1]
        place = int(last.at // 60)
        if number == len(self.known):
            return GOOD if share_of(self.of_minute(place)) == GOOD else UNSEEN
        following = self.known[number]
        if following.run != last.run:
            return UNSEEN
        gap = int(following.at // 60) - place
        if gap > max(1, 3 * self.interval // 60) and minute - place >= -(-self.interval // 60):
            return UNSEEN
        return share_of(self.of_minute(place))

    def end(self) -> int:
        """Return the minute after that of the last known probe."""
        return int(self.known[-1].at // 60) + 1 if self.known else 0


def share_of(probes: list[Probe]) -> Fraction | str:
    judged = [p for p in probes if p.verdict in ("ok", "provider")]
    failed = [p for p in judged if p.verdict == "provider"]
    if failed:
        return Fraction(len(failed), len(judged))
    return GOOD if judged else UNSEEN


def availability(raw: Raw, start: int, end: int) -> Fraction | None:
    """Return the mean over the observed minutes."""
    states = [raw.state(minute) for minute in range(start, end)]
    seen = [state for state in states if state != UNSEEN]
    if not seen:
        return None
    return sum(
        (1 - s if isinstance(s, Fraction) else Fraction(1) for s in seen), Fraction(0)
    ) / len(seen)


def downtimes(raw: Raw, start: int, end: int) -> list[tuple[int, int]]:
    """Return first and last minute of each stretch of minutes that failed in part or wholly."""
    found: list[tuple[int, int]] = []
    for minute in range(start, end):
        if isinstance(raw.state(minute), Fraction):
            if found and found[-1][1] == minute - 1:
                found[-1] = (found[-1][0], minute)
            else:
                found.append((minute, minute))
    return found


def by_minutes(raw: Raw, start: int, end: int, above: Fraction) -> Fraction:
    """Return the availability where a minute with a larger share of failed requests is down."""
    down = 0
    for minute in range(start, end):
        if raw.ran(minute) and raw.registered(minute):
            share = share_of(raw.of_minute(minute))
            down += isinstance(share, Fraction) and share > above
    return 1 - Fraction(down, end - start)


def by_error_rate(raw: Raw, start: int, end: int) -> Fraction:
    """Return 1 - the mean error rate of windows of five minutes; unprobed minutes answered."""
    rates = []
    for begin in range(start, end, 5):
        counts = []
        failed = 0
        for minute in range(begin, begin + 5):
            if raw.ran(minute) and raw.registered(minute):
                judged = [p for p in raw.of_minute(minute) if p.verdict in ("ok", "provider")]
                failed += sum(p.verdict == "provider" for p in judged)
                counts += [len(judged)] if judged else []
        usual = max(1, -(-60 // int(raw.interval)))
        requests = sum(counts) + (5 - len(counts)) * max([usual, *counts])
        rates.append(Fraction(failed, requests) if failed else Fraction(0))
    return 1 - sum(rates, Fraction(0)) / len(rates)
