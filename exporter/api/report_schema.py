"""The JSON Schema of a report."""

from __future__ import annotations

from typing import Any

from exporter.results import Seen

_Schema = dict[str, Any]
_TEXT: _Schema = {"type": "string"}
_NUMBER: _Schema = {"type": "number"}
_COUNT: _Schema = {"type": "integer", "minimum": 0}
_SHARE: _Schema = {"type": "number", "minimum": 0, "maximum": 1}
_FLAG: _Schema = {"type": "boolean"}
_TIME: _Schema = {"type": "string", "format": "date-time"}


def _or_null(schema: _Schema) -> _Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _record(**properties: _Schema) -> _Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def _list(schema: _Schema) -> _Schema:
    return {"type": "array", "items": schema}


_COUNTS: _Schema = {"type": "object", "additionalProperties": _COUNT}
_UNSEEN = [seen.value for seen in Seen if not seen.observed]
_WINDOW = _record(
    start=_TIME,
    end=_TIME,
    minutes=_COUNT,
    probes=_COUNT,
    failed=_COUNT,
    reasons=_COUNTS,
    statuses=_COUNTS,
    network={"enum": ["answer", "canary", "unproven"]}
    | {"description": "What shows that our own network worked meanwhile."},
    status_page=_list(_TEXT),
    ended={"enum": ["good", "open", *_UNSEEN]},
    request_ids=_list(_TEXT),
)
_PERIOD = _record(
    period=_TEXT,
    complete=_FLAG,
    availability=_SHARE,
    kept=_or_null(_FLAG),
    credit_percent=_COUNT,
    unobserved_minutes=_COUNT,
    claim_until=_or_null(_TIME),
    cannot_prove=_list(_TEXT),
)
_VENDOR = _record(
    second_hand=_FLAG | {"description": "Known from others only: then no number is shown or used."},
    availability=_or_null(_SHARE),
    period=_or_null({"enum": ["month", "quarter"]}),
    **dict.fromkeys(("plan", "covers", "as_of", "note", "remark"), _TEXT),
    probe_is_covered=_or_null(_FLAG),
    source=_list(_TEXT),
    counting=_or_null(
        _record(
            kind={"enum": ["minutes", "error_rate"]},
            window={"enum": ["1m", "5m"]},
            above=_SHARE,
            minimum_requests=_COUNT,
            decided_by=_TEXT,
            excluded=_TEXT,
        )
    ),
    credits=_or_null(
        _record(steps=_list(_record(below=_SHARE, or_equal=_FLAG, percent=_COUNT)), note=_TEXT)
    ),
    claim=_or_null(_record(within_days=_or_null(_NUMBER), how=_TEXT)),
    periods=_list(_PERIOD),
    cautions=_list(_TEXT),
)
_INCIDENT = _record(
    id=_TEXT,
    severity=_TEXT,
    summary=_TEXT,
    started_at=_TIME,
    acknowledged_at=_or_null(_TIME),
    resolved_at=_or_null(_TIME),
)
REPORT: _Schema = _record(
    **dict.fromkeys(("service", "name", "provider", "environment", "version"), _TEXT),
    **dict.fromkeys(("from", "to", "generated_at"), _TIME),
    probe=_record(method=_or_null(_TEXT), address=_or_null(_TEXT), interval_seconds=_NUMBER),
    availability=_or_null(_SHARE) | {"description": "Of the minutes that were observed."},
    minutes=_record(
        total=_COUNT,
        observed=_COUNT,
        failing=_COUNT,
        down=_NUMBER | {"description": "Failing minutes, each by its share of failed probes."},
        unobserved=_record(**dict.fromkeys(_UNSEEN, _COUNT)),
    ),
    objective=_or_null(
        _record(
            availability=_SHARE,
            met=_or_null(_FLAG),
            budget_minutes=_NUMBER,
            used_minutes=_NUMBER,
            remaining_ratio=_or_null(_NUMBER),
        )
    ),
    windows=_list(_WINDOW),
    windows_left_out=_COUNT,
    vendor=_or_null(_VENDOR),
    failures=_list(
        _record(
            at=_TIME,
            reason=_TEXT,
            status=_or_null(_COUNT),
            address=_or_null(_TEXT),
            request_id=_or_null(_TEXT),
            detail=_TEXT,
            answer=_or_null(_TEXT) | {"description": "The excerpt that is kept of it."},
        )
    ),
    incidents=_record(
        mttr_seconds=_or_null(_NUMBER), mtta_seconds=_or_null(_NUMBER), list=_list(_INCIDENT)
    ),
    network=_record(canaries=_COUNT),
    status_page=_list(_TEXT),
    status_page_url=_or_null(_TEXT),
)
