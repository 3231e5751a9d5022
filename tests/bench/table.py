"""The table: what is measured, what is promised of it, and how it is printed.

A promise that compares is judged by the median of the rounds' ratios, any other by our median.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.bench.figures import Spread, ratios, shown, spread

OURS, BASELINE, BLACKBOX = "ours", "baseline", "blackbox"
SUBJECTS = (OURS, BASELINE, BLACKBOX)
Values = dict[str, list[float]]
"""Of each subject, a value a round."""


@dataclass(frozen=True, slots=True)
class Most:
    """Ours is at most *limit*, or at most *limit* times what the subject *of* has."""

    limit: float
    of: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure."""

    name: str
    unit: str
    promises: tuple[Most, ...] = ()


ROWS = (
    Row("CPU of a probe, HTTP", "ms", (Most(0.35, BLACKBOX), Most(0.7, BASELINE))),
    Row("CPU of a probe, HTTPS", "ms", (Most(0.55, BLACKBOX), Most(0.65, BASELINE))),
    Row("memory of a service, 10,000 idle", "KiB", (Most(9),)),
    Row("memory of a service, 2,000 every 2 s", "KiB", (Most(14),)),
    Row("series of a service, custom", "", (Most(40),)),
    Row("series of a service, everything", "", (Most(60),)),
    Row("page of 10,000, size", "MB", (Most(0.5, BASELINE),)),
    Row("page of 10,000, compressed", "MB"),
    Row("page of 10,000, time to its last byte", "ms", (Most(0.5, BASELINE),)),
    Row("page of 10,000, loop lag p99 meanwhile", "ms", (Most(1),)),
    Row("error p99, 100/s", "ms", (Most(1), Most(0.5, BLACKBOX))),
    Row("error p99, 500/s", "ms", (Most(5), Most(0.5, BLACKBOX))),
    Row("error p99, 500/s, 10,000 scraped", "ms", (Most(5), Most(0.5, BLACKBOX))),
    Row("--version", "s of CPU", (Most(0.15),)),
    Row("check-config of 1,000", "s of CPU", (Most(0.5, BASELINE),)),
    Row("serve of 10,000, ready after", "s", (Most(2),)),
    Row("serve of 10,000, CPU until ready", "s of CPU"),
    Row("1,000 every 30 s, failed", "", (Most(0),)),
    Row("1,000 every 30 s, lag p99", "s", (Most(0.1),)),
    Row("2,000 every 2 s, failed", "", (Most(0),)),
    Row("2,000 every 2 s, lag p99", "s", (Most(0.1),)),
    Row("check of a model, beside its stream", "ms of CPU", (Most(2),)),
    Row("check of a model, with its stream", "ms of CPU"),
    Row("error p99, 100/s, models asked", "ms", (Most(1),)),
    Row("page of 1,000, first paint", "ms", (Most(300),)),
    Row("page of 1,000, update", "ms", (Most(50),)),
    Row("page of 1,000 in groups, first paint", "ms", (Most(300),)),
    Row("page of 1,000 in groups, update", "ms", (Most(50),)),
)


@dataclass(slots=True)
class Results:
    """What was measured, by the name of the row."""

    rows: dict[str, Values] = field(default_factory=dict)

    def add(self, row: str, subject: str, *values: float) -> None:
        """Add *values*, one a round."""
        assert any(known.name == row for known in ROWS), row
        self.rows.setdefault(row, {}).setdefault(subject, []).extend(values)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one promise is kept; `kept` is None if what it compares with was not measured."""

    text: str
    kept: bool | None


def judged(promise: Most, values: Values) -> Verdict:
    """Return whether *promise* is kept by *values*."""
    if promise.of and not values.get(promise.of):
        return Verdict(f"at most {shown(promise.limit)} of {promise.of}: not measured", None)
    mine = values[OURS]
    found = ratios(mine, values[promise.of]) if promise.of else spread(mine)
    kept = found.median <= promise.limit
    words = f"{found} of {promise.of}" if promise.of else f"{found}"
    over = found.median - promise.limit
    share = f", {over / promise.limit:.0%}" if promise.limit else ""
    missed = f"MISSED by {shown(over)}{share}"
    return Verdict(f"{words}, at most {shown(promise.limit)}: {'ok' if kept else missed}", kept)


def lines(row: Row, values: Values) -> Iterator[str]:
    """Yield what is printed of *row*."""
    unit = f" {row.unit}" if row.unit else ""
    all_of_them = "; ".join(
        f"{name} {spread(values[name])}" for name in SUBJECTS if values.get(name)
    )
    yield f"{row.name}:{unit} {all_of_them}"
    for promise in row.promises:
        yield f"    {judged(promise, values).text}"


def missed(results: Results) -> int:
    """Return how many promises are not kept."""
    verdicts = (
        judged(promise, results.rows[row.name])
        for row in ROWS
        if row.name in results.rows
        for promise in row.promises
    )
    return sum(verdict.kept is False for verdict in verdicts)


def markdown(results: Results) -> Iterator[str]:
    """Yield the table as Markdown, medians with the spread of the rounds."""
    yield "| figure | now | baseline | blackbox_exporter | of baseline | of blackbox_exporter |"
    yield "|---|---|---|---|---|---|"
    for row in ROWS:
        if values := results.rows.get(row.name):
            cells = [_cell(values.get(name), row.unit) for name in SUBJECTS]
            cells += [_ratio(values, name) for name in (BASELINE, BLACKBOX)]
            yield f"| {row.name} | {' | '.join(cells)} |"


def _cell(values: list[float] | None, unit: str) -> str:
    if not values:
        return "-"
    seen: Spread = spread(values)
    return f"{shown(seen.median)} {unit}".strip()


def _ratio(values: Values, of: str) -> str:
    return str(ratios(values[OURS], values[of])) if values.get(of) else "-"
