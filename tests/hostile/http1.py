"""HTTP/1 that is wrong: in the connection, the head, the lengths, the redirects."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

from exporter.model import Reason, Verdict
from tests.hostile.table import MARK, Misdeed, fails, harmless, placed
from tests.mischief import (
    close,
    drip,
    endless,
    half_close,
    hang,
    headers,
    raw,
    reflected,
    reset,
)
from tests.vendor import Behaviour, Peer, Seen, answer, head_of, redirect

R = Reason

CHUNKED = head_of(200, [("Transfer-Encoding", "chunked")])
MINE = MARK.encode()
OURS = {"verdict": Verdict.REQUEST}


def sized(length: object, body: bytes = b"body") -> bytes:
    """Return an answer that announces *length* bytes."""
    return head_of(200, [("Content-Length", str(length))]) + body


def line(text: bytes) -> Behaviour:
    """Return an answer with *text* as one line of its head."""
    return raw(b"HTTP/1.1 200 OK\r\n" + text + b"\r\nContent-Length: 2\r\n\r\nok")


def status(text: bytes, rest: bytes = b"Content-Length: 0\r\n\r\n") -> Behaviour:
    """Return an answer with *text* as its status line."""
    return raw(text + b"\r\n" + rest)


def named(**values: str) -> Behaviour:
    """Return a good answer with headers: `retry_after` is Retry-After."""
    pairs = {name.replace("_", "-").title(): value for name, value in values.items()}
    return answer(body="ok", headers=pairs)


def limited(**values: str) -> Behaviour:
    """Return a 429 with headers."""
    pairs = {name.replace("_", "-").title(): value for name, value in values.items()}
    return answer(429, headers=pairs)


def slow_flood(piece: bytes, first: bytes = b"", pause: float = 0.001) -> Behaviour:
    """Return an endless answer in small pieces, each of which wakes the client up."""

    async def behave(peer: Peer, seen: Seen | None = None) -> None:
        await peer.send(first)
        while True:
            await peer.send(piece)
            await asyncio.sleep(pause)

    return behave


async def deaf(peer: Peer) -> None:
    """Accept, and read nothing."""
    await hang(peer)


CONNECTION = (
    fails("reset right after accepting", R.CONNECT, greeting=reset),
    fails("end right after accepting", R.PROTOCOL, greeting=half_close(b"")),
    fails("accept and read nothing", R.TIMEOUT, greeting=deaf),
    fails("read and answer nothing", R.TIMEOUT, hang),
    fails("close after the request", R.PROTOCOL, close),
    fails("reset after the request", R.CONNECT, reset),
    fails("reset in the head", R.CONNECT, raw(b"HTTP/1.1 200 O", reset)),
    fails("reset in the body", R.CONNECT, raw(sized(9), reset)),
    fails("reset between chunks", R.CONNECT, raw(CHUNKED + b"4\r\nbody\r\n", reset)),
    fails("half close in the body", R.PROTOCOL, half_close(sized(9))),
    fails("TLS where HTTP is expected", R.PROTOCOL, greeting=raw(b"\x15\x03\x03\0\2\2\x28")),
    fails("another protocol greets first", R.PROTOCOL, greeting=raw(b"SSH-2.0-x\r\n", hang)),
    fails("a megabyte of greeting", R.PROTOCOL, greeting=raw(b"220 " + MINE * 150_000, hang)),
    fails("head, one byte at a time", R.TIMEOUT, drip(head_of(200), 0.03)),
    fails("status line, one byte at a time", R.TIMEOUT, drip(b"HTTP/1.1 200 " + b"x" * 99, 0.03)),
    fails("headers, a line at a time", R.TIMEOUT, slow_flood(b"a: b\r\n", head_of()[:-2], 0.05)),
    fails("body, one byte at a time", R.TIMEOUT, drip(b"x" * 99, 0.03, sized(99, b""))),
    fails("chunks, one byte at a time", R.TIMEOUT, drip(b"1\r\na\r\n" * 30, 0.03, CHUNKED)),
    fails("body that stops", R.TIMEOUT, raw(sized(9), hang)),
    fails("body of unknown length that stops", R.TIMEOUT, raw(head_of() + b"body", hang)),
)
HEAD = (
    fails("endless headers", R.PROTOCOL, endless(b"x-a: b\r\n" * 64, b"HTTP/1.1 200 OK\r\n")),
    fails("endless header", R.PROTOCOL, endless(MINE * 600, b"HTTP/1.1 200 OK\r\nx-a: ")),
    fails("endless header name", R.PROTOCOL, endless(MINE * 600, b"HTTP/1.1 200 OK\r\n")),
    fails("endless status line", R.PROTOCOL, endless(MINE * 600, b"HTTP/1.1 200 ")),
    fails(
        "endless folded header", R.PROTOCOL, endless(b" a\r\n" * 99, head_of()[:-2] + b"a: b\r\n")
    ),
    fails("endless 103", R.PROTOCOL, endless(b"HTTP/1.1 103 Early\r\nx-a: b\r\n\r\n" * 9)),
    fails("endless 100 Continue", R.PROTOCOL, endless(b"HTTP/1.1 100 Continue\r\n\r\n" * 9)),
    fails("endless 102, slowly", R.TIMEOUT, slow_flood(b"HTTP/1.1 102 P\r\n\r\n", pause=0.05)),
    fails("1xx and then nothing", R.TIMEOUT, raw(b"HTTP/1.1 100 Continue\r\n\r\n", hang)),
    harmless("60 times 103, then an answer", raw(b"HTTP/1.1 103 E\r\n\r\n" * 60 + sized(4))),
    harmless("128 headers", headers(128)),
    fails("129 headers", R.PROTOCOL, headers(129)),
    fails("20,000 headers", R.PROTOCOL, headers(20_000)),
    fails("headers of 100 KB in all", R.PROTOCOL, headers(100, 1000)),
    fails("NUL in a header", R.PROTOCOL, line(b"x-a: b\0" + MINE)),
    fails("NUL in the status line", R.PROTOCOL, status(b"HTTP/1.1 200 O\0K")),
    fails("bare CR in a header", R.PROTOCOL, line(b"x-a: b\r" + MINE)),
    harmless("high bytes in a header", line(b"x-\xff: \xfe\xff" + MINE)),
    harmless("high bytes in the status line", status(b"HTTP/1.1 200 \xff\xfe" + MINE)),
    harmless("escape sequences in the status line", status(b"HTTP/1.1 200 \x1b[2J\x07" + MINE)),
    harmless("line breaks of bare LF", raw(b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok")),
    harmless("folded header", line(b"x-a: b\r\n more\r\n\tmore")),
    fails("header without a colon", R.PROTOCOL, line(MINE)),
    harmless("header without a name", line(b": value")),
    fails("HTTP/0.9", R.PROTOCOL, raw(b"<html>" + MINE)),
    fails("HTTP/3.7", R.PROTOCOL, status(b"HTTP/3.7 200 OK")),
    fails("HTTP/9999", R.PROTOCOL, status(b"HTTP/9999 200 OK")),
    fails("HTTP/1.x", R.PROTOCOL, status(b"HTTP/1.x 200 OK")),
    fails("status 000", R.PROTOCOL, status(b"HTTP/1.1 000 Zero")),
    fails("status 99", R.PROTOCOL, status(b"HTTP/1.1 99 Few")),
    fails("status 1000", R.PROTOCOL, status(b"HTTP/1.1 1000 Many")),
    fails("status -200", R.PROTOCOL, status(b"HTTP/1.1 -200 Minus")),
    fails("status in words", R.PROTOCOL, status(b"HTTP/1.1 fine OK")),
    fails("status 999", R.SERVER_ERROR, answer(999)),
    fails(
        "101 that nobody asked for", R.TIMEOUT, raw(b"HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n", hang)
    ),
    harmless("Server with hostile bytes", line(b'Server: \xff\xfe"}\\n' + MINE + b" 1 1\x7f")),
    harmless("a thousand cookies", line(b"Set-Cookie: " + b";".join([b"a=b"] * 1000))),
    harmless("cookie of 60 KB", line(b"Set-Cookie: a=" + MINE * 8000)),
    harmless("Alt-Svc to elsewhere", placed(lambda u: named(alt_svc=f'h2="{u}"'), "<elsewhere>")),
    harmless("Date that is none", named(date=f"Someday, 99 Foo 99999 99:99:99 {MARK}")),
    harmless("Date in the year 999999", named(date="Fri, 31 Dec 999999 23:59:59 GMT")),
    harmless("Retry-After on a 200", named(retry_after="9" * 5000)),
    harmless("charset that is none", named(content_type=f"text/html; charset={MARK}" + "x" * 9000)),
    harmless("charset that is a codec for bytes", named(content_type="text/html; charset=zlib")),
    harmless("ETag and Last-Modified of nonsense", named(etag="\xff" * 999, last_modified="-1")),
)
WAITS = (
    "-1",
    "1e999",
    "NaN",
    "9" * 4000,
    "0x10",
    "Infinity",
    f"soon {MARK}",
    "",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "١٢",
)
RATES = tuple(
    fails(
        f"Retry-After, nonsense number {number + 1}",
        R.RATE_LIMITED,
        limited(retry_after=value.encode().decode("latin-1")),
        verdict=Verdict.QUOTA,
    )
    for number, value in enumerate(WAITS)
)
RATES += (
    fails(
        "rate limits of nonsense",
        R.RATE_LIMITED,
        limited(
            x_ratelimit_limit="9" * 400, x_ratelimit_remaining="NaN", x_ratelimit_reset="-1e400"
        ),
        verdict=Verdict.QUOTA,
    ),
)
LENGTHS = (
    harmless("endless body", endless(b"x" * 65536, head_of(200))),
    harmless("endless body of announced length", endless(b"x" * 65536, sized(10**12))),
    harmless("endless chunks", endless(b"1000\r\n" + b"x" * 4096 + b"\r\n", CHUNKED)),
    harmless("endless chunks of one byte", endless(b"1\r\nx\r\n" * 99, CHUNKED)),
    fails("length too long", R.PROTOCOL, raw(sized(400))),
    harmless("length too short", raw(sized(2))),
    fails("negative length", R.PROTOCOL, raw(sized(-1))),
    harmless("length of 31 digits", raw(sized(10**30))),
    fails("length in words", R.PROTOCOL, raw(sized("four"))),
    fails("two lengths", R.PROTOCOL, raw(sized("4\r\nContent-Length: 9"))),
    harmless("length and chunks", raw(CHUNKED[:-2] + b"Content-Length: 3\r\n\r\n0\r\n\r\n")),
    fails("chunk size beyond 64 bits", R.PROTOCOL, raw(CHUNKED + b"f" * 40 + b"\r\n")),
    fails("chunk size of 64 bits", R.PROTOCOL, raw(CHUNKED + b"f" * 16 + b"\r\nx")),
    fails("negative chunk size", R.PROTOCOL, raw(CHUNKED + b"-1\r\n")),
    fails("chunk size in words", R.PROTOCOL, raw(CHUNKED + b"zz\r\nbody\r\n0\r\n\r\n")),
    fails("chunks that end early", R.PROTOCOL, raw(CHUNKED + b"5\r\nab")),
    fails("endless chunk extension", R.TIMEOUT, slow_flood(b"x" * 4096, CHUNKED + b"1;")),
    fails("endless trailers", R.PROTOCOL, endless(b"x-a: b\r\n" * 64, CHUNKED + b"0\r\n")),
    fails("endless trailer", R.PROTOCOL, endless(MINE * 600, CHUNKED + b"0\r\nx: ")),
    harmless("a second answer behind the first", raw(sized(4) + sized(4) * 2000)),
)


async def onwards(peer: Peer, seen: Seen) -> None:
    """Redirect to ever another path of the same server."""
    await redirect(f"{seen.path}x")(peer, seen)


FOLLOWS = OURS | {"check": {"follow_redirects": 5, "allow_cross_origin": True}}


def to(name: str, location: str, reason: R = R.REDIRECT_REFUSED, **more: object) -> Misdeed:
    """Return a row of a redirect to *location*, which is followed as far as is allowed."""
    more = FOLLOWS | more
    return fails(f"redirect {name}", reason, placed(redirect, location), **more)


HEADLESS: Callable[[str], Behaviour] = functools.partial(redirect, status=307)
REDIRECTS = (
    to("to itself", "/"),
    fails("redirect ever onwards", R.REDIRECT_REFUSED, onwards, **FOLLOWS),
    to("to a file", "file:///etc/passwd"),
    to("to gopher", "gopher://127.0.0.1:70/1"),
    to("to ftp", "ftp://127.0.0.1/x"),
    to("to dict", "dict://127.0.0.1:11211/stat"),
    to("to javascript", f"javascript:{MARK}()"),
    to("to a relative scheme", "http:////elsewhere"),
    to("of 10,000 characters", "/" + "a" * 10_000),
    to("with a line break", "/a\tb"),
    to("to a broken address", "http://[::1/"),
    to("to a port that is none", "http://127.0.0.1:99999/"),
    to("with a user", "http://user:pw@127.0.0.1/"),
    to("to another origin, unasked", "<elsewhere>/", check={"follow_redirects": 5}),
    harmless(
        "redirect of a key to another origin",
        placed(redirect, "<elsewhere>/"),
        check={"follow_redirects": 5, "allow_cross_origin": True},
    ),
    harmless(
        "redirect of a body to another origin",
        placed(HEADLESS, "<elsewhere>/"),
        check={"follow_redirects": 5, "allow_cross_origin": True, "method": "POST", "body": MARK},
    ),
    to("from https to http", "<elsewhere>/", tls="good"),
    to("to where time runs out", "<hanging>/", R.TIMEOUT, verdict=Verdict.PROVIDER),
    fails(
        "the key comes back in head and body",
        R.AUTH_INVALID,
        reflected(),
        verdict=Verdict.CREDENTIAL,
    ),
)
ROWS: tuple[Misdeed, ...] = (*CONNECTION, *HEAD, *RATES, *LENGTHS, *REDIRECTS)
