"""The JSON Schema of what a provider's status page says, as part of a service."""

from __future__ import annotations

from exporter.api.shapes import BOOLEAN, NUMBER, TEXT, Schema, array, nullable, record
from exporter.statuspages import Claim, Health, Impact, Stage, State

STATUS_PAGE: Schema = record(
    url=TEXT,
    state={"enum": list(map(str, State))},
    health={"enum": list(map(str, Health))},
    since=nullable(NUMBER),
    read_at=nullable(NUMBER),
    filter_matches=BOOLEAN,
    claim=nullable({"enum": list(map(str, Claim))}),
    sentence=nullable(TEXT),
    failing_since=nullable(NUMBER),
    posted_at=nullable(NUMBER),
    lead_seconds=nullable(NUMBER)
    | {"description": "From our first failed probe to its first text; negative: it was first."},
    uncertainty_seconds=nullable(NUMBER),
    incidents=array(
        record(
            id=TEXT,
            title=TEXT,
            state={"enum": list(map(str, Stage))},
            impact={"enum": list(map(str, Impact))},
            open=BOOLEAN,
            claimed_at=nullable(NUMBER),
            published_at=nullable(NUMBER),
            first_seen_at=NUMBER,
            updated_at=nullable(NUMBER),
            resolved_at=nullable(NUMBER),
            components=array(TEXT),
        )
    ),
)
