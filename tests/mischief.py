"""What a broken or hostile API does, as behaviours of `tests.vendor`."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable, Iterator

from tests.vendor import Behaviour, Peer, Seen, head_of

FOREVER = 3600.0


async def hang(peer: Peer, seen: Seen | None = None) -> None:
    """Accept and say nothing."""
    await asyncio.sleep(FOREVER)


async def close(peer: Peer, seen: Seen | None = None) -> None:
    """Close without an answer."""
    peer.close()


async def reset(peer: Peer, seen: Seen | None = None) -> None:
    """Answer with a RST."""
    peer.reset()


def raw(data: bytes, then: Callable[..., object] = close) -> Behaviour:
    """Send exactly *data*, then do *then*."""

    async def behave(peer: Peer, seen: Seen | None = None) -> None:
        await peer.send(data)
        await then(peer, seen)  # type: ignore[misc]

    return behave


def drip(data: bytes, interval: float, first: bytes = b"") -> Behaviour:
    """Send *first* at once and then one byte of *data* per *interval*, then hang."""

    async def behave(peer: Peer, seen: Seen | None = None) -> None:
        await peer.send(first)
        for byte in data:
            await peer.send(bytes([byte]))
            await asyncio.sleep(interval)
        await hang(peer)

    return behave


def endless(chunk: bytes, first: bytes = b"") -> Behaviour:
    """Send *first* and then *chunk* for ever, as fast as it is read."""

    async def behave(peer: Peer, seen: Seen | None = None) -> None:
        await peer.send(first)
        while True:
            await peer.send(chunk)
            await asyncio.sleep(0)

    return behave


def headers(count: int, size: int = 4) -> Behaviour:
    """A complete answer with *count* headers of *size* bytes each."""
    lines = [(f"x-{i}", "v" * size) for i in range(count - 1)]
    return raw(head_of(200, [*lines, ("Content-Length", "0")]))


def gzip_bomb(megabytes: int, layers: int = 1) -> Behaviour:
    """A small body that unpacks to *megabytes*."""
    data = bytes(megabytes << 20)
    for _ in range(layers):
        data = gzip.compress(data, 9)
    encoding = ", ".join(["gzip"] * layers)
    head = head_of(200, [("Content-Encoding", encoding), ("Content-Length", str(len(data)))])
    return raw(head + data)


def packed(data: bytes, encoding: str) -> bytes:
    """Return a whole answer whose body is *data* in *encoding* (deflate or gzip)."""
    body = zlib.compress(data) if encoding == "deflate" else gzip.compress(data)
    head = [("Content-Encoding", encoding), ("Content-Length", str(len(body)))]
    return head_of(200, head) + body


def reflected() -> Behaviour:
    """Send the whole request back, in a header, in the reason phrase and in the body."""

    async def behave(peer: Peer, seen: Seen) -> None:
        key = (seen.header("authorization") or seen.query).encode()
        head = b"HTTP/1.1 401 %s\r\nX-Echo: %s\r\nX-Request-Id: %s\r\n" % (key, key, b"r-1")
        body = seen.raw + key
        await peer.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    return behave


def chunks(sizes: Iterator[bytes]) -> bytes:
    """Return a chunked answer with the chunk lines *sizes* as they are."""
    return head_of(200, [("Transfer-Encoding", "chunked")]) + b"".join(sizes)


def half_close(data: bytes) -> Behaviour:
    """Send *data*, end our direction only, and stay."""

    async def behave(peer: Peer, seen: Seen | None = None) -> None:
        await peer.send(data)
        peer.writer.write_eof()
        await hang(peer)

    return behave
