"""The shapes of requests and answers, as JSON Schema: what openapi.json says and tests check."""

from __future__ import annotations

from typing import Any

from exporter.characters import CONTROL, CONTROL_BUT_LINES
from exporter.incidents import SEVERITIES, EntryKind, IncidentStatus
from exporter.model import PHASES, Reason, Verdict
from exporter.results import Status

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
BOOLEAN: Schema = {"type": "boolean"}


def nullable(schema: Schema) -> Schema:
    """Return *schema* or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(**properties: Schema) -> Schema:
    """Return an object with exactly *properties*."""
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def listing(schema: Schema) -> Schema:
    """Return a list of *schema*."""
    return {"type": "array", "items": schema}


def ref(name: str) -> Schema:
    """Return a reference to a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


_REASON: Schema = {"enum": [str(reason) for reason in Reason]}
_VERDICT: Schema = {"enum": [str(verdict) for verdict in Verdict]}
_STATUS: Schema = {"enum": [str(status) for status in Status]}
_COUNTS: Schema = {"type": "object", "additionalProperties": COUNT}
_HEALTH: dict[str, Schema] = {
    "id": TEXT,
    "name": TEXT,
    "provider": TEXT,
    "type": TEXT,
    "environment": TEXT,
    "enabled": BOOLEAN,
    "status": _STATUS,
    "reason": nullable(_REASON),
    "verdict": nullable(_VERDICT),
    "advice": TEXT,
    "limited": nullable(TEXT),
    "duration_ms": nullable(NUMBER),
    "last_probe": nullable(NUMBER),
    "last_success": nullable(NUMBER),
    "consecutive_failures": COUNT,
}
_OUTCOME: dict[str, Schema] = {
    "reason": _REASON,
    "verdict": _VERDICT,
    "detail": TEXT,
    "advice": TEXT,
    "status_code": nullable(COUNT),
    "duration_ms": NUMBER,
    "phases": record(**{str(phase): NUMBER for phase in PHASES}),
    "certificate": nullable(record(expiry=NUMBER, subject=TEXT, issuer=TEXT, verified=BOOLEAN)),
}
_FREE: Schema = {"type": "object"}
_TEXTS: Schema = {"type": "object", "additionalProperties": TEXT, "maxProperties": 64}
_SEVERITY: Schema = {"enum": list(SEVERITIES)}
_LINE: Schema = {"type": "string", "pattern": f"^[^{CONTROL}]+$"}
_BY: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 128,
    "pattern": f"^[^{CONTROL_BUT_LINES}]*$",
}
_PROSE: Schema = {**_BY, "minLength": 0, "maxLength": 4096}
_INCIDENT: dict[str, Schema] = {
    **dict.fromkeys(("id", "alertname", "summary", "description"), TEXT),
    **dict.fromkeys(
        (
            "service",
            "environment",
            "provider",
            "team",
            "category",
            "slo",
            "runbook_url",
            "acknowledged_by",
            "resolved_by",
        ),
        nullable(TEXT),
    ),
    "severity": _SEVERITY,
    "status": {"enum": [str(status) for status in IncidentStatus]},
    "suppressed": {"enum": ["silenced", "inhibited", None]},
    "manual": BOOLEAN,
    "receivers": listing(TEXT),
    "started_at": NUMBER,
    "acknowledged_at": nullable(NUMBER),
    "resolved_at": nullable(NUMBER),
    "reopened": COUNT,
    "timeline": listing(
        record(at=NUMBER, kind={"enum": [str(kind) for kind in EntryKind]}, by=TEXT, note=TEXT)
    ),
}

SCHEMAS: dict[str, Schema] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457. `errors` has every mistake of a service, place by place.",
        "properties": {
            "type": TEXT,
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": TEXT,
            "reason": _REASON,
            "code": TEXT,
            "errors": listing(record(where=TEXT, what=TEXT)),
            "problems": listing(TEXT),
        },
        "required": ["type", "title", "status"],
        "additionalProperties": False,
    },
    "ServiceHealth": record(**_HEALTH),
    "Outcome": record(**_OUTCOME),
    "Service": record(
        **_HEALTH,
        origin={"enum": ["file", "api"]},
        config=_FREE,
        interval_seconds=NUMBER,
        endpoint=nullable(TEXT),
        method=nullable(TEXT),
        key=record(
            configured=nullable(BOOLEAN),
            masked=nullable(TEXT),
            rotated_at=nullable(NUMBER),
            next_valid=nullable(BOOLEAN),
        ),
        curl=nullable(TEXT),
        failures=listing(record(**_OUTCOME, at=NUMBER)),
    ),
    "ServiceList": record(services=listing(ref("ServiceHealth")), next=nullable(TEXT)),
    "Health": record(
        status=_STATUS,
        summary=record(total=COUNT, **{str(status): COUNT for status in Status}),
        reload_refused_at=nullable(NUMBER),
        services=listing(ref("ServiceHealth")),
    ),
    "Stats": record(
        services=COUNT,
        by_type=_COUNTS,
        by_environment=_COUNTS,
        by_provider=_COUNTS,
        by_status=_COUNTS,
        probes=COUNT,
        attempts=COUNT,
        availability=nullable(NUMBER),
        mttr_seconds=nullable(NUMBER),
        mtta_seconds=nullable(NUMBER),
    ),
    "Test": record(**_OUTCOME, success=BOOLEAN),
    "Rotation": record(service=TEXT, rotated_at=NUMBER, verified=nullable(ref("Outcome"))),
    "Reloaded": record(reloaded=BOOLEAN, services=COUNT),
    "Discovery": listing(
        record(targets=listing(TEXT), labels={"type": "object", "additionalProperties": TEXT})
    ),
    "History": record(
        service=TEXT,
        width_seconds=COUNT,
        buckets=listing(
            record(
                start=COUNT,
                ok=COUNT,
                bad=COUNT,
                worst=_REASON,
                latency_mean_ms=nullable(NUMBER),
                latency_max_ms=nullable(NUMBER),
            )
        ),
    ),
    "Audit": record(
        entries=listing(record(at=NUMBER, who=TEXT, action=TEXT, service=TEXT, fingerprint=TEXT))
    ),
    "Incident": record(**_INCIDENT),
    "IncidentList": record(incidents=listing(ref("Incident")), next=nullable(TEXT)),
    "IncidentStats": record(
        total=COUNT,
        open=COUNT,
        acknowledged=COUNT,
        resolved=COUNT,
        mttr_seconds=nullable(NUMBER),
        mtta_seconds=nullable(NUMBER),
        by_severity=_COUNTS,
        by_service=_COUNTS,
    ),
    "NewIncident": {
        "type": "object",
        "properties": {
            "summary": {**_PROSE, "minLength": 1},
            "severity": _SEVERITY | {"default": "high"},
            "service": _LINE | {"description": "Of a registered service."},
            "environment": _LINE | {"description": "Without a service.", "default": "production"},
            "description": _PROSE,
            "by": _BY,
        },
        "required": ["summary", "by"],
        "additionalProperties": False,
    },
    "Word": {
        "type": "object",
        "description": "Who does it, and a note for the timeline.",
        "properties": {"by": _BY, "note": _PROSE},
        "required": ["by"],
        "additionalProperties": False,
    },
    "AlertmanagerMessage": {
        "type": "object",
        "description": "Alertmanager's webhook message; fields that it adds later are welcome.",
        "properties": {
            "version": {"const": "4"},
            "truncatedAlerts": {},
            "alerts": listing(
                {
                    "type": "object",
                    "properties": {
                        "status": {"enum": ["firing", "resolved"]},
                        "labels": _TEXTS,
                        "annotations": _TEXTS,
                        "startsAt": {"type": "string", "format": "date-time"},
                        "endsAt": {"type": "string", "format": "date-time"},
                    },
                    "required": ["status", "labels", "startsAt", "endsAt"],
                }
            ),
        },
        "required": ["version", "alerts"],
    },
    "Received": record(changed=COUNT),
    "NewKey": {
        "type": "object",
        "description": "A new key, or `rollback: true` to return to the one before.",
        "properties": {
            "api_key": {"type": "string", "pattern": f"^[^{CONTROL}]+$", "writeOnly": True},
            "force": BOOLEAN | {"description": "Use it even if the provider rejects it."},
            "rollback": BOOLEAN,
        },
        "additionalProperties": False,
        "oneOf": [
            {"required": ["api_key"], "properties": {"rollback": {"const": False}}},
            {
                "required": ["rollback"],
                "properties": {"api_key": False, "rollback": {"const": True}},
            },
        ],
    },
}
