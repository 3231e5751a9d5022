"""What several routes take and answer alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from exporter import public
from exporter.api import incidents, services
from exporter.api.shapes import TEXT, Schema
from exporter.reports import FORMATS

Parameter = tuple[str, Schema]
PLAIN, HTML = "text/plain", "text/html"
METRICS_ANSWERS = ((200, PLAIN), (200, "application/openmetrics-text"))
TOKEN_REFUSED = ((401, ""), (403, ""))


def _filters(names: Iterable[str], values: Mapping[str, Sequence[str]]) -> tuple[Parameter, ...]:
    """Return the query's *names* with what is allowed of each, if that is among *values*."""
    return tuple((name, {"enum": list(values[name])} if name in values else TEXT) for name in names)


SERVICES_QUERY = (
    *_filters(services.FILTERS, services.FILTER_VALUES),
    ("cursor", TEXT),
    ("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
)
_OF_INCIDENTS = _filters(incidents.FILTERS, incidents.FILTER_VALUES)
INCIDENTS_QUERY = (
    *_OF_INCIDENTS,
    ("cursor", TEXT),
    ("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
)
FAILURES_QUERY = (("cursor", TEXT), INCIDENTS_QUERY[-1])
PAGE_ANSWERS = ((200, HTML), (404, ""))
DETAIL = (*PAGE_ANSWERS, (404, HTML))
ASSET_ANSWERS = ((200, "text/css"), (200, "text/javascript"), (200, "image/svg+xml"), (404, ""))
HOME_QUERY = tuple(
    (name, TEXT)
    for name in ("q", "state", "fault", *services.FILTERS[:3], "sort", "group", "only", "page")
)
UNTIL = (("until", TEXT | {"description": "The Unix time of the newest failure to list."}),)
LIST = (*_OF_INCIDENTS[:3], ("before", TEXT))
PROBE_QUERY = tuple((name, TEXT) for name in ("target", "module", "hostname", "debug"))
SVG = "image/svg+xml"
BADGE_QUERY = (
    ("show", {"enum": ["state", "uptime"], "default": "state"}),
    ("days", {"enum": [str(days) for days in public.DAYS], "default": "30"}),
)
REPORT_ANSWERS = (
    (200, "Report"),
    *((200, one.media_type) for one in FORMATS.values() if one.media_type != "application/json"),
    (400, ""),
    (404, ""),
)
INCIDENT_CHANGE_ANSWERS = (
    (200, "IncidentDetail"),
    (400, ""),
    *TOKEN_REFUSED,
    (404, ""),
    (413, ""),
)
HOLD_ANSWERS = (
    (200, "Service"),
    (400, ""),
    *TOKEN_REFUSED,
    (404, ""),
    (409, ""),
    (413, ""),
)
