"""The incident log as metric families: rendered when the log changes, not when it is scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.incidents import Counts
from exporter.incidents.model import ACKNOWLEDGE_BUCKETS, RESOLVE_BUCKETS, Row, Times
from exporter.metrics.families import MetricType
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


def incident_page(counts: Counts, known: Callable[[str], bool], *, openmetrics: bool) -> bytes:
    """Return the families of *counts*; a service that is not *known* any more has no series."""
    shown = Counts(
        open=counts.open,
        total={k: v for k, v in counts.total.items() if _kept(k[0], known)},
        acknowledged=counts.acknowledged,
        resolve={k: v for k, v in counts.resolve.items() if _kept(k, known)},
        acknowledge={k: v for k, v in counts.acknowledge.items() if _kept(k, known)},
    )
    pieces: list[str] = []
    for family in INCIDENT_FAMILIES:
        lines = "".join(family.lines(family.name, shown))
        if lines:
            first = head(family.name, family.kind, family.help, openmetrics=openmetrics)
            pieces += (first, lines)
    return "".join(pieces).encode()


def _kept(row: Row, known: Callable[[str], bool]) -> bool:
    return not row[0] or known(row[0])


def _labels(row: Row) -> str:
    service, environment, provider = row
    return labelled(service=service, environment=environment, provider=provider)


class IncidentMetrics:
    """The families of the incident log, as bytes that a scrape only appends."""

    def __init__(self, registry: Registry) -> None:
        self._registry, self._counts = registry, Counts()
        self._pages = (b"", b"")

    def show(self, counts: Counts) -> None:
        """Render *counts*; the log calls this in a thread."""
        self._counts = counts
        known = self._registry.__contains__
        self._pages = (
            incident_page(counts, known, openmetrics=False),
            incident_page(counts, known, openmetrics=True),
        )

    def follow(self, change: RegistryChange) -> None:
        """Render without what was removed."""
        if change.removed:
            self.show(self._counts)

    def page(self, *, openmetrics: bool) -> bytes:
        """Return the families as of the last change."""
        return self._pages[openmetrics]
