"""The incident log as metric families: rows are rendered when they change, not when scraped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.incidents import Counts
from exporter.incidents.model import ACKNOWLEDGE_BUCKETS, RESOLVE_BUCKETS, SEVERITIES, Row, Times
from exporter.metrics.family import MetricType
from exporter.registry import Registry, RegistryChange
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
    """The lines of each family by row: only those of rows that changed are written anew."""

    def __init__(self) -> None:
        self._lines: tuple[dict[Row, str], ...] = tuple({} for _ in INCIDENT_FAMILIES)

    def show(self, counts: Counts) -> None:
        changed = counts.changed
        if changed is None:
            changed = frozenset(
                row
                for by_row in (counts.acknowledged, counts.resolve, counts.acknowledge)
                for row in by_row
            ) | {row for by_both in (counts.open, counts.total) for row, _ in by_both}
            for lines in self._lines:
                lines.clear()
        for row in changed:
            only = _only(counts, row)
            for family, lines in zip(INCIDENT_FAMILIES, self._lines, strict=True):
                if text := "".join(family.lines(family.name, only)):
                    lines[row] = text
                else:
                    lines.pop(row, None)

    def page(self, known: Callable[[str], bool], *, openmetrics: bool) -> bytes:
        pieces: list[str] = []
        for family, by_row in zip(INCIDENT_FAMILIES, self._lines, strict=True):
            gauge = family.kind == "gauge"  # an open incident is shown whatever became of it
            lines = [text for row, text in by_row.items() if gauge or not row[0] or known(row[0])]
            if lines:
                pieces.append(head(family.name, family.kind, family.help, openmetrics=openmetrics))
                pieces += lines
        return "".join(pieces).encode()


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
    return rendered.page(known, openmetrics=openmetrics)


def _labels(row: Row) -> str:
    service, environment, provider = row
    return labelled(service=service, environment=environment, provider=provider)


class IncidentMetrics:
    """The families of the incident log, as bytes that a scrape only appends."""

    def __init__(self, registry: Registry) -> None:
        self._registry, self._rendered = registry, _Rendered()
        self._pages: dict[bool, bytes] = {}
        self._lock = threading.Lock()

    def show(self, counts: Counts) -> None:
        """Write the lines of what changed; the log calls this in a thread."""
        with self._lock:
            self._rendered.show(counts)
            self._pages.clear()

    def follow(self, change: RegistryChange) -> None:
        """Show no more what was removed, and again what was added."""
        with self._lock:
            self._pages.clear()

    def page(self, *, openmetrics: bool) -> bytes:
        """Return the families as of the last change."""
        with self._lock:
            if openmetrics not in self._pages:
                known = self._registry.__contains__
                self._pages[openmetrics] = self._rendered.page(known, openmetrics=openmetrics)
            return self._pages[openmetrics]
