"""How long an answer asks to wait, in its headers or in its body."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.matching import NO_JSON
from exporter.readings import GENERIC, NOTHING, Readings, TimedField
from tests.readings.reading import read

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
        {"retry-after": "30, 60"},
        {"retry-after": "30 seconds"},
        {"x-retry-after": "1800000030"},  # hub.docker.com
        {"x-ratelimit-retry-after": "30"},
        {"ratelimit-retry-after": "30"},
        {"retry-after": "later", "x-retry-after": "30"},
        {"retry-after": "30", "x-retry-after": "60"},
        {"x-ms-retry-after-ms": "30000"},
        {"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"},
    ],
)
def test_a_pause_is_read_however_it_is_written(headers: dict[str, str]) -> None:
    assert read(GENERIC, headers, status=429).retry_after == 30.0


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


@pytest.mark.parametrize(
    ("message", "delay"),
    [
        ("Rate limit reached for m on tokens per min. Please try again in 7.66s. Visit", 7.66),
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 120ms.", 0.12),
        ("You have exceeded the call rate limit. Please retry after 3 seconds.", 3.0),
        ("Limit exceeded (req/min): 11, please retry after 25s, resets at Wed Oct 23", 25.0),
        ("Wait for 1 hour, 2 minutes and 5 seconds before you go on", 3725.0),
        ("Please WAIT AT LEAST 2 MIN.", 120.0),
        ("Try again in 1 month.", None),
        ("Try again in 999999999h.", None),
        ("Retry after 5 attempts.", None),
        ("Please try again later.", None),
        ("Limit 7000, used 0, 60s window", None),
        ("x" * 600 + " try again in 5s", None),
    ],
)
def test_a_pause_is_read_from_the_words_of_a_message(message: str, delay: float | None) -> None:
    wanted = delay if delay is None else pytest.approx(delay)

    for body in ({"error": {"message": message}}, {"error": message}, {"detail": message}):
        assert read(GENERIC, {}, body, status=429).retry_after == wanted
    said = {"message": message, "retry_after": 9}
    assert read(GENERIC, {}, said, status=429).retry_after == 9.0
    assert read(GENERIC, {}, {"items": [message]}, status=429).retry_after is None


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
