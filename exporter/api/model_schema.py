"""The JSON Schemas of what the API says about models."""

from __future__ import annotations

from typing import get_args

from exporter.api.shapes import (
    BOOLEAN,
    COUNT,
    NUMBER,
    REASON,
    TEXT,
    VERDICT,
    Schema,
    nullable,
    record,
)
from exporter.models import ModelCondition, Skip
from exporter.streams import Finish

_CHECK: dict[str, Schema] = {
    "success": BOOLEAN,
    "reason": REASON,
    "verdict": VERDICT,
    "detail": TEXT,
    "first_token_ms": nullable(NUMBER)
    | {"description": "Until the first visible token; null unless the check succeeded."},
    "tokens_per_second": nullable(NUMBER)
    | {"description": "By the API's own count; null without one, or for a single token."},
    "gap_max_ms": nullable(NUMBER),
    "finish": nullable({"enum": list(get_args(Finish))})
    | {"description": "Why the answer ended; null if it did not, and after a restart."},
    "answered_by": nullable(TEXT)
    | {"description": "The model that answered, as the API names it: of an alias the real one."},
    "usage": record(
        **dict.fromkeys(("input", "output", "reasoning", "cached"), nullable(COUNT)),
    ),
}
_MONEY: dict[str, Schema] = {
    "spent": NUMBER,
    "currency": TEXT,
    "remaining": nullable(NUMBER)
    | {"description": "The share of the tightest budget that is left, null without a budget."},
    "advice": TEXT,
    "sentence": TEXT,
}
MODEL: Schema = record(
    **_MONEY,
    id=TEXT,
    condition={"enum": [str(condition) for condition in ModelCondition]},
    interval_seconds=NUMBER,
    last=nullable(record(**_CHECK, at=NUMBER, spent=NUMBER)),
    usual_first_token_ms=nullable(NUMBER)
    | {"description": "The median of the last good checks, null before there are three."},
    consecutive_failures=COUNT,
    most_per_check=NUMBER,
    skipped={
        "type": "object",
        "propertyNames": {"enum": [str(skip) for skip in Skip]},
        "additionalProperties": COUNT,
    },
    not_asked=nullable(record(why={"enum": [str(skip) for skip in Skip]}, since=NUMBER)),
)
MODEL_TEST: Schema = record(
    **_CHECK,
    **_MONEY | {"spent": NUMBER | {"description": "By this check."}},
    spent_in_all=NUMBER,
)
