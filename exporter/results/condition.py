"""What a service says now: one answer for the API, the page, the metrics and the library.

A last result counts as now unless it is stale or the service is not probed any more. A stale one
is a fault of the monitoring, not of the provider: nothing is known of the provider.
"""

from __future__ import annotations

from enum import StrEnum

from exporter.config import Target
from exporter.model import FACTS, Result, Verdict, advice_of, is_offline
from exporter.results.tally import Tally


class Status(StrEnum):
    """A service at a glance; the words of /api/health and of exporter_services{state}."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


def current_result(target: Target, tally: Tally) -> Result | None:
    """Return the last result if it counts as now."""
    probed = target.enabled and target.endpoint is not None
    return tally.last if probed and not tally.stale else None


def current_verdict(target: Target, tally: Tally) -> Verdict | None:
    """Return whose fault it is now; None while nothing is known."""
    if tally.stale:
        return Verdict.MONITORING
    current = current_result(target, tally)
    return None if current is None else current.verdict


def current_advice(target: Target, tally: Tally) -> str:
    """Return what to do now."""
    if target.pause is not None:
        return f"nothing to do: {target.pause.by} paused it; `resume {target.id}` ends that"
    if not target.enabled:
        return "nothing to do: it is switched off"
    if target.endpoint is None:
        return target.unprobed or "nothing to probe"
    if tally.last is None:
        return target.unprobed or "wait for the first result"
    verdict = current_verdict(target, tally) or tally.last.verdict
    return advice_of(tally.last.reason, verdict, has_page=target.has_page)


def status_of(target: Target, tally: Tally) -> Status:
    """Return the state of a service at a glance."""
    current = current_result(target, tally)
    if current is None:
        return Status.UNKNOWN
    if current.success:
        return Status.HEALTHY
    offline = is_offline(current.reason, current.verdict)
    if offline or current.verdict is Verdict.MONITORING:
        return Status.UNKNOWN
    return Status.DEGRADED if FACTS[current.reason].up else Status.UNHEALTHY
