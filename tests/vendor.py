"""A scripted API on loopback: raw asyncio, so that it can misbehave at byte level.

`vendor.on("/path", answer(...))` says how a path is answered; `vendor.seen` is what was asked.
Behaviours are coroutines over a `Peer`; the hostile ones are in `tests.mischief`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from tests.patience import Patience

Headers = Iterable[tuple[str, str]] | dict[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int
    raw: bytes = field(repr=False)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """Return the value of header *name*, or None."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def holds(self, text: str) -> bool:
        """Return whether *text* stands anywhere in the request."""
        return text.encode() in self.raw


@dataclass(slots=True)
class Peer:
    """One connection, from the server's side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """End the connection with a RST."""
        sock: Any = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def read(self) -> Seen | None:
        """Return the next request, or None at the end of the connection."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return None
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, _ = first.split(" ", 2)
        headers = tuple((n, v.strip()) for n, _, v in (line.partition(":") for line in lines))
        length = next((int(v) for n, v in headers if n.lower() == "content-length"), 0)
        body = await self.reader.readexactly(length)
        return Seen(method, target, headers, body, self.number, head + body)


Behaviour = Callable[[Peer, Seen], Awaitable[None]]
Greeting = Callable[[Peer], Awaitable[None]]


def head_of(status: int = 200, headers: Headers = (), version: str = "1.1") -> bytes:
    """Return the head of an answer, with its empty line."""
    pairs = headers.items() if isinstance(headers, dict) else headers
    lines = [f"HTTP/{version} {status} Made Up", *(f"{n}: {v}" for n, v in pairs), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def answer(
    status: int = 200,
    body: bytes | str | dict[str, Any] | list[Any] = b"",
    headers: Headers = (),
    *,
    head_delay: float = 0.0,
    body_delay: float = 0.0,
) -> Behaviour:
    """Answer as a good server does; *body_delay* passes between the halves of the body."""
    data = body if isinstance(body, bytes) else b""
    if not isinstance(body, bytes):
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
    pairs = list(headers.items() if isinstance(headers, dict) else headers)

    async def behave(peer: Peer, seen: Seen) -> None:
        await asyncio.sleep(head_delay)
        head = head_of(status, [*pairs, ("Content-Length", str(len(data)))])
        if seen.method == "HEAD" or not data:
            await peer.send(head)
            return
        half = len(data) // 2 if body_delay else len(data)
        await peer.send(head + data[:half])
        await asyncio.sleep(body_delay)
        await peer.send(data[half:])

    return behave


def redirect(location: str, status: int = 302) -> Behaviour:
    """Send the client elsewhere."""
    return answer(status, headers=[("Location", location)])


class Vendor:
    """The server. Use as an async context manager."""

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        sockets: Iterable[socket.socket] = (),
    ) -> None:
        """*sockets*, bound already, replace *host* and *port* (0: a free one)."""
        self.seen: list[Seen] = []
        self.connections = 0
        self.greeting: Greeting | None = None
        """If set, it has the connection for itself and no request is read."""
        self._table: dict[str, Behaviour] = {}
        self._tls, self._host = tls, host
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets = tuple(sockets)
        self._servers: list[asyncio.Server] = []
        self._changed = asyncio.Condition()
        self.port = port
        self.open = 0

    def on(self, path: str, behaviour: Behaviour) -> None:
        """Answer *path* (without its query) by *behaviour*; others get a 404."""
        self._table[path] = behaviour

    def url(self, path: str = "/", name: str = "") -> str:
        """Return the address of *path*, maybe under another host *name*."""
        host = name or (f"[{self._host}]" if ":" in self._host else self._host)
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    async def until(self, condition: Callable[[Vendor], bool], seconds: float = 5.0) -> None:
        """Return as soon as *condition* holds; it is looked at after every event."""
        patience = Patience(seconds)
        async with self._changed:
            while not condition(self):
                if patience.is_over:
                    raise TimeoutError
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await self._changed.wait()

    async def __aenter__(self) -> Self:
        start = functools.partial(asyncio.start_server, self._accept, ssl=self._tls)
        if self._sockets:
            self._servers = [await start(sock=one) for one in self._sockets]
        else:
            self._servers = [await start(self._host, self.port)]
        self.port = self._servers[0].sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        peer = Peer(reader, writer, self.connections)
        task = asyncio.get_running_loop().create_task(self._serve(peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, peer: Peer) -> None:
        try:
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
                await self._tell()
                if self.greeting is not None:
                    await self.greeting(peer)
                    return
                while (seen := await peer.read()) is not None and not peer.writer.is_closing():
                    self.seen.append(seen)
                    await self._tell()
                    await self._table.get(seen.path, _nothing_here)(peer, seen)
        finally:
            peer.writer.transport.abort() if self._tls else peer.writer.close()
            self.open -= 1
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


_nothing_here = answer(404, {"error": "nothing here"})


class Proxy(Vendor):
    """A forward proxy that reaches loopback only; `seen` holds what it was asked."""

    refuses = 0
    """The status with which every request is refused; 0 refuses none."""

    async def _serve(self, peer: Peer) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                if (seen := await peer.read()) is not None:
                    self.seen.append(seen)
                    await self._pass_on(peer, seen)
        finally:
            peer.writer.close()

    async def _pass_on(self, peer: Peer, seen: Seen) -> None:
        if self.refuses:
            await peer.send(head_of(self.refuses, [("Content-Length", "0")]))
            return
        tunnel = seen.method == "CONNECT"
        where, _, path = seen.target.removeprefix("http://").partition("/")
        port = int(where.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            if tunnel:
                await peer.send(head_of(200))
            else:
                writer.write(seen.raw.replace(seen.target.encode(), f"/{path}".encode(), 1))
            await asyncio.wait(
                [
                    asyncio.ensure_future(_pump(reader, peer.writer)),
                    asyncio.ensure_future(_pump(peer.reader, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
