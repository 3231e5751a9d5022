"""What an answer reports besides its verdict: limits, quotas, times; declared as data."""

from exporter.readings.declarations import (
    Gauge,
    LimitHeader,
    NamedGauge,
    OwnReadings,
    TimedField,
    TimeFormat,
)
from exporter.readings.reading import GENERIC, NOTHING, REQUEST_ID_HEADERS, Readings, ReadValues
from exporter.readings.times import instant

__all__ = [
    "GENERIC",
    "NOTHING",
    "REQUEST_ID_HEADERS",
    "Gauge",
    "LimitHeader",
    "NamedGauge",
    "OwnReadings",
    "ReadValues",
    "Readings",
    "TimeFormat",
    "TimedField",
    "instant",
]
