"""Small pictures as SVG paths: latency, a day in quarters of an hour, the phases of one probe.

Pure. A path is made of our own numbers, so nothing in it needs escaping. Every picture has a label
with the same content for those who cannot see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from exporter.model import FACTS, OURS, PHASES, Reason, Verdict
from exporter.page.wording import took
from exporter.results.history import DAY_SECONDS, WIDTH_SECONDS, Bucket

QUARTERS = int(DAY_SECONDS // WIDTH_SECONDS)
# The view box of `sparkline` in icons.html is 80 by 24: 20 points of 4, and the height.
_POINTS = 20
_POINT_WIDTH = 4.0
_HEIGHT = 24.0
# Top and height of a quarter: a failure is taller, so that colour is not needed to see it.
_SHAPES = {"ok": (10, 8), "ours": (13, 5), "degraded": (5, 13), "down": (1, 17)}
_KIND_LABELS = {
    "down": "with the provider down",
    "degraded": "with refusals",
    "ours": "with failures on our side",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """The latency of the last results as a line; failures are marks at the bottom."""

    line: str
    failures: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A day in quarters of an hour: one path for each kind of quarter that occurs."""

    paths: tuple[tuple[str, str], ...]
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One phase of a probe: *start* and *width* are thousandths of the whole probe."""

    phase: str
    start: float
    width: float
    label: str
    seconds: float


def spark(recent: Iterable[tuple[float, float, Reason, Verdict]]) -> Spark:
    """Return the latency picture of *recent*, the oldest first, as `Recent` has them."""
    results = list(recent)[-_POINTS:]
    times = [seconds for _, seconds, _, verdict in results if verdict is Verdict.OK]
    top = max(times, default=0.0) or 1.0
    first = _POINTS - len(results)
    line, failures, command = [], [], "M"
    for index, (_, seconds, _, verdict) in enumerate(results, first):
        x = index * _POINT_WIDTH + _POINT_WIDTH / 2
        if verdict is Verdict.OK:
            line.append(f"{command}{x:g} {21 - seconds / top * 18:.1f}")
            command = "L"
        else:
            failures.append(f"M{x:g} {_HEIGHT - 7:g}v7")
            command = "M"  # the line is interrupted where there is no latency
    if len(line) == 1:  # browsers do not draw a line of one point
        line.append("h.1")
    label = _latency_label(times, [verdict for *_, verdict in results])
    return Spark(line="".join(line), failures="".join(failures), label=label)


def _latency_label(times: Sequence[float], verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "no result yet"
    ours = sum(verdict in OURS for verdict in verdicts)
    bad = len(verdicts) - len(times) - ours
    subject = f"last {len(verdicts)} results" if len(verdicts) > 1 else "last result"
    parts = []
    if times:
        low, high = took(min(times)), took(max(times))
        parts.append(low if low == high else f"{low} to {high}")
    if bad:
        parts.append(f"{bad} bad")
    if ours:
        parts.append(f"{ours} failed on our side")
    return f"{subject}: {', '.join(parts)}"


def strip(day: Iterable[Bucket], now: float) -> Strip:
    """Return the picture of the 24 h that end with the quarter of an hour in which *now* is."""
    first = (int(now // WIDTH_SECONDS) - QUARTERS + 1) * WIDTH_SECONDS
    kinds = ["none"] * QUARTERS
    for bucket in day:
        index = (bucket.start - first) // WIDTH_SECONDS
        if 0 <= index < QUARTERS:
            kinds[index] = kind_of(bucket)
    paths, x = dict.fromkeys(_SHAPES, ""), 0
    for kind, run in groupby(kinds):
        length = len(list(run))
        if kind in paths:
            top, height = _SHAPES[kind]
            paths[kind] += f"M{x} {top}h{length}v{height}h-{length}z"
        x += length
    return Strip(
        paths=tuple((kind, path) for kind, path in paths.items() if path), label=_day_label(kinds)
    )


def kind_of(bucket: Bucket) -> str:
    """Return the kind of a quarter by its worst result: ok, ours, degraded or down."""
    facts = FACTS[bucket.worst]
    if bucket.bad:
        return "degraded" if facts.up else "down"
    return "ok" if facts.verdict is Verdict.OK else "ours"


def _day_label(kinds: Sequence[str]) -> str:
    with_results = len(kinds) - kinds.count("none")
    if not with_results:
        return "last 24 h: no result"
    parts = [f"{n} {label}" for kind, label in _KIND_LABELS.items() if (n := kinds.count(kind))]
    quarters = "quarter" if with_results == 1 else "quarters"
    summary = ", ".join(parts) if parts else "none with a failure"
    return f"last 24 h, {with_results} {quarters} of an hour with results: {summary}"


def waterfall(phases: Sequence[float]) -> tuple[Bar, ...]:
    """Return a bar for each phase of a probe, one after the other; *phases* are seconds."""
    whole = sum(phases) or 1.0
    bars, start = [], 0.0
    for phase, seconds in zip(PHASES, phases, strict=True):
        width = seconds / whole * 1000
        bars.append(
            Bar(
                phase=phase,
                start=round(start, 1),
                width=round(max(width, 2.0), 1) if seconds else 0,
                label=took(seconds) if seconds >= 0.0005 or not seconds else "< 1 ms",
                seconds=seconds,
            )
        )
        start += width
    return tuple(bars)
