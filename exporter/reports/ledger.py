"""What is known of every minute of a period: entries, and everything that lies between them.

A minute is good only if somebody looked: where the exporter did not run, or the service was not
registered, it is not observed, whatever the entries say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from exporter.results import Kept, Minute, Seen


class Stretch(NamedTuple):
    """Minutes from `start` until `end` of which the same is known; `entry` if one says so."""

    start: int
    end: int
    seen: Seen
    entry: Minute | None = None

    @property
    def length(self) -> int:
        """Return the number of minutes."""
        return self.end - self.start

    @property
    def probed(self) -> bool:
        """Whether the first minute is the one in which the probes of the entry began."""
        return self.entry is not None and self.entry.minute == self.start


def ledger(start: int, end: int, kept: Kept) -> tuple[Stretch, ...]:
    """Return what is known of the minutes from *start* until *end*, without a gap or an overlap."""
    probed = [entry for entry in kept.minutes if entry.seen.observed]
    unseen = [entry for entry in kept.minutes if not entry.seen.observed]
    layers = (
        _held(probed),
        _without_overlap([Stretch(e.minute, e.minute + e.hold, e.seen, e) for e in unseen]),
        _outside(start, end, kept.watched, Seen.UNWATCHED),
        _outside(start, end, kept.alive, Seen.EXPORTER),
        _outside(start, end, ((_first_kept(kept, end), end),), Seen.UNKEPT),
    )
    found = [Stretch(start, end, Seen.GOOD)] if start < end else []
    for layer in layers:
        found = _painted(found, layer)
    return tuple(found)


def _first_kept(kept: Kept, end: int) -> int:
    """Return the minute before which nothing is kept: nobody knows whether the exporter ran."""
    return max(kept.since, min((begin for begin, _ in kept.alive), default=end))


def _held(entries: Sequence[Minute]) -> list[Stretch]:
    """Return the minutes for which each of *entries* holds: until the next one at the latest."""
    found = []
    for number, entry in enumerate(entries, 1):
        end = entry.minute + entry.hold
        if number < len(entries):
            end = min(end, entries[number].minute)
        found.append(Stretch(entry.minute, end, entry.seen, entry))
    return found


def _without_overlap(stretches: Iterable[Stretch]) -> list[Stretch]:
    found: list[Stretch] = []
    for one in stretches:
        start = max(one.start, found[-1].end) if found else one.start
        if start < one.end:
            found.append(one._replace(start=start))
    return found


def _outside(start: int, end: int, spans: Iterable[tuple[int, int]], seen: Seen) -> list[Stretch]:
    """Return the minutes from *start* until *end* that are in none of *spans*."""
    found, place = [], start
    for begin, until in sorted(spans):
        if begin > place:
            found.append(Stretch(place, min(begin, end), seen))
        place = max(place, until)
        if place >= end:
            return found
    if place < end:
        found.append(Stretch(place, end, seen))
    return found


def _painted(under: Sequence[Stretch], layer: Sequence[Stretch]) -> list[Stretch]:
    """Return *under* with *layer* over it, as far as *under* goes; both are in order."""
    found: list[Stretch] = []
    number = 0
    for one in under:
        place = one.start
        while number < len(layer) and layer[number].end <= place:
            number += 1
        look = number
        while look < len(layer) and layer[look].start < one.end:
            over = layer[look]
            if over.start > place:
                found.append(one._replace(start=place, end=over.start))
            begin = max(place, over.start)
            place = min(one.end, over.end)
            if begin < place:
                found.append(over._replace(start=begin, end=place))
            look += 1
        if place < one.end:
            found.append(one._replace(start=place))
    return found
