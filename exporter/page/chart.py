"""Response times over a day or a month as a chart: lines, axes, failures, and the same in words.

Pure. Widths are parts of the picture, for only the lines are stretched with it: texts and marks
keep their size. What is drawn is in a table too, one row for each part of the time with a result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

from exporter.model import Verdict
from exporter.page.wording import FAULTS, took
from exporter.results.history import SPAN_SECONDS, WIDTH_SECONDS, Bucket

PLOT_HEIGHT = 150
"""Of the lines, in pixels; they are 1,000 wide and stretched."""
_DAY_SECONDS = 86_400
_LABELLED = (2.0, 97.0)
"""In per cent: a label of the axis further out would be cut, or run into its name."""


class Scale(NamedTuple):
    """What a picture covers: *bins* parts of *width* seconds, the last one with now in it."""

    name: str
    bins: int
    width: int
    tick: int
    """Seconds between two labels; in between is one more, where there is room for it."""

    def begin(self, now: float) -> int:
        """Return the Unix time at which the picture begins."""
        return (int(now // self.width) - self.bins + 1) * self.width


DAY = Scale("24 hours", 96, WIDTH_SECONDS, 6 * 3600)
MONTH = Scale("30 days", 180, SPAN_SECONDS, 6 * _DAY_SECONDS)


class Tick(NamedTuple):
    """A place on the axis of time; *x* in per cent. Without a *label* it is a line alone."""

    x: float
    at: int
    label: str
    minor: bool


class Line(NamedTuple):
    """A place on the axis of response times; *y* in pixels from the top of the plot."""

    y: float
    label: str


class Failures(NamedTuple):
    """Parts of the time in turn whose worst result is one verdict's; in per cent."""

    verdict: Verdict
    x: float
    width: float

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 2)


class Row(NamedTuple):
    """One part of the time that has results; *x* is its middle in thousandths of the picture."""

    x: float
    at: int
    median: str
    high: str
    probes: str
    worst: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A day or a month of one service."""

    scale: Scale
    median: str
    high: str
    between: str
    failures: tuple[Failures, ...]
    lines: tuple[Line, ...]
    threshold: Line | None
    """The time that the service's objective asks for, if the picture reaches to it."""
    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]
    label: str
    since: int | None
    """The Unix time of the first result, where the picture begins earlier."""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Whose failures there are."""
        found = {failure.verdict for failure in self.failures}
        return tuple(verdict for verdict in FAULTS if verdict in found)


class _Part(NamedTuple):
    """What is drawn of one bucket."""

    place: int
    bucket: Bucket
    median: float | None
    high: float | None


def chart(
    buckets: Iterable[Bucket], scale: Scale, now: float, threshold: float | None = None
) -> Chart:
    """Return the picture of *buckets* at the Unix time *now*; *threshold* is in seconds."""
    begin = scale.begin(now)
    parts = [
        _Part(index, bucket, bucket.percentile(0.5), bucket.percentile(0.95))
        for bucket in buckets
        if 0 <= (index := (bucket.start - begin) // scale.width) < scale.bins
    ]
    highest = max((part.high for part in parts if part.high is not None), default=0.0)
    shown = threshold if threshold is not None and threshold <= 4 * highest else None
    lines, top = _axis(max(highest, shown or 0.0))
    median, high, between = _curves(parts, scale, top)
    first = parts[0].bucket.start if parts and parts[0].place else None
    return Chart(
        scale=scale,
        median=median,
        high=high,
        between=between,
        failures=tuple(_failures(parts, scale)),
        lines=lines,
        threshold=None if shown is None else Line(_y(shown, top), took(shown)),
        ticks=tuple(_ticks(scale, begin)),
        rows=tuple(_row(part, scale) for part in parts),
        label=_label(parts, scale),
        since=first,
    )


def _axis(highest: float) -> tuple[tuple[Line, ...], float]:
    """Return three to five round lines from 0 on, and the seconds of the highest."""
    if not highest:
        return (), 1.0
    rough = highest / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    number = math.ceil(highest / step * 0.999)
    top = step * number
    return tuple(Line(_y(step * n, top), _axis_label(step * n)) for n in range(number + 1)), top


def _axis_label(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def _y(seconds: float, top: float) -> float:
    # The highest may be above the top by the last bit of a float: no picture has a -0.
    return max(0.0, round(PLOT_HEIGHT - seconds / top * PLOT_HEIGHT, 1))


def _curves(parts: Sequence[_Part], scale: Scale, top: float) -> tuple[str, str, str]:
    """Return the paths of the median, of the 95th percentile, and of the space between them."""
    median, high, between = "", "", ""
    for piece in _pieces(parts):
        xs = [round((part.place + 0.5) / scale.bins * 1000, 1) for part, _, _ in piece]
        low = [f"{x:g} {_y(value, top):g}" for x, (_, value, _) in zip(xs, piece, strict=True)]
        up = [f"{x:g} {_y(value, top):g}" for x, (_, _, value) in zip(xs, piece, strict=True)]
        dot = "h.1" if len(piece) == 1 else ""  # browsers do not draw a line of one point
        median += f"M{'L'.join(low)}{dot}"
        high += f"M{'L'.join(up)}{dot}"
        between += f"M{'L'.join(low + up[::-1])}z" if len(piece) > 1 else ""
    return median, high, between


def _pieces(parts: Sequence[_Part]) -> Iterator[list[tuple[_Part, float, float]]]:
    """Yield the parts with times that follow each other: elsewhere a line would be invented."""
    piece: list[tuple[_Part, float, float]] = []
    for part in parts:
        if part.median is None or part.high is None:
            continue
        if piece and part.place != piece[-1][0].place + 1:
            yield piece
            piece = []
        piece.append((part, part.median, part.high))
    if piece:
        yield piece


def _failures(parts: Sequence[_Part], scale: Scale) -> Iterator[Failures]:
    failing = [(p.place, p.bucket.verdict) for p in parts if p.bucket.verdict is not Verdict.OK]
    numbered = enumerate(failing)
    for (verdict, _), run in groupby(numbered, key=lambda one: (one[1][1], one[1][0] - one[0])):
        indexes = [index for _, (index, _) in run]
        x, width = indexes[0] / scale.bins * 100, len(indexes) / scale.bins * 100
        yield Failures(verdict, round(x, 2), round(width, 2))


def _ticks(scale: Scale, begin: int) -> Iterator[Tick]:
    span, half = scale.bins * scale.width, scale.tick // 2
    form = "%H:%M" if scale.tick < _DAY_SECONDS else "%-d %b"
    for at in range(math.ceil(begin / half) * half, begin + span, half):
        x = round((at - begin) / span * 100, 2)
        shown = _LABELLED[0] <= x <= _LABELLED[1]
        label = datetime.fromtimestamp(at, UTC).strftime(form) if shown else ""
        yield Tick(x, at, label, bool(at % scale.tick))


def _row(part: _Part, scale: Scale) -> Row:
    bucket = part.bucket
    failed = bucket.verdict is not Verdict.OK
    return Row(
        x=round((part.place + 0.5) / scale.bins * 1000, 1),
        at=bucket.start,
        median="–" if part.median is None else took(part.median),
        high="–" if part.high is None else took(part.high),
        probes=f"{bucket.ok:,} good, {bucket.bad:,} bad",
        worst=f"{bucket.worst}, at fault: {FAULTS[bucket.verdict]}" if failed else "–",
    )


def _label(parts: Sequence[_Part], scale: Scale) -> str:
    if not parts:
        return f"last {scale.name}: no result"
    texts = []
    medians = [part.median for part in parts if part.median is not None]
    if medians:
        low, high = took(min(medians)), took(max(medians))
        texts.append(f"median {low}" if low == high else f"median {low} to {high}")
        most = max(part.high for part in parts if part.high is not None)
        texts.append(f"95 % within {took(most)} at the worst")
    bad = sum(part.bucket.bad for part in parts)
    texts.append(f"{bad:,} bad probes" if bad != 1 else "1 bad probe")
    return f"last {scale.name}: {', '.join(texts)}"
