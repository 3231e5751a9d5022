"""TLS that is wrong: in the handshake, the certificate, the protocol that is agreed upon."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable

from exporter.model import Reason
from tests.hostile.table import MARK, Misdeed, Step, fails, harmless
from tests.mischief import close, endless, hang, raw, reset
from tests.vendor import Greeting, Peer, answer, head_of

R = Reason

CONTEXTS: dict[str, ssl.SSLContext] = {}
"""By name: the contexts of this process, for what does its handshake by hand."""
OK = answer(body="ok")
RECORD = b"\x16\x03\x03"


def by_hand(name: str, speak: Callable[[Peer, bytes], Step]) -> Greeting:
    """Return a server that has its first flight sent by *speak*, whatever it is."""

    async def greet(peer: Peer) -> None:
        inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = CONTEXTS[name].wrap_bio(inside, outside, server_side=True)
        while not outside.pending:
            inside.write(await peer.reader.read(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
        await speak(peer, outside.read())(peer)

    return greet


def refusing(name: str) -> Greeting:
    """Return a server that refuses a client with an alert, and stays until it has been read.

    asyncio closes without it.
    """

    async def greet(peer: Peer) -> None:
        inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = CONTEXTS[name].wrap_bio(inside, outside, server_side=True)
        over = False
        while not over:
            inside.write(await peer.reader.read(65536))
            try:
                tls.do_handshake()
                over = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                over = True
            await peer.send(outside.read())
        peer.writer.write_eof()
        await peer.reader.read()

    return greet


def at_the_hello(then: Step) -> Greeting:
    """Return a server that does *then* once the client has begun."""

    async def greet(peer: Peer) -> None:
        await peer.reader.read(5)
        await then(peer)

    return greet


def _dripped(peer: Peer, flight: bytes) -> Step:
    async def drip(peer: Peer) -> None:
        for byte in flight:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.03)

    return drip


def _half(then: Step) -> Callable[[Peer, bytes], Step]:
    return lambda peer, flight: raw(flight[: len(flight) // 2], then)  # type: ignore[return-value]


def _flipped(peer: Peer, flight: bytes) -> Step:
    return raw(flight[:-9] + bytes([flight[-9] ^ 1]) + flight[-8:], hang)  # type: ignore[return-value]


def _renamed(peer: Peer, flight: bytes) -> Step:
    """Send a ServerHello that chooses a protocol which was not offered."""
    return raw(flight.replace(b"\x08http/1.1", b"\x08" + MARK.encode() + b"\0"), hang)  # type: ignore[return-value]


HANDSHAKE = (
    fails("TLS: silence", R.TIMEOUT, greeting=hang, secure=True),
    fails("TLS: closed at once", R.TLS, greeting=close, secure=True),
    fails("TLS: reset at once", R.TLS, greeting=at_the_hello(reset), secure=True),
    fails(
        "TLS: handshake, one byte at a time",
        R.TIMEOUT,
        greeting=by_hand("good", _dripped),
        secure=True,
    ),
    fails(
        "TLS: handshake that stops", R.TIMEOUT, greeting=by_hand("good", _half(hang)), secure=True
    ),
    fails(
        "TLS: reset in the handshake", R.TLS, greeting=by_hand("good", _half(reset)), secure=True
    ),
    fails(
        "TLS: a flipped bit in the handshake",
        R.TLS,
        greeting=by_hand("good", _flipped),
        secure=True,
    ),
    fails(
        "TLS: a protocol that was not offered",
        R.TLS,
        greeting=by_hand("tls 1.2", _renamed),
        secure=True,
    ),
    fails("TLS: plain HTTP", R.TLS, greeting=raw(head_of(400)), secure=True),
    fails("TLS: an alert", R.TLS, greeting=raw(b"\x15\x03\x03\0\2\2\x28"), secure=True),
    fails("TLS: zeros for ever", R.TLS, greeting=endless(bytes(4096)), secure=True),
    fails(
        "TLS: empty records for ever", R.TLS, greeting=endless((RECORD + b"\0\0") * 99), secure=True
    ),
    fails(
        "TLS: warnings for ever", R.TLS, greeting=endless(b"\x15\x03\x03\0\2\1\0" * 99), secure=True
    ),
    fails(
        "TLS: a hello of 16 MB",
        R.TLS,
        greeting=endless(RECORD + b"\x40\0\2\xff\xff\xff" + bytes(16380)),
        secure=True,
    ),
)
PROTOCOL = (
    harmless("TLS: no close_notify, no length", raw(head_of(200) + b"ok"), tls="good"),
    fails(
        "TLS: no close_notify in the body",
        R.PROTOCOL,
        raw(head_of(200, {"Content-Length": "9"}) + b"ok", close),
        tls="good",
    ),
    fails("TLS: reset after the handshake", R.CONNECT, greeting=reset, tls="good"),
    fails("TLS: TLS 1.0 only", R.TLS, OK, tls="tls 1.0"),
    harmless("TLS: TLS 1.2 only", OK, tls="tls 1.2"),
    fails(
        "TLS: a client certificate is demanded", R.TLS, greeting=refusing("demanding"), secure=True
    ),
    harmless("TLS: ALPN of nonsense", OK, tls="nonsense"),
    fails(
        "TLS: agrees on HTTP/2, speaks HTTP/1", R.PROTOCOL, greeting=raw(head_of(200) * 9), tls="h2"
    ),
    fails(
        "TLS: agrees on HTTP/1, speaks HTTP/2",
        R.PROTOCOL,
        greeting=raw(b"\0\0\0\4\0\0\0\0\0"),
        tls="http/1.1",
    ),
    fails("TLS: nothing after the handshake", R.TIMEOUT, greeting=hang, tls="good"),
)
CERTIFICATE = (
    fails("certificate: expired", R.TLS, OK, tls="expired"),
    fails("certificate: not yet valid", R.TLS, OK, tls="not yet"),
    fails("certificate: self-signed", R.TLS, OK, tls="self-signed"),
    fails("certificate: of an unknown authority", R.TLS, OK, tls="stranger"),
    fails("certificate: for another name", R.TLS, OK, tls="wrong name"),
    fails("certificate: with hostile names", R.TLS, OK, tls="hostile names"),
    harmless("certificate: with 1,000 names", OK, tls="1,000 names"),
    fails("certificate: with 10,000 names", R.TLS, OK, tls="10,000 names"),
    fails("certificate: below 90 authorities", R.TLS, OK, tls="chain of 90"),
    fails("certificate: below 500 authorities", R.TLS, OK, tls="chain of 500"),
    harmless(
        "certificate: with hostile names, unverified",
        OK,
        tls="hostile names",
        check={"tls": {"insecure_skip_verify": True}},
    ),
)
ROWS: tuple[Misdeed, ...] = (*HANDSHAKE, *PROTOCOL, *CERTIFICATE)
