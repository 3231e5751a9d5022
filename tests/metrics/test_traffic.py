"""The metrics of the user's own calls: they appear, stay few, and vanish with their service."""

from __future__ import annotations

import pytest

from exporter.metrics import OwnMetrics
from tests.fakes import service_target
from tests.sessions.calling import Desk, target_at
from tests.vendor import Vendor, answer

LABELS = 'environment="production",provider="custom",service='


def lines(own: OwnMetrics, *, openmetrics: bool = False) -> list[str]:
    text = own.page(openmetrics=openmetrics).decode()
    return [line for line in text.splitlines() if line.startswith("service_request")]


@pytest.mark.parametrize("openmetrics", [False, True])
async def test_calls_appear_by_their_code_and_vanish_with_their_service(
    vendor: Vendor, openmetrics: bool
) -> None:
    own = OwnMetrics("1")
    vendor.on("/ok", answer(200))
    desk = Desk(target_at(vendor.url("/")))
    desk.observe = own.traffic.observe  # type: ignore[method-assign]
    desk.sessions = type(desk.sessions)(desk.clock, own.traffic.observe)

    async with desk.open() as session:
        for path in ("/ok", "/ok", "/missing"):
            await session.get(path)

    found = lines(own, openmetrics=openmetrics)
    assert f'service_requests_total{{code="200",{LABELS}"it"}} 2.0' in found
    assert f'service_requests_total{{code="404",{LABELS}"it"}} 1.0' in found
    assert f'service_request_duration_seconds_count{{{LABELS}"it"}} 3.0' in found
    own.traffic.drop("it")
    assert lines(own, openmetrics=openmetrics) == []


@pytest.mark.parametrize("code", ["99", "600", "²00", "", "OK"])
def test_a_code_is_a_status_or_error(code: str) -> None:
    own = OwnMetrics("1")

    own.traffic.observe(service_target(), code, 0.1)

    assert f'service_requests_total{{code="error",{LABELS}"api"}} 1.0' in lines(own)


def test_a_service_that_moves_leaves_no_old_series() -> None:
    own = OwnMetrics("1")
    own.traffic.observe(service_target(), "200", 0.1)

    own.traffic.observe(service_target(environment="staging"), "200", 0.1)

    assert not any("production" in line for line in lines(own))
    assert any("staging" in line for line in lines(own))


def test_a_session_that_outlives_its_service_counts_nothing() -> None:
    own = OwnMetrics("1")
    own.traffic.known = lambda service: service == "there"

    for service in ("there", "gone"):
        own.traffic.observe(service_target(service), "200", 0.1)
    own.traffic.drop("never seen")

    assert lines(own)
    assert not any("gone" in line for line in lines(own))
