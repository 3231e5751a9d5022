"""Sessions: what is repeated, after how long, and how many requests go out."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from exporter.registry import RegistryChange
from exporter.retirement import Notice, Retirement
from exporter.sessions import RequestFailed
from tests.clocks import most_in_window
from tests.fakes import KEY, FakeClock, settle
from tests.mischief import close, hang
from tests.sessions.calling import Desk, SkippingClock, in_turn, target_at
from tests.vendor import Peer, Seen, Vendor, answer

POLICY = {"max_retries": 3, "base_delay": "1s", "backoff_multiplier": 2}


def desk_at(vendor: Vendor, clock: FakeClock | None = None, **service: Any) -> Desk:
    return Desk(target_at(vendor.url("/v1"), **({"retry_policy": POLICY} | service)), clock)


def slept(desk: Desk) -> list[float]:
    assert isinstance(desk.clock, SkippingClock)
    return desk.clock.slept


# -- what is repeated -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
async def test_a_temporary_failure_is_retried(vendor: Vendor, status: int) -> None:
    vendor.on("/v1/x", in_turn(answer(status), answer(status), answer(200)))
    desk = desk_at(vendor)

    async with desk.open() as session:
        response = await session.get("/x")

    assert response.status == 200
    assert desk.observed == [str(status), str(status), "200"]


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 501, 505])
async def test_other_answers_are_returned_at_once(vendor: Vendor, status: int) -> None:
    vendor.on("/v1/x", answer(status, headers=[("Retry-After", "1")]))
    desk = desk_at(vendor)

    async with desk.open() as session:
        response = await session.get("/x")

    assert (response.status, desk.observed) == (status, [str(status)])


async def test_the_last_answer_is_returned_as_it_is(vendor: Vendor) -> None:
    vendor.on("/v1/x", answer(503, "tired"))
    desk = desk_at(vendor)

    async with desk.open() as session, session.get("/x") as response:
        assert (response.status, await response.text()) == (503, "tired")

    assert len(vendor.seen) == 4


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_a_lost_connection_is_tried_again(vendor: Vendor, method: str) -> None:
    vendor.on("/v1/x", in_turn(close, answer(200)))
    desk = desk_at(vendor)

    async with desk.open() as session:
        response = await session.request(method, "/x")

    assert (response.status, desk.observed) == (200, ["error", "200"])


async def test_a_connection_that_never_comes_is_given_up(vendor: Vendor) -> None:
    desk = Desk(target_at("http://127.0.0.1:1/", retry_policy=POLICY))

    async with desk.open() as session:
        with pytest.raises(RequestFailed, match="no connection") as caught:
            await session.get("/x")

    assert (caught.value.attempts, desk.observed) == (4, ["error"] * 4)


async def test_an_answer_that_never_comes_is_asked_for_again(vendor: Vendor) -> None:
    vendor.on("/v1/x", in_turn(hang, answer(200)))
    desk = desk_at(vendor)

    async with desk.open() as session:
        response = await session.get("/x", timeout=aiohttp.ClientTimeout(total=0.2))

    assert (response.status, desk.observed) == (200, ["error", "200"])


async def test_a_kept_connection_that_died_costs_one_counted_attempt(vendor: Vendor) -> None:
    vendor.on("/v1/x", in_turn(answer(200, "a"), close, answer(200, "b")))
    desk = desk_at(vendor)

    async with desk.open() as session:
        async with session.get("/x") as response:
            await response.read()
        async with session.get("/x") as response:
            assert await response.text() == "b"

    assert desk.observed == ["200", "error", "200"]
    assert len(vendor.seen) == len(desk.observed)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("fault", [close, *map(answer, (408, 409, 500, 502, 503, 504, 529))])
async def test_a_post_that_may_have_taken_effect_is_not_repeated(
    vendor: Vendor, method: str, fault: Any
) -> None:
    vendor.on("/v1/x", fault)

    async with desk_at(vendor).open() as session:
        if fault is close:
            with pytest.raises(RequestFailed, match="connection broke"):
                await session.request(method, "/x", json={})
        else:
            await session.request(method, "/x", json={})

    assert len(vendor.seen) == 1


@pytest.mark.parametrize(
    "options", [{"retry": True}, {"headers": {"idempotency-key": "1"}}], ids=["asked", "key"]
)
@pytest.mark.parametrize("fault", [close, answer(502)], ids=["closed", "502"])
async def test_a_post_is_repeated_if_the_caller_declares_it_safe(
    vendor: Vendor, options: dict[str, Any], fault: Any
) -> None:
    vendor.on("/v1/x", in_turn(fault, answer(201)))

    async with desk_at(vendor).open() as session:
        response = await session.post("/x", json={"a": 1}, **options)

    assert response.status == 201
    assert [seen.body for seen in vendor.seen] == [b'{"a": 1}'] * 2


@pytest.mark.parametrize(
    "refusal", [answer(429), answer(503, headers=[("Retry-After", "1")])], ids=["429", "503"]
)
async def test_a_refused_request_is_repeated_whatever_it_does(vendor: Vendor, refusal: Any) -> None:
    vendor.on("/v1/x", in_turn(refusal, answer(201)))

    async with desk_at(vendor).open() as session:
        response = await session.post("/x", data={"field": "value"})

    assert response.status == 201
    assert vendor.seen[0].body == vendor.seen[1].body == b"field=value"


async def test_a_caller_may_want_no_second_attempt(vendor: Vendor) -> None:
    vendor.on("/v1/x", answer(429))

    async with desk_at(vendor).open() as session:
        await session.get("/x", retry=False)

    assert len(vendor.seen) == 1


async def stream() -> AsyncIterator[bytes]:
    yield b"once"


@pytest.mark.parametrize(
    "body",
    [stream, lambda: io.BytesIO(b"once"), lambda: {"f": io.BytesIO(b"once")}, aiohttp.FormData],
    ids=["iterator", "file", "file in a form", "form"],
)
async def test_a_body_that_can_be_sent_once_is_sent_once(vendor: Vendor, body: Any) -> None:
    vendor.on("/v1/x", answer(429, headers=[("Connection", "close")]))

    async with desk_at(vendor).open() as session:
        response = await session.put("/x", data=body(), retry=True)

    assert (response.status, len(vendor.seen)) == (429, 1)


# -- after how long ---------------------------------------------------------------------------


async def test_waits_grow_and_are_jittered_over_their_whole_length(vendor: Vendor) -> None:
    vendor.on("/v1/x", answer(503))
    shares = iter([1.0, 0.5, 0.0])
    desk = desk_at(vendor)

    async with desk.open(jitter=lambda: next(shares)) as session:
        await session.get("/x")

    assert slept(desk) == [1.0, 1.0]  # and no pause before the last


@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [
        ("Retry-After", "7", 7.0),
        ("Retry-After", "60", 60.0),
        ("Retry-After", "Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Retry-After-Ms", "250", 0.25),
        ("Retry-After", "soon", 1.0),
        ("Retry-After", "-9", 1.0),
        ("Retry-After", "0", 1.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_vendor_sets_the_wait_by_retry_after(
    vendor: Vendor, status: int, name: str, value: str, seconds: float
) -> None:
    vendor.on("/v1/x", in_turn(answer(status, headers=[(name, value)]), answer(200)))
    desk = desk_at(vendor)

    async with desk.open(jitter=lambda: 0.0 if seconds != 1.0 else 1.0) as session:
        await session.get("/x")

    assert slept(desk) == [pytest.approx(seconds, abs=1e-6)]


@pytest.mark.parametrize("asked", ["61", "3600", "99999999999", "1e999"])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_longer_than_a_minute_is_left_to_the_caller(
    vendor: Vendor, status: int, asked: str
) -> None:
    vendor.on("/v1/x", in_turn(answer(status, headers=[("Retry-After", asked)]), answer(200)))
    desk = desk_at(vendor)

    async with desk.open() as session:
        response = await session.get("/x")

    assert (response.status, response.headers["Retry-After"]) == (status, asked)
    assert slept(desk) == []


# -- how many ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize(
    ("limit", "window", "allowed"),
    [
        ({"requests_per_minute": 7}, 60.0, 7),
        ({"requests_per_hour": 20}, 3600.0, 20),
        ({"requests_per_minute": 7, "requests_per_hour": 20}, 3600.0, 20),
    ],
    ids=["minute", "hour", "both"],
)
async def test_no_window_has_more_requests_than_the_limit(
    vendor: Vendor, limit: dict[str, int], window: float, allowed: int, status: int
) -> None:
    clock, ticks = SkippingClock(), []

    async def note(peer: Peer, seen: Seen) -> None:
        ticks.append(clock.tick())
        await answer(status)(peer, seen)

    vendor.on("/v1/x", note)
    desk = desk_at(vendor, clock, rate_limit=limit)

    async with desk.open() as first, desk.open() as second:
        for number in range(30):
            await (first if number % 2 else second).get("/x")
            clock.skip(number % 5)

    assert most_in_window(ticks, window) == allowed
    assert len(ticks) == (30 if status == 200 else 120)


async def test_calls_at_once_wait_for_their_turn(vendor: Vendor, clock: FakeClock) -> None:
    vendor.on("/v1/x", answer(200))
    desk = desk_at(vendor, clock, rate_limit={"requests_per_minute": 3})

    async with desk.open() as first, desk.open() as second:
        calls = [asyncio.ensure_future((first, second)[n % 2].get("/x")) for n in range(5)]
        await vendor.until(lambda v: len(v.seen) == 3)
        await clock.advance(59.9)
        before = len(vendor.seen)
        await clock.advance(0.2)
        answers = await asyncio.gather(*calls)

    assert (before, [a.status for a in answers]) == (3, [200] * 5)


async def test_redirects_within_the_service_count(vendor: Vendor, clock: FakeClock) -> None:
    vendor.on("/v1/x", answer(302, headers=[("Location", "/v1/y")]))
    vendor.on("/v1/y", answer(200))
    desk = desk_at(vendor, clock, rate_limit={"requests_per_minute": 1})

    async with desk.open() as session:
        call = asyncio.ensure_future(session.get("/x"))
        await vendor.until(lambda v: len(v.seen) == 1)
        while not clock.sleeping:
            await settle()
        await clock.advance(60)
        response = await call

    assert (response.status, desk.observed) == (200, ["302", "200"])


async def test_a_cancelled_waiter_takes_no_turn(vendor: Vendor, clock: FakeClock) -> None:
    vendor.on("/v1/x", answer(200))
    desk = desk_at(vendor, clock, rate_limit={"requests_per_minute": 1})

    async with desk.open() as session:
        await session.get("/x")
        impatient = asyncio.ensure_future(session.get("/x"))
        await settle()
        impatient.cancel()
        patient = asyncio.ensure_future(session.get("/x"))
        await clock.advance(60)
        response = await patient

    assert impatient.cancelled()
    assert (response.status, len(vendor.seen)) == (200, 2)


async def test_a_new_limit_begins_anew_and_a_dropped_one_is_forgotten(vendor: Vendor) -> None:
    desk = desk_at(vendor, rate_limit={"requests_per_hour": 1})
    async with desk.open() as session:
        await session.get("/x")

    desk.target = target_at(vendor.url("/v1"), rate_limit={"requests_per_hour": 2})
    async with desk.open() as session:
        await session.get("/x")
    desk.sessions.follow(RegistryChange(removed=(desk.target,)))
    async with desk.open() as session:
        await session.get("/x")
        await session.get("/x")

    assert slept(desk) == []


LEFT = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "7"}


async def test_the_limits_that_answers_to_calls_report_are_passed_on(vendor: Vendor) -> None:
    desk = desk_at(vendor)
    vendor.on("/v1/a", in_turn(answer(200, b"", LEFT), answer(200)))

    async with desk.open() as session:
        for _ in range(2):
            await session.get("/a")

    (limits,) = desk.reported
    assert (limits["requests"].limit, limits["requests"].remaining) == (60.0, 7.0)


async def test_the_limits_of_a_callers_own_key_are_not_the_services(vendor: Vendor) -> None:
    desk = desk_at(vendor, api_key=KEY)
    vendor.on("/v1/a", answer(200, b"", LEFT))

    async with desk.open() as session:
        await session.get("/a", headers={"Authorization": "Bearer another"})

    assert desk.reported == []


async def test_an_end_that_an_answer_announces_is_reported_without_a_key_in_its_link(
    vendor: Vendor,
) -> None:
    headers = [
        ("Deprecation", "@1688169599"),
        ("Sunset", "Sun, 30 Jun 2030 23:59:59 GMT"),
        ("Link", f'<https://a.example/{KEY}>; rel="sunset"'),
        ("Link", '<https://a.example/new>; rel="successor-version"'),
    ]
    vendor.on("/v1/x", answer(200, b"{}", headers))
    vendor.on("/v1/fine", answer(200, b"{}"))
    desk = desk_at(vendor)

    async with desk.open() as session:
        await session.get("/x")
        await session.get("/x", headers={"Authorization": "Bearer of-somebody-else"})
        await session.get("/fine")

    notice = Notice(
        deprecated=True,
        deprecated_at=1688169599.0,
        sunset_at=1909094399.0,
        links=(("successor-version", "https://a.example/new"),),
    )
    assert desk.announced == [Retirement(notices={"api": notice})] * 2
