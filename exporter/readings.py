"""What an answer tells beside its verdict: limits, quotas, times. Declared as data, read here.

Eight ways to write a time are known; each becomes a Unix timestamp or a delay in seconds.
Unreadable values are left out: a provider's header must never fail a probe.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Literal

from exporter.matching import UnsearchableError, json_values
from exporter.model import Limit
from exporter.settings import option

TimeFormat = Literal[
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
    format: TimeFormat | None = option(None, "kind reset: how the time is written.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A number in the body that tells what is left."""

    json: str = option(doc="JSONPath to the number.")
    minus: str | None = option(None, "JSONPath to a number to subtract (limit minus used).")
    resource: str = option(doc="Label `resource`.")
    unit: str = option(doc="Label `unit`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedField:
    """Where an answer tells a time, in a header or in the body."""

    header: str | None = option(None, "Header name, lower case.")
    json: str | None = option(None, "JSONPath into the body.")
    format: TimeFormat = option(doc="How it is written.")


@dataclass(frozen=True, slots=True)
class Read:
    """What was read from one answer; see the fields of `Outcome`."""

    limits: Mapping[str, Limit]
    quotas: Mapping[tuple[str, str], float]
    key_expiry: float | None
    provider_seconds: float | None
    retry_after: float | None
    request_id: str


NOTHING = Read({}, {}, None, None, None, "")
"""What most answers tell."""


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Where to look in an answer; the generic headers are always looked at."""

    headers: tuple[LimitHeader, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    retry_after: tuple[TimedField, ...] = ()
    fixed_retry: float | None = None
    """Seconds to wait after a 429 that names no time."""
    key_expiry: TimedField | None = None
    request_id: tuple[str, ...] = ()
    server_time: tuple[tuple[str, str], ...] = ()

    def read(
        self, status: int, headers: Mapping[str, str], json: Callable[[], Any], now: float
    ) -> Read:
        """Return what *headers* and the lazily parsed *json* tell at the Unix time *now*."""
        if self._in_headers_only and status != 429 and self._telling.isdisjoint(headers):
            return NOTHING
        retry_after = self._retry_after(headers, json, now)
        if retry_after is None and status == 429:
            retry_after = self.fixed_retry
        return Read(
            limits=dict(_limits(self.headers or _LIMIT_HEADERS, headers, now)),
            quotas=dict(self._quotas(json)),
            key_expiry=self._time(self.key_expiry, headers, json, now),
            provider_seconds=_provider_seconds((*self.server_time, *_SERVER_TIME), headers),
            retry_after=retry_after,
            request_id=_request_id((*self.request_id, *_REQUEST_ID), headers),
        )

    @cached_property
    def _in_headers_only(self) -> bool:
        times = (*self.retry_after, *([self.key_expiry] if self.key_expiry else []))
        return not self.gauges and all(time.header for time in times)

    @cached_property
    def _telling(self) -> frozenset[str]:
        """Every header that is looked at."""
        times = (*self.retry_after, *([self.key_expiry] if self.key_expiry else []))
        return frozenset(
            {"retry-after", "retry-after-ms", *_REQUEST_ID, *self.request_id}
            | {limit.header for limit in self.headers or _LIMIT_HEADERS}
            | {name for name, _ in (*_SERVER_TIME, *self.server_time)}
            | {time.header for time in times if time.header}
        )

    def _quotas(self, json: Callable[[], Any]) -> Iterator[tuple[tuple[str, str], float]]:
        for gauge in self.gauges:
            value = _number(_first(gauge.json, json))
            minus = _number(_first(gauge.minus, json)) if gauge.minus else 0.0
            if value is not None and minus is not None:
                yield (gauge.resource, gauge.unit), value - minus

    def _time(
        self,
        field: TimedField | None,
        headers: Mapping[str, str],
        json: Callable[[], Any],
        now: float,
    ) -> float | None:
        if field is None:
            return None
        text = headers.get(field.header) if field.header else _first(field.json, json)
        if isinstance(text, bool) or not isinstance(text, (str, int, float)):
            return None
        return instant(str(text), field.format, now)

    def _retry_after(
        self, headers: Mapping[str, str], json: Callable[[], Any], now: float
    ) -> float | None:
        if (text := headers.get("retry-after-ms")) and (at := instant(text, "delta_ms", now)):
            return max(0.0, at - now)
        if text := headers.get("retry-after"):
            at = instant(text, "delta_s", now) or instant(text, "http_date", now)
            if at is not None:
                return max(0.0, at - now)
        for field in self.retry_after:
            if (at := self._time(field, headers, json, now)) is not None:
                return max(0.0, at - now)
        return None


GENERIC = Readings()
"""What any API may tell."""

# RFC 9110 has Retry-After; draft-ietf-httpapi-ratelimit-headers the ratelimit ones. The seconds of
# a generic reset are a delay when small and a Unix time when large: both are in use.
_KINDS: tuple[Literal["limit", "remaining", "reset"], ...] = ("limit", "remaining", "reset")
_LIMIT_HEADERS = (
    *(
        LimitHeader(header=f"{prefix}-{kind}", kind=kind, format="epoch_s")
        for prefix in ("x-ratelimit", "ratelimit")
        for kind in _KINDS
    ),
    LimitHeader(header="ratelimit", kind="policy"),
    LimitHeader(header="ratelimit-policy", kind="policy"),
)
_REQUEST_ID = ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray", "x-correlation-id")
_SERVER_TIME = (
    ("openai-processing-ms", "ms"),
    ("twilio-request-duration", "s"),
    ("x-envoy-upstream-service-time", "ms"),
    ("x-kong-upstream-latency", "ms"),
)
_GO_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|us|µs|ns|h|m|s))+")
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)")
_GO_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_SF_ITEM = re.compile(r'"([^"]{1,64})"((?:\s*;\s*[a-z]+=[^;,]+)*)')
_SF_PARAMETER = re.compile(r"([a-z]+)=(\d{1,15})")
_MAX_TEXT = 64
_YEAR_3000 = 32503680000.0


def instant(text: str, form: TimeFormat, now: float) -> float | None:
    """Return the Unix time that *text* names, or None if it cannot be read or is absurd."""
    text = text.strip()
    if not text or len(text) > _MAX_TEXT:
        return None
    try:
        at = _instant(text, form, now)
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at is not None and 0 <= at < _YEAR_3000 else None


def _instant(text: str, form: TimeFormat, now: float) -> float | None:
    match form:
        case "go_duration" | "proto_duration":
            if not _GO_DURATION.fullmatch(text):
                return None
            return now + sum(float(n) * _GO_UNITS[u] for n, u in _GO_PART.findall(text))
        case "rfc3339":
            return _utc(datetime.fromisoformat(text))
        case "epoch_s":
            number = float(text)
            return number if number > 1e8 else now + number
        case "delta_s":
            return now + float(text)
        case "delta_ms":
            return now + float(text) / 1000
        case "datetime_utc":
            return _utc(datetime.fromisoformat(text.removesuffix(" UTC")))
        case "http_date":
            return _utc(parsedate_to_datetime(text))


def _utc(at: datetime) -> float:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _limits(
    wanted: tuple[LimitHeader, ...], headers: Mapping[str, str], now: float
) -> Iterator[tuple[str, Limit]]:
    found: dict[str, dict[str, float]] = {}
    for header in wanted:
        text = headers.get(header.header)
        if text is None:
            continue
        if header.kind == "policy":
            for values in _structured(text, now):
                found.setdefault(header.resource, {}).update(values)
        elif header.kind == "reset":
            if (at := instant(text, header.format or "epoch_s", now)) is not None:
                found.setdefault(header.resource, {})["reset"] = at
        elif (number := _number(text)) is not None:
            found.setdefault(header.resource, {})[header.kind] = number
    for resource, values in found.items():
        yield resource, Limit(**values)


def _structured(text: str, now: float) -> Iterator[dict[str, float]]:
    """Read `RateLimit: "default";r=50;t=30` and `RateLimit-Policy: "burst";q=100;w=60`.

    Several policies are folded into one: which of them binds is not told apart, the last wins.
    """
    for item in _SF_ITEM.finditer(text[:1024]):
        parameters = {name: float(n) for name, n in _SF_PARAMETER.findall(item.group(2))}
        values = {}
        if "r" in parameters:
            values["remaining"] = parameters["r"]
        if "t" in parameters:
            values["reset"] = now + parameters["t"]
        if "q" in parameters:
            values["limit"] = parameters["q"]
        yield values


def _provider_seconds(
    wanted: tuple[tuple[str, str], ...], headers: Mapping[str, str]
) -> float | None:
    for name, unit in wanted:
        value = _number(headers.get(name))
        if value is not None and value >= 0:
            return value / 1000 if unit == "ms" else value
    return None


def _request_id(wanted: tuple[str, ...], headers: Mapping[str, str]) -> str:
    text = next((headers[name] for name in wanted if name in headers), "")
    return "".join(c for c in text if c.isascii() and c.isprintable())[:_MAX_TEXT]


def _first(path: str | None, json: Callable[[], Any]) -> Any:
    try:
        return next(iter(json_values(path, json())), None) if path else None
    except UnsearchableError:
        return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e18 else None
