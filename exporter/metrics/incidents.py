"""The incident log as metric families: rows are rendered when they change, not when scraped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.incidents import Counts
from exporter.incidents.model import ACKNOWLEDGE_BUCKETS, RESOLVE_BUCKETS, SEVERITIES, Row, Times
from exporter.metrics.family import MetricType
from exporter.metrics.starts import sliced
from exporter.registry import Registry
from exporter.textformat import head, labelled, number


@dataclass(frozen=True, slots=True)
class IncidentFamily:
    """One family of the log, with labels service, environment and provider."""

    name: str
    kind: MetricType
    help: str
    lines: Callable[[str, Counts], Iterator[str]]


def _by_severity(counted: Callable[[Counts], Mapping[tuple[Row, str], int]]) -> _Lines:
    def lines(name: str, counts: Counts) -> Iterator[str]:
        for (row, severity), value in counted(counts).items():
            yield f'{name}{{{_labels(row)},severity="{severity}"}} {value}\n'

    return lines


def _acknowledged(name: str, counts: Counts) -> Iterator[str]:
    for row, taken in counts.acknowledged.items():
        yield f"{name}{{{_labels(row)}}} {int(taken)}\n"


def _histogram(bounds: Sequence[float], of: Callable[[Counts], Mapping[Row, Times]]) -> _Lines:
    def lines(name: str, counts: Counts) -> Iterator[str]:
        for row, times in of(counts).items():
            labels = _labels(row)
            for bound, value in zip(bounds, times.buckets, strict=True):
                yield f'{name}_bucket{{{labels},le="{bound}"}} {value}\n'
            yield f'{name}_bucket{{{labels},le="+Inf"}} {times.count}\n'
            yield f"{name}_sum{{{labels}}} {number(times.sum)}\n"
            yield f"{name}_count{{{labels}}} {times.count}\n"

    return lines


_Lines = Callable[[str, Counts], Iterator[str]]

INCIDENT_FAMILIES: tuple[IncidentFamily, ...] = (
    IncidentFamily(
        "service_incidents_open",
        "gauge",
        "Incidents that are not resolved, by worst severity.",
        _by_severity(lambda counts: counts.open),
    ),
    IncidentFamily(
        "service_incidents_total",
        "counter",
        "Incidents that reached the severity.",
        _by_severity(lambda counts: counts.total),
    ),
    IncidentFamily(
        "service_incident_resolve_seconds",
        "histogram",
        "Time from start to end of incidents that cannot be reopened any more.",
        _histogram(RESOLVE_BUCKETS, lambda counts: counts.resolve),
    ),
    IncidentFamily(
        "service_incident_acknowledge_seconds",
        "histogram",
        "Time from the start of incidents until they were acknowledged.",
        _histogram(ACKNOWLEDGE_BUCKETS, lambda counts: counts.acknowledge),
    ),
    IncidentFamily(
        "service_incident_acknowledged",
        "gauge",
        "Whether the outage of a service with an open incident is acknowledged.",
        _acknowledged,
    ),
)


class _Rendered:
    """The lines of each family by row: only those of rows that changed are written anew.

    They are written in a thread. It holds the lock for a row at a time, and never while it writes:
    a page that waited for 10,000 rows would hold the loop for a second.
    """

    def __init__(self) -> None:
        self._lines = _no_lines()
        self._lock = threading.Lock()

    def show(self, counts: Counts) -> None:
        changed, lines = counts.changed, self._lines
        if changed is None:
            changed, lines = _rows(counts), _no_lines()
        for row in changed:
            only = _only(counts, row)
            texts = ["".join(family.lines(family.name, only)) for family in INCIDENT_FAMILIES]
            with self._lock:
                for by_row, text in zip(lines, texts, strict=True):
                    if text:
                        by_row[row] = text.encode()
                    else:
                        by_row.pop(row, None)
        self._lines = lines

    def pieces(
        self, known: Callable[[str], bool], *, openmetrics: bool, began: float | None
    ) -> Iterator[bytes]:
        """Yield the families in pieces; with start times, *began* for all, unless it is None."""
        for family, by_row in zip(INCIDENT_FAMILIES, self._lines, strict=True):
            with self._lock:
                rows = tuple(by_row.items())
            gauge = family.kind == "gauge"  # an open incident is shown whatever became of it
            texts = (text for row, text in rows if gauge or not row[0] or known(row[0]))
            first = head(family.name, family.kind, family.help, openmetrics=openmetrics)
            yield from sliced(first, texts, began=None if gauge else began)


def _no_lines() -> tuple[dict[Row, bytes], ...]:
    return tuple({} for _ in INCIDENT_FAMILIES)


def _rows(counts: Counts) -> frozenset[Row]:
    """Return every row that *counts* have."""
    by_row = (counts.acknowledged, counts.resolve, counts.acknowledge)
    of_severities = (counts.open, counts.total)
    return frozenset(row for rows in by_row for row in rows) | {
        row for both in of_severities for row, _ in both
    }


def _only(counts: Counts, row: Row) -> Counts:
    """Return the figures of one row."""
    return Counts(
        open={(row, s): counts.open[row, s] for s in SEVERITIES if (row, s) in counts.open},
        total={(row, s): counts.total[row, s] for s in SEVERITIES if (row, s) in counts.total},
        acknowledged={row: counts.acknowledged[row]} if row in counts.acknowledged else {},
        resolve={row: counts.resolve[row]} if row in counts.resolve else {},
        acknowledge={row: counts.acknowledge[row]} if row in counts.acknowledge else {},
    )


def incident_page(counts: Counts, known: Callable[[str], bool], *, openmetrics: bool) -> bytes:
    """Return the families of *counts*; a service that is not *known* any more has no series."""
    rendered = _Rendered()
    rendered.show(replace(counts, changed=None))
    return b"".join(rendered.pieces(known, openmetrics=openmetrics, began=None))


def _labels(row: Row) -> str:
    service, environment, provider = row
    return labelled(service=service, environment=environment, provider=provider)


class IncidentMetrics:
    """The families of the incident log, as bytes that a scrape only appends."""

    def __init__(self, registry: Registry) -> None:
        self._registry, self._rendered = registry, _Rendered()

    def show(self, counts: Counts) -> None:
        """Write the lines of what changed; the log calls this in a thread, once at a time."""
        self._rendered.show(counts)

    def pieces(self, *, openmetrics: bool, began: float | None = None) -> Iterator[bytes]:
        """Yield the families as of the last change; with start times unless *began* is None."""
        known = self._registry.__contains__
        return self._rendered.pieces(known, openmetrics=openmetrics, began=began)
