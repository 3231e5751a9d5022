"""The user's own calls as metrics, apart from the probes': what the company really gets."""

from __future__ import annotations

from collections.abc import Callable

import prometheus_client as client

from exporter.config import Target
from exporter.registry import RegistryChange
from exporter.results import BUCKETS

_LABELS = ("service", "environment", "provider")
_CODES = frozenset({*map(str, range(100, 600)), "error"})


class UserTraffic:
    """Counts the requests of every service's sessions."""

    def __init__(self, registry: client.CollectorRegistry) -> None:
        self.known: Callable[[str], bool] = lambda service: True
        """Whether a service exists: a session may be open for longer."""
        self._requests = client.Counter(
            "service_requests_total",
            "Requests of the user's own calls, retries included.",
            (*_LABELS, "code"),
            registry=registry,
        )
        self._seconds = client.Histogram(
            "service_request_duration_seconds",
            "Time until the head of the answer to a request of the user's own.",
            _LABELS,
            buckets=(*BUCKETS, 60.0, 120.0, 300.0),
            registry=registry,
        )
        self._series: dict[str, tuple[tuple[str, str, str], set[str]]] = {}

    def observe(self, target: Target, code: str, seconds: float) -> None:
        """Count one request to *target*: its status, or "error" where none came."""
        if not self.known(target.id):
            return
        labels = (target.id, target.environment, target.provider)
        if target.id in self._series and self._series[target.id][0] != labels:
            self.drop(target.id)
        code = code if code in _CODES else "error"
        self._series.setdefault(target.id, (labels, set()))[1].add(code)
        self._requests.labels(*labels, code).inc()
        self._seconds.labels(*labels).observe(seconds)

    def follow(self, change: RegistryChange) -> None:
        """Remove the series of what is removed."""
        for target in change.removed:
            self.drop(target.id)

    def drop(self, service: str) -> None:
        """Remove every series of *service*."""
        if service not in self._series:
            return
        labels, codes = self._series.pop(service)
        for code in codes:
            self._requests.remove(*labels, code)
        self._seconds.remove(*labels)
