"""Which format and encoding a scrape gets: by quality, version and case, as RFC 9110 has it."""

from __future__ import annotations

import pytest

from exporter.api.accepting import prefers_openmetrics, takes_gzip
from exporter.textformat import OPENMETRICS, TEXT
from tests.api.test_edge import Client, client

__all__ = ["client"]

OM = "application/openmetrics-text"


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        # Prometheus 2.42, 3.0 and one that takes native histograms
        (
            f"{OM};version=1.0.0,{OM};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            1,
        ),
        (
            f"{OM};version=1.0.0;escaping=allow-utf-8;q=0.6,{OM};version=0.0.1;q=0.5,"
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,"
            "*/*;q=0.2",
            1,
        ),
        (
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
            f"encoding=delimited;q=0.7,{OM};version=1.0.0;q=0.6,text/plain;q=0.4",
            1,
        ),
        (f"{OM}; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", 1),
        (OM, 1),
        (OM.upper(), 1),
        (f'{OM}; version="1.0.0" ; Q=0.5, text/plain; q=0.4', 1),
        (f"{OM};q=0.5, text/plain;q=0.9", 0),
        (f"{OM};q=0.5, text/*;q=0.9", 0),
        (f"{OM};q=0.5, */*;q=0.9", 0),
        (f"{OM};q=0.5, */*;q=0.9, text/plain;q=0.1", 1),
        (f"{OM};q=0, */*", 0),
        (f"{OM};q=no, */*", 0),
        (f"{OM};version=2.0.0, text/plain;q=0.1", 0),
        (f"{OM};version=2.0.0, {OM};version=1.0.0;q=0.5, text/plain;q=0.1", 1),
        (f"{OM}-next", 0),
        ("*/*", 0),
        ("text/html,application/xhtml+xml,*/*;q=0.8", 0),
        ("", 0),
    ],
)
def test_openmetrics_is_for_those_who_want_it_as_much_as_text(
    accept: str, openmetrics: int
) -> None:
    assert prefers_openmetrics([accept]) is bool(openmetrics)
    assert prefers_openmetrics(accept.split(",")) is bool(openmetrics)  # a header for each


@pytest.mark.parametrize(
    ("accepted", "gzip"),
    [
        ("gzip", True),
        ("GZIP;q=0.5, identity", True),
        ("br, x-gzip", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *", False),
        ("identity", False),
        ("gzippy", False),
        ("", False),
    ],
)
def test_gzip_is_for_those_who_take_it(accepted: str, gzip: bool) -> None:
    assert takes_gzip([accepted]) is gzip


async def test_a_scrape_gets_what_it_asks_for_by_quality(client: Client) -> None:
    plain = {"Accept": f"{OM};q=0.1, text/plain", "Accept-Encoding": "gzip;q=0"}

    _, headers, page = await client.ask("GET", "/metrics", headers=plain)
    assert (headers["Content-Type"], headers.get("Content-Encoding")) == (TEXT, None)
    assert "# EOF" not in page

    _, headers, page = await client.ask("GET", "/metrics", headers={"Accept": OM.title()})
    assert headers["Content-Type"] == OPENMETRICS
    assert page.endswith("# EOF\n")
