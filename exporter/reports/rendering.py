"""The formats of a report, and their media types."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from exporter.reports.document import Json
from exporter.reports.layout import laid_out
from exporter.reports.markdown import markdown_of
from exporter.reports.spreadsheet import csv_text
from exporter.reports.text import text_of
from exporter.reports.webpage import webpage_of


class Format(NamedTuple):
    """How documents become a text, and what it is called on the wire and on the disk."""

    media_type: str
    extension: str
    render: Callable[[Sequence[Json]], str]


def _json(reports: Sequence[Json]) -> str:
    whole = reports[0] if len(reports) == 1 else {"reports": list(reports)}
    return json.dumps(whole, indent=2) + "\n"


FORMATS: Mapping[str, Format] = {
    "text": Format("text/plain", "txt", lambda r: "\n".join(text_of(laid_out(o)) for o in r)),
    "markdown": Format(
        "text/markdown", "md", lambda r: "\n".join(markdown_of(laid_out(o)) for o in r)
    ),
    "html": Format("text/html", "html", lambda r: webpage_of([laid_out(o) for o in r])),
    "csv": Format("text/csv", "csv", csv_text),
    "json": Format("application/json", "json", _json),
}
