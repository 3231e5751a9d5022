"""A scripted vendor that streams: each event at an exact time, and every way to fail half way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from tests.vendor import Behaviour, Headers, Peer, Seen, head_of

SSE = (("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked"))


def text(content: str) -> dict[str, Any]:
    """Return an event of OpenAI's chat with a piece of visible text."""
    return {"choices": [{"delta": {"content": content}, "finish_reason": None}]}


def finish(reason: str = "stop", **usage: int) -> dict[str, Any]:
    """Return the last event, with *usage* as it is counted."""
    return {"choices": [{"delta": {}, "finish_reason": reason}], "usage": usage or None}


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def stream(
    *events: tuple[float, Any],
    end: str = "whole",
    done: bool = True,
    headers: Headers = (),
    head_at: float = 0.0,
) -> Behaviour:
    """Send each event at its number of seconds after the request came.

    An event is an object, sent as `data:`, or bytes, sent as they are. *end*: `whole`, `cut` (no
    last chunk), `reset`, or `hang` (nothing more until the client goes).
    """
    pairs = [*SSE, *(headers.items() if isinstance(headers, dict) else headers)]

    async def behave(peer: Peer, seen: Seen) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()

        async def until(at: float) -> None:
            await asyncio.sleep(max(0.0, begun + at - loop.time()))

        await until(head_at)
        await peer.send(head_of(200, pairs))
        for at, event in events:
            await until(at)
            data = event if isinstance(event, bytes) else sent(event)
            await peer.send(chunk(data))
        if end == "whole":
            await peer.send((chunk(b"data: [DONE]\n\n") if done else b"") + b"0\r\n\r\n")
        elif end == "cut":
            peer.close()
        elif end == "reset":
            peer.reset()
        else:
            await peer.reader.read()

    return behave


def sent(*events: Any) -> bytes:
    """Return *events* as the lines of a stream."""
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)


def tokens(times: Sequence[float]) -> list[tuple[float, Any]]:
    """Return one piece of text for each of *times*."""
    return [(at, text("x")) for at in times]
