"""What an answer reports besides its verdict: quotas, readings, expiry, ids; nothing raises."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.matching import NO_JSON, json_of
from exporter.readings import GENERIC, NOTHING, Gauge, LimitHeader, Readings, TimedField, TimeFormat
from tests.readings.reading import JAN_2026, NOW, TIMES, UNREADABLE, read


def test_an_answer_with_no_values_costs_nothing_and_an_own_field_is_looked_at() -> None:
    plain = {"content-type": "application/json", "date": "Fri, 15 Jan 2027 08:00:00 GMT"}
    ends = TimedField(header="x-key-ends", format="epoch_s")
    inside = TimedField(json="$.ends", format="epoch_s")

    assert read(GENERIC, plain) is NOTHING
    assert read(Readings(key_expiry=ends), plain) is NOTHING
    assert read(Readings(key_expiry=ends), {"x-key-ends": str(NOW)}).key_expiry == NOW
    assert read(Readings(key_expiry=inside), plain, {"ends": NOW}).key_expiry == NOW
    assert read(Readings(fixed_retry=7.0), plain, status=429).retry_after == 7.0


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


@given(body=st.binary(max_size=80) | DATA.map(lambda data: json.dumps(data).encode()))
def test_no_body_makes_the_reader_raise(body: bytes) -> None:
    read(EVERYTHING, {}, json_of(body), 429)
