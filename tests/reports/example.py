"""The month of the example in the documentation: lived through by the product itself."""

from __future__ import annotations

import dataclasses
from typing import Any

from exporter.config import Declared, make_target
from exporter.model import Outcome, Reason, Result, verdict_of
from exporter.providers import presets
from exporter.reports import Facts, FailedRequest, document
from exporter.reports.facts import tail
from exporter.results import Minutes
from exporter.store.database import Database
from exporter.store.minutes import MinuteTable
from tests.reports.hostile import START, incident

DAYS = 31
OUTAGE, LIMITED, OFF = START + 24_611, START + 24_800, START + 30_000
"""The 18th at 02:11 for 31 minutes; half an hour rate limited; an hour of the exporter itself."""


def reason_of(minute: int) -> Reason:
    if OUTAGE <= minute < OUTAGE + 31:
        return Reason.SERVER_ERROR
    return Reason.RATE_LIMITED if LIMITED <= minute < LIMITED + 30 else Reason.OK


def outcome_of(minute: int) -> Outcome:
    reason = reason_of(minute)
    status = 500 if reason is Reason.SERVER_ERROR else 200
    number = minute - OUTAGE
    return Outcome(reason=reason, status=status, request_id=f"RQ{number:02}{'4f' * 14}")


def example() -> dict[str, Any]:
    """Return the report of October 2026 for a service at Twilio."""
    raw = {
        "id": "sms",
        "name": "SMS",
        "provider": "twilio",
        "objectives": {"availability": "99.9%"},
        "health_check": {"interval": "60s"},
    }
    target = make_target(Declared(raw, "services.yaml", 1), {})
    table, before, failures = MinuteTable(Database(None, 0.0)), None, []
    for first, last in ((START, OFF), (OFF + 60, START + DAYS * 1440)):
        minutes = Minutes(network=lambda: "canary", page=lambda target: "operational")
        minutes.start_run(first * 60.0)
        for minute in range(first, last):
            at, outcome = minute * 60 + 7.0, outcome_of(minute)
            verdict = verdict_of(outcome.reason)
            result = Result(service="sms", at=at, outcome=outcome, verdict=verdict)
            minutes.add(target, result, counted=True, before=before)
            before = at
            if outcome.reason is Reason.SERVER_ERROR:
                failures.append(_failed(at, outcome))
        table.save(minutes.drain(last * 60.0))
    facts = Facts(
        target=target,
        promise=presets()["twilio"].sla,
        start=START,
        end=START + DAYS * 1440,
        now=(START + DAYS * 1440) * 60.0,
        kept=table.read("sms", START, START + DAYS * 1440),
        incidents=[_incident()],
        failures=(failures[0], failures[-1]),
        canaries=2,
        version="0.1.0",
    )
    return document(tail(facts, before))


def _failed(at: float, outcome: Outcome) -> FailedRequest:
    return FailedRequest(
        at=at,
        reason=outcome.reason,
        status=500,
        request_id=outcome.request_id,
        detail="status 500",
        address="3.91.7.42",
        answer='{"code":20500,"message":"Internal Server Error"}',
    )


def _incident() -> Any:
    start = (OUTAGE + 3) * 60.0
    return dataclasses.replace(
        incident("sms is down: server error", 0),
        id="h9qazsas2t",
        started_at=start,
        acknowledged_at=start + 240,
        resolved_at=start + 1740,
    )
