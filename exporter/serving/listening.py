"""The server's sockets: accepts connections within `Slots`, and looks after them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import resource
import socket
import ssl
import termios
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from exporter.serving.connection import GRACE_SECONDS, Behind, Connection
from exporter.serving.slots import Slot, Slots
from exporter.serving.web_config import WebFile

_BACKLOG = 4096
"""Clients that the kernel keeps until they are accepted: as many as Linux lets it, by default.

Who finds no place there asks again after 1, 3 and 7 seconds, be it Prometheus.
"""
_LOOK_SECONDS = 0.5
_BATCH = 32
"""Connections that are accepted before what has arrived on others is read."""
_SEND_BUFFER_BYTES = 64 * 1024
"""Of each connection, in the kernel, which doubles it; by itself it would grow to megabytes."""
_USER_TIMEOUT_MS = 30_000
"""How long the kernel offers data that the client does not take, after we have closed."""
_LINGERING_SECONDS = 5.0
"""Time to send the rest of a body that was refused, so that the client gets to read the answer."""
_SHORT_IDLE_SECONDS = 2.0
"""Idle time while slots are short, and always in the reserve."""
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 17\r\n\r\ntoo many clients\n"
)
ROOM_SECONDS = 1.0
"""For how long new clients wait while every slot is taken: a burst is over by then."""
_ROOM_LOOKS = 3
"""At least so often room is looked for: on a busy machine a second passes before much is read."""
_ROOM_POLL_SECONDS = 0.02
_MOST_WAITING = 256
"""For each listening socket; when more come, who has waited for the longest time is refused."""
_MAX_REFUSED = 256
"""Connections that are kept for half a second after that answer."""
_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of the server; times are in seconds."""

    connections: int
    """Connections at once, besides the reserve."""
    head: float
    """Time for a TLS handshake, for the head of a request, and without a request."""
    stall: float
    """Time over which a client must read, or send of a body, `MIN_BYTES_PER_SECOND`."""


@dataclass(slots=True)
class _Waiting:
    """A client that was accepted and waits for a slot."""

    accepted: socket.socket
    address: str
    until: float
    """On the clock of the loop."""
    looks: int = 0


class Listener:
    """Open sockets, and the connections that were accepted from them."""

    def __init__(
        self, runner: web.AppRunner, file: WebFile, limits: Limits, count: Callable[[str], None]
    ) -> None:
        """*count* is called with why a connection was cut."""
        assert runner.server is not None
        self._server, self._file, self._limits = runner.server, file, limits
        self._loop = asyncio.get_running_loop()
        self._count, self._slots = count, Slots(limits.connections, count)
        self._behind = Behind(self._slots)
        self._connections: set[Connection] = set()
        self._refused: deque[tuple[float, socket.socket]] = deque()
        self._starting: set[asyncio.Task[None]] = set()
        self._waiting: dict[socket.socket, deque[_Waiting]] = {}
        """By listening socket, who has waited for the longest time first."""
        self._next_look: asyncio.TimerHandle | None = None
        self.sockets: list[socket.socket] = []

    async def open(self, host: str, port: int) -> None:
        """Listen on *host*, every address of this machine if it is empty, and *port*.

        Raises:
            OSError: the address cannot be bound.
        """
        flags = socket.AI_PASSIVE
        infos = await self._loop.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=flags
        )
        try:
            for family, _, _, _, address in dict.fromkeys(infos):
                if (one := _bound(family, address)) is not None:
                    self.sockets.append(one)
            if not self.sockets:
                raise OSError(errno.EADDRNOTAVAIL, "this machine has no such address")
        except OSError:
            self.close()
            raise
        for one in self.sockets:
            one.listen(_BACKLOG)
            self._loop.add_reader(one.fileno(), self._accept, one)
        self._look()

    def close(self) -> None:
        """Accept no more connections; those that are open stay, if their clients read."""
        if self._next_look is not None:
            self._next_look.cancel()
        for one in self.sockets:
            self._loop.remove_reader(one.fileno())
            one.close()
        for in_line in self._waiting.values():
            for client in in_line:
                self._turn_away(client.accepted)
        self._waiting.clear()
        for task in self._starting:
            task.cancel()
        self._close_refused(0)
        self._behind.end()

    # -- accepting ---------------------------------------------------------------------------

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                accepted, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTOR:
                    # The socket would be reported ready again at once, for nothing.
                    self._loop.remove_reader(listening.fileno())
                    self._loop.call_later(1.0, self._resume, listening)
                return
            waits = listening in self._waiting
            if not waits and self._admit(accepted, address[0]):
                continue
            if waits or self._slots.full:
                self._put_in_line(listening, accepted, address[0])
            else:
                self._turn_away(accepted)

    def _put_in_line(self, listening: socket.socket, accepted: socket.socket, address: str) -> None:
        """Let a client wait for a slot, after those before it."""
        if listening not in self._waiting:
            self._waiting[listening] = deque()
            self._loop.call_later(_ROOM_POLL_SECONDS, self._look_for_room, listening)
        waiting = self._waiting[listening]
        waiting.append(_Waiting(accepted, address, self._loop.time() + ROOM_SECONDS))
        if len(waiting) > _MOST_WAITING:
            self._turn_away(waiting.popleft().accepted)

    def _look_for_room(self, listening: socket.socket) -> None:
        """Begin the connections of those who wait and for whom there are slots by now."""
        waiting = self._waiting.pop(listening, None)
        if waiting is None:
            return  # all is being closed
        left, now, in_vain = deque[_Waiting](), self._loop.time(), False
        for one in waiting:
            if not in_vain and self._admit(one.accepted, one.address):
                continue
            in_vain = self._slots.full
            one.looks += 1
            if one.looks >= _ROOM_LOOKS and now >= one.until:
                self._turn_away(one.accepted)
            else:
                left.append(one)
        if left:
            self._waiting[listening] = left
            self._loop.call_later(_ROOM_POLL_SECONDS, self._look_for_room, listening)

    def _admit(self, accepted: socket.socket, address: str) -> bool:
        """Begin the connection, if there is a slot for it."""
        if (slot := self._slots.take(address)) is None:
            return False
        accepted.setblocking(False)
        slot.close = partial(self._close_unstarted, accepted)
        slot.has_unread = partial(_has_unread, accepted)
        slot.refuse = partial(self._refuse, accepted)
        task = self._loop.create_task(self._start(accepted, slot))
        self._starting.add(task)
        task.add_done_callback(partial(self._started, accepted, slot))
        return True

    def _started(self, accepted: socket.socket, slot: Slot, task: asyncio.Task[None]) -> None:
        self._starting.discard(task)
        if task.cancelled():  # perhaps before its first step
            self._slots.release(slot)
            accepted.close()

    def _turn_away(self, accepted: socket.socket) -> None:
        self._count("refused")
        self._refuse(accepted)
        accepted.close()

    def _resume(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    def _close_unstarted(self, accepted: socket.socket) -> None:
        """End a connection that has no transport yet; a TLS handshake under way fails by that."""
        self._refuse(accepted)
        with contextlib.suppress(OSError):
            accepted.shutdown(socket.SHUT_RDWR)

    def _refuse(self, accepted: socket.socket) -> None:
        """Answer a request before it is read, perhaps before it is sent; not within TLS."""
        if self._file.context() is not None:
            return
        with contextlib.suppress(OSError):
            accepted.setblocking(False)
            accepted.send(_BUSY)
            # If it were closed at once, the request would be answered by a RST in place of this.
            kept = accepted.dup()
            self._refused.append((self._loop.time(), kept))
            kept.shutdown(socket.SHUT_WR)
        self._close_refused(_MAX_REFUSED)

    def _close_refused(self, most: int, before: float = 0.0) -> None:
        """Close what was refused earlier than at the tick *before*, and all but the last *most*."""
        while self._refused and (len(self._refused) > most or self._refused[0][0] < before):
            self._refused.popleft()[1].close()

    async def _start(self, accepted: socket.socket, slot: Slot) -> None:
        context = self._file.context()
        try:
            await self._loop.connect_accepted_socket(
                partial(self._connection, slot),
                accepted,
                ssl=context,
                ssl_handshake_timeout=self._limits.head if context else None,
            )
        except (OSError, ssl.SSLError):  # the client left, or its handshake failed or took long
            self._slots.release(slot)
            accepted.close()

    def _connection(self, slot: Slot) -> Connection:
        connection = Connection(
            self._server,
            slot,
            self._slots,
            self._behind,
            loop=self._loop,
            keepalive_timeout=self._limits.head,
            lingering_time=_LINGERING_SECONDS,
            access_log=None,
            auto_decompress=False,  # `bodies.py` does, within its limits
        )
        self._connections.add(connection)
        return connection

    # -- looking after -----------------------------------------------------------------------

    def _look(self) -> None:
        """Cut the connections that are too slow, or idle for too long."""
        self._behind.relieve(GRACE_SECONDS)
        now = self._loop.time()
        self._close_refused(_MAX_REFUSED, now - _LOOK_SECONDS)
        for connection in list(self._connections):
            if not connection.slot.taken:
                self._connections.discard(connection)
                continue
            idle = self._limits.head
            if self._slots.short or connection.slot.reserved:
                idle = min(idle, _SHORT_IDLE_SECONDS)
            if why := connection.why_to_cut(now, self._limits.stall, idle):
                self._slots.cut(connection.slot, why)
        self._next_look = self._loop.call_later(
            min(_LOOK_SECONDS, self._limits.stall / 4), self._look
        )


def _bound(family: int, address: tuple[object, ...]) -> socket.socket | None:
    """Return a socket bound to *address*, None if this machine has no such address or family."""
    try:
        one = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return None
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        with contextlib.suppress(AttributeError, OSError):  # Linux only
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
        one.setblocking(False)
        one.bind(address)
    except OSError as error:
        one.close()
        if error.errno == errno.EADDRNOTAVAIL:
            return None
        raise
    return one


def _has_unread(accepted: socket.socket) -> bool:
    """Return whether the kernel has something from the client; False where it does not say."""
    size = bytearray(4)
    with contextlib.suppress(OSError, ValueError):
        fcntl.ioctl(accepted.fileno(), termios.FIONREAD, size)
    return any(size)


async def listen(
    runner: web.AppRunner,
    file: WebFile,
    address: tuple[str, int],
    *,
    limits: Limits,
    count: Callable[[str], None],
) -> Listener:
    """Accept connections on *address* within *limits*; *count* is called with why one is cut.

    Raises:
        OSError: the address cannot be bound.
    """
    listener = Listener(runner, file, limits, count)
    await listener.open(*address)
    return listener


def set_process_limits() -> None:
    """Raise the limit of open files, one per probe; write no core file, it would contain keys."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # a sandbox may forbid it; go on without
        if soft < hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
