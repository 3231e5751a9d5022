"""One answer, read: at a moment that the tests know; and texts that are times, or none."""

from __future__ import annotations

from typing import Any

from exporter.matching import NO_JSON
from exporter.readings import GENERIC, Readings, ReadValues

NOW = 1_800_000_000.0
JAN_2026 = 1_767_225_600.0
TIMES: list[tuple[str, str, float]] = [
    ("go_duration", "1s", NOW + 1),
    ("go_duration", "6m0s", NOW + 360),
    ("go_duration", "1h2m3.5s", NOW + 3723.5),
    ("go_duration", "12ms", NOW + 0.012),
    ("go_duration", "500us", NOW + 0.0005),
    ("go_duration", "500µs", NOW + 0.0005),
    ("go_duration", "7ns", NOW + 7e-9),
    ("go_duration", " 2s ", NOW + 2),
    ("proto_duration", "34s", NOW + 34),
    ("proto_duration", "34.074824224s", NOW + 34.074824224),
    ("rfc3339", "2026-01-01T00:00:00Z", JAN_2026),
    ("rfc3339", "2026-01-01T02:00:00+02:00", JAN_2026),
    ("rfc3339", "2026-01-01T00:00:00.250Z", JAN_2026 + 0.25),
    ("rfc3339", "2026-01-01T00:00:00", JAN_2026),
    ("epoch_s", "1767225600", JAN_2026),
    ("epoch_s", "1767225600.5", JAN_2026 + 0.5),
    ("epoch_s", "30", NOW + 30),
    ("delta_s", "120", NOW + 120),
    ("delta_s", "0.5", NOW + 0.5),
    ("delta_s", "0", NOW),
    ("delta_ms", "1500", NOW + 1.5),
    ("datetime_utc", "2026-01-01 00:00:00 UTC", JAN_2026),
    ("datetime_utc", "2026-01-01 01:00:00 +0100", JAN_2026),
    ("http_date", "Thu, 01 Jan 2026 00:00:00 GMT", JAN_2026),
    ("http_date", "Thu, 01 Jan 2026 00:00:00 +0000", JAN_2026),
    ("datetime_utc", "2027-08-01 00:00:00 +0000", 1817078400.0),
    ("epoch_s", "1767225600000", JAN_2026),
    ("auto", "30", NOW + 30),
    ("auto", "1767225600", JAN_2026),
    ("auto", "1767225600000", JAN_2026),
    ("auto", "1767225600000000", JAN_2026),
    ("auto", "1767225600000000000", JAN_2026),
    ("auto", "6m0s", NOW + 360),
    ("auto", "2026-01-01T00:00:00Z", JAN_2026),
    ("auto", "Thu, 01 Jan 2026 00:00:00 GMT", JAN_2026),
]
"""Each way to write a time: the form, the text, and the Unix time that it is at `NOW`."""
UNREADABLE = [
    "",
    " ",
    "soon",
    "-",
    "1x",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "9" * 20,
    "9" * 65,
    "é",
    "\x00",
    "0x10",
    "1,5",
    "{}",
    "2026-13-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "-3000000000000",
    "Thu, 99 Jan 2026 00:00:00 GMT",
    "Thu, 01 Jan 1901 00:00:00 GMT",
    "99999999999h",
    "\ud800",
]
"""What is a time in no form."""


def read(
    readings: Readings = GENERIC,
    headers: dict[str, str] | None = None,
    body: Any = NO_JSON,
    status: int = 200,
) -> ReadValues:
    return readings.read(status, headers or {}, lambda: body, NOW)
