"""Minutes that failed or could not be observed, per service, gathered until the store has them.

A minute without an entry was good: a success costs a look-up and one addition, and nothing on the
disk. Minutes of five that have such an entry beside them are kept too, with how many probes each
had, because some vendors count failed requests per five minutes.

Pure: no I/O; the caller adds results in the order in which they come, and writes what `drain`
returns. Times are whole minutes since 1970 in UTC, so no time zone and no summer time matters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from exporter.config import Target
from exporter.model import OFFLINE, OURS, Result, Verdict
from exporter.registry import RegistryChange

MINUTE_SECONDS = 60
SLOT_MINUTES = 5
DAY_MINUTES = 1440
KEPT_DAYS = 400
"""A year that a vendor can be asked about, and the weeks in which it has to be."""
MOST_UNSAVED = 100_000
"""Entries that wait for a disk which refuses: about 20 MB."""


class Seen(StrEnum):
    """What is known of a minute; the values are those of the store and of the report."""

    GOOD = "good"
    FAILING = "failing"
    NETWORK = "network"
    QUOTA = "quota"
    CREDENTIAL = "credential"
    REQUEST = "request"
    MONITORING = "monitoring"
    MAINTENANCE = "maintenance"
    CLOCK = "clock"
    GAP = "gap"
    DAMAGED = "damaged"
    EXPORTER = "exporter"
    UNWATCHED = "unwatched"
    UNKEPT = "unkept"

    @property
    def observed(self) -> bool:
        """Whether the minute shows anything about the provider."""
        return self in _OBSERVED


_OBSERVED = frozenset({Seen.GOOD, Seen.FAILING})
_SEEN = {
    Verdict.OK: Seen.GOOD,
    Verdict.PROVIDER: Seen.FAILING,
    Verdict.NETWORK: Seen.NETWORK,
    Verdict.QUOTA: Seen.QUOTA,
    Verdict.CREDENTIAL: Seen.CREDENTIAL,
    Verdict.REQUEST: Seen.REQUEST,
    Verdict.MONITORING: Seen.MONITORING,
}
_GOOD = Seen.GOOD  # to look into an enumeration takes its metaclass
PROOFS = ("", "canary", "answer")
"""What shows that our network worked, the weakest first: nothing, a canary, the answer itself."""


class Minute(NamedTuple):
    """A minute of one service and what was seen in it; it holds until the next one.

    `minute` is a Unix time divided by 60, `hold` a number of minutes from there: the probe of a
    slower service is followed by minutes without one. `probes` and `failed` count those of which
    the verdict is ok or provider. `reason` and `status` are those of the last failure, `network`
    one of `PROOFS`, `page` the state of the provider's status page at that time.
    """

    minute: int
    hold: int
    seen: Seen
    probes: int = 0
    failed: int = 0
    reason: str = ""
    status: int = 0
    network: str = ""
    page: str = ""


Span = tuple[int, int]
"""First minute, and the first minute after it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store has of one service: minutes in order, and when anybody looked."""

    minutes: tuple[Minute, ...] = ()
    alive: tuple[Span, ...] = ()
    """Whole minutes in which the exporter ran."""
    watched: tuple[Span, ...] = ()
    """Minutes in which the service was registered."""
    since: int = 0
    """Nothing is kept of the minutes before this one."""


@dataclass(slots=True)
class Batch:
    """What is to be written at once; `run` is when this run began and until when all is in it."""

    minutes: dict[tuple[str, int], Minute] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    """By service: the minute of its first result."""
    run: tuple[float, float] = (0.0, 0.0)


class _Watch:
    """The last minute of one service and the slot of five that it is in: 250 bytes."""

    __slots__ = ("doubtful", "entries", "good", "last", "minute", "resumed", "slot")

    def __init__(self, minute: int) -> None:
        self.minute, self.slot = minute, minute // SLOT_MINUTES
        self.good = bytearray(SLOT_MINUTES)
        """Good probes by minute of the slot."""
        self.entries: dict[int, Minute] | None = None
        """What is kept of this slot; None while all of it is good."""
        self.last: Minute | None = None
        """The entry of the last minute unless that was good: it holds until the next result."""
        self.doubtful: int | None = None
        """The first minute that comes twice because the clock was set back."""
        self.resumed = False
        """Whether the last result is one of a former process: nothing holds across a restart."""


class Minutes:
    """Gathers entries; *network* is asked at a failure whether a canary answers, *page* likewise.

    *network* returns one of `PROOFS`, *page* the state of the provider's status page or "".
    """

    def __init__(
        self,
        network: Callable[[], str] = lambda: "",
        page: Callable[[Target], str] = lambda target: "",
    ) -> None:
        self._network, self._page = network, page
        self._watches: dict[str, _Watch] = {}
        self._batch, self._writing = Batch(), Batch()
        self._since: float | None = None

    def add(self, target: Target, result: Result, *, counted: bool, before: float | None) -> None:
        """Take in *result*; *counted* is false during maintenance.

        *before* is the Unix time of the result before it, None for the first one of a service.
        """
        minute = int(result.at // MINUTE_SECONDS)
        watch = self._watches.get(target.id) or self._begin(target, minute, before)
        if minute != watch.minute and not self._move(watch, target, minute):
            return
        seen = _SEEN[result.verdict] if counted else Seen.MAINTENANCE
        if seen is _GOOD and watch.entries is None:
            watch.good[minute % SLOT_MINUTES] += 1
        else:
            self._note(watch, target, result, seen)

    def _begin(self, target: Target, minute: int, before: float | None) -> _Watch:
        start = minute if before is None else int(before // MINUTE_SECONDS)
        watch = self._watches[target.id] = _Watch(start)
        watch.resumed = before is not None
        if before is None:
            self._batch.begun.setdefault(target.id, minute)
        return watch

    def _move(self, watch: _Watch, target: Target, minute: int) -> bool:
        """Go on to *minute*; return whether what is seen there counts."""
        step = minute - watch.minute
        if -DAY_MINUTES <= step < 0:
            self._doubt(watch, target, minute)
            return False
        if step > 1:  # below: a clock that was wrong by days, so it begins anew
            self._bridge(watch, target, step)
        if minute // SLOT_MINUTES != watch.slot:
            watch.slot = minute // SLOT_MINUTES
            watch.good, watch.entries = bytearray(SLOT_MINUTES), None
        watch.minute, watch.last, watch.doubtful, watch.resumed = minute, None, None, False
        return True

    def _doubt(self, watch: _Watch, target: Target, minute: int) -> None:
        """Take back the minutes that come twice: nobody can say which of the two was which."""
        if watch.doubtful is not None and minute >= watch.doubtful:
            return
        entry = Minute(minute, watch.minute - minute + 1, Seen.CLOCK)
        self._batch.minutes[target.id, minute] = entry
        watch.doubtful, watch.last, watch.entries = minute, None, None
        watch.good = bytearray(SLOT_MINUTES)

    def _bridge(self, watch: _Watch, target: Target, step: int) -> None:
        """Let the last entry hold until now; what three intervals do not explain was not seen."""
        longest = max(1, int(3 * target.interval // MINUTE_SECONDS))
        hold = step if step <= longest else max(1, math.ceil(target.interval / MINUTE_SECONDS))
        hold = 1 if watch.resumed else hold
        if watch.last is not None and hold > 1:
            last = watch.last._replace(hold=hold)
            self._batch.minutes[target.id, last.minute] = last
        if hold < step:
            start = watch.minute + hold
            gap = Minute(start, step - hold, Seen.GAP)
            self._batch.minutes[target.id, start] = gap

    def _note(self, watch: _Watch, target: Target, result: Result, seen: Seen) -> None:
        if watch.entries is None:
            first, watch.entries = watch.slot * SLOT_MINUTES, {}
            for number, count in enumerate(watch.good):
                if count:
                    good = Minute(first + number, 1, Seen.GOOD, count)
                    watch.entries[good.minute] = good
                    self._batch.minutes[target.id, good.minute] = good
        entry = watch.entries.get(watch.minute) or Minute(watch.minute, 1, seen)
        if seen.observed:
            entry = entry._replace(probes=entry.probes + 1)
        if seen is Seen.FAILING:
            entry = self._failed(entry, target, result)
        elif not entry.probes:
            entry = entry._replace(
                seen=seen, reason=result.reason.value, status=result.outcome.status
            )
        elif not entry.failed:
            entry = entry._replace(seen=Seen.GOOD, reason="", status=0)
        watch.entries[watch.minute] = self._batch.minutes[target.id, watch.minute] = entry
        watch.last = None if entry.seen is Seen.GOOD else entry

    def _failed(self, entry: Minute, target: Target, result: Result) -> Minute:
        proof = self.proof_of(result)
        if entry.failed:
            proof = min(proof, entry.network, key=PROOFS.index)
        return entry._replace(
            seen=Seen.FAILING,
            failed=entry.failed + 1,
            reason=result.reason.value,
            status=result.outcome.status,
            network=proof,
            page=self._page(target),
        )

    def proof_of(self, result: Result) -> str:
        """Return what shows that our network worked at a failed *result*: one of `PROOFS`."""
        unsent = result.verdict is Verdict.REQUEST and not result.outcome.status
        if unsent or result.verdict in OURS:
            return ""
        return self._network() if result.reason in OFFLINE else "answer"

    # -- to and from the store ---------------------------------------------------------------

    def drain(self, now: float) -> Batch:
        """Return what changed since the last call, as totals; *now* is the Unix time.

        To be ended by `written` or `restore`. Writing an entry twice is harmless.
        """
        self._since = now if self._since is None else self._since
        self._writing, self._batch = self._batch, Batch()
        self._writing.run = (self._since, now)
        return self._writing

    def written(self) -> None:
        """Forget what `drain` returned: it is on the disk."""
        self._writing = Batch()

    def restore(self) -> None:
        """Take back what `drain` returned: it was not written.

        If the disk refuses for too long, all is given up, and the time since the last write counts
        as not observed: what was lost must not look good.
        """
        batch, self._writing = self._writing, Batch()
        self._batch.minutes = {**batch.minutes, **self._batch.minutes}
        self._batch.begun = {**self._batch.begun, **batch.begun}
        if len(self._batch.minutes) > MOST_UNSAVED:
            self._batch.minutes.clear()
            self.begin_run()

    def begin_run(self) -> None:
        """Let a new run begin with the next `drain`: the time before it is not continued."""
        self._since = None

    def start_run(self, now: float) -> None:
        """Let the run begin at the Unix time *now*, when probing starts."""
        self._since = now

    def unsaved(self, service: str) -> list[Minute]:
        """Return the entries of *service* that are not written yet."""
        waiting = {**self._writing.minutes, **self._batch.minutes}
        return [entry for (name, _), entry in waiting.items() if name == service]

    def run(self, now: float) -> tuple[float, float]:
        """Return when this run began, and *now*: all until then is in what is kept or unsaved."""
        return (now if self._since is None else self._since, now)

    def begun(self, service: str) -> int | None:
        """Return the minute of the first result of *service* if that is not written yet."""
        return self._batch.begun.get(service, self._writing.begun.get(service))

    def follow(self, change: RegistryChange) -> None:
        """Forget the watches of what is removed; its minutes are evidence and stay."""
        for target in change.removed:
            self._watches.pop(target.id, None)


def overlaid(kept: Iterable[Minute], newer: Iterable[Minute]) -> tuple[Minute, ...]:
    """Return *kept* with *newer* entries in the place of those of the same minute, in order."""
    entries = {entry.minute: entry for entry in kept}
    entries |= {entry.minute: entry for entry in newer}
    return tuple(entries[minute] for minute in sorted(entries))
