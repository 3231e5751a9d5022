"""What an answer reports besides its verdict: limits, quotas, times; declared as data."""

from exporter.readings.declarations import Gauge, LimitHeader, TimedField, TimeFormat
from exporter.readings.reading import GENERIC, NOTHING, Readings, ReadValues
from exporter.readings.times import instant

__all__ = [
    "GENERIC",
    "NOTHING",
    "Gauge",
    "LimitHeader",
    "ReadValues",
    "Readings",
    "TimeFormat",
    "TimedField",
    "instant",
]
