"""Where the values of an answer are, as a preset or a service declares it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exporter.settings import ExpressionText, PublicText, option

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

    header: PublicText = option(doc="Name of the header.")
    kind: Literal["limit", "remaining", "reset", "policy"] = option(
        doc="What its value is; `policy` headers are IETF structured fields (RateLimit)."
    )
    resource: PublicText = option("requests", "What is limited: the label `resource`.")
    format: TimeFormat | None = option(
        None, "kind reset: how the time is written; without it every known form is tried."
    )
    window: PublicText = option(
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
class NamedGauge:
    """Any number of an answer that is worth a series of its own: `service_reading`."""

    name: PublicText = option(
        doc="Label `name`.", pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,62}$", hint="must be a word"
    )
    unit: PublicText = option("", "Label `unit`, such as seconds or jobs.", maxLength=32)
    json: ExpressionText | None = option(None, "JSONPath to the number.")
    header: PublicText | None = option(None, "Header with the number, instead of json.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedField:
    """A time in an answer: the header or the body field that holds it."""

    header: PublicText | None = option(None, "Header name.")
    json: ExpressionText | None = option(None, "JSONPath into the body.")
    format: TimeFormat = option("auto", "How it is written; auto: every known form is tried.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReadings:
    """Where the answers of a service have their values; each field replaces the preset's."""

    limits: tuple[LimitHeader, ...] = option((), "Headers with rate limits.")
    gauges: tuple[NamedGauge, ...] = option((), "Numbers to export as `service_reading`.")
    request_id: tuple[PublicText, ...] = option((), "Headers with the provider's request id.")
    server_time: dict[str, Literal["ms", "s"]] = option(
        doc="Headers with the time that the provider took, and their unit.", factory=dict
    )
    key_expiry: TimedField | None = option(
        None, "Where an answer gives the time at which the key expires."
    )
