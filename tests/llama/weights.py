"""A tiny language model with random weights, made on the spot: a GGUF file of half a megabyte.

The format is that of ggml's docs/gguf.md, version 3. What the model says is nonsense in letters:
the rows of its bytes and of its end are nought, so that they are never the likeliest.
"""

from __future__ import annotations

import random
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_WIDTH, _LAYERS, _HEADS, _INNER = 64, 2, 4, 128
_ALIGNMENT = 32
_CONTEXT = 4096
_UNKNOWN, _BEGIN, _END = range(3)
_NORMAL, _IS_UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
_U32, _I32, _F32, _STRING, _ARRAY = 4, 5, 6, 8, 9
_LETTERS = [f"{left}{right}" for left in " abcdefghijkl" for right in "abcdefghijklmnopqrstuvwxyz"]
_TEMPLATE = "{% for message in messages %}{{ message['content'] }} {% endfor %}"


def write(path: Path, seed: int = 1) -> None:
    """Write the model to *path*."""
    tokens, types = _vocabulary()
    meta = {
        "general.architecture": (_STRING, "llama"),
        "general.name": (_STRING, "tiny"),
        "llama.context_length": (_U32, _CONTEXT),
        "llama.embedding_length": (_U32, _WIDTH),
        "llama.block_count": (_U32, _LAYERS),
        "llama.feed_forward_length": (_U32, _INNER),
        "llama.attention.head_count": (_U32, _HEADS),
        "llama.attention.layer_norm_rms_epsilon": (_F32, 1e-5),
        "llama.rope.dimension_count": (_U32, _WIDTH // _HEADS),
        "tokenizer.ggml.model": (_STRING, "llama"),
        "tokenizer.ggml.tokens": (_ARRAY, (_STRING, tokens)),
        "tokenizer.ggml.scores": (_ARRAY, (_F32, [0.0] * len(tokens))),
        "tokenizer.ggml.token_type": (_ARRAY, (_I32, types)),
        "tokenizer.ggml.unknown_token_id": (_U32, _UNKNOWN),
        "tokenizer.ggml.bos_token_id": (_U32, _BEGIN),
        "tokenizer.ggml.eos_token_id": (_U32, _END),
        "tokenizer.chat_template": (_STRING, _TEMPLATE),
    }
    tensors = list(_tensors(len(tokens), types, random.Random(seed)))
    head = bytearray(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(meta)))
    for name, (kind, value) in meta.items():
        head += _text(name) + struct.pack("<I", kind) + _value(kind, value)
    at, body = 0, bytearray()
    for name, shape, weights in tensors:
        head += _text(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}QIQ", *shape, 0, at)  # 0: 32-bit floats
        data = weights.tobytes()
        body += data + bytes(-len(data) % _ALIGNMENT)
        at = len(body)
    path.write_bytes(bytes(head) + bytes(-len(head) % _ALIGNMENT) + bytes(body))


def _vocabulary() -> tuple[list[str], list[int]]:
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *_LETTERS]
    types = [_IS_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256, *[_NORMAL] * len(_LETTERS)]
    return tokens, types


def _tensors(
    size: int, types: list[int], chance: random.Random
) -> Iterator[tuple[str, tuple[int, ...], array[float]]]:
    def matrix(name: str, inner: int, outer: int) -> tuple[str, tuple[int, ...], array[float]]:
        weights = array("f", (chance.gauss(0, inner**-0.5) for _ in range(inner * outer)))
        return f"{name}.weight", (inner, outer), weights

    def ones(name: str) -> tuple[str, tuple[int, ...], array[float]]:
        return f"{name}.weight", (_WIDTH,), array("f", [1.0] * _WIDTH)

    yield matrix("token_embd", _WIDTH, size)
    for number in range(_LAYERS):
        layer = f"blk.{number}"
        yield ones(f"{layer}.attn_norm")
        for name in ("q", "k", "v", "output"):
            yield matrix(f"{layer}.attn_{name}", _WIDTH, _WIDTH)
        yield ones(f"{layer}.ffn_norm")
        yield matrix(f"{layer}.ffn_gate", _WIDTH, _INNER)
        yield matrix(f"{layer}.ffn_up", _WIDTH, _INNER)
        yield matrix(f"{layer}.ffn_down", _INNER, _WIDTH)
    yield ones("output_norm")
    spoken = array("f")
    for kind in types:
        sure = 8 * _WIDTH**-0.5 if kind == _NORMAL else 0.0
        spoken.extend(chance.gauss(0, 1) * sure for _ in range(_WIDTH))
    yield "output.weight", (_WIDTH, size), spoken


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _value(kind: int, value: Any) -> bytes:
    if kind == _STRING:
        return _text(value)
    if kind == _ARRAY:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(_value(inner, i) for i in items)
    return struct.pack({_U32: "<I", _I32: "<i", _F32: "<f"}[kind], value)
