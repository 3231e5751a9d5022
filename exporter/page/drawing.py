"""Small pictures as SVG paths: latency, a day in quarters of an hour, the phases of one probe.

Pure. Only numbers of ours go into a path, and every picture has words that say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from exporter.model import FACTS, PHASES, Reason, Verdict
from exporter.page.wording import took
from exporter.results.history import DAY_SECONDS, WIDTH_SECONDS, Bucket

QUARTERS = int(DAY_SECONDS // WIDTH_SECONDS)
POINTS = 20
_HIGH = 24.0
_STEP = 4.0
# Top and height of a quarter: a failure is taller, so that colour is not needed to see it.
_SHAPES = {"ok": (10, 8), "ours": (13, 5), "degraded": (5, 13), "down": (1, 17)}
_NAMES = {
    "down": "with the provider down",
    "degraded": "with refusals",
    "ours": "lost by us",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """The latency of the last results; failures stand apart, as marks at the bottom."""

    line: str
    failures: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A day: one path for each kind of quarter."""

    paths: tuple[tuple[str, str], ...]
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One phase of a probe: where it begins and how long it is, in thousandths of the whole."""

    phase: str
    start: float
    width: float
    words: str
    seconds: float


def spark(recent: Iterable[tuple[float, float, Reason]]) -> Spark:
    """Return the picture of *recent*, the oldest first."""
    results = list(recent)[-POINTS:]
    good = [FACTS[reason].verdict is Verdict.OK for _, _, reason in results]
    times = [seconds for (_, seconds, _), well in zip(results, good, strict=True) if well]
    top = max(times, default=0.0) or 1.0
    first = POINTS - len(results)
    line, failures, pen = [], [], "M"
    for place, ((_, seconds, _), well) in enumerate(zip(results, good, strict=True), first):
        x = place * _STEP + 2
        if well:
            line.append(f"{pen}{x:g} {21 - seconds / top * 18:.1f}")
            pen = "L"
        else:
            failures.append(f"M{x:g} {_HIGH - 7:g}v7")
            pen = "M"
    if len(line) == 1:  # a line of one point is not drawn
        line.append("h.1")
    return Spark(line="".join(line), failures="".join(failures), label=_told(times, len(results)))


def _told(times: Sequence[float], results: int) -> str:
    if not results:
        return "no result yet"
    failed = results - len(times)
    said = f"last {results} results: " if results > 1 else "last result: "
    if times:
        low, high = took(min(times)), took(max(times))
        said += low if low == high else f"{low} to {high}"
    parts = [said] if times else []
    if failed:
        parts.append(f"{failed} failed" if times else f"{said}{failed} failed")
    return ", ".join(parts)


def strip(day: Iterable[Bucket], now: float) -> Strip:
    """Return the picture of the 24 h that end with the quarter of *now*."""
    first = (int(now // WIDTH_SECONDS) - QUARTERS + 1) * WIDTH_SECONDS
    kinds = ["none"] * QUARTERS
    for bucket in day:
        place = (bucket.start - first) // WIDTH_SECONDS
        if 0 <= place < QUARTERS:
            kinds[place] = kind_of(bucket)
    paths, at = dict.fromkeys(_SHAPES, ""), 0
    for kind, run in groupby(kinds):
        length = len(list(run))
        if kind in paths:
            top, high = _SHAPES[kind]
            paths[kind] += f"M{at} {top}h{length}v{high}h-{length}z"
        at += length
    return Strip(
        paths=tuple((kind, path) for kind, path in paths.items() if path), label=_summed(kinds)
    )


def kind_of(bucket: Bucket) -> str:
    """Return what a quarter was like at its worst."""
    facts = FACTS[bucket.worst]
    if bucket.bad:
        return "degraded" if facts.up else "down"
    return "ok" if facts.verdict is Verdict.OK else "ours"


def _summed(kinds: Sequence[str]) -> str:
    seen = len(kinds) - kinds.count("none")
    if not seen:
        return "last 24 h: no result"
    parts = [f"{n} {words}" for kind, words in _NAMES.items() if (n := kinds.count(kind))]
    said = ", ".join(parts) if parts else "none with a failure"
    return f"last 24 h, {seen} quarters of an hour with results: {said}"


def waterfall(phases: Sequence[float]) -> tuple[Bar, ...]:
    """Return the phases of a probe one after the other."""
    whole = sum(phases) or 1.0
    bars, at = [], 0.0
    for phase, seconds in zip(PHASES, phases, strict=True):
        width = seconds / whole * 1000
        bars.append(
            Bar(
                phase=phase,
                start=round(at, 1),
                width=round(max(width, 2.0), 1) if seconds else 0,
                words=took(seconds) if seconds >= 0.0005 or not seconds else "< 1 ms",
                seconds=seconds,
            )
        )
        at += width
    return tuple(bars)
