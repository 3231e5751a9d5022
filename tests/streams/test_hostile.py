"""Vendors that mean harm, or count badly: what they send is bounded, and no number is believed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.model import Reason
from exporter.probers import Probers
from exporter.probers.curl import CurlTransport
from exporter.probers.streaming import Streamed
from exporter.secret import Secret
from exporter.streams import StreamReader, Usage, protocol
from exporter.streams.reading import MOST_GAPS, MOST_TOKENS
from tests.fakes import KEY, make_endpoint
from tests.streams.vendor import SSE, chunk, finish, sent, stream, text
from tests.vendor import Peer, Seen, Vendor, head_of


def counted(*usages: Any, more: bytes = b"") -> Usage:
    """Return what is counted after a stream of these members `usage`."""
    reader = StreamReader(protocol("openai_chat"))
    for usage in usages:
        reader.feed(b"data: " + json.dumps({"usage": usage}).encode() + b"\n\n", 1.0)
    reader.feed(more, 2.0)
    reader.end(3.0)
    return reader.reading.usage


@pytest.mark.parametrize(
    "number", [-1, 5.5, MOST_TOKENS + 1, 10**30, "12", True, None, [], {}, [7]]
)
def test_what_is_no_count_of_tokens_is_none(number: Any) -> None:
    assert counted({"prompt_tokens": number, "completion_tokens": 3}) == Usage(output=3)


def test_a_count_may_be_written_as_a_float() -> None:
    assert counted({"prompt_tokens": 5.0, "completion_tokens": 3e0}) == Usage(input=5, output=3)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_an_event_with_what_is_no_number_of_json_is_none(number: float) -> None:
    assert counted({"prompt_tokens": number, "completion_tokens": 3}) == Usage()


@pytest.mark.parametrize("usage", [7, "many", [], [{"prompt_tokens": 1}], {}, None, True])
def test_what_is_no_usage_counts_nothing(usage: Any) -> None:
    assert counted(usage) == Usage()


@pytest.mark.parametrize("cost", [-0.01, 1e7, "0.01", True])
def test_what_is_no_amount_is_no_cost(cost: Any) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "cost": cost}

    assert counted(usage) == Usage(input=5, output=3)


def test_a_cost_is_not_the_whole_where_another_account_is_charged_too() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "cost": 0.001}

    assert counted({**usage, "is_byok": False}).cost == 0.001
    assert counted({**usage, "is_byok": True}).cost is None
    assert counted(usage, {**usage, "is_byok": True}).cost is None


def test_of_two_counts_the_later_holds_and_a_wrong_one_changes_nothing() -> None:
    first, later = {"prompt_tokens": 5, "completion_tokens": 3}, {"completion_tokens": 9}

    assert counted(first, later) == Usage(input=5, output=9)
    assert counted(first, {"completion_tokens": -9}) == Usage(input=5, output=3)
    assert counted(first, more=b'data: {"usage": {"completion_tokens": 1') == Usage(
        input=5, output=3
    )


@pytest.mark.parametrize(
    "name",
    ["", "a b", "m\n", "\u202egpt", "g\u200bpt", "m" * 129, "\x1b[2J", "gpt\x00", 7, ["m"], None],
)
def test_a_name_that_is_none_of_a_model_is_not_kept(name: Any) -> None:
    reader = StreamReader(protocol("openai_chat"))
    reader.feed(sent({"model": "gpt-x"}, {"model": name}), 1.0)

    assert reader.reading.model == "gpt-x"


# -- over a connection -------------------------------------------------------------------------


@pytest.fixture
async def prober() -> AsyncIterator[Probers]:
    transport = CurlTransport()
    yield Probers(transport, SystemClock())
    await transport.close()


async def asked(prober: Probers, vendor: Vendor, seconds: float = 5.0) -> Streamed:
    url = vendor.url("/chat")
    endpoint = make_endpoint(
        url,
        method="POST",
        body=b"{}",
        timeout=seconds,
        body_limit=4 * 1024 * 1024,
        headers=(),
        credentials=(("Authorization", Secret(f"Bearer {KEY}")),),
    )
    return await prober.ask(endpoint, protocol("openai_chat"))


async def test_comments_without_end_are_a_timeout_and_no_memory(
    prober: Probers, vendor: Vendor
) -> None:
    async def behave(peer: Peer, seen: Seen) -> None:
        await peer.send(head_of(200, SSE))
        while True:
            await peer.send(chunk(b": wait\n\n"))
            await asyncio.sleep(0.002)

    vendor.on("/chat", behave)

    found = await asked(prober, vendor, seconds=1.0)

    assert found.outcome.reason is Reason.TIMEOUT
    assert found.outcome.detail.endswith("before any event")
    assert found.reading.notes.keys() == {"comment"}
    assert found.reading.notes["comment"].count == found.reading.comments > 20


async def test_a_flood_ends_at_the_limit_of_the_body(prober: Probers, vendor: Vendor) -> None:
    flood = chunk(b": " + b"x" * 65_000 + b"\n\n")

    async def behave(peer: Peer, seen: Seen) -> None:
        await peer.send(head_of(200, SSE))
        while True:
            await peer.send(flood)

    vendor.on("/chat", behave)

    found = await asked(prober, vendor, seconds=20.0)

    assert found.outcome.reason is Reason.BAD_BODY
    assert found.reading.comments <= 4 * 1024 * 1024 / 65_000 + 1


async def test_a_stream_of_single_bytes_is_read_like_any_other(
    prober: Probers, vendor: Vendor
) -> None:
    whole = sent(text("O"), text("K"), finish(prompt_tokens=5, completion_tokens=2))
    pieces = [(0.0, whole[at : at + 1]) for at in range(len(whole))]
    vendor.on("/chat", stream(*pieces))

    found = await asked(prober, vendor)

    assert (found.outcome.reason, found.reading.texts) == (Reason.OK, 2)
    assert found.reading.usage == Usage(input=5, output=2)


def test_of_more_tokens_than_a_check_asks_for_the_pauses_are_not_kept() -> None:
    reader = StreamReader(protocol("openai_chat"))
    for at in range(MOST_GAPS + 100):
        reader.feed(sent(text("x")), float(at))

    assert len(reader.reading.gaps) == MOST_GAPS
    assert reader.reading.texts == MOST_GAPS + 100


async def test_many_tiny_events_are_counted_and_not_kept(prober: Probers, vendor: Vendor) -> None:
    many = sent(*[{"n": 1}] * 20_000)
    vendor.on("/chat", stream((0, many), (0, text("OK")), (0, finish())))

    found = await asked(prober, vendor, seconds=30.0)

    assert found.outcome.reason is Reason.OK
    assert found.reading.events == 20_002
    assert found.reading.notes.keys() == {"event", "text", "finish", "end"}
    assert found.reading.notes["event"].count == 20_000 - 1


@pytest.mark.parametrize(
    "echo", [KEY, KEY[4:20], KEY[::-1], KEY.encode().hex(), KEY.upper(), KEY.replace("-", "%2D")]
)
async def test_a_key_that_is_called_a_model_is_not_shown(
    prober: Probers, vendor: Vendor, echo: str
) -> None:
    named = {"model": echo, "choices": [{"delta": {"content": "OK"}, "finish_reason": "stop"}]}
    vendor.on("/chat", stream((0, named)))

    found = await asked(prober, vendor)

    assert (found.outcome.reason, found.reading.model) == (Reason.OK, "")
