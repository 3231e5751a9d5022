"""An expired certificate: the cause is named with its day, and the expiry is still a metric."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime

import pytest

from exporter.cli import main
from exporter.metrics import Exposition, IncidentMetrics, OwnMetrics
from exporter.model import Reason, Result, verdict_of
from exporter.page.summary import summary_of
from exporter.probers.curl import CurlTransport
from exporter.probers.kinds.http import HttpProber
from exporter.registry import Registry
from exporter.results import Results
from exporter.textformat import number
from tests.certificates import LONG_AGO, issued
from tests.conftest import Authority
from tests.fakes import FakeClock, make_endpoint, service_target
from tests.vendor import Vendor

ENDED = datetime(2020, 11, 3, 12, tzinfo=UTC)


def expired(authority: Authority) -> Vendor:
    """Return a server whose certificate has expired."""
    return Vendor(issued(authority.ca, "127.0.0.1", not_before=LONG_AGO, not_after=ENDED))


async def test_page_and_metrics_tell_since_when(prober: HttpProber, authority: Authority) -> None:
    async with expired(authority) as vendor:
        endpoint = make_endpoint(vendor.url(), tls=authority.trusted())
        outcome = await prober.probe(endpoint)

    target, results, own = service_target(endpoint=endpoint), Results(), OwnMetrics("0.0.test")
    exposition = Exposition(results, own, IncidentMetrics(Registry()))
    exposition.put(target)
    verdict, tally = verdict_of(outcome.reason), results.of(target.id)
    tally.add(Result(service=target.id, at=1.8e9, outcome=outcome, verdict=verdict), target)
    exposition.refresh(target)
    page = b"".join([piece async for piece in exposition.chunks()]).decode()

    assert (outcome.reason, outcome.detail) == (Reason.TLS, "certificate expired on 3 Nov 2020")
    fault = summary_of(target, tally, None, 1.8e9).fault
    assert fault == "provider: certificate expired on 3 Nov 2020"
    expiry = number(ENDED.timestamp())
    assert re.search(f"^probe_ssl_earliest_cert_expiry{{.*}} {expiry}$", page, re.MULTILINE)


async def test_no_day_is_named_that_has_not_come(
    authority: Authority, transport: CurlTransport
) -> None:
    # Something else in the chain has expired, or one of the two clocks is wrong.
    early = HttpProber(transport, FakeClock(ENDED.timestamp() - 1))
    async with expired(authority) as vendor:
        outcome = await early.probe(make_endpoint(vendor.url(), tls=authority.trusted()))

    assert (outcome.reason, outcome.detail) == (Reason.TLS, "the certificate has expired")


async def test_the_command_line_tells_since_when(
    authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    async with expired(authority) as vendor:
        code = await asyncio.to_thread(main, ["probe", vendor.url(), "--ca-file", authority.file])

    output = capsys.readouterr().out
    assert code == 1
    assert "provider · tls · TLS fails" in output
    assert "certificate expired on 3 Nov 2020" in output
    assert "certificate until    2020-11-03T12:00:00Z (not verified)" in output
