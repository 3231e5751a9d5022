"""A report as CSV (RFC 4180): one row for each fact, all of one shape, for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from exporter.characters import plain
from exporter.reports.document import Json
from exporter.reports.words import UNOBSERVED, ending

COLUMNS = (
    "record",
    "service",
    "provider",
    "start",
    "end",
    "minutes",
    "value",
    "what",
    "status",
    "request_id",
    "note",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a formula begins, in Excel, LibreOffice and their Asian editions (OWASP, CSV Injection)."""


def csv_text(reports: Iterable[Json]) -> str:
    """Return *reports* as one table; no cell can be taken for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for report in reports:
        for row in rows_of(report):
            writer.writerow([cell(row.get(name)) for name in COLUMNS])
    return out.getvalue()


def cell(value: Any) -> str:
    """Return *value* as a cell: a text that begins like a formula gets an apostrophe.

    >>> cell('=HYPERLINK("https://example.com")')
    '\\'=HYPERLINK("https://example.com")'
    """
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return f"{value:.10g}" if isinstance(value, float) else str(value)
    text = " ".join(plain(str(value)).split())
    return f"'{text}" if text.startswith(_FORMULA) else text


def rows_of(report: Json) -> list[Mapping[str, Any]]:
    """Return *report* as rows of `COLUMNS`; what a row has no value for is left out."""
    base = {"service": report["service"], "provider": report["provider"]}
    parts = (_summary, _downtime, _vendor, _evidence)
    return [base | row for part in parts for row in part(report)]


def _summary(report: Json) -> Iterator[Json]:
    yield {
        "record": "summary",
        "start": report["from"],
        "end": report["to"],
        "minutes": report["minutes"]["observed"],
        "value": report["availability"],
        "what": "availability of observed minutes",
    }
    for name, number in report["minutes"]["unobserved"].items():
        if number:
            yield {"record": "unobserved", "minutes": number, "what": UNOBSERVED[name]}


def _downtime(report: Json) -> Iterator[Json]:
    for one in report["windows"]:
        yield {
            "record": "downtime",
            "start": one["start"],
            "end": one["end"],
            "minutes": one["minutes"],
            "value": one["failed"] / one["probes"] if one["probes"] else None,
            "what": " ".join(one["reasons"]),
            "status": " ".join(one["statuses"]),
            "request_id": " ".join(one["request_ids"]),
            "note": ending(one["ended"]),
        }


def _vendor(report: Json) -> Iterator[Json]:
    for one in (report["vendor"] or {}).get("periods", ()):
        yield {
            "record": "vendor",
            "start": one["period"],
            "end": one["claim_until"],
            "minutes": one["unobserved_minutes"],
            "value": one["availability"],
            "what": "availability by the vendor's rule",
            "note": " ".join(one["cannot_prove"]),
        }


def _evidence(report: Json) -> Iterator[Json]:
    for one in report["failures"]:
        yield {
            "record": "request",
            "start": one["at"],
            "what": one["reason"],
            "status": one["status"],
            "request_id": one["request_id"],
            "note": ": ".join(filter(None, (one["detail"], one["answer"]))),
        }
    for one in report["incidents"]["list"]:
        yield {
            "record": "incident",
            "start": one["started_at"],
            "end": one["resolved_at"],
            "what": one["summary"],
            "note": one["id"],
        }
