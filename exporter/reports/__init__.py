"""Reports for a vendor: availability, downtime, evidence, and the vendor's own rule, as a file."""

from exporter.reports.document import Json, document
from exporter.reports.facts import Facts, FailedRequest
from exporter.reports.rendering import FORMATS, Format
from exporter.reports.reports import Reports, Sources
from exporter.reports.times import HINT, TimesError, minutes_between
from exporter.reports.webpage import POLICY

__all__ = [
    "FORMATS",
    "HINT",
    "POLICY",
    "Facts",
    "FailedRequest",
    "Format",
    "Json",
    "Reports",
    "Sources",
    "TimesError",
    "document",
    "minutes_between",
]
