"""What the APIs of models answer, as the vendors' clients read it."""

from __future__ import annotations

import json
from typing import Any

JSON = [("Content-Type", "application/json")]
SSE = [("Content-Type", "text/event-stream")]
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
MODELS = {
    "object": "list",
    "has_more": False,
    "data": [{"id": "gpt-5.1", "object": "model", "type": "model", "created": 1, "owned_by": "x"}],
}
CHAT = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5.1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello"},
            "finish_reason": "stop",
        }
    ],
    "usage": USAGE,
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def chunk(text: str, finish: str | None = None) -> bytes:
    """Return one event of a streamed chat."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return _event(
        {
            "id": "c-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "gpt-5.1",
            "choices": [choice],
        }
    )


def _event(data: dict[str, Any], kind: str = "") -> bytes:
    head = f"event: {kind}\n" if kind else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


DONE = b"data: [DONE]\n\n"
CHAT_STREAM = chunk("Hel") + chunk("lo") + chunk("", "stop") + DONE
_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": MESSAGE | {"content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop"},
]
MESSAGE_STREAM = b"".join(_event(data, data["type"]) for data in _EVENTS)
