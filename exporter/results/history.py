"""Results by quarters of an hour, gathered until the store has them; 24 hours at most.

Pure: no time, no I/O; the caller adds results and writes what `drain` returns. What is older than
two days is joined into spans of four hours, which are buckets too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from exporter.model import FACTS, OURS, Reason, Result, Verdict
from exporter.registry import RegistryChange
from exporter.results import latencies

WIDTH_SECONDS = 900
SPAN_SECONDS = 14_400
MONTH_SECONDS = 30 * 86_400.0
DAY_SECONDS = 86_400.0
_DAY_QUARTERS = 96
_OK = Verdict.OK  # to look into an enumeration takes its metaclass
_Key = tuple[str, int]
"""Service and start of a bucket."""


class Bucket(NamedTuple):
    """A quarter of an hour of one service, or four hours: totals from its start, not differences.

    `start` is a Unix time; `bad` leaves out what our own network or the exporter is to blame
    for; the latencies, in seconds, are those of successes. A success whose time says nothing,
    because our event loop was held, is left out.
    """

    service: str
    start: int
    ok: int
    bad: int
    worst: Reason
    latency_sum: float
    latency_max: float
    levels: bytes = b""
    """The latencies as `latencies` writes them; of a quarter that is older than two days empty."""

    @property
    def verdict(self) -> Verdict:
        """Whose fault the worst result was; what is not counted as bad was our own."""
        verdict = FACTS[self.worst].verdict
        if self.bad or verdict in (Verdict.OK, Verdict.MONITORING):
            return verdict
        return Verdict.NETWORK

    def percentile(self, share: float) -> float | None:
        """Return the latency in seconds that the part *share* of successes does not exceed."""
        return latencies.percentile(latencies.counts(self.levels), share)


class History:
    """The buckets that still change or are not written yet; bounded by 24 hours."""

    def __init__(self) -> None:
        self._buckets: dict[_Key, Bucket] = {}
        self._unwritten: set[_Key] = set()
        self._quarters: dict[int, None] = {}
        """The starts of buckets in the order in which results came: a clock may be set back."""

    def __len__(self) -> int:
        return len(self._buckets)

    def add(self, result: Result) -> None:
        """Count *result* in the quarter in which it began."""
        start = int(result.at // WIDTH_SECONDS) * WIDTH_SECONDS
        key = (result.service, start)
        former = self._buckets.get(key)
        if former is not None and result.success and result.outcome.measured:
            self._buckets[key] = _with_success(former, result)
        else:
            fresh = _bucket(result, start)
            self._buckets[key] = fresh if former is None else _joined(former, fresh)
        self._unwritten.add(key)
        self._begin(start)

    def drain(self) -> list[Bucket]:
        """Return what changed since the last call, in no order, as totals.

        Writing a row twice is harmless.
        """
        rows = [self._buckets[key] for key in self._unwritten]
        self._unwritten.clear()
        changing = tuple(self._quarters)[-2:]
        self._drop(p for p in self._buckets if p[1] not in changing)
        return rows

    def restore(self, rows: Iterable[Bucket]) -> None:
        """Take in *rows*: those of the store at the start, or drained ones that were not written.

        Of two versions of a bucket the one with more results stays.
        """
        for row in rows:
            key = (row.service, row.start)
            known = self._buckets.get(key)
            if known is None or known.ok + known.bad < row.ok + row.bad:
                self._buckets[key] = row
            self._unwritten.add(key)
            if row.start not in self._quarters:
                self._quarters = {row.start: None, **self._quarters}

    def of(self, service: str) -> list[Bucket]:
        """Return what is still here of *service*."""
        return [row for key, row in self._buckets.items() if key[0] == service]

    def follow(self, change: RegistryChange) -> None:
        """Forget what is removed; the day of a changed service goes on."""
        removed = {target.id for target in change.removed}
        if removed:
            self._drop(key for key in self._buckets if key[0] in removed)

    def _begin(self, quarter: int) -> None:
        """Note that results come for *quarter*; forget what a day of quarters is before it."""
        if self._quarters and next(reversed(self._quarters)) == quarter:
            return
        self._quarters.pop(quarter, None)
        self._quarters[quarter] = None
        while len(self._quarters) > _DAY_QUARTERS:
            oldest = next(iter(self._quarters))
            del self._quarters[oldest]
            self._drop(key for key in self._buckets if key[1] == oldest)

    def _drop(self, keys: Iterable[_Key]) -> None:
        for key in list(keys):
            del self._buckets[key]
            self._unwritten.discard(key)


def _with_success(former: Bucket, result: Result) -> Bucket:
    """Return *former* with one more success: `_joined` at a fifth of the price, for most probes."""
    took, was_good = result.outcome.duration, FACTS[former.worst].verdict is _OK
    return Bucket(
        former.service,
        former.start,
        former.ok + 1,
        former.bad,
        result.reason if was_good else former.worst,
        former.latency_sum + took,
        max(former.latency_max, took),
        latencies.joined(former.levels, latencies.level_of(took)),
    )


def _bucket(result: Result, start: int) -> Bucket:
    counts = result.success and result.outcome.measured
    took = result.outcome.duration if counts else 0.0
    return Bucket(
        service=result.service,
        start=start,
        ok=int(counts),
        bad=int(not result.success and result.verdict not in OURS),
        worst=result.reason,
        latency_sum=took,
        latency_max=took,
        levels=latencies.level_of(took) if counts else b"",
    )


def in_spans(buckets: Iterable[Bucket]) -> list[Bucket]:
    """Return the buckets of one service, each joined into the four hours in which it began."""
    spans = dict[int, Bucket]()
    for bucket in buckets:
        start = bucket.start // SPAN_SECONDS * SPAN_SECONDS
        former = spans.get(start)
        spans[start] = bucket._replace(start=start) if former is None else _joined(former, bucket)
    return [
        span._replace(levels=latencies.in_runs(span.levels)) for _, span in sorted(spans.items())
    ]


def _joined(former: Bucket, fresh: Bucket) -> Bucket:
    return Bucket(
        former.service,
        former.start,
        former.ok + fresh.ok,
        former.bad + fresh.bad,
        fresh.worst if _badness(fresh) >= _badness(former) else former.worst,
        former.latency_sum + fresh.latency_sum,
        max(former.latency_max, fresh.latency_max),
        latencies.joined(former.levels, fresh.levels),
    )


def _badness(bucket: Bucket) -> int:
    """Return 0 for success, 1 for a fault of our own, 2 for a refusal, 3 for a provider down."""
    facts = FACTS[bucket.worst]
    if facts.verdict is Verdict.OK:
        return 0
    if not bucket.bad:
        return 1
    return 2 if facts.up else 3
