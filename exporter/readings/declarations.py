"""Where the values of an answer are, as a preset or a service declares it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exporter.settings import option

TimeFormat = Literal[
    "auto",
    "go_duration",
    "rfc3339",
    "epoch_s",
    "delta_s",
    "delta_ms",
    "proto_duration",
    "datetime_utc",
    "http_date",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitHeader:
    """One response header of a rate limit."""

    header: str = option(doc="Name, lower case.")
    kind: Literal["limit", "remaining", "reset", "policy"] = option(
        doc="What its value is; `policy` headers are IETF structured fields (RateLimit)."
    )
    resource: str = option("requests", "What is limited: the label `resource`.")
    format: TimeFormat | None = option(
        None, "kind reset: how the time is written; without it every known form is tried."
    )
    window: str = option(
        "", "Limits of one resource over several windows: the one with the least left is shown."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A number in the body: how much of a quota is left."""

    json: str = option(doc="JSONPath to the number.")
    minus: str | None = option(None, "JSONPath to a number to subtract (limit minus used).")
    resource: str = option(doc="Label `resource`.")
    unit: str = option(doc="Label `unit`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedField:
    """A time in an answer: the header or the body field that holds it."""

    header: str | None = option(None, "Header name, lower case.")
    json: str | None = option(None, "JSONPath into the body.")
    format: TimeFormat = option(doc="How it is written.")
