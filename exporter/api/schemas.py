"""The JSON Schemas of requests and answers; they are part of openapi.json and checked by tests."""

from __future__ import annotations

from exporter.api import shapes
from exporter.api.model_schema import MODEL, MODEL_TEST
from exporter.api.page_schema import STATUS_PAGE
from exporter.api.report_schema import REPORT
from exporter.api.retirement import RETIREMENT
from exporter.api.shapes import BOOLEAN, COUNT, NUMBER, TEXT, Schema, array, nullable, record, ref
from exporter.characters import CONTROL, CONTROL_BUT_LINES
from exporter.config.notify import MEDIA
from exporter.evidence import MAX_HEADERS
from exporter.incidents import SEVERITIES, Decider, EntryKind, IncidentStatus, ToldState
from exporter.model import PHASES
from exporter.probers.answerer import Answerer
from exporter.results import Status

_STATUS: Schema = {"enum": [str(status) for status in Status]}
_COUNT_BY_NAME: Schema = {"type": "object", "additionalProperties": COUNT}
_HEALTH: dict[str, Schema] = {
    "id": TEXT,
    "name": TEXT,
    "provider": TEXT,
    "type": TEXT,
    "environment": TEXT,
    "team": TEXT,
    "enabled": BOOLEAN,
    "paused": BOOLEAN | {"description": "Switched off at run time, until it is resumed."},
    "in_maintenance": BOOLEAN,
    "status": _STATUS,
    "reason": nullable(shapes.REASON),
    "verdict": nullable(shapes.VERDICT),
    "since": nullable(NUMBER) | {"description": "Since when the verdict is so, or it is paused."},
    "advice": TEXT,
    "limited": nullable(TEXT),
    "duration_ms": nullable(NUMBER),
    "last_probe": nullable(NUMBER),
    "last_success": nullable(NUMBER),
    "consecutive_failures": COUNT,
    "retry_after": nullable(TEXT),
    "retirement": RETIREMENT,
}
_OUTCOME: dict[str, Schema] = {
    "reason": shapes.REASON,
    "verdict": shapes.VERDICT,
    "detail": TEXT,
    "advice": TEXT,
    "status_code": nullable(COUNT),
    "duration_ms": NUMBER,
    "phases": record(**{str(phase): NUMBER for phase in PHASES}),
    "certificate": nullable(record(expiry=NUMBER, subject=TEXT, issuer=TEXT, verified=BOOLEAN)),
}
_ANY_OBJECT: Schema = {"type": "object"}
_LABEL_SET: Schema = {"type": "object", "additionalProperties": TEXT, "maxProperties": 64}
_SEVERITY: Schema = {"enum": list(SEVERITIES)}
_SINGLE_LINE: Schema = {"type": "string", "pattern": f"^[^{CONTROL}]+$"}
_AUTHOR: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 128,
    "pattern": f"^[^{CONTROL_BUT_LINES}]*$",
}
_LONG_TEXT: Schema = {**_AUTHOR, "minLength": 0, "maxLength": 4096}
_REASON_TEXT: Schema = {**_AUTHOR, "minLength": 0, "maxLength": 256}
_TIME: Schema = {"type": "string", "format": "date-time", "description": "RFC 3339 with a zone."}
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
    "receivers": array(TEXT)
    | {"description": "Whom the routes name; `told` says who was notified."},
    "told": array(
        record(
            receiver=TEXT,
            integration=TEXT
            | {"description": "The medium as Alertmanager names it, empty while it is not known."},
            state={"enum": [str(state) for state in ToldState]},
            at=nullable(NUMBER) | {"description": "When delivered, or since when it fails."},
            why={"enum": ["", "inhibited", "silenced", "muted", "outside"]},
            by=TEXT | {"description": "The alert, person or time interval that holds it back."},
            until=nullable(NUMBER) | {"description": "The end of the silence."},
        )
    ),
    "told_sentence": TEXT,
    "held_back_by": nullable(TEXT)
    | {"description": "The open incident whose alert inhibits this one, null without one."},
    "started_at": NUMBER,
    "acknowledged_at": nullable(NUMBER),
    "resolved_at": nullable(NUMBER),
    "reopened": COUNT,
    "timeline": array(
        record(at=NUMBER, kind={"enum": [str(kind) for kind in EntryKind]}, by=TEXT, note=TEXT)
    ),
}

_FAILURE: Schema = record(
    service=TEXT,
    at=NUMBER,
    **{name: _OUTCOME[name] for name in ("reason", "verdict", "advice", "detail", "phases")},
    status=nullable(COUNT),
    attempts=COUNT,
    duration_ms=NUMBER,
    address=nullable(TEXT),
    request_id=nullable(TEXT),
    answerer={"enum": [*map(str, Answerer), None]},
    network={"enum": ["answer", "canary", None], "description": "What showed that ours worked."},
    tls=nullable(
        record(
            version=nullable(TEXT),
            cipher=nullable(TEXT),
            issuer=nullable(TEXT),
            subject=nullable(TEXT),
            expiry=nullable(NUMBER),
            verified=nullable(BOOLEAN),
        )
    ),
    headers={"type": "object", "additionalProperties": TEXT, "maxProperties": MAX_HEADERS},
    found=array(record(assertion=TEXT, value=TEXT)),
    excerpt=nullable(TEXT)
    | {"description": "The beginning of the body, at most 512 bytes; null where it is not kept."},
)

SCHEMAS: dict[str, Schema] = {
    "Report": REPORT,
    "Failure": _FAILURE,
    "FailureList": record(failures=array(ref("Failure")), next=nullable(TEXT)),
    "IncidentDetail": record(
        **_INCIDENT,
        evidence=nullable(record(first=nullable(ref("Failure")), last=nullable(ref("Failure"))))
        | {"description": "The first and the last failure of its service or provider."},
    ),
    "Problem": {
        "type": "object",
        "description": "RFC 9457. `errors` lists every mistake of a service with its field.",
        "properties": {
            "type": TEXT,
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": TEXT,
            "reason": shapes.REASON,
            "code": TEXT,
            "errors": array(record(where=TEXT, what=TEXT)),
            "problems": array(TEXT),
        },
        "required": ["type", "title", "status"],
        "additionalProperties": False,
    },
    "ServiceHealth": record(**_HEALTH),
    "Outcome": record(**_OUTCOME),
    "Service": record(
        **_HEALTH,
        origin={"enum": ["file", "api"]},
        config=_ANY_OBJECT,
        warnings=array(TEXT)
        | {"description": "What works but is probably not meant, each with its field."},
        pause=nullable(record(at=NUMBER, by=TEXT, reason=TEXT)),
        maintenance=array(
            record(
                start=NUMBER,
                end=NUMBER,
                reason=TEXT,
                by=nullable(TEXT) | {"description": "Who set it at run time."},
                origin={"enum": ["file", "api"]},
            )
        ),
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
        models_verdict=nullable(TEXT)
        | {"description": "The verdict on the service with its models; null without models."},
        models=array(MODEL),
        failures=array(record(**_OUTCOME, at=NUMBER)),
        status_page=nullable(STATUS_PAGE),
    ),
    "Rung": record(asked=COUNT),
    "ServiceList": record(services=array(ref("ServiceHealth")), next=nullable(TEXT)),
    "Health": record(
        status=_STATUS,
        summary=record(total=COUNT, **{str(status): COUNT for status in Status}),
        reload_refused_at=nullable(NUMBER),
        offline_since=nullable(NUMBER) | {"description": "Since when no canary answers."},
        notifications=array(
            record(
                name=TEXT,
                medium={"enum": list(MEDIA)},
                waiting=COUNT,
                failing_since=nullable(NUMBER),
                why=nullable(TEXT),
            )
        ),
        incidents={
            "enum": [str(decider) for decider in Decider],
            "description": "Who decides what is an incident: `monitoring.incidents`.",
        },
        services=array(ref("ServiceHealth")),
    ),
    "Stats": record(
        services=COUNT,
        by_type=_COUNT_BY_NAME,
        by_environment=_COUNT_BY_NAME,
        by_provider=_COUNT_BY_NAME,
        by_status=_COUNT_BY_NAME,
        probes=COUNT,
        attempts=COUNT,
        availability=nullable(NUMBER),
        mttr_seconds=nullable(NUMBER),
        mtta_seconds=nullable(NUMBER),
    ),
    "Results": record(
        service=TEXT,
        results=array(
            record(
                **{n: _OUTCOME[n] for n in ("duration_ms", "reason", "status_code", "detail")},
                at=NUMBER,
                success=BOOLEAN,
                verdict=shapes.VERDICT,
                advice=TEXT | {"description": "Empty of a success."},
            )
        ),
    ),
    "Test": record(**_OUTCOME, success=BOOLEAN),
    "ModelTest": MODEL_TEST,
    "Rotation": record(
        service=TEXT,
        rotated_at=NUMBER,
        verified=nullable(ref("Outcome")),
        next_step=nullable(TEXT),
    ),
    "Reloaded": record(reloaded=BOOLEAN, services=COUNT),
    "Discovery": array(
        record(targets=array(TEXT), labels={"type": "object", "additionalProperties": TEXT})
    ),
    "History": record(
        service=TEXT,
        width_seconds=COUNT,
        buckets=array(
            record(
                start=COUNT,
                ok=COUNT,
                bad=COUNT,
                worst=shapes.REASON,
                verdict=shapes.VERDICT,
                latency_p50_ms=nullable(NUMBER),
                latency_p95_ms=nullable(NUMBER),
                latency_mean_ms=nullable(NUMBER),
                latency_max_ms=nullable(NUMBER),
            )
        ),
    ),
    "Audit": record(
        entries=array(record(at=NUMBER, who=TEXT, action=TEXT, service=TEXT, fingerprint=TEXT))
    ),
    "Incident": record(**_INCIDENT),
    "IncidentList": record(incidents=array(ref("Incident")), next=nullable(TEXT)),
    "IncidentStats": record(
        total=COUNT,
        open=COUNT,
        acknowledged=COUNT,
        resolved=COUNT,
        mttr_seconds=nullable(NUMBER),
        mtta_seconds=nullable(NUMBER),
        by_severity=_COUNT_BY_NAME,
        by_service=_COUNT_BY_NAME,
    ),
    "NewIncident": {
        "type": "object",
        "properties": {
            "summary": {**_LONG_TEXT, "minLength": 1},
            "severity": _SEVERITY | {"default": "high"},
            "service": _SINGLE_LINE | {"description": "The id of a registered service."},
            "environment": _SINGLE_LINE
            | {"description": "Ignored with a service.", "default": "production"},
            "description": _LONG_TEXT,
            "by": _AUTHOR,
        },
        "required": ["summary", "by"],
        "additionalProperties": False,
    },
    "Word": {
        "type": "object",
        "description": "The author, and a note for the timeline.",
        "properties": {"by": _AUTHOR, "note": _LONG_TEXT},
        "required": ["by"],
        "additionalProperties": False,
    },
    "Note": {
        "type": "object",
        "description": "A note for the timeline, and its author.",
        "properties": {
            "by": _AUTHOR,
            "note": {**_LONG_TEXT, "minLength": 1},
            "public": BOOLEAN
            | {
                "default": False,
                "description": "Whether the public page and its feed show the note, without its"
                " author; the timeline then calls it an `update`.",
            },
        },
        "required": ["by", "note"],
        "additionalProperties": False,
    },
    "Badge": record(
        schemaVersion={"const": 1},
        label={"type": "string", "minLength": 1},
        message={"type": "string", "minLength": 1},
        color={"type": "string", "pattern": "^#[0-9a-f]{6}$"},
        isError=BOOLEAN,
        cacheSeconds={"type": "integer", "minimum": 300},
    )
    | {"description": "What the endpoint badge of shields.io takes."},
    "Pausing": {
        "type": "object",
        "description": "The author, and why.",
        "properties": {"by": _AUTHOR, "reason": _REASON_TEXT},
        "required": ["by"],
        "additionalProperties": False,
    },
    "NewMaintenance": {
        "type": "object",
        "description": "A window: `end` or `duration`; it begins now unless `start` is given.",
        "properties": {
            "start": _TIME,
            "end": _TIME,
            "duration": {"type": "string", "description": "Such as 2h, at most 30d."},
            "reason": _REASON_TEXT,
            "by": _AUTHOR,
        },
        "required": ["by"],
        "oneOf": [{"required": ["end"]}, {"required": ["duration"]}],
        "additionalProperties": False,
    },
    "AlertmanagerMessage": {
        "type": "object",
        "description": "Alertmanager's webhook message; unknown fields are ignored.",
        "properties": {
            "version": {"const": "4"},
            "truncatedAlerts": {},
            "notification_reason": {},
            "alerts": array(
                {
                    "type": "object",
                    "properties": {
                        "status": {"enum": ["firing", "resolved"]},
                        "labels": _LABEL_SET,
                        "annotations": _LABEL_SET,
                        "startsAt": {"type": "string", "format": "date-time"},
                        "endsAt": {"type": "string", "format": "date-time"},
                    },
                    "required": ["status", "labels", "startsAt", "endsAt"],
                }
            ),
        },
        "required": ["version", "alerts"],
    },
    "Received": record(changed=COUNT, set_aside=COUNT, left_out=COUNT),
    "NewKey": {
        "type": "object",
        "description": "A new key, or `rollback: true` to return to the previous one.",
        "properties": {
            "api_key": {"type": "string", "pattern": f"^[^{CONTROL}]+$", "writeOnly": True},
            "allow_limited": BOOLEAN
            | {"description": "Use the key also if the probe ends as key_ok_limited."},
            "force": BOOLEAN | {"description": "Use the key however the probe ends."},
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
