"""A vendor that streams: `python -m tests.bench.streaming PORT TOKENS SECONDS`.

Each answer has TOKENS events, one every SECONDS, a finish, a count, and its end. The head and the
bytes are the same every time, so that two readers of them can be compared.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator

import uvloop

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"x-request-id: req_0123456789abcdef\r\nx-ratelimit-limit-requests: 10000\r\n"
    b"x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-reset-requests: 6ms\r\n"
    b"Connection: close\r\n\r\n"
)
_LIST = b'{"object": "list", "data": [{"id": "m", "object": "model"}]}'


def _event(**members: object) -> bytes:
    """Return an event as long as OpenAI's are."""
    usual = {
        "id": "chatcmpl-C9Zr0b1ZQ8uM2pW7kT4nY6xV3dS5g",
        "object": "chat.completion.chunk",
        "created": 1800000000,
        "model": "m-2026-08-06",
        "system_fingerprint": "fp_0123456789",
    }
    return b"data: " + json.dumps({**usual, **members}).encode() + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _choice(finish: str | None = None, **delta: str) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None}


def events(tokens: int) -> Iterator[bytes]:
    """Yield the pieces of an answer: the role, each of *tokens*, and the end."""
    yield _event(**_choice(role="assistant", content=""))
    for _ in range(tokens):
        yield _event(**_choice(content=" word"))
    count = {"prompt_tokens": 14, "completion_tokens": tokens, "total_tokens": 14 + tokens}
    yield _event(**_choice("stop")) + _event(choices=[], usage=count) + b"data: [DONE]\n\n"


async def answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tokens: int, pause: float
) -> None:
    request = await reader.readuntil(b"\r\n\r\n")
    if request.startswith(b"GET"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(_LIST), _LIST))
    else:
        first, *others, last = events(tokens)
        writer.write(_HEAD + _chunk(first))
        for piece in others:
            await asyncio.sleep(pause)
            writer.write(_chunk(piece))
        writer.write(_chunk(last) + _chunk(b""))
    await writer.drain()
    writer.close()


async def main(port: int, tokens: int, pause: float) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: answer(reader, writer, tokens, pause), "127.0.0.1", port
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
