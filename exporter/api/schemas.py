"""The shapes of requests and answers, as JSON Schema: what openapi.json says and tests check."""

from __future__ import annotations

from typing import Any

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
    "NewKey": {
        "type": "object",
        "description": "A new key, or `rollback: true` to return to the one before.",
        "properties": {
            "api_key": {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]+$", "writeOnly": True},
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
