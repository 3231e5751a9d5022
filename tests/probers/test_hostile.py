"""A hostile or broken API: each misdeed ends in time with a reason, and costs us nothing."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.checks import Assertion
from exporter.model import Outcome, Reason
from exporter.probers import Expectations
from exporter.probers.kinds.http import HttpProber
from exporter.secret import Secret
from tests.conftest import Authority
from tests.fakes import KEY, make_endpoint
from tests.hostile.http2 import frame
from tests.hostile.http2 import frames as http2
from tests.mischief import (
    close,
    drip,
    endless,
    gzip_bomb,
    half_close,
    hang,
    headers,
    packed,
    raw,
    reflected,
    reset,
)
from tests.vendor import Behaviour, Greeting, Peer, Vendor, answer, head_of, redirect

CHUNKED = head_of(200, [("Transfer-Encoding", "chunked")])
R = Reason
LIMIT, STALL = 0.5, 0.15


def sized(length: object, body: bytes = b"body") -> bytes:
    return head_of(200, [("Content-Length", str(length))]) + body


def body_of(encoding: str, body: bytes) -> bytes:
    pairs = [("Content-Encoding", encoding), ("Content-Length", str(len(body)))]
    return head_of(200, pairs) + body


def one_header(line: bytes) -> Behaviour:
    return raw(b"HTTP/1.1 200 OK\r\n" + line + b"\r\nContent-Length: 2\r\n\r\nok")


NUMBERS = ("Retry-After", "X-RateLimit-Limit", "X-RateLimit-Reset", "RateLimit")

# behaviour -> the reasons that may be given
TABLE: dict[str, tuple[Behaviour, set[Reason]]] = {
    "nothing, for ever": (hang, {R.TIMEOUT}),
    "close": (close, {R.PROTOCOL}),
    "reset": (reset, {R.CONNECT}),
    "reset in the head": (raw(b"HTTP/1.1 200 O", reset), {R.CONNECT}),
    "reset in the body": (raw(sized(9), reset), {R.CONNECT}),
    "half close": (half_close(b"HTTP/1.1 200 OK\r\n"), {R.OK, R.PROTOCOL}),
    "half close in the body": (half_close(sized(9)), {R.PROTOCOL}),
    "garbage": (raw(b"\x00\xff\x13garbage\r\n\r\n"), {R.PROTOCOL}),
    "long garbage": (raw(b"\xfe" * 100_000), {R.PROTOCOL}),
    "endless garbage": (endless(b"\xfe" * 4096), {R.PROTOCOL}),
    "HTTP/0.9": (raw(b"<html>hello</html>"), {R.PROTOCOL}),
    "another protocol": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), {R.PROTOCOL}),
    "HTTP/9.9": (raw(b"HTTP/9.9 200 OK\r\n\r\n"), {R.PROTOCOL}),
    "HTTP/2 out of the blue": (raw(b"HTTP/2 200 OK\r\n\r\n"), {R.PROTOCOL, R.OK}),
    "no status": (raw(b"HTTP/1.1 \r\n\r\n"), {R.PROTOCOL}),
    "status 000": (raw(b"HTTP/1.1 000 Zero\r\n\r\n"), {R.PROTOCOL}),
    "status 99999": (raw(b"HTTP/1.1 99999 Many\r\n\r\n"), {R.SERVER_ERROR, R.PROTOCOL}),
    "status 999": (answer(999), {R.SERVER_ERROR}),
    "huge status line": (raw(b"HTTP/1.1 200 " + b"x" * 200_000), {R.PROTOCOL}),
    "endless status line": (endless(b"x" * 4096, b"HTTP/1.1 200 "), {R.PROTOCOL}),
    "128 headers": (headers(128), {R.OK}),
    "129 headers": (headers(129), {R.PROTOCOL}),
    "5000 headers": (headers(5000), {R.PROTOCOL}),
    "headers of 70 KB": (headers(70, 1000), {R.PROTOCOL}),
    "a header of 60 KB": (headers(2, 60_000), {R.OK}),
    "a header of 90 KB": (headers(2, 90_000), {R.PROTOCOL}),
    "endless headers": (endless(b"x-a: b\r\n", b"HTTP/1.1 200 OK\r\n"), {R.PROTOCOL}),
    "endless header": (endless(b"a" * 4096, b"HTTP/1.1 200 OK\r\nx-a: "), {R.PROTOCOL}),
    "header without a colon": (one_header(b"colonless"), {R.OK, R.PROTOCOL}),
    "header without a name": (one_header(b": value"), {R.OK, R.PROTOCOL}),
    "header with bytes beyond UTF-8": (one_header(b"x-\xff: \xfe\xff"), {R.OK}),
    "header with NUL": (one_header(b"x-a: b\0c"), {R.PROTOCOL}),
    "header with a bare CR": (one_header(b"x-a: b\rc"), {R.OK, R.PROTOCOL}),
    "header with DEL and ESC": (one_header(b"x-a: \x1b[2J\x7f"), {R.OK}),
    "folded header": (one_header(b"x-a: b\r\n  more\r\n\tmore"), {R.OK}),
    "folded first header": (raw(b"HTTP/1.1 200 OK\r\n folded\r\n\r\n"), {R.PROTOCOL, R.OK}),
    "two lengths": (raw(sized("4\r\nContent-Length: 9")), {R.PROTOCOL}),
    "negative length": (raw(sized(-1)), {R.PROTOCOL, R.OK}),
    "huge length": (raw(sized(10**30)), {R.OK, R.PROTOCOL}),
    "length in words": (raw(sized("four")), {R.PROTOCOL}),
    "length too long": (raw(sized(400)), {R.PROTOCOL}),
    "length too short": (raw(sized(2)), {R.OK}),
    "length and chunks": (raw(CHUNKED[:-2] + b"Content-Length: 3\r\n\r\n0\r\n\r\n"), {R.OK}),
    "no length": (raw(head_of(200) + b"body"), {R.OK}),
    "HTTP/1.0": (raw(head_of(200, version="1.0") + b"body"), {R.OK}),
    "chunks of garbage": (raw(CHUNKED + b"zz\r\nbody\r\n0\r\n\r\n"), {R.PROTOCOL}),
    "chunk size too large": (raw(CHUNKED + b"f" * 40 + b"\r\n"), {R.PROTOCOL}),
    "negative chunk": (raw(CHUNKED + b"-1\r\n"), {R.PROTOCOL}),
    "chunks that end early": (raw(CHUNKED + b"5\r\nab"), {R.PROTOCOL}),
    "chunks for ever": (endless(b"1\r\na\r\n", CHUNKED), {R.OK, R.TIMEOUT}),
    "endless chunk extension": (endless(b"x" * 4096, CHUNKED + b"1;"), {R.TIMEOUT, R.PROTOCOL}),
    "trailers for ever": (endless(b"x-a: b\r\n", CHUNKED + b"0\r\n"), {R.PROTOCOL}),
    "unknown transfer coding": (
        raw(head_of(200, [("Transfer-Encoding", "odd")]) + b"x"),
        {R.PROTOCOL, R.OK},
    ),
    "endless body": (endless(b"x" * 65536, head_of(200)), {R.OK}),
    "endless announced body": (endless(b"x" * 65536, sized(10**12)), {R.OK}),
    "gzip bomb": (gzip_bomb(32), {R.OK}),
    "gzip in gzip bomb": (gzip_bomb(32, layers=2), {R.OK}),
    "ten codings": (raw(body_of(", ".join(["gzip"] * 10), b"x")), {R.PROTOCOL}),
    "no gzip": (raw(body_of("gzip", b"plain text")), {R.PROTOCOL}),
    "cut gzip": (raw(body_of("gzip", packed(b"a" * 999, "gzip")[-20:-9])), {R.PROTOCOL}),
    "no brotli": (raw(body_of("br", b"\xff\xff\xff\xff")), {R.PROTOCOL}),
    "unknown coding": (raw(body_of("odd", b"body")), {R.OK}),
    "deflate": (raw(packed(b"fine", "deflate")), {R.OK}),
    "1xx for ever": (endless(b"HTTP/1.1 103 Early\r\nx-a: b\r\n\r\n"), {R.PROTOCOL}),
    "bare 1xx for ever": (endless(b"HTTP/1.1 100 Continue\r\n\r\n"), {R.PROTOCOL}),
    "1xx then nothing": (raw(b"HTTP/1.1 100 Continue\r\n\r\n", hang), {R.TIMEOUT}),
    "1xx then 200": (raw(b"HTTP/1.1 103 Early\r\nx: y\r\n\r\n" + sized(4)), {R.OK}),
    "101 unasked": (
        raw(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n", hang),
        {R.PROTOCOL, R.TIMEOUT},
    ),
    "dripped head": (drip(head_of(200), 0.05), {R.TIMEOUT}),
    "dripped body": (drip(b"x" * 99, 0.05, sized(99, b"")), {R.TIMEOUT}),
    "dripped chunks": (drip(b"1\r\na\r\n" * 30, 0.05, CHUNKED), {R.TIMEOUT}),
    "body that stops": (raw(sized(9), hang), {R.TIMEOUT}),
    "key in head and body": (reflected(), {R.AUTH_INVALID}),
    "key in another origin's address": (redirect(f"http://{KEY}.test/{KEY}"), {R.REDIRECT_REFUSED}),
    "key in the own origin's address": (redirect(f"/{KEY}?k={KEY}#{KEY}"), {R.CLIENT_ERROR}),
    "key as another scheme": (redirect(f"{KEY}:{KEY}"), {R.REDIRECT_REFUSED}),
    "key as user": (redirect(f"http://{KEY}@127.0.0.1/"), {R.REDIRECT_REFUSED}),
    "key as numbers": (answer(headers=dict.fromkeys(NUMBERS, KEY)), {R.OK}),
    "key as redirect of a broken URL": (redirect(f"http://[{KEY}/"), {R.REDIRECT_REFUSED}),
    "redirect to itself": (redirect("/"), {R.REDIRECT_REFUSED}),
    "redirect with bytes beyond UTF-8": (redirect("/\xff\xfe"), {R.CLIENT_ERROR}),
    "redirect with a bomb": (redirect("/" + "a" * 60_000), {R.REDIRECT_REFUSED}),
    "redirect with a space": (redirect("/a b"), {R.CLIENT_ERROR, R.REDIRECT_REFUSED}),
    "nested JSON": (answer(body="[" * 60_000), {R.OK}),
    "body of NULs": (answer(body=b"\0" * 60_000), {R.OK}),
}


@dataclass(slots=True)
class Watch:
    """What the probe cost: the longest time the loop was busy, and memory at its peak."""

    stall: float = 0.0
    late: float = 0.0
    """By how much a sleep of 5 ms was late at most: what the machine is to blame for."""
    grown: int = 0
    seconds: float = 0.0


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@asynccontextmanager
async def watched() -> AsyncIterator[Watch]:
    loop = asyncio.get_running_loop()
    watch, begun, before = Watch(), loop.time(), _resident()

    async def tick() -> None:
        # CPU time of this thread: a neighbour that takes the core is not a stall of ours.
        last = time.thread_time()
        while True:
            slept = loop.time()
            await asyncio.sleep(0.005)
            watch.late = max(watch.late, loop.time() - slept - 0.005)
            watch.stall = max(watch.stall, time.thread_time() - last)
            watch.grown = max(watch.grown, _resident() - before)
            last = time.thread_time()

    # A full collection over what thousands of other tests left behind takes longer than a stall.
    gc.freeze()
    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    try:
        yield watch
    finally:
        watch.seconds = loop.time() - begun
        ticking.cancel()
        gc.unfreeze()


async def _probe(vendor: Vendor, prober: HttpProber, **more: object) -> Outcome:
    endpoint = make_endpoint(
        vendor.url(),
        timeout=LIMIT,
        credentials=(("Authorization", Secret(f"Bearer {KEY}")),),
        follow_redirects=1,
        keyed=True,
        **more,
    )
    return await prober.probe(endpoint)


@pytest.mark.parametrize("misdeed", TABLE)
async def test_a_misdeed_has_its_reason_in_time_and_stalls_nobody(
    misdeed: str, vendor: Vendor, prober: HttpProber
) -> None:
    behaviour, reasons = TABLE[misdeed]
    vendor.on("/", behaviour)

    async with watched() as watch:
        outcome = await _probe(vendor, prober)

    assert outcome.reason in reasons, outcome
    assert watch.seconds < LIMIT + 0.4 + watch.late
    assert watch.stall < STALL
    assert KEY not in repr(outcome) + str(outcome)
    assert outcome.detail.isprintable()
    assert sum(outcome.phases) == pytest.approx(outcome.duration)


@pytest.mark.parametrize(
    "misdeed",
    [
        "endless body",
        "endless announced body",
        "gzip bomb",
        "gzip in gzip bomb",
        "endless headers",
        "endless header",
        "trailers for ever",
        "endless chunk extension",
        "1xx for ever",
        "bare 1xx for ever",
        "endless status line",
    ],
)
async def test_what_does_not_end_is_not_kept_in_memory(
    misdeed: str, vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", answer())
    await _probe(vendor, prober)  # buffers that stay are made by the first probe
    vendor.on("/", TABLE[misdeed][0])
    await _probe(vendor, prober)

    async with watched() as watch:
        await _probe(vendor, prober)
        await asyncio.sleep(0.01)

    assert watch.grown < 5 << 20


@pytest.mark.parametrize("misdeed", ["endless body", "gzip bomb", "chunks for ever"])
async def test_a_body_that_was_cut_fails_what_is_asserted_of_its_json(
    misdeed: str, vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", TABLE[misdeed][0])
    expect = Expectations(assertions=(Assertion(json="$.a", exists=True),))

    outcome = await _probe(vendor, prober, expect=expect)

    assert outcome.reason in (Reason.CLIENT_ERROR, Reason.TIMEOUT)


DEEP = '{"a":' * 90 + '"end"' + "}" * 90
A = Assertion
# body, what is asserted of it, and whether that holds
BODIES: dict[str, tuple[bytes | str, Assertion, bool]] = {
    "lone surrogate": ('{"a": "\\ud800 ok"}', A(json="$.a", matches="ok"), True),
    "lone surrogate alone": ('{"a": "\\udfff"}', A(json="$.a", matches="^ok"), False),
    "surrogate that must not match": ('["\\ud800"]', A(json="$[0]", not_matches="ok"), True),
    "surrogate as a name": ('{"\\ud800": 1}', A(json="$.*", equals=1), True),
    "surrogates of UTF-16": (b'\xff\xfe"\x00\x00\xd8"\x00', A(json="$", matches="ok"), False),
    "nested to the end": ("[" * 60_000, A(json="$..a", exists=True), False),
    "nested and closed": ("[" * 30_000 + "]" * 30_000, A(json="$..a", exists=True), False),
    "nested as far as can be read": (DEEP, A(json="$..a", exists=True), True),
    "many values": ("[" + "0," * 30_000 + "1]", A(json="$..*", equals=1), True),
    "huge integer": ("9" * 60_000, A(json="$", greater_than=1), True),
    "integer beyond a float": ('{"a": ' + "9" * 4000 + "}", A(json="$.a", less_than=1), False),
    "integer as text": ('{"a": ' + "9" * 4000 + "}", A(json="$.a", matches="^9+$"), True),
    "exponent beyond a float": ('{"a": 1e999999}', A(json="$.a", greater_than=1), True),
    "NaN below": ('{"a": NaN}', A(json="$.a", less_than=1), False),
    "NaN above": ('{"a": NaN}', A(json="$.a", greater_than=1), False),
    "NaN is itself": ('{"a": NaN}', A(json="$.a", equals=float("nan")), False),
    "minus infinity": ('{"a": -Infinity}', A(json="$.a", less_than=1), False),
    "words for a number": ('{"a": "1_000"}', A(json="$.a", type="number"), False),
    "same name twice": ('{"a": 1, "a": 2}', A(json="$.a", equals=2), True),
    "no UTF-8": (b"\xfd\xfc ok", A(body=True, matches="ok$"), True),
    "no UTF-8 in JSON": (b'{"a": "\xff"}', A(json="$.a", exists=True), False),
    "half a letter": (b"ok \xe2\x82", A(body=True, matches="^ok"), True),
    "NUL before the word": (b"\0\0ok", A(body=True, matches="ok$"), True),
    "NUL in JSON": ('{"a": "\\u0000ok"}', A(json="$.a", matches="ok$"), True),
    "NULs only": (b"\0" * 60_000, A(body=True, matches="ok"), False),
    "a pattern that explodes elsewhere": (
        "a" * 65_000 + "!",
        A(body=True, matches="^(a+)+$"),
        False,
    ),
    "alternatives that explode elsewhere": (
        "a" * 65_000 + "!",
        A(body=True, matches="^(a|aa|a?)+$"),
        False,
    ),
    "nothing": (b"", A(json="$", exists=True), False),
}


@pytest.mark.parametrize("name", BODIES)
async def test_an_assertion_on_a_hostile_body_holds_or_does_not_and_stalls_nobody(
    name: str, vendor: Vendor, prober: HttpProber
) -> None:
    body, assertion, holds = BODIES[name]
    vendor.on("/", answer(body=body))

    async with watched() as watch:
        outcome = await _probe(vendor, prober, expect=Expectations(assertions=(assertion,)))

    assert outcome.reason is (Reason.OK if holds else Reason.BAD_BODY), outcome
    assert outcome.detail.isprintable()
    assert watch.stall < STALL


@pytest.mark.parametrize("echo", [KEY, f"Bearer {KEY}", f"id-{KEY}", KEY[:20]])
async def test_a_key_in_the_header_of_the_request_id_is_no_request_id(
    echo: str, vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", answer(401, headers={"X-Request-Id": echo}))

    outcome = await _probe(vendor, prober)

    assert KEY[:20] not in repr(outcome)


async def test_a_hostile_peer_does_not_disturb_its_neighbours(
    vendor: Vendor, other: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", TABLE["endless headers"][0])
    other.on("/", answer(head_delay=0.05))

    async with watched() as watch:
        bad, good = await asyncio.gather(_probe(vendor, prober), _probe(other, prober))

    assert (bad.reason, good.reason) == (Reason.PROTOCOL, Reason.OK)
    assert good.duration < 0.3 + watch.late


# -- HTTP/2, frame by frame ------------------------------------------------------------------


OK_HEAD = b"\x88"  # :status 200
LINE = b"\x00\x01a\x01b"  # a: b, not indexed
FRAMES: dict[str, tuple[Greeting, set[Reason]]] = {
    "an answer": (http2(frame(1, 5, 1, OK_HEAD)), {R.OK}),
    "silence": (http2(b""), {R.TIMEOUT}),
    "HTTP/1 all the same": (http2(sized(99, b"x" * 99)), {R.PROTOCOL, R.TIMEOUT, R.CONNECT}),
    "a frame too large": (http2(b"\xff\xff\xff" + bytes(5) + b"\1"), {R.PROTOCOL}),
    "go away": (http2(frame(7, 0, 0, bytes(8))), {R.PROTOCOL}),
    "a reset stream": (http2(frame(3, 0, 1, b"\0\0\0\7")), {R.PROTOCOL}),
    "a status in words": (http2(frame(1, 4, 1, b"\x08\x03abc")), {R.PROTOCOL}),
    "a window beyond its bound": (
        http2(frame(8, 0, 0, b"\x7f\xff\xff\xff") * 2),
        {R.PROTOCOL},
    ),
    "an unasked push": (http2(frame(5, 4, 1, b"\0\0\0\2" + OK_HEAD)), {R.TIMEOUT, R.PROTOCOL}),
    "a head that does not end": (http2(frame(1, 0, 1, OK_HEAD)), {R.TIMEOUT}),
    "3000 headers": (http2(frame(1, 4, 1, OK_HEAD + LINE * 3000)), {R.PROTOCOL}),
    "a head that unpacks to 30 MB": (
        http2(frame(1, 4, 1, OK_HEAD + b"\x40\x01a\x7f\x81\x1d" + b"b" * 3840 + b"\xbe" * 8000)),
        {R.PROTOCOL},
    ),
    "settings for ever": (http2(b"", frame(4) * 100), {R.PROTOCOL, R.TIMEOUT}),
    "pings for ever": (
        http2(b"", frame(6, 0, 0, bytes(8)) * 100),
        {R.PROTOCOL, R.TIMEOUT},
    ),
    "continuation for ever": (
        http2(frame(1, 0, 1, OK_HEAD), frame(9, 0, 1, LINE * 500)),
        {R.PROTOCOL},
    ),
    "1xx for ever 2": (http2(b"", frame(1, 4, 1, b"\x08\x03103" + LINE) * 50), {R.PROTOCOL}),
    "empty data for ever": (
        http2(frame(1, 4, 1, OK_HEAD), frame(0, 0, 1) * 200),
        {R.PROTOCOL, R.TIMEOUT},
    ),
    "body for ever": (http2(frame(1, 4, 1, OK_HEAD), frame(0, 0, 1, b"x" * 16_000)), {R.OK}),
}


@pytest.fixture
async def http2_vendor(authority: Authority) -> AsyncIterator[Vendor]:
    context = authority.server()
    context.set_alpn_protocols(["h2"])
    async with Vendor(context) as server:
        yield server


@pytest.mark.parametrize("misdeed", FRAMES)
async def test_a_misdeed_in_http_2_has_its_reason_in_time_and_stalls_nobody(
    misdeed: str, http2_vendor: Vendor, prober: HttpProber, authority: Authority
) -> None:
    http2_vendor.greeting, reasons = FRAMES[misdeed]

    async with watched() as watch:
        outcome = await _probe(http2_vendor, prober, tls=authority.trusted())

    assert outcome.reason in reasons, outcome
    assert watch.seconds < LIMIT + 0.4 + watch.late
    assert watch.stall < STALL
    assert watch.grown < 8 << 20
    assert KEY not in repr(outcome) + str(outcome)


@pytest.mark.parametrize("misdeed", ["go away", "a reset stream"])
async def test_a_request_that_is_refused_unread_is_sent_once_more_and_not_five_times(
    misdeed: str, http2_vendor: Vendor, prober: HttpProber, authority: Authority
) -> None:
    http2_vendor.greeting, _ = FRAMES[misdeed]

    outcome = await _probe(http2_vendor, prober, tls=authority.trusted())

    assert http2_vendor.connections == 2
    assert outcome.detail == "the server refuses requests without reading"


async def test_a_request_that_was_refused_once_is_answered(
    http2_vendor: Vendor, prober: HttpProber, authority: Authority
) -> None:
    async def greet(peer: Peer) -> None:
        refused = frame(3, 0, 1, b"\0\0\0\7")
        await http2(refused if peer.number == 1 else frame(1, 5, 1, OK_HEAD))(peer)

    http2_vendor.greeting = greet

    outcome = await _probe(http2_vendor, prober, tls=authority.trusted())

    assert (outcome.reason, http2_vendor.connections) == (R.OK, 2)
