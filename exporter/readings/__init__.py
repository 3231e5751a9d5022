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
from exporter.readings.retirement import Listing, RetirementReadings, value_date
from exporter.readings.times import instant

__all__ = [
    "GENERIC",
    "NOTHING",
    "REQUEST_ID_HEADERS",
    "Gauge",
    "LimitHeader",
    "Listing",
    "NamedGauge",
    "OwnReadings",
    "ReadValues",
    "Readings",
    "RetirementReadings",
    "TimeFormat",
    "TimedField",
    "instant",
    "value_date",
]
