"""Streams over real connections: true times, and whose fault it is when one fails half way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from exporter.checks import AnswerRule, Assertion
from exporter.clock import SystemClock
from exporter.model import FACTS, Outcome, Reason, Verdict
from exporter.probers import Endpoint, Expectations
from exporter.probers.curl import CurlTransport
from exporter.probers.kinds.http import HttpProber
from exporter.probers.streaming import Streamed, StreamProber
from exporter.streams import protocol
from tests.fakes import FakeClock, make_endpoint
from tests.streams.vendor import finish, sent, stream, text, tokens
from tests.vendor import Behaviour, Vendor, answer

QUOTA = AnswerRule(
    status=429,
    when=Assertion(json="$.error.code", equals="insufficient_quota"),
    reason=Reason.QUOTA_EXHAUSTED,
)
THINKING = {"choices": [{"delta": {"reasoning": "hm"}}]}


@pytest.fixture
async def prober() -> AsyncIterator[StreamProber]:
    transport = CurlTransport()
    clock = SystemClock()
    yield StreamProber(HttpProber(transport, clock), clock)
    await transport.close()


async def asked(
    prober: StreamProber, behaviour: Behaviour, *, seconds: float = 5.0, api: str = "openai_chat"
) -> Streamed:
    async with Vendor() as vendor:
        vendor.on("/chat", behaviour)
        url = vendor.url("/chat")
        endpoint = Endpoint(
            url=url,
            shown=url,
            method="POST",
            body=b"{}",
            timeout=seconds,
            allow_private=True,
            expect=Expectations(rules=(QUOTA,)),
        )
        return await prober.ask(endpoint, protocol(api))


async def test_the_times_are_those_of_the_visible_tokens(prober: StreamProber) -> None:
    """Judged by differences that the vendor made: a busy machine adds to all alike."""
    role = {"choices": [{"delta": {"role": "assistant", "content": ""}}]}
    course = [
        (0.0, b": wait\n\n" + sent(role)),
        (0.1, THINKING),
        *tokens([0.3, 0.32, 0.34, 0.36, 0.56]),
        (0.6, finish(prompt_tokens=5, completion_tokens=11)),
    ]

    found = await asked(prober, stream(*course))

    seen = found.reading
    assert (found.outcome.reason, seen.texts, seen.comments) == (Reason.OK, 5, 1)
    assert seen.first_event is not None
    assert seen.first_reasoning is not None
    assert seen.first_text is not None
    assert seen.first_event < seen.first_reasoning < seen.first_text
    assert seen.first_text >= 0.3
    assert seen.first_reasoning >= 0.1
    assert seen.gap_max is not None
    assert seen.gap_median is not None
    assert seen.gap_median < seen.gap_max
    assert seen.tokens_per_second is not None
    assert seen.last_text is not None
    assert seen.tokens_per_second == 10 / (seen.last_text - seen.first_reasoning)
    assert (seen.usage.input, seen.usage.output) == (5, 11)


@pytest.mark.parametrize(
    ("behaviour", "reason", "words"),
    [
        (stream((0, finish()), headers={}), Reason.BAD_BODY, "without visible text"),
        (stream(*tokens([0, 0]), end="cut"), Reason.PROTOCOL, "after 2 pieces of visible text"),
        (stream(*tokens([0]), end="reset"), Reason.CONNECT, "after 1 piece of visible text"),
        (stream(*tokens([0]), done=False), Reason.PROTOCOL, "the stream was cut, after 1 piece"),
        (stream(end="cut"), Reason.PROTOCOL, "before any event"),
        (stream((0, THINKING), end="hang"), Reason.TIMEOUT, "after reasoning, before any visible"),
        (stream(*tokens([0]), end="hang"), Reason.TIMEOUT, "after 1 piece of visible text"),
        (stream((0, b": ping\n\n"), end="hang"), Reason.TIMEOUT, "before any event"),
        (stream((0, finish("length"))), Reason.CLIENT_ERROR, "max_tokens was used up"),
        (stream((0, finish("content_filter"))), Reason.CLIENT_ERROR, "refused the prompt"),
        (stream(*tokens([0]), (0, finish("error"))), Reason.SERVER_ERROR, "ended with a failure"),
        (stream(*tokens([0]), (0, finish("length")), done=False), Reason.OK, "came to its end"),
        (stream(*tokens([0]), (0, finish())), Reason.OK, "came to its end"),
        (answer(200, "OK, here is your answer"), Reason.BAD_BODY, "not a stream of events"),
        (answer(429, {"error": {"code": "rate"}}), Reason.RATE_LIMITED, "status 429"),
        (answer(401, {"error": {"code": "invalid_api_key"}}), Reason.AUTH_INVALID, "401"),
        (answer(503), Reason.OVERLOADED, "503"),
    ],
)
async def test_how_a_stream_ends_is_judged(
    prober: StreamProber, behaviour: Behaviour, reason: Reason, words: str
) -> None:
    found = await asked(prober, behaviour, seconds=1.0)

    assert found.outcome.reason is reason, found.outcome.detail
    assert words in found.outcome.detail


@pytest.mark.parametrize(
    ("api", "event", "reason"),
    [
        ("openai_chat", {"error": {"code": 429, "message": "slow down"}}, Reason.RATE_LIMITED),
        ("openai_chat", {"error": {"code": "502", "message": "bad"}}, Reason.SERVER_ERROR),
        ("openai_chat", {"error": {"code": "insufficient_quota"}}, Reason.QUOTA_EXHAUSTED),
        ("openai_chat", {"error": "it broke"}, Reason.SERVER_ERROR),
        ("openai_chat", {"error": {"type": "overloaded_error"}}, Reason.OVERLOADED),
        (
            "openai_responses",
            {"type": "error", "error": {"code": "insufficient_quota"}},
            Reason.QUOTA_EXHAUSTED,
        ),
        (
            "anthropic_messages",
            {"type": "error", "error": {"type": "overloaded_error"}},
            Reason.OVERLOADED,
        ),
        ("gemini", {"error": {"code": 503, "status": "UNAVAILABLE"}}, Reason.OVERLOADED),
        ("gemini", {"error": {"status": "RESOURCE_EXHAUSTED"}}, Reason.RATE_LIMITED),
    ],
)
@pytest.mark.parametrize("after", [[], [text("O")]], ids=["first", "after a token"])
async def test_an_error_inside_a_success_is_judged_as_its_status_would_be(
    prober: StreamProber, api: str, event: dict[str, Any], reason: Reason, after: list[Any]
) -> None:
    behaviour = stream(*((0, one) for one in (*after, event)), end="whole")

    found = await asked(prober, behaviour, api=api)

    assert found.outcome.reason is reason, found.outcome.detail
    assert "inside the stream" in found.outcome.detail


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"candidates": [{"finishReason": "OTHER"}]}, Reason.SERVER_ERROR),
        ({"candidates": [{"finishReason": "SAFETY"}]}, Reason.CLIENT_ERROR),
        ({"candidates": [{"finishReason": "STOP"}]}, Reason.BAD_BODY),
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, Reason.CLIENT_ERROR),
        ({"promptFeedback": {"blockReason": "OTHER"}}, Reason.CLIENT_ERROR),
    ],
)
async def test_an_unknown_reason_is_the_providers_and_a_blocked_prompt_is_ours(
    prober: StreamProber, event: dict[str, Any], reason: Reason
) -> None:
    found = await asked(prober, stream((0, event), end="whole"), api="gemini")

    assert found.outcome.reason is reason, found.outcome.detail


@pytest.mark.parametrize("words", ["slow down", "it broke", "<b>x</b>"])
async def test_an_error_is_never_quoted(prober: StreamProber, words: str) -> None:
    found = await asked(prober, stream((0, {"error": {"code": words, "message": words}})))

    assert FACTS[found.outcome.reason].verdict is Verdict.PROVIDER
    assert words not in found.outcome.detail


async def test_times_are_those_of_the_clock_not_of_the_loop() -> None:
    """uvloop's own time counts whole milliseconds."""
    clock = FakeClock()

    class Slow:
        async def probe(
            self, endpoint: Endpoint, watch: Callable[[bytes], None] | None = None
        ) -> Outcome:
            assert watch is not None
            for seconds in (2.0, 0.25):
                await clock.advance(seconds)
                watch(sent(text("x")))
            watch(b"data: [DONE]\n\n")
            return Outcome(reason=Reason.OK, status=200)

    endpoint = make_endpoint("http://127.0.0.1:1/")
    seen = await StreamProber(Slow(), clock).ask(endpoint, protocol("openai_chat"))

    assert (seen.reading.first_text, seen.reading.last_text) == (2.0, 2.25)
