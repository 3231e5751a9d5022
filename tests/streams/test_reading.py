"""What is seen in streams of every protocol, however their bytes are split."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.streams import (
    PROTOCOLS,
    EventTooLargeError,
    Frames,
    Reading,
    StreamReader,
    Usage,
    body_of,
    path_of,
    protocol,
)
from exporter.streams.frames import MOST_EVENT_BYTES
from tests.documents import yaml_of

CASES: list[dict[str, Any]] = yaml_of(Path(__file__).with_name("cases.yaml").read_text())
NAMES = [case["name"] for case in CASES]
ENDS = {"LF": "\n", "CR": "\r", "CRLF": "\r\n"}


def encoded(event: str, newline: str) -> bytes:
    return (event.replace("\n", newline) + newline + newline).encode()


def read(case: dict[str, Any], newline: str = "\n") -> Reading:
    """Return what is seen when event number N comes whole after N seconds."""
    reader = StreamReader(protocol(case["protocol"]))
    for at, event in enumerate(case["events"], 1):
        reader.feed(encoded(event, newline), at)
    reader.end(len(case["events"]) + 1)
    return reader.reading


@pytest.mark.parametrize("newline", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_each_vendors_stream_is_understood(case: dict[str, Any], newline: str) -> None:
    found = read(case, newline)

    assert {name: getattr(found, name) for name in case["seen"]} == case["seen"]
    assert found.usage == Usage(**case.get("usage", {}))
    assert found.is_stream is case.get("stream", True)
    assert not found.is_unreadable


def test_every_protocol_has_a_stream() -> None:
    assert {case["protocol"] for case in CASES} == set(PROTOCOLS)


@given(st.sampled_from(CASES), st.sampled_from(sorted(ENDS)), st.lists(st.integers(0, 2000)))
@settings(max_examples=200, deadline=None)
def test_the_pieces_change_nothing(case: dict[str, Any], newline: str, cuts: list[int]) -> None:
    whole = b"".join(encoded(event, ENDS[newline]) for event in case["events"])
    reader = StreamReader(protocol(case["protocol"]))
    begin = 0
    for cut in sorted({min(cut, len(whole)) for cut in cuts} | {len(whole)}):
        reader.feed(whole[begin:cut], 1.0)
        begin = cut
    reader.end(1.0)
    once = StreamReader(protocol(case["protocol"]))
    once.feed(whole, 1.0)
    once.end(1.0)

    assert dataclasses.asdict(reader.reading) == dataclasses.asdict(once.reading)


@given(st.sampled_from(PROTOCOLS), st.lists(st.binary(max_size=200) | st.just(b"data: {}\n\n")))
@settings(max_examples=300, deadline=None)
def test_no_bytes_are_too_odd(name: str, chunks: list[bytes]) -> None:
    reader = StreamReader(protocol(name))
    for chunk in chunks:
        reader.feed(chunk, 1.0)
    reader.end(2.0)


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "content",
                    "type",
                    "error",
                    "usage",
                    "parts",
                    "candidates",
                    "text",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(PROTOCOLS), _json)
@settings(max_examples=300, deadline=None)
def test_no_event_is_too_odd(name: str, event: Any) -> None:
    reader = StreamReader(protocol(name))
    reader.feed(f"data: {json.dumps(event)}\n\n".encode(), 1.0)
    reader.end(2.0)


def test_an_event_without_end_is_given_up() -> None:
    frames = Frames()
    list(frames.feed(b"x" * MOST_EVENT_BYTES))
    with pytest.raises(EventTooLargeError):
        list(frames.feed(b"x"))
    reader = StreamReader(protocol("openai_chat"))
    for _ in range(300):
        reader.feed(b"data: " + b"y" * 1024 + b"\n", 1.0)
    assert reader.reading.is_unreadable
    assert not reader.reading.is_stream


def test_pauses_are_those_between_visible_texts() -> None:
    reader = StreamReader(protocol("openai_chat"))
    for at, text in ((1.0, "a"), (1.5, ""), (2.0, "b"), (5.0, "c"), (5.5, "d")):
        event = json.dumps({"choices": [{"delta": {"content": text}}]})
        reader.feed(f"data: {event}\n\n".encode(), at)
    reader.feed(b'data: {"choices":[],"usage":{"completion_tokens":10}}\n\n', 9.0)

    found = reader.reading
    assert found.gaps == [1.0, 3.0, 0.5]
    assert (found.gap_median, found.gap_max) == (1.0, 3.0)
    assert found.tokens_per_second == 9 / 4.5


@pytest.mark.parametrize(
    ("first_reasoning", "reasoning", "rate"),
    [(None, None, 19.0), (None, 10, 9.0), (0.0, 10, 9.5), (0.0, None, 9.5)],
)
def test_the_rate_counts_what_was_seen_or_came_after_the_first_text(
    first_reasoning: float | None, reasoning: int | None, rate: float
) -> None:
    found = Reading(
        first_text=1.0,
        last_text=2.0,
        first_reasoning=first_reasoning,
        usage=Usage(output=20, reasoning=reasoning),
    )

    assert found.tokens_per_second == rate


def test_the_request_is_the_protocols_with_the_familys_members() -> None:
    chat = protocol("openai_chat")
    members = {"stream_options": None, "reasoning": {"effort": "low"}}

    body = yaml_of(
        body_of(
            chat,
            model="m",
            prompt="Say $model",
            max_tokens=16,
            limit="max_completion_tokens",
            members=members,
        )
    )

    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Say $model"}],
        "max_completion_tokens": 16,
        "stream": True,
        "reasoning": {"effort": "low"},
    }
    asked = path_of(protocol("gemini"), "x/../y?z")
    assert asked == "/models/x%2F..%2Fy%3Fz:streamGenerateContent?alt=sse"
