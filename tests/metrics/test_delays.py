"""The cheap histogram is written as prometheus_client's own."""

from __future__ import annotations

import pytest
from prometheus_client import (
    CollectorRegistry,
    Histogram,
    disable_created_metrics,
    exposition,
)
from prometheus_client.openmetrics import exposition as openmetrics

from exporter.metrics.own import Delays

BOUNDS = (0.001, 0.25, 1.0, 10.0)


@pytest.mark.parametrize("write", [exposition.generate_latest, openmetrics.generate_latest])
@pytest.mark.parametrize("seconds", [(), (0.0, 0.001, 0.0011, 0.5, 0.5, 1.0, 10.0, 11.5)])
def test_it_is_written_as_the_librarys(write: object, seconds: tuple[float, ...]) -> None:
    disable_created_metrics()  # type: ignore[no-untyped-call]
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    delays = Delays("lag_seconds", "How late.", BOUNDS)
    ours.register(delays)
    histogram = Histogram("lag_seconds", "How late.", buckets=BOUNDS, registry=theirs)

    for one in seconds:
        delays.observe(one)
        histogram.observe(one)

    assert callable(write)
    assert write(ours) == write(theirs)
    assert sum(delays.counts) == len(seconds)
