"""What the server answers to requests that no usual client sends: never 500, never a traceback."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
import zlib
from typing import Any

import pytest
from aiohttp import web

from exporter.api import guard
from tests.api.test_edge import TOKEN, Client, running
from tests.patience import within

_HOST = b"Host: x\r\n"
_POST = (
    b"POST /api/incidents HTTP/1.1\r\n"
    + _HOST
    + b"Content-Type: application/json\r\n"
    + f"Authorization: Bearer {TOKEN}\r\n".encode()
)
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n"


def _get(path: bytes = b"/-/healthy", method: bytes = b"GET", more: bytes = b"") -> bytes:
    return method + b" " + path + b" HTTP/1.1\r\n" + _HOST + more + b"\r\n"


def _chunks(body: bytes) -> bytes:
    return _CHUNKED + b"\r\n" + body


CASES: dict[str, tuple[bytes, set[int]]] = {
    "GET": (_get(), {200}),
    "HEAD": (_get(method=b"HEAD"), {405}),
    "OPTIONS": (_get(method=b"OPTIONS"), {405}),
    "OPTIONS *": (_get(b"*", b"OPTIONS"), {400, 404, 405}),
    "TRACE": (_get(method=b"TRACE"), {405}),
    "CONNECT": (_get(b"example.com:443", b"CONNECT"), {400, 404, 405}),
    "an unknown method": (_get(method=b"BREW"), {400, 405}),
    "a method in lower case": (_get(method=b"get"), {400, 405}),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", {400}),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, {400}),
    "HTTP/0.9": (b"GET /\r\n\r\n", {400}),
    "HTTP/1.0 without Host": (b"GET /-/healthy HTTP/1.0\r\n\r\n", {200}),
    "HTTP/1.1 without Host": (b"GET /-/healthy HTTP/1.1\r\n\r\n", {400}),
    "HTTP/2.0": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    "HTTP/9.9": (b"GET / HTTP/9.9\r\n" + _HOST + b"\r\n", {400}),
    "two Hosts": (_get(more=b"Host: y\r\n"), {400}),
    "an address of 64 KiB": (_get(b"/" + b"a" * 65536), {431}),
    "a query of 64 KiB": (_get(b"/?q=" + b"a" * 65536), {431}),
    "a header of 64 KiB": (_get(more=b"X: " + b"a" * 65536 + b"\r\n"), {431}),
    "a header's name of 64 KiB": (_get(more=b"a" * 65536 + b": x\r\n"), {431}),
    "200 headers": (_get(more=b"".join(b"X-%d: y\r\n" % n for n in range(200))), {400}),
    "a folded header": (_get(more=b"X: a\r\n b\r\n"), {400}),
    "a header without colon": (_get(more=b"nonsense\r\n"), {400}),
    "a space before the colon": (_get(more=b"X : y\r\n"), {400}),
    "NUL in a header": (_get(more=b"X: a\0b\r\n"), {400}),
    "not text in a header": (_get(more=b"X: \xff\xfe\r\n"), {200}),
    "not text in the path": (_get(b"/\xff\xfe"), {400, 404}),
    "a path with dots": (_get(b"/assets/../../etc/passwd"), {404}),
    "a path with encoded dots": (_get(b"/assets/%2e%2e%2f%2e%2e%2fetc%2fpasswd"), {404}),
    "a path with a broken escape": (_get(b"/services/%zz"), {400, 404}),
    "a path with NUL": (_get(b"/services/%00"), {404}),
    "an absolute address": (_get(b"http://x/-/healthy"), {200, 404}),
    "an absolute address that is broken": (_get(b"http://[/"), {400, 404}),
    "no path": (_get(b"nothing"), {400, 404}),
    "an upgrade": (_get(more=b"Connection: Upgrade\r\nUpgrade: websocket\r\n"), {200}),
    "100-continue": (_POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", {100, 400}),
    "an unknown expectation": (_get(more=b"Expect: miracles\r\n"), {417}),
    "Content-Length and Transfer-Encoding": (
        _CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n",
        {400},
    ),
    "two lengths": (_POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", {400}),
    "a negative length": (_POST + b"Content-Length: -1\r\n\r\n", {400}),
    "a length with a sign": (_POST + b"Content-Length: +2\r\n\r\n{}", {400}),
    "a length that is no number": (_POST + b"Content-Length: two\r\n\r\n{}", {400}),
    "a length beyond 64 bits": (_POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n{}", {400}),
    "a length beyond the limit": (
        _POST + b"Content-Length: 2000000\r\n\r\n" + b" " * 2000000,
        {413},
    ),
    "chunked twice": (_CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "chunked and something": (
        _POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        {400},
    ),
    "an encoding that looks like chunked": (
        _POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        {400, 501},
    ),
    "a chunk with an extension": (_chunks(b"2;a=b\r\n{}\r\n0\r\n\r\n"), {400}),
    "a chunk's size that is no number": (_chunks(b"zz\r\n{}\r\n0\r\n\r\n"), {400}),
    "a chunk's size beyond 64 bits": (_chunks(b"f" * 20 + b"\r\n{}\r\n"), {400}),
    "a chunk that is longer than it says": (_chunks(b"1\r\n{}\r\n0\r\n\r\n"), {400}),
    "a chunk's line of 64 KiB": (_chunks(b"2;" + b"a" * 65536 + b"\r\n{}\r\n0\r\n\r\n"), {400}),
    "chunks that end with a bare LF": (_chunks(b"2\n{}\n0\n\n"), {400}),
    "a trailer": (_chunks(b"2\r\n{}\r\n0\r\nX: y\r\n\r\n"), {400}),
    "garbage after a request": (_get() + b"\0\0\0\0 garbage\r\n\r\n", {200, 400}),
}


async def answer_to(client: Client, sent: bytes) -> bytes:
    """Return all that the server answers to *sent*, until it closes or says nothing more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.app.port)
    found = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        writer.write(sent)
        while piece := await asyncio.wait_for(reader.read(65536), 0.7 if found else 5):
            found += piece
    writer.close()
    return found


async def test_odd_requests_are_answered_and_logged_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong = {}
    async with running("services: []") as client:
        answers = await asyncio.gather(*(answer_to(client, sent) for sent, _ in CASES.values()))
        healthy, _, _ = await client.ask("GET", "/-/healthy")

    for (name, (_, expected)), answer in zip(CASES.items(), answers, strict=True):
        status = int(answer[9:12] or b"0")
        if status not in expected or b"Traceback" in answer or b"aiohttp" in answer.lower():
            wrong[name] = answer[:300]
    assert wrong == {}
    assert healthy == 200
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_a_body_that_breaks_its_encoding_later_ends_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running("services: []", stall_seconds=0.5) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.app.port)
        found = b""
        with contextlib.suppress(ConnectionError):
            for piece in (_chunks(b"2\r\n{"), b"}\r\nzz\r\n"):
                writer.write(piece)
                await asyncio.sleep(0.1)
            found = await within(10, reader.read(65536))
        writer.close()

    assert found[9:12] in (b"", b"400")
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_a_body_that_the_parser_gives_up_is_no_bug_of_ours() -> None:
    # aiohttp's parser in C leaves such a body to the time limit; the one in Python raises this.
    assert guard._problem_of(web.RequestPayloadError("chunk size")).status == 400


async def test_what_follows_a_smuggled_request_is_not_answered() -> None:
    hidden = b"GET /api/services HTTP/1.1\r\nHost: x\r\n\r\n"
    sent = _CHUNKED + b"Content-Length: %d\r\n\r\n0\r\n\r\n" % (5 + len(hidden)) + hidden
    async with running("services: []") as client:
        answer = await answer_to(client, sent)

    assert answer[9:12] == b"400"
    assert answer.count(b"HTTP/1.") == 1
    assert b'{"services"' not in answer


NEW = json.dumps({"summary": "x", "by": "me"}).encode()
_BOMB = zlib.compressobj(9, zlib.DEFLATED, 31)
BOMB = _BOMB.compress(b" " * 50_000_000) + _BOMB.flush()
BODIES: dict[str, tuple[str, bytes, int]] = {
    "gzip": ("gzip", gzip.compress(NEW), 201),
    "GZIP": ("GZIP", gzip.compress(NEW), 201),
    "deflate": ("deflate", zlib.compress(NEW), 201),
    "identity": ("identity", NEW, 201),
    "gzip that is none": ("gzip", NEW, 400),
    "gzip cut short": ("gzip", gzip.compress(NEW)[:-9], 400),
    "gzip without its end": ("gzip", gzip.compress(NEW)[:-1], 400),
    "gzip with a wrong sum": ("gzip", gzip.compress(NEW)[:-8] + b"\0" * 8, 400),
    "gzip and more": ("gzip", gzip.compress(NEW) + b"more", 400),
    "nothing as gzip": ("gzip", b"", 400),
    "long gzip that is none": ("gzip", b"\x1f\x8b\x08" + b"\0" * 100_000, 400),
    "deflate that is none": ("deflate", b"\xff" * 100, 400),
    "a bomb": ("gzip", BOMB, 413),
    "just below the limit": ("gzip", gzip.compress(NEW + b" " * 1_000_000), 201),
    "gzip in gzip": ("gzip, gzip", gzip.compress(gzip.compress(NEW)), 415),
    "br": ("br", b"\x0b\x02\x80{}\x03", 415),
    "zstd": ("zstd", b"\x28\xb5\x2f\xfd", 415),
    "compress": ("compress", NEW, 415),
    "nonsense": ("nonsense", NEW, 415),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_compressed_body_is_read_within_limits(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    encoding, body, expected = BODIES[name]
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/json",
        "Content-Encoding": encoding,
    }
    async with running("services: []") as client:
        url = client.base + "/api/incidents"
        async with client.session.post(url, data=body, headers=headers) as response:
            answer: Any = await response.json(content_type=None)

    assert response.status == expected, answer
    assert expected < 400 or response.content_type == "application/problem+json"
    assert expected != 415 or response.headers["Accept-Encoding"] == "gzip, deflate"
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []
