"""What an answer reports besides its verdict: times, limits, quotas, expiry, delays, ids."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.matching import NO_JSON, json_of
from exporter.model import Limit
from exporter.providers import presets
from exporter.readings import (
    GENERIC,
    NOTHING,
    Gauge,
    LimitHeader,
    Readings,
    ReadValues,
    TimedField,
    TimeFormat,
    instant,
)
from exporter.readings.times import number

NOW = 1_800_000_000.0
JAN_2026 = 1_767_225_600.0


def read(
    readings: Readings = GENERIC,
    headers: dict[str, str] | None = None,
    body: Any = NO_JSON,
    status: int = 200,
) -> ReadValues:
    return readings.read(status, headers or {}, lambda: body, NOW)


def test_an_answer_with_no_values_costs_nothing_and_an_own_field_is_looked_at() -> None:
    plain = {"content-type": "application/json", "date": "Fri, 15 Jan 2027 08:00:00 GMT"}
    ends = TimedField(header="x-key-ends", format="epoch_s")
    inside = TimedField(json="$.ends", format="epoch_s")

    assert read(GENERIC, plain) is NOTHING
    assert read(Readings(key_expiry=ends), plain) is NOTHING
    assert read(Readings(key_expiry=ends), {"x-key-ends": str(NOW)}).key_expiry == NOW
    assert read(Readings(key_expiry=inside), plain, {"ends": NOW}).key_expiry == NOW
    assert read(Readings(fixed_retry=7.0), plain, status=429).retry_after == 7.0


TIMES: list[tuple[str, str, float]] = [
    ("go_duration", "1s", NOW + 1),
    ("go_duration", "6m0s", NOW + 360),
    ("go_duration", "1h2m3.5s", NOW + 3723.5),
    ("go_duration", "12ms", NOW + 0.012),
    ("go_duration", "500us", NOW + 0.0005),
    ("go_duration", "500µs", NOW + 0.0005),
    ("go_duration", "7ns", NOW + 7e-9),
    ("go_duration", " 2s ", NOW + 2),
    ("proto_duration", "34s", NOW + 34),
    ("proto_duration", "34.074824224s", NOW + 34.074824224),
    ("rfc3339", "2026-01-01T00:00:00Z", JAN_2026),
    ("rfc3339", "2026-01-01T02:00:00+02:00", JAN_2026),
    ("rfc3339", "2026-01-01T00:00:00.250Z", JAN_2026 + 0.25),
    ("rfc3339", "2026-01-01T00:00:00", JAN_2026),
    ("epoch_s", "1767225600", JAN_2026),
    ("epoch_s", "1767225600.5", JAN_2026 + 0.5),
    ("epoch_s", "30", NOW + 30),
    ("delta_s", "120", NOW + 120),
    ("delta_s", "0.5", NOW + 0.5),
    ("delta_s", "0", NOW),
    ("delta_ms", "1500", NOW + 1.5),
    ("datetime_utc", "2026-01-01 00:00:00 UTC", JAN_2026),
    ("datetime_utc", "2026-01-01 01:00:00 +0100", JAN_2026),
    ("http_date", "Thu, 01 Jan 2026 00:00:00 GMT", JAN_2026),
    ("http_date", "Thu, 01 Jan 2026 00:00:00 +0000", JAN_2026),
    ("datetime_utc", "2027-08-01 00:00:00 +0000", 1817078400.0),
    ("epoch_s", "1767225600000", JAN_2026),
    ("auto", "30", NOW + 30),
    ("auto", "1767225600", JAN_2026),
    ("auto", "1767225600000", JAN_2026),
    ("auto", "6m0s", NOW + 360),
    ("auto", "2026-01-01T00:00:00Z", JAN_2026),
    ("auto", "Thu, 01 Jan 2026 00:00:00 GMT", JAN_2026),
]


@pytest.mark.parametrize(("form", "text", "at"), TIMES)
def test_each_way_to_write_a_time_is_read(form: TimeFormat, text: str, at: float) -> None:
    assert instant(text, form, NOW) == pytest.approx(at, abs=1e-6)


def test_no_way_to_write_a_time_is_left_out_of_the_table() -> None:
    assert {form for form, _, _ in TIMES} == set(get_args(TimeFormat))


UNREADABLE = [
    "",
    " ",
    "soon",
    "-",
    "1x",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "9" * 20,
    "9" * 65,
    "é",
    "\x00",
    "0x10",
    "1,5",
    "{}",
    "2026-13-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "-3000000000000",
    "Thu, 99 Jan 2026 00:00:00 GMT",
    "Thu, 01 Jan 1901 00:00:00 GMT",
    "99999999999h",
    "\ud800",
]


@pytest.mark.parametrize("form", get_args(TimeFormat))
@pytest.mark.parametrize("text", UNREADABLE)
def test_a_time_that_is_absurd_or_unreadable_is_left_out(text: str, form: TimeFormat) -> None:
    assert instant(text, form, NOW) is None


def headers_of(name: str) -> Readings:
    limits = presets()[name].rate_limits
    assert limits is not None
    return Readings(headers=limits.headers, retry_after=limits.retry_after)


STYLES: list[tuple[str, dict[str, str], dict[str, Limit]]] = [
    (
        "openai",
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1m30s",
            "x-ratelimit-remaining-tokens": "7",
        },
        {"requests": Limit(limit=60, remaining=0, reset=NOW + 90), "tokens": Limit(remaining=7)},
    ),
    (
        "anthropic",
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:00Z",
        },
        {"requests": Limit(limit=50, reset=JAN_2026)},
    ),
    (
        "github",
        {
            "x-ratelimit-limit": "5000",
            "x-ratelimit-remaining": "4999",
            "x-ratelimit-reset": "1767225600",
        },
        {"requests": Limit(limit=5000, remaining=4999, reset=JAN_2026)},
    ),
    (
        "cloudflare",
        {"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=1200;w=300'},
        {"requests": Limit(limit=1200, remaining=50, reset=NOW + 30)},
    ),
    (
        "hubspot",
        {"x-hubspot-ratelimit-max": "100", "x-hubspot-ratelimit-daily-remaining": "9"},
        {"burst": Limit(limit=100), "daily": Limit(remaining=9)},
    ),
]


@pytest.mark.parametrize(("name", "headers", "limits"), STYLES, ids=[s[0] for s in STYLES])
def test_limits_are_read_in_the_style_of_the_provider(
    name: str, headers: dict[str, str], limits: dict[str, Limit]
) -> None:
    assert read(headers_of(name), headers).limits == limits


GENERIC_LIMITS: list[tuple[dict[str, str], Limit | None]] = [
    ({"x-ratelimit-limit": "10"}, Limit(limit=10)),
    (
        {"ratelimit-limit": "5", "ratelimit-remaining": "4", "ratelimit-reset": "1"},
        Limit(limit=5, remaining=4, reset=NOW + 1),
    ),
    ({"ratelimit-reset": "1767225600"}, Limit(reset=JAN_2026)),
    ({"x-ratelimit-remaining": " 3 "}, Limit(remaining=3)),
    ({"ratelimit": '"a";r=3;t=9'}, Limit(remaining=3, reset=NOW + 9)),
    ({"ratelimit": '"a"; r=3 ; t=9'}, Limit(remaining=3, reset=NOW + 9)),
    ({"ratelimit-policy": '"burst";q=100;w=60,"day";q=1000;w=86400'}, Limit(limit=100)),
    ({"ratelimit-policy": '"a";q=100;pk=:cHsdsRa894==:'}, Limit(limit=100)),
    ({"ratelimit": '"a"'}, None),
    ({"ratelimit": "limit=10, remaining=5"}, Limit(limit=10, remaining=5)),
    (
        {"ratelimit": "limit=100, remaining=50, reset=30"},
        Limit(limit=100, remaining=50, reset=NOW + 30),
    ),
    (
        {"ratelimit": "limit=100, remaining=50, reset=50", "ratelimit-policy": "100;w=900"},
        Limit(limit=100, remaining=50, reset=NOW + 50),
    ),
    (
        {
            "ratelimit": '"burst";r=9;t=1, "day";r=10;t=99',
            "ratelimit-policy": '"burst";q=10;w=1,"day";q=1000;w=86400',
        },
        Limit(limit=1000, remaining=10, reset=NOW + 99),
    ),
    (
        {
            "ratelimit-limit": "10, 10;w=1, 50;w=60",
            "ratelimit-remaining": "9",
            "ratelimit-reset": "1",
        },
        Limit(limit=10, remaining=9, reset=NOW + 1),
    ),
    (
        {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "20;w=21600"},
        Limit(limit=100, remaining=20),
    ),
    (
        {
            "x-ratelimit-limit-minute": "60",
            "x-ratelimit-remaining-minute": "5",
            "x-ratelimit-limit-hour": "1000",
            "x-ratelimit-remaining-hour": "900",
        },
        Limit(limit=60, remaining=5),
    ),
    (
        {
            "x-rate-limit-limit": "600",
            "x-rate-limit-remaining": "25",
            "x-rate-limit-reset": "1767225600",
        },
        Limit(limit=600, remaining=25, reset=JAN_2026),
    ),
    (
        {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "1767225600000"},
        Limit(limit=None, remaining=1, reset=JAN_2026),
    ),
    (
        {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "6m0s"},
        Limit(limit=None, remaining=1, reset=NOW + 360),
    ),
    (
        {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "2026-01-01T00:00:00Z"},
        Limit(limit=None, remaining=1, reset=JAN_2026),
    ),
    (
        {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "Thu, 01 Jan 2026 00:00:00 GMT"},
        Limit(limit=None, remaining=1, reset=JAN_2026),
    ),
    (
        {"x-ratelimit-limit": "-1", "x-ratelimit-remaining": "-1", "x-ratelimit-reset": "0"},
        None,
    ),
    ({"x-ratelimit-remaining-images": "3"}, None),
    ({"ratelimit": '"a;r=3'}, None),
    ({"ratelimit": ""}, None),
    ({"x-ratelimit-limit": "many"}, None),
    ({"x-ratelimit-limit": "1e18"}, None),
    ({"x-ratelimit-limit": "nan"}, None),
    ({"x-ratelimit-limit": "1" * 65}, None),
    ({"x-ratelimit-reset": "never"}, None),
]


@pytest.mark.parametrize(("headers", "limit"), GENERIC_LIMITS)
def test_headers_of_the_standards_are_read_without_a_preset(
    headers: dict[str, str], limit: Limit | None
) -> None:
    expected = {} if limit is None else {"requests": limit}

    assert read(headers=headers).limits == expected


def test_a_preset_with_headers_of_its_own_looks_at_no_others() -> None:
    own = Readings(headers=(LimitHeader(header="x-own", kind="limit", resource="own"),))

    values = read(own, {"x-own": "3", "x-ratelimit-limit": "10"})

    assert values.limits == {"own": Limit(limit=3)}


IN_BODY = (
    TimedField(json="$.wait", format="delta_s"),
    TimedField(header="x-wait", format="delta_ms"),
    TimedField(json="$.details[*].delay", format="proto_duration"),
)
DELAYS: list[tuple[dict[str, str], Any, float | None]] = [
    ({"retry-after": "20"}, {}, 20.0),
    ({"retry-after": "0"}, {}, 0.0),
    ({"retry-after": "-5"}, {}, 0.0),
    ({"retry-after-ms": "2500", "retry-after": "3"}, {}, 2.5),
    ({"retry-after-ms": "soon", "retry-after": "3"}, {}, 3.0),
    ({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, {}, 30.0),
    ({"retry-after": "Fri, 15 Jan 2021 08:00:30 GMT"}, {}, 0.0),
    ({"retry-after": "30s"}, {}, 30.0),
    ({"retry-after": "1m30s"}, {}, 90.0),
    ({"retry-after": ' "60"'}, {}, 60.0),
    ({"retry-after": "1800000060"}, {}, 60.0),
    ({"retry-after": "1800000060000"}, {}, 60.0),
    ({"retry-after": "2027-01-15T08:00:30Z"}, {}, 30.0),
    ({"retry-after": "nan"}, {"wait": 5}, 5.0),
    ({"retry-after": "-1e9"}, {"wait": 5}, 5.0),
    ({"retry-after": "later"}, {"wait": 5}, 5.0),
    ({"retry-after": "7"}, {"wait": 5}, 7.0),
    ({}, {"wait": 5}, 5.0),
    ({}, {"wait": "5"}, 5.0),
    ({"x-wait": "1500"}, {}, 1.5),
    ({}, {"details": [{}, {"delay": "34s"}]}, 34.0),
    ({}, {"wait": True}, None),
    ({}, {"wait": [5]}, None),
    ({}, {"wait": None}, None),
    ({}, NO_JSON, None),
]


@pytest.mark.parametrize(("headers", "body", "delay"), DELAYS)
def test_the_delay_before_the_next_request_is_read_wherever_it_is(
    headers: dict[str, str], body: Any, delay: float | None
) -> None:
    seconds = read(Readings(retry_after=IN_BODY), headers, body, 429).retry_after

    assert seconds == pytest.approx(delay)


@pytest.mark.parametrize(
    ("date", "delay"),
    [
        ("Fri, 15 Jan 2027 09:00:00 GMT", 60.0),  # their clock is an hour ahead
        ("Fri, 15 Jan 2027 08:58:00 GMT", 180.0),
        ("?", 3660.0),
    ],
)
def test_a_date_to_come_back_at_is_one_of_the_clock_that_wrote_it(date: str, delay: float) -> None:
    headers = {"retry-after": "Fri, 15 Jan 2027 09:01:00 GMT", "date": date}

    assert read(GENERIC, headers, status=503).retry_after == delay
    assert read(GENERIC, headers | {"retry-after": "7"}, status=503).retry_after == 7.0


@pytest.mark.parametrize(
    "headers",
    [
        # discord.com/developers/docs/topics/rate-limits
        {
            "x-ratelimit-limit": "5",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset-after": "60.0",
        },
        {"ratelimit": "Limit=5, Remaining=0, Reset=60"},
        # rapidapi.com, api-sports.io, linear.app: the resource first
        {
            "x-ratelimit-requests-limit": "5",
            "x-ratelimit-requests-remaining": "0",
            "x-ratelimit-requests-reset": "60",
        },
        # developer.zendesk.com
        {"x-rate-limit": "5", "x-rate-limit-remaining": "0", "x-rate-limit-reset": "60"},
        {
            "x-ratelimit-limit": '"5"',
            "x-ratelimit-remaining": '"0"',
            "x-ratelimit-reset": '"60"',
        },
    ],
)
def test_a_limit_is_read_in_forms_that_no_draft_has(headers: dict[str, str]) -> None:
    limit = Limit(limit=5.0, remaining=0.0, reset=NOW + 60)

    assert read(GENERIC, headers).limits == {"requests": limit}


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "30, 60"},
        {"retry-after": "30 seconds"},
        {"x-ms-retry-after-ms": "30000"},
        {"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"},
    ],
)
def test_a_pause_is_read_however_it_is_written(headers: dict[str, str]) -> None:
    assert read(GENERIC, headers, status=429).retry_after == 30.0


def test_a_policy_of_another_unit_than_requests_is_no_limit_of_requests() -> None:
    headers = {
        "ratelimit-policy": '"size";q=1000000;qu="content-bytes";w=60, "all";q=10;w=1',
        "ratelimit": '"size";r=0;t=30, "all";r=9;t=1',
    }

    assert read(GENERIC, headers).limits == {
        "requests": Limit(limit=10, remaining=9, reset=NOW + 1)
    }
    del headers["ratelimit"]
    assert read(GENERIC, headers).limits == {"requests": Limit(limit=10)}


def test_of_two_equal_limits_the_one_with_a_reset_is_shown() -> None:
    plain = {"ratelimit-limit": "100/hour", "ratelimit-remaining": "5"}
    more = {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "5", "x-ratelimit-reset": "9"}

    limit = Limit(limit=100.0, remaining=5.0, reset=NOW + 9)
    assert read(GENERIC, plain | more).limits == {"requests": limit}


@pytest.mark.parametrize(
    ("body", "delay"),
    [
        ({"message": "You are being rate limited.", "retry_after": 64.57, "global": False}, 64.57),
        ({"ok": False, "parameters": {"retry_after": 35}}, 35.0),
        ({"error": {"message": "slow down", "retry_after_ms": 1500}}, 1.5),
        ({"errors": [{"extensions": {"retryAfter": "12"}}]}, 12.0),
        ({"retryAfter": "2027-01-15T08:01:00Z"}, 60.0),
        ({"error": {"details": [{"reason": "x"}, {"retryDelay": "34.5s"}]}}, 34.5),
        ({"retry_after": True}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": None, "error": {"retry_after": 2}}, 2.0),
        ({"items": [{"retry_after": 2}]}, None),
        ([[[[[[{"retry_after": 2}]]]]]], 2.0),
        ("retry_after", None),
        (NO_JSON, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_is_read_from_the_body_if_no_header_asks_for_one(
    status: int, body: Any, delay: float | None
) -> None:
    found = read(GENERIC, {}, body, status=status).retry_after

    assert found == (delay if delay is None else pytest.approx(delay))
    assert read(GENERIC, {"retry-after": "7"}, body, status=status).retry_after == 7.0
    assert read(GENERIC, {}, body, status=400) is NOTHING


def test_a_body_of_many_objects_is_not_searched_to_its_end() -> None:
    wide = {"errors": [{"errors": [{}] * 8}] * 8, "details": [{"retry_after": 2}]}

    assert read(GENERIC, {}, wide, status=429).retry_after is not None
    deep: Any = {"retry_after": 2}
    for _ in range(40):
        deep = {"error": deep}
    assert read(GENERIC, {}, deep, status=429).retry_after is None


@pytest.mark.parametrize(
    ("status", "headers", "delay"),
    [
        (429, {}, 60.0),
        (429, {"retry-after": "2"}, 2.0),
        (429, {"retry-after": "?"}, 60.0),
        (503, {}, None),
        (503, {"retry-after": "2"}, 2.0),
    ],
)
def test_a_fixed_delay_is_used_only_after_a_429_without_one(
    status: int, headers: dict[str, str], delay: float | None
) -> None:
    assert read(Readings(fixed_retry=60.0), headers, status=status).retry_after == delay


LEFT = Gauge(json="$.limit", minus="$.used", resource="day", unit="calls")
QUOTAS: list[tuple[Gauge, Any, float | None]] = [
    (LEFT, {"limit": 10, "used": 4}, 6.0),
    (LEFT, {"limit": "10", "used": "12.5"}, -2.5),
    (LEFT, {"limit": 10}, None),
    (LEFT, {"used": 4}, None),
    (LEFT, {"limit": 10, "used": "some"}, None),
    (Gauge(json="$.left", resource="day", unit="calls"), {"left": 8.5}, 8.5),
    (Gauge(json="$.left", resource="day", unit="calls"), {"left": None}, None),
    (Gauge(json="$.left", resource="day", unit="calls"), {"left": True}, None),
    (Gauge(json="$.left", resource="day", unit="calls"), {"left": [1]}, None),
    (Gauge(json="$.left", resource="day", unit="calls"), {"left": 10**400}, None),
    (Gauge(json="$.left", resource="day", unit="calls"), {"left": float("nan")}, None),
    (Gauge(json="$[*].left", resource="day", unit="calls"), [{"left": 1}, {"left": 2}], 1.0),
    (Gauge(json="$.left", resource="day", unit="calls"), NO_JSON, None),
]


@pytest.mark.parametrize(("gauge", "body", "left"), QUOTAS)
def test_a_quota_is_a_number_of_the_body_maybe_less_another(
    gauge: Gauge, body: Any, left: float | None
) -> None:
    expected = {} if left is None else {("day", "calls"): left}

    assert read(Readings(gauges=(gauge,)), body=body).quotas == expected


EXPIRES = TimedField(json="$.expires_on", format="rfc3339")
EXPIRIES: list[tuple[TimedField | None, dict[str, str], Any, float | None]] = [
    (EXPIRES, {}, {"expires_on": "2026-01-01T00:00:00Z"}, JAN_2026),
    (EXPIRES, {}, {"expires_on": None}, None),
    (EXPIRES, {}, {"expires_on": "never"}, None),
    (EXPIRES, {}, {"expires_on": {"at": 1}}, None),
    (EXPIRES, {}, {}, None),
    (
        TimedField(header="x-ends", format="datetime_utc"),
        {"x-ends": "2026-01-01 00:00:00 UTC"},
        {},
        JAN_2026,
    ),
    (TimedField(header="x-ends", format="datetime_utc"), {}, {}, None),
    (None, {}, {"expires_on": "2026-01-01T00:00:00Z"}, None),
]


@pytest.mark.parametrize(("field", "headers", "body", "at"), EXPIRIES)
def test_the_end_of_a_key_is_read_where_the_preset_declares_it(
    field: TimedField | None, headers: dict[str, str], body: Any, at: float | None
) -> None:
    assert read(Readings(key_expiry=field), headers, body).key_expiry == at


def test_a_value_nested_to_the_limit_is_not_a_time() -> None:
    nested = json_of(b'{"expires_on":' + b"[" * 900 + b"]" * 900 + b"}")

    assert nested is not NO_JSON
    assert read(Readings(key_expiry=EXPIRES), body=nested).key_expiry is None


@pytest.mark.parametrize(
    ("own", "headers", "seconds"),
    [
        ((), {"openai-processing-ms": "12"}, 0.012),
        ((), {"twilio-request-duration": "0.021"}, 0.021),
        ((), {"x-envoy-upstream-service-time": "25", "x-kong-upstream-latency": "27"}, 0.025),
        ((("x-took", "s"),), {"x-took": "2", "openai-processing-ms": "12"}, 2.0),
        ((("x-took", "ms"),), {"x-took": "-2", "openai-processing-ms": "12"}, 0.012),
        ((), {"openai-processing-ms": "fast"}, None),
        ((), {}, None),
    ],
)
def test_the_time_that_the_provider_took_is_read_in_its_unit(
    own: tuple[tuple[str, str], ...], headers: dict[str, str], seconds: float | None
) -> None:
    assert read(Readings(server_time=own), headers).provider_seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({"x-request-id": "req_1"}, "req_1"),
        ({"x-own-id": "own", "x-request-id": "req_1"}, "own"),
        ({"cf-ray": "8f-FRA", "request-id": "r"}, "r"),
        ({"x-request-id": "req_1\u00e9"}, ""),
        ({"x-request-id": "req_1\x1b[31m"}, ""),
        ({"x-request-id": "req\t1"}, ""),
        ({"x-request-id": "req_\u202e1"}, ""),
        ({"x-request-id": ""}, ""),
        ({"x-own-id": "req-\u65e5", "cf-ray": "8f-FRA"}, "8f-FRA"),
        ({"x-request-id": "eftixk72aD6Ap51TnqcoF8eFidJG9Z" + "x" * 46}, None),  # x-amz-id-2
        ({"x-request-id": "x" * 128}, None),
        ({"x-request-id": "x" * 129}, ""),
        ({}, ""),
    ],
)
def test_a_request_id_is_shown_whole_or_not_at_all(
    headers: dict[str, str], shown: str | None
) -> None:
    whole = headers.get("x-request-id") if shown is None else shown
    assert read(Readings(request_id=("x-own-id",)), headers).request_id == whole


EVERYTHING = Readings(
    headers=(
        *(
            LimitHeader(header=f"h-{form}", kind="reset", resource=form, format=form)
            for form in get_args(TimeFormat)
        ),
        LimitHeader(header="h-policy", kind="policy", resource="policy"),
        LimitHeader(header="h-left", kind="remaining", resource="left"),
    ),
    gauges=(LEFT, Gauge(json="$..limit", resource="any", unit="calls")),
    retry_after=tuple(TimedField(json="$.wait", format=form) for form in get_args(TimeFormat)),
    key_expiry=TimedField(json="$.wait", format="http_date"),
    server_time=(("h-left", "ms"),),
    request_id=("h-left",),
)
NAMES = [header.header for header in EVERYTHING.headers] + ["retry-after", "retry-after-ms"]
TEXT = (
    st.text(max_size=80)
    | st.from_regex(r'("\w*"(;[rtq]=\d*){0,3},?){1,3}')
    | st.sampled_from([text for _, text, _ in TIMES] + UNREADABLE)
)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["wait", "limit", "used"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(headers=st.dictionaries(st.sampled_from(NAMES), TEXT), body=DATA | st.just(NO_JSON))
def test_nothing_that_a_provider_sends_raises(headers: dict[str, str], body: Any) -> None:
    values = read(EVERYTHING, headers, body, 429)

    assert values.retry_after is None or values.retry_after >= 0
    assert values.key_expiry is None or 0 <= values.key_expiry < 32503680000
    assert values.request_id.isascii()
    assert all(abs(value) < 2e18 for value in values.quotas.values())


@given(text=st.text(max_size=70), form=st.sampled_from(get_args(TimeFormat)))
def test_no_text_makes_the_reader_of_times_raise(text: str, form: TimeFormat) -> None:
    at = instant(text, form, NOW)

    assert at is None or 0 <= at < 32503680000


@given(body=st.binary(max_size=80) | DATA.map(lambda data: json.dumps(data).encode()))
def test_no_body_makes_the_reader_raise(body: bytes) -> None:
    read(EVERYTHING, {}, json_of(body), 429)


def test_a_text_that_is_too_long_is_no_time_and_no_number() -> None:
    assert instant("0" * 60 + "30", "delta_s", 0.0) == 30.0
    assert instant("0" * 63 + "30", "delta_s", 0.0) is None
    assert (number("0" * 60 + "30"), number("0" * 63 + "30")) == (30.0, None)
