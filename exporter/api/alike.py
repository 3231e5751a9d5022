"""What several routes take and answer alike."""

from __future__ import annotations

from exporter import public
from exporter.api import incidents, services
from exporter.api.shapes import TEXT
from exporter.reports import FORMATS

PLAIN, HTML = "text/plain", "text/html"
METRICS_ANSWERS = ((200, PLAIN), (200, "application/openmetrics-text"))
TOKEN_REFUSED = ((401, ""), (403, ""))
SERVICES_QUERY = (
    *((name, TEXT) for name in (*services.FILTERS, "cursor")),
    ("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
)
_OF_INCIDENTS = tuple(
    (
        name,
        {"enum": list(incidents.FILTER_VALUES[name])} if name in incidents.FILTER_VALUES else TEXT,
    )
    for name in incidents.FILTERS
)
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
