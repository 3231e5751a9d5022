"""What an answer reports besides its verdict: limits, quotas, times. Declared as data, read here.

Unreadable values are left out: a provider's header must never fail a probe.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from exporter.matching import UnsearchableError, json_values
from exporter.model import Limit
from exporter.readings.declarations import (
    Gauge,
    LimitHeader,
    NamedGauge,
    OwnReadings,
    TimedField,
)
from exporter.readings.limits import declared_limits, generic_limits, mentions_limits
from exporter.readings.retirement import HEADERS, PLAIN, RetirementReadings
from exporter.readings.times import instant, number
from exporter.readings.waits import STATUSES, asked_in
from exporter.retirement import Retirement


@dataclass(frozen=True, slots=True)
class ReadValues:
    """The values read from one answer; each field is the one of `Outcome` with its name."""

    limits: Mapping[str, Limit]
    quotas: Mapping[tuple[str, str], float]
    readings: Mapping[tuple[str, str], float]
    key_expiry: float | None
    provider_seconds: float | None
    retry_after: float | None
    request_id: str
    retirement: Retirement | None = None


_NOTHING_OWN = OwnReadings()
NOTHING = ReadValues({}, {}, {}, None, None, None, "")
"""The result for most answers. One shared value: callers compare with `is`."""


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Where the values of an answer are.

    Retry-After, request ids and processing times are also read from the headers that many APIs
    share; the generic limit headers only if there are no *headers* of the provider's own. A pause
    is also read from the body of a 429 or 503, if no header asks for one.
    """

    headers: tuple[LimitHeader, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    named: tuple[NamedGauge, ...] = ()
    retry_after: tuple[TimedField, ...] = ()
    fixed_retry: float | None = None
    """Seconds to wait after a 429 that gives no time to wait."""
    key_expiry: TimedField | None = None
    request_id: tuple[str, ...] = ()
    server_time: tuple[tuple[str, str], ...] = ()
    radar: RetirementReadings = PLAIN

    def with_own(self, own: OwnReadings) -> Readings:
        """Return these readings with the fields that *own* gives in their place.

        >>> GENERIC.with_own(OwnReadings(request_id=("X-Trace",))).request_id
        ('x-trace',)
        """
        if own == _NOTHING_OWN:
            return self
        given: dict[str, Any] = {
            "headers": tuple(replace(i, header=i.header.lower()) for i in own.limits),
            "named": tuple(replace(g, header=_lower(g.header)) for g in own.gauges),
            "request_id": tuple(name.lower() for name in own.request_id),
            "server_time": tuple((name.lower(), unit) for name, unit in own.server_time.items()),
        }
        if (expiry := own.key_expiry) is not None:
            given["key_expiry"] = replace(expiry, header=_lower(expiry.header))
        given = {name: value for name, value in given.items() if value}
        return replace(self, **given) if given else self

    def read(
        self, status: int, headers: Mapping[str, str], json: Callable[[], Any], now: float
    ) -> ReadValues:
        """Return the values in *headers* and in the body, which *json* parses only if needed.

        *headers* have lower-case names; *now* is a Unix time.
        """
        if (
            self._in_headers_only
            and status not in STATUSES
            and self._relevant_headers.isdisjoint(headers)
            and (self.headers or not mentions_limits(headers))
        ):
            return NOTHING
        retry_after = self._retry_after(status, headers, json, now)
        if retry_after is None and status == 429:
            retry_after = self.fixed_retry
        return ReadValues(
            limits=self._limits(headers, now),
            quotas=dict(self._quotas(json)),
            readings=dict(self._named(headers, json)),
            key_expiry=self._time(self.key_expiry, headers, json, now),
            provider_seconds=_provider_seconds((*self.server_time, *_SERVER_TIME), headers),
            retry_after=retry_after,
            request_id=_request_id((*self.request_id, *REQUEST_ID_HEADERS), headers),
            retirement=self.radar.read(status, headers, json),
        )

    def _limits(self, headers: Mapping[str, str], now: float) -> Mapping[str, Limit]:
        if self.headers:
            return declared_limits(self.headers, headers, now)
        return generic_limits(headers, now) if mentions_limits(headers) else {}

    @cached_property
    def _in_headers_only(self) -> bool:
        times = (*self.retry_after, *([self.key_expiry] if self.key_expiry else []))
        in_body = self.gauges or self.radar.listing or any(gauge.json for gauge in self.named)
        return not in_body and all(time.header for time in times)

    @cached_property
    def _relevant_headers(self) -> frozenset[str]:
        """Every header that is read."""
        times = (*self.retry_after, *([self.key_expiry] if self.key_expiry else []))
        return frozenset(
            {*_WAITS, *_WAIT_MS, *REQUEST_ID_HEADERS, *self.request_id, *HEADERS}
            | {*self.radar.warnings, self.radar.version_header}
            | {limit.header for limit in self.headers}
            | {gauge.header for gauge in self.named if gauge.header}
            | {name for name, _ in (*_SERVER_TIME, *self.server_time)}
            | {time.header for time in times if time.header}
        )

    def _quotas(self, json: Callable[[], Any]) -> Iterator[tuple[tuple[str, str], float]]:
        for gauge in self.gauges:
            value = number(_first_value(gauge.json, json))
            minus = number(_first_value(gauge.minus, json)) if gauge.minus else 0.0
            if value is not None and minus is not None:
                yield (gauge.resource, gauge.unit), value - minus

    def _named(
        self, headers: Mapping[str, str], json: Callable[[], Any]
    ) -> Iterator[tuple[tuple[str, str], float]]:
        for gauge in self.named:
            found = headers.get(gauge.header) if gauge.header else _first_value(gauge.json, json)
            if (value := number(found)) is not None:
                yield (gauge.name, gauge.unit), value

    def _time(
        self,
        field: TimedField | None,
        headers: Mapping[str, str],
        json: Callable[[], Any],
        now: float,
    ) -> float | None:
        if field is None:
            return None
        text = headers.get(field.header) if field.header else _first_value(field.json, json)
        if isinstance(text, bool) or not isinstance(text, (str, int, float)):
            return None
        return instant(str(text), field.format, now)

    def _retry_after(
        self, status: int, headers: Mapping[str, str], json: Callable[[], Any], now: float
    ) -> float | None:
        # A date is one of the server's clock, which may differ from ours (RFC 9110, 6.6.1).
        sent = instant(headers.get("date", ""), "http_date", now)
        now = now if sent is None else sent
        for name in _WAIT_MS:
            if (text := headers.get(name)) and (at := instant(text, "delta_ms", now)):
                return max(0.0, at - now)
        for name in _WAITS:
            # seconds or a date (RFC 9110); others send `30s`, a Unix time, or ISO 8601
            text = headers.get(name, "")
            if re.match(r'[\s"\d.]+,', text):  # sent twice, or by two servers on the way
                text = text.partition(",")[0]
            if (at := instant(text.strip(' "'), "auto", now)) is not None:
                return max(0.0, at - now)
        for field in self.retry_after:
            if (at := self._time(field, headers, json, now)) is not None:
                return max(0.0, at - now)
        if status in STATUSES and (at := asked_in(json(), now)) is not None:
            return max(0.0, at - now)
        return None


GENERIC = Readings()
"""For an API without a preset: the headers that many APIs share."""

MOST_REQUEST_ID = 128
"""Characters. Those of AWS's storage have 76, no known one has 128."""
REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "x-amzn-requestid",
    "cf-ray",
    "x-correlation-id",
)
"""Where many APIs put the id of a request; after those of the provider's own."""
_WAITS = ("retry-after", "x-retry-after", "x-ratelimit-retry-after", "ratelimit-retry-after")
"""RFC 9110's first; Docker Hub and the limiters of some frameworks send another name."""
_WAIT_MS = ("retry-after-ms", "x-ms-retry-after-ms")
"""OpenAI's and Azure's; before Retry-After, which is rounded to seconds."""
_SERVER_TIME = (
    ("openai-processing-ms", "ms"),
    ("twilio-request-duration", "s"),
    ("x-envoy-upstream-service-time", "ms"),
    ("x-kong-upstream-latency", "ms"),
)


def _lower(name: str | None) -> str | None:
    return name.lower() if name else name


def _provider_seconds(
    wanted: tuple[tuple[str, str], ...], headers: Mapping[str, str]
) -> float | None:
    for name, unit in wanted:
        value = number(headers.get(name))
        if value is not None and value >= 0:
            return value / 1000 if unit == "ms" else value
    return None


def _request_id(wanted: tuple[str, ...], headers: Mapping[str, str]) -> str:
    found = (headers[name] for name in wanted if name in headers)
    return next(filter(_is_request_id, found), "")


def _is_request_id(text: str) -> bool:
    """Return whether *text* can be shown whole: a vendor finds nothing by a part of an id."""
    return 0 < len(text) <= MOST_REQUEST_ID and text.isascii() and text.isprintable()


def _first_value(path: str | None, json: Callable[[], Any]) -> Any:
    try:
        return next(iter(json_values(path, json())), None) if path else None
    except UnsearchableError:
        return None
