"""Sessions: what an answer says about another attempt, and what its provider's preset knows."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from exporter.sessions.retrying import PEEK_SECONDS
from tests.fakes import FakeClock
from tests.sessions.calling import Desk, SkippingClock, desk_at, in_turn
from tests.vendor import Peer, Seen, Vendor, answer, head_of

PRESETS = {
    "openai": {"provider": "openai", "api_key_prefix": "Bearer "},
    "anthropic": {"provider": "anthropic"},
    "gemini": {"provider": "gemini"},
    "stripe": {"provider": "stripe"},
    "resend": {"provider": "resend"},
}
NO_MONEY = {"error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "x"}}


def slept(desk: Desk) -> list[float]:
    assert isinstance(desk.clock, SkippingClock)
    return desk.clock.slept


async def attempts(vendor: Vendor, desk: Desk, method: str = "GET", **options: Any) -> int:
    """Return how many requests a call leads to."""
    async with desk.open() as session:
        await session.request(method, "/x", **options)
    return len(vendor.seen)


# -- the server's own word --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["X-Should-Retry", "Stripe-Should-Retry"])
@pytest.mark.parametrize(
    ("status", "said", "method", "sent"),
    [
        (503, "false", "GET", 1),
        (429, "false", "GET", 1),
        (400, "true", "GET", 3),
        (500, "true", "POST", 3),
        (200, "true", "GET", 1),
        (503, "maybe", "GET", 3),
        (404, "maybe", "GET", 1),
    ],
)
async def test_the_server_decides_where_it_says_so(
    vendor: Vendor, name: str, *, status: int, said: str, method: str, sent: int
) -> None:
    vendor.on("/v1/x", answer(status, headers=[(name, said)]))

    assert await attempts(vendor, desk_at(vendor), method) == sent


async def test_a_caller_who_wants_one_attempt_gets_one_whatever_the_server_says(
    vendor: Vendor,
) -> None:
    vendor.on("/v1/x", answer(503, headers=[("X-Should-Retry", "true")]))

    assert await attempts(vendor, desk_at(vendor), retry=False) == 1


# -- what waiting does not cure ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "body", "headers", "sent"),
    [
        ("openai", NO_MONEY, {"Retry-After": "1"}, 1),
        ("openai", NO_MONEY, {"X-Should-Retry": "true"}, 1),
        ("openai", {"error": {"code": "rate_limit_exceeded"}}, {"Retry-After": "1"}, 3),
        ("anthropic", {"error": {"type": "rate_limit_error", "message": "cap"}}, {}, 1),
        ("anthropic", {"error": {"type": "rate_limit_error"}}, {"Retry-After": "1"}, 3),
        ("gemini", {"error": {"message": "Quota: GenerateRequestsPerDay"}}, {}, 1),
        ("gemini", {"error": {"status": "RESOURCE_EXHAUSTED"}}, {}, 3),
    ],
)
async def test_an_exhausted_quota_is_not_asked_again(
    vendor: Vendor, provider: str, body: Any, headers: dict[str, str], sent: int
) -> None:
    kind = {"Content-Type": "application/json"}
    vendor.on("/v1/x", answer(429, body, headers | kind))

    assert await attempts(vendor, desk_at(vendor, **PRESETS[provider])) == sent


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_was_looked_into_can_be_read(vendor: Vendor, streamed: bool) -> None:
    vendor.on("/v1/x", answer(429, NO_MONEY, [("Content-Type", "application/json")]))

    async with desk_at(vendor, **PRESETS["openai"]).open() as session:
        response = await session.get("/x")
        if streamed:
            read = b"".join([piece async for piece in response.content.iter_any()])
            assert b"insufficient_quota" in read
        else:
            assert await response.json() == NO_MONEY

    assert len(vendor.seen) == 1


async def test_a_long_and_late_body_is_left_to_the_caller(vendor: Vendor) -> None:
    parts = [b"x" * 2_000_000, b"y" * 1000]
    desk = desk_at(vendor, retry_policy={"max_retries": 1})

    async def behave(peer: Peer, seen: Seen) -> None:
        length = str(sum(map(len, parts)))
        await peer.send(head_of(429, [("Content-Length", length), ("Retry-After", "70")]))
        for part in parts:
            await peer.send(part)

    vendor.on("/v1/x", behave)

    async with desk.open() as session, session.get("/x") as response:
        assert await response.read() == b"".join(parts)


async def test_a_body_that_stops_does_not_stop_the_call(vendor: Vendor) -> None:
    async def behave(peer: Peer, seen: Seen) -> None:
        await peer.send(head_of(429, [("Content-Length", "100")]) + b"{")
        await peer.reader.read()

    vendor.on("/v1/x", in_turn(behave, answer(200)))

    async with asyncio.timeout(5 * PEEK_SECONDS):
        assert await attempts(vendor, desk_at(vendor)) == 2


# -- never before the time --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "jitter", "seconds"), [("30", 0.0, 30.0), ("30", 1.0, 31.0), ("2", 1.0, 2.2)]
)
async def test_a_pause_is_kept_to_the_full_and_spread_after_it(
    vendor: Vendor, asked: str, jitter: float, seconds: float
) -> None:
    vendor.on("/v1/x", in_turn(answer(429, headers=[("Retry-After", asked)]), answer(200)))
    desk = desk_at(vendor)

    async with desk.open(jitter=lambda: jitter) as session:
        await session.get("/x")

    assert slept(desk) == [pytest.approx(seconds)]


class EarlyClock(SkippingClock):
    """Wakes sleepers a little too early, as timers of an event loop may."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds * 0.999)


async def test_an_early_timer_makes_no_early_attempt(vendor: Vendor) -> None:
    clock, ticks = EarlyClock(), []

    async def note(peer: Peer, seen: Seen) -> None:
        ticks.append(clock.tick())
        await answer(429, headers=[("Retry-After", "40")])(peer, seen)

    vendor.on("/v1/x", note)
    desk = Desk(desk_at(vendor, retry_policy={"max_retries": 1}).target, clock)

    async with desk.open(jitter=lambda: 0.0) as session:
        await session.get("/x")

    assert ticks[1] - ticks[0] >= 40 - 1e-5


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Fri, 15 Jan 2027 08:00:00 GMT", 20.0),
        ("Fri, 15 Jan 2027 07:59:40 GMT", 40.0),  # our clock is 20 s ahead of theirs
        ("yesterday", 20.0),
    ],
)
async def test_a_date_is_read_by_the_clock_of_who_wrote_it(
    vendor: Vendor, date: str, seconds: float
) -> None:
    headers = [("Retry-After", "Fri, 15 Jan 2027 08:00:20 GMT"), ("Date", date)]
    vendor.on("/v1/x", in_turn(answer(503, headers=headers), answer(200)))
    desk = desk_at(vendor)

    async with desk.open(jitter=lambda: 0.0) as session:
        await session.get("/x")

    assert FakeClock().now() == 1_800_000_000.0  # 08:00:00
    assert slept(desk) == [pytest.approx(seconds)]


async def test_a_pause_in_the_body_is_kept_too(vendor: Vendor) -> None:
    body = {"error": {"status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "38s"}]}}
    kind = [("Content-Type", "application/json")]
    vendor.on("/v1/x", in_turn(answer(429, body, kind), answer(200)))
    desk = desk_at(vendor, **PRESETS["gemini"])

    async with desk.open(jitter=lambda: 0.0) as session:
        await session.get("/x")

    assert slept(desk) == [38.0]


async def test_all_pauses_together_are_bounded(vendor: Vendor) -> None:
    vendor.on("/v1/x", answer(429, headers=[("Retry-After", "59")]))
    desk = desk_at(vendor, retry_policy={"max_retries": 10})

    assert await attempts(vendor, desk) == 4
    assert 120 < sum(slept(desk)) <= 180


# -- keys that make a repetition safe ---------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "path", "header", "sent"),
    [
        ("stripe", "/charges", "Idempotency-Key", 3),
        ("stripe", "/charges", "X-Idempotency-Key", 1),
        ("resend", "/emails", "Idempotency-Key", 3),
        ("resend", "/emails/batch", "Idempotency-Key", 3),
        ("resend", "/domains", "Idempotency-Key", 1),
        ("openai", "/responses", "Idempotency-Key", 1),
        ("custom", "/things", "Idempotency-Key", 3),
    ],
)
async def test_a_key_counts_where_the_provider_honours_it(
    vendor: Vendor, provider: str, path: str, header: str, sent: int
) -> None:
    vendor.on(f"/v1{path}", answer(502))

    async with desk_at(vendor, **PRESETS.get(provider, {})).open() as session:
        await session.post(path, json={}, headers={header: "once"})

    assert len(vendor.seen) == sent


async def test_without_an_answer_the_time_limit_of_the_connection_is_named(vendor: Vendor) -> None:
    limit = aiohttp.ClientTimeout(total=None, connect=1e-9)

    async with desk_at(vendor).open() as session:
        with pytest.raises(aiohttp.ClientError, match="no connection in time"):
            await session.get("/x", timeout=limit, retry=False)
