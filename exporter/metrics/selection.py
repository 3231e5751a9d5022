"""Which families a page has: all, only what rules and dashboards read, or without histograms.

A compact page leaves out what says nothing new: a reason that never occurred, a state that is not
the present one, a threshold that nothing is compared with, a bucket between two others. What the
shipped rules and dashboards make of it is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from exporter.config import ThresholdKind
from exporter.metrics.families import FAMILIES
from exporter.metrics.family import Family, of_page, of_state
from exporter.metrics.lines import (
    NO_INCIDENT,
    ServiceState,
    gauge,
    histogram,
    labelled_gauge,
    of_latency,
    of_reasons,
    seen_reasons,
)
from exporter.metrics.thresholds import compared
from exporter.model import Reason, Verdict

COMPACT_BUCKETS = (0.005, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ALWAYS = frozenset({Reason.OK, Reason.RATE_LIMITED, Reason.QUOTA_EXHAUSTED})
"""Reasons from 0: rules read the latter two, and `increase` of what begins at 1 misses that 1."""
ABSENT = frozenset(
    {
        "probe_duration_seconds",
        "probe_http_content_length",
        "probe_http_version",
        "probe_provider_processing_seconds",
    }
)
"""Not on a compact page: no rule and no dashboard reads them."""


def families(*, lean: bool = False, compact: bool = False) -> tuple[Family, ...]:
    """Return the families of a page, in their order."""
    chosen = tuple(_compact()) if compact else FAMILIES
    return tuple(_lean(chosen)) if lean else chosen


def _compact() -> Iterator[Family]:
    changed = {family.name: family for family in (*_results(), *_states())}
    changed |= {family.name: family for family in map(compared, ThresholdKind)}
    for family in FAMILIES:
        if family.name not in ABSENT:
            yield replace(changed.get(family.name, family), help=family.help)


def _lean(chosen: tuple[Family, ...]) -> Iterator[Family]:
    for family in chosen:
        if family.name == "probe_results_total":
            yield of_page(
                family.name,
                family.kind,
                family.help,
                seen_reasons(frozenset({Reason.OK})),
                of_reasons,
            )
        elif family.kind != "histogram":
            yield family


def _results() -> Iterator[Family]:
    latency, reasons = histogram(COMPACT_BUCKETS), seen_reasons(_ALWAYS)
    exemplars = of_latency(COMPACT_BUCKETS)
    yield of_page("probe_latency_seconds", "histogram", "", latency, exemplars)
    yield of_page("probe_results_total", "counter", "", reasons, of_reasons)


def _states() -> Iterator[Family]:
    incidents = labelled_gauge(("state", "impact"), _incidents)
    yield of_state("service_verdict", "gauge", "", labelled_gauge(("verdict",), _verdicts))
    yield of_state("service_status_page", "gauge", "", labelled_gauge(("state",), _page))
    yield of_state("service_status_page_incident", "gauge", "", incidents)
    yield of_state("service_maintenance", "gauge", "", gauge(_maintenance))


def _verdicts(state: ServiceState) -> Iterator[tuple[tuple[str], float]]:
    """Yield the present one, and the two whose 0 is read: one exporter's 0 outweighs another's 1,
    and what the provider is not to blame for is multiplied with it."""
    for verdict in Verdict:
        if verdict is state.verdict or verdict in (Verdict.OK, Verdict.PROVIDER):
            yield (verdict,), verdict is state.verdict


def _page(state: ServiceState) -> Iterator[tuple[tuple[str], float]]:
    if state.page is not None:
        yield (state.page,), 1


def _incidents(state: ServiceState) -> Iterator[tuple[tuple[str, str], float]]:
    return (row for row in state.news.incidents if row[0][0] != NO_INCIDENT)


def _maintenance(state: ServiceState) -> float | None:
    return 1 if state.maintenance else None
