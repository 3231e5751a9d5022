"""A vendor that streams: `python -m tests.bench.streaming PORT TOKENS SECONDS`.

Each answer has TOKENS events, one every SECONDS, a finish, a count, and its end. The head and the
bytes are the same every time, so that two readers of them can be compared.
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"x-request-id: req_0123456789abcdef\r\nx-ratelimit-limit-requests: 10000\r\n"
    b"x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-reset-requests: 6ms\r\n"
    b"Connection: close\r\n\r\n"
)
_LIST = b'{"object": "list", "data": [{"id": "m", "object": "model"}]}'


def _event(**members: object) -> bytes:
    """Return a chunk with an event as long as OpenAI's are."""
    usual = {
        "id": "chatcmpl-C9Zr0b1ZQ8uM2pW7kT4nY6xV3dS5g",
        "object": "chat.completion.chunk",
        "created": 1800000000,
        "model": "m-2026-08-06",
        "system_fingerprint": "fp_0123456789",
    }
    data = b"data: " + json.dumps({**usual, **members}).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


def _choice(finish: str | None = None, **delta: str) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None}


async def answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tokens: int, pause: float
) -> None:
    request = await reader.readuntil(b"\r\n\r\n")
    if request.startswith(b"GET"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(_LIST), _LIST))
    else:
        writer.write(_HEAD + _event(**_choice(role="assistant", content="")))
        for _ in range(tokens):
            await asyncio.sleep(pause)
            writer.write(_event(**_choice(content=" word")))
        count = {"prompt_tokens": 14, "completion_tokens": tokens, "total_tokens": 14 + tokens}
        writer.write(_event(**_choice("stop")) + _event(choices=[], usage=count))
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
    await writer.drain()
    writer.close()


async def main(port: int, tokens: int, pause: float) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: answer(reader, writer, tokens, pause), "127.0.0.1", port
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
