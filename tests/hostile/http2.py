"""HTTP/2 that is wrong, frame by frame (RFC 9113); behind TLS, as clients demand."""

from __future__ import annotations

import asyncio
from typing import Any

from exporter.model import Reason
from tests.hostile.table import MARK, Misdeed, fails, harmless
from tests.mischief import hang
from tests.vendor import Greeting, Peer

R = Reason

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED = 1, 4, 8
OK = b"\x88"
"""`:status: 200` in HPACK (RFC 7541)."""
LINE = b"\x00\x01a\x01b"
"""`a: b`, which the table does not remember."""


def frame(kind: int, flags: int = 0, stream: int = 0, body: bytes = b"") -> bytes:
    """Return one frame."""
    return len(body).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + body


def frames(first: bytes, more: bytes = b"", *, settings: bytes = b"", pause: float = 0) -> Greeting:
    """Return a server that sends its *settings* and *first*, then *more* for ever, or nothing."""

    async def greet(peer: Peer) -> None:
        await peer.send(frame(SETTINGS, body=settings) + first)
        while more:
            await peer.send(more)
            await asyncio.sleep(pause)
        await hang(peer)

    return greet


def text(name: bytes, value: bytes) -> bytes:
    """Return a header of HPACK that the table does not remember; each at most 126 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def head(*lines: bytes, flags: int = END_HEADERS) -> bytes:
    """Return the head of a good answer with *lines*."""
    return frame(HEADERS, flags, 1, OK + b"".join(lines))


def setting(number: int, value: int) -> bytes:
    """Return one of the SETTINGS."""
    return number.to_bytes(2) + value.to_bytes(4)


BODY = frame(DATA, END_STREAM, 1, b"ok")
FULL = b"\x40\x01a\x7f\x81\x1d" + b"b" * 3840 + b"\xbe" * 8000
"""A header of 4 KB that the table remembers, and 8,000 bytes each of which means it again."""


def bad(name: str, reason: R, greeting: Greeting, **more: Any) -> Misdeed:
    """Return a row of a server that speaks HTTP/2 only."""
    return fails(f"HTTP/2: {name}", reason, greeting=greeting, tls="h2", **more)


def good(name: str, greeting: Greeting, **more: Any) -> Misdeed:
    """Return a row of such a server that is up."""
    return harmless(f"HTTP/2: {name}", greeting=greeting, tls="h2", **more)


async def bare(peer: Peer) -> None:
    """Answer without the settings with which a server has to begin."""
    await peer.send(head() + BODY)
    await hang(peer)


MINE = MARK.encode()
POST = {"method": "POST", "body": "x" * 99}
ROWS: tuple[Misdeed, ...] = (
    good("an answer", frames(head() + BODY)),
    bad("settings and then nothing", R.TIMEOUT, frames(b"")),
    bad("settings for ever", R.PROTOCOL, frames(b"", frame(SETTINGS) * 100)),
    bad("pings for ever", R.PROTOCOL, frames(b"", frame(PING, body=bytes(8)) * 100)),
    bad("pings for ever, slowly", R.TIMEOUT, frames(b"", frame(PING, body=bytes(8)), pause=0.01)),
    bad(
        "answers to pings that nobody sent",
        R.TIMEOUT,
        frames(b"", frame(PING, 1, body=bytes(8)) * 99),
    ),
    bad("refusals for ever", R.PROTOCOL, frames(b"", frame(RST, 0, 1, b"\0\0\0\7") * 99)),
    bad(
        "resets of streams that do not exist",
        R.PROTOCOL,
        frames(b"", frame(RST, 0, 3, b"\0\0\0\7") * 99),
    ),
    bad("priorities for ever", R.PROTOCOL, frames(b"", frame(PRIORITY, 0, 1, bytes(5)) * 99)),
    bad("unknown frames for ever", R.PROTOCOL, frames(b"", frame(99, 255, 1, bytes(999)) * 9)),
    bad(
        "windows that grow for ever",
        R.PROTOCOL,
        frames(b"", frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff")),
    ),
    bad("window increments of 0", R.PROTOCOL, frames(frame(WINDOW, 0, 1, bytes(4)))),
    bad(
        "a window of 0 for our body, for ever",
        R.TIMEOUT,
        frames(b"", settings=setting(4, 0)),
        check=POST,
    ),
    bad("frames of 16 MB announced", R.PROTOCOL, frames(b"\xff\xff\xff" + bytes(5) + b"\1")),
    bad("settings of nonsense", R.TIMEOUT, frames(b"", settings=setting(4, 0xFFFFFFFF))),
    bad("settings of half an entry", R.TIMEOUT, frames(b"", settings=bytes(5))),
    bad("no settings at all", R.TIMEOUT, bare),
    bad("3,000 headers", R.PROTOCOL, frames(head(LINE * 3000))),
    bad("a head that unpacks to 30 MB", R.PROTOCOL, frames(head(FULL))),
    bad(
        "a continuation that never ends",
        R.PROTOCOL,
        frames(head(flags=0), frame(CONTINUATION, 0, 1, LINE * 500)),
    ),
    bad(
        "empty continuations for ever",
        R.PROTOCOL,
        frames(head(flags=0), frame(CONTINUATION, 0, 1) * 99),
    ),
    bad("a head that does not end", R.TIMEOUT, frames(head(flags=0))),
    bad("trailers for ever", R.PROTOCOL, frames(head(), frame(HEADERS, END_HEADERS, 1, LINE * 99))),
    bad("103 for ever", R.PROTOCOL, frames(b"", frame(HEADERS, 4, 1, b"\x08\x03103" + LINE) * 50)),
    bad("a table of a size that was not allowed", R.PROTOCOL, frames(head(b"\x3f\xff\xff\x7f"))),
    bad("an index that the table does not have", R.PROTOCOL, frames(head(b"\xff\xff\x7f"))),
    bad("a status in words", R.PROTOCOL, frames(frame(HEADERS, 5, 1, b"\x08\x03abc"))),
    bad("a status of 1000", R.PROTOCOL, frames(frame(HEADERS, 5, 1, b"\x08\x041000"))),
    bad("no status", R.PROTOCOL, frames(frame(HEADERS, 5, 1, LINE))),
    bad("two statuses", R.PROTOCOL, frames(frame(HEADERS, 5, 1, OK + OK))),
    bad("a header name in capitals", R.PROTOCOL, frames(head(text(b"X-A", b"b"), flags=5))),
    good(
        "a header with a line break",
        frames(head(text(b"a", b"b\r\nc: d"), flags=5)),
        check={"assertions": [{"header": "c", "exists": False}]},
    ),
    good("a header with NUL", frames(head(text(b"a", b"b\0" + MINE), flags=5))),
    good("a header of high bytes", frames(head(text(b"a", b"\xff\xfe" + MINE), flags=5))),
    bad("a Connection header", R.PROTOCOL, frames(head(text(b"connection", b"x"), flags=5))),
    bad(
        "a push that was forbidden",
        R.TIMEOUT,
        frames(frame(PUSH, END_HEADERS, 1, b"\0\0\0\2" + OK)),
    ),
    bad("an answer on another stream", R.PROTOCOL, frames(frame(HEADERS, 5, 3, OK))),
    bad("data before the head", R.PROTOCOL, frames(BODY)),
    good("data after the end", frames(head() + BODY, BODY)),
    bad("more padding than data", R.PROTOCOL, frames(head() + frame(DATA, PADDED, 1, b"\xffx"))),
    bad("empty data for ever", R.PROTOCOL, frames(head(), frame(DATA, 0, 1) * 99)),
    good("a body for ever", frames(head(), frame(DATA, 0, 1, b"x" * 16_000))),
    bad("a body that stops", R.TIMEOUT, frames(head() + frame(DATA, 0, 1, b"x"))),
    bad(
        "a body shorter than announced",
        R.PROTOCOL,
        frames(head(text(b"content-length", b"9")) + BODY),
    ),
    bad(
        "a body longer than announced",
        R.PROTOCOL,
        frames(head(text(b"content-length", b"1")) + BODY),
    ),
    bad("goes away at once", R.PROTOCOL, frames(frame(GOAWAY, body=bytes(8)))),
    bad(
        "goes away with 16 KB of reasons",
        R.PROTOCOL,
        frames(frame(GOAWAY, body=bytes(8) + MINE * 2000)),
    ),
    bad("resets in the body", R.PROTOCOL, frames(head() + frame(RST, 0, 1, b"\0\0\0\2"))),
)
