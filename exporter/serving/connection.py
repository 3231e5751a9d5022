"""One client's connection: how much of its answer is unread, how fast it reads and sends.

aiohttp limits the time until a head is complete, and nothing else. A client that does not read what
it asked for, or that sends a body byte by byte, is cut off here; so are those that have been behind
the longest when too many are, so that unread answers take a bounded amount of memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import math
import socket
import struct
import termios
from typing import Any, cast

import aiohttp
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from exporter.api.guard import SERVER_HEADERS, problem
from exporter.serving.slots import Slot, Slots

MAX_BEHIND = 32
"""Clients that may be behind for longer than `GRACE_SECONDS` at once."""
MAX_UNREAD_BYTES = 6 * 1024 * 1024
"""Of answers that wait in memory, for all clients together, before no further one is made."""
GRACE_SECONDS = 0.25
"""Time for which a client may be behind before it may be cut off in favour of others."""
ROOM_SECONDS = 5.0
"""How long a request waits for room before it is refused."""
_ROOM_POLL_SECONDS = 0.05
MIN_BYTES_PER_SECOND = 1024
"""What a client must read, or send of a body, on average over `Limits.stall` seconds."""
_RESET = struct.pack("ii", 1, 0)


class Behind:
    """The clients that are behind in reading: the kernel did not take all of their answers."""

    def __init__(self, slots: Slots) -> None:
        self._slots, self._loop = slots, asyncio.get_running_loop()
        self._since: dict[Connection, float] = {}

    def add(self, connection: Connection) -> None:
        """Note that *connection* fell behind."""
        self._since[connection] = self._loop.time()

    def remove(self, connection: Connection) -> None:
        """Note that *connection* has caught up, or ended."""
        self._since.pop(connection, None)

    async def room(self, *, at_once: bool) -> bool:
        """Wait until a further answer may be made; False if that took too long.

        If it is to be *at_once*, others are not waited for but cut off.
        """
        deadline = self._loop.time() + ROOM_SECONDS
        while not self.relieve(0.0 if at_once else GRACE_SECONDS):
            if self._loop.time() >= deadline:
                return False
            await asyncio.sleep(_ROOM_POLL_SECONDS)
        return True

    def relieve(self, grace: float) -> bool:
        """Cut off who has been behind the longest while it is too much; return whether it is not.

        Somebody who fell behind less than *grace* seconds ago is waited for.
        """
        held = sum(one.held for one in self._since)
        old = self._older_than(grace)
        for number, one in enumerate(old):
            if len(old) - number <= MAX_BEHIND and held <= MAX_UNREAD_BYTES:
                break
            held -= one.held
            self.remove(one)
            self._slots.cut(one.slot, "too_much_unread")
        return held <= MAX_UNREAD_BYTES

    def end(self) -> None:
        """Close the connections of who is behind: the process does not wait for them to end."""
        for one in self._older_than(GRACE_SECONDS):
            one.slot.close()

    def _older_than(self, seconds: float) -> list[Connection]:
        limit = self._loop.time() - seconds
        return [one for one, since in self._since.items() if since <= limit]


class Pace:
    """Whether bytes move on: at least `MIN_BYTES_PER_SECOND` while there are some to move."""

    __slots__ = ("_moved", "_since", "_total")

    def __init__(self) -> None:
        self._since: float | None = None
        self._moved = self._total = 0.0

    def is_too_slow(
        self, now: float, moved: int, stall: float, *, waiting: bool, total: float = math.inf
    ) -> bool:
        """Return whether fewer bytes moved in *stall* seconds than must, while *waiting*.

        Of *total* bytes *moved* did so. It is fast enough that all of an earlier total has moved.
        """
        if not waiting:
            self._since = None
        elif self._since is None or now - self._since >= stall:
            least = min(self._total, self._moved + stall * MIN_BYTES_PER_SECOND)
            if self._since is not None and moved < least:
                return True
            self._since, self._moved, self._total = now, moved, total
        return False


class Metered(asyncio.Transport):
    """A transport that counts what is written to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport, self.written, self.paused = transport, 0, False
        self._empty_at = 0

    @property
    def held(self) -> int:
        """Bytes that were written since the kernel had last taken all: they are in memory."""
        return self.written - self._empty_at if self.get_write_buffer_size() else 0

    def _count(self, size: int) -> None:
        if not self.get_write_buffer_size():
            self._empty_at = self.written
        self.written += size

    def write(self, data: Any) -> None:
        self._count(len(data))
        self.transport.write(data)

    def writelines(self, list_of_data: Any) -> None:
        pieces = list(list_of_data)
        self._count(sum(map(len, pieces)))
        self.transport.writelines(pieces)

    def pause_reading(self) -> None:
        self.paused = True
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        self.paused = False
        self.transport.resume_reading()

    def is_reading(self) -> bool:
        return self.transport.is_reading()

    def get_write_buffer_size(self) -> int:
        return self.transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self.transport.is_closing()

    def close(self) -> None:
        self.transport.close()

    def abort(self) -> None:
        self.transport.abort()


class Connection(web.RequestHandler):
    """aiohttp's side of one connection, with a slot and with limits of time and memory."""

    __slots__ = (
        "_behind",
        "_busy",
        "_content",
        "_idle_since",
        "_metered",
        "_reading",
        "_received",
        "_sending",
        "_slots",
        "slot",
    )

    def __init__(
        self, server: web.Server, slot: Slot, slots: Slots, behind: Behind, **options: Any
    ) -> None:
        super().__init__(server, **options)
        self.slot, self._slots, self._behind = slot, slots, behind
        self._metered: Metered | None = None
        self._content: aiohttp.StreamReader | None = None
        self._received, self._busy = 0, False
        self._idle_since = self._loop.time()
        self._reading, self._sending = Pace(), Pace()

    # -- what happens ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start; without a slot, which may be taken away during a TLS handshake, end at once."""
        # uvloop's transports do not derive from asyncio's.
        written_to = cast(asyncio.Transport, transport)
        self._metered = Metered(written_to)
        self.slot.close = self._close_now
        # Without this, 64 KiB of an answer may wait in memory without us being called. Not 0: the
        # TLS of uvloop 0.23 pauses at the mark itself, and so would pause with nothing unsent.
        written_to.set_write_buffer_limits(high=1)
        super().connection_made(self._metered)
        if not self.slot.taken:
            self._close_now()

    def data_received(self, data: bytes) -> None:
        """Count and parse what the client sent."""
        self._received += len(data)
        if b"\r\n\r\n" in data:  # a head is complete, although its handler has yet to start
            self._slots.set_busy(self.slot)
        super().data_received(data)

    def begin(self, request: web.Request) -> None:
        """Note that the head of *request* is complete."""
        self._content, self._busy = request.content, True
        self._slots.set_busy(self.slot)

    async def finish_response(self, *given: Any) -> Any:
        """Send the answer; afterwards the connection is idle."""
        try:
            return await super().finish_response(*given)
        finally:
            self._idle_since, self._busy = self._loop.time(), False
            self._slots.set_idle(self.slot)

    def pause_writing(self) -> None:
        """Note that the kernel has not taken all that was written."""
        super().pause_writing()
        self._slots.set_idle(self.slot)
        self._behind.add(self)

    def resume_writing(self) -> None:
        """Note that it has."""
        super().resume_writing()
        self._behind.remove(self)
        if self._busy:
            self._slots.set_busy(self.slot)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Free the slot."""
        self._behind.remove(self)
        self._slots.release(self.slot)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that cannot be parsed; it is not our defect, so nothing is logged."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        if isinstance(exc, LineTooLong):
            refusal = problem(431, "the address or a header of the request is too long")
        else:
            refusal = problem(400, "the request is not valid HTTP")
        refusal.headers.update(SERVER_HEADERS)
        refusal.force_close()
        return refusal

    # -- limits ------------------------------------------------------------------------------

    async def room(self, *, at_once: bool = False) -> bool:
        """Wait until a further answer may be made; False if that took too long."""
        return await self._behind.room(at_once=at_once)

    @property
    def held(self) -> int:
        """Bytes of answers in our memory, with those that the kernel took of the same piece."""
        return 0 if self._metered is None else self._metered.held

    @property
    def buffered(self) -> int:
        """Bytes of answers in our memory that the client has not read."""
        return 0 if self._metered is None else self._metered.get_write_buffer_size()

    def why_to_cut(self, now: float, stall: float, idle: float) -> str:
        """Return why the connection is to be cut at *now*, or an empty text.

        *stall* is the time over which a pace is measured, *idle* that without a request.
        """
        if self._metered is None:
            return ""
        unread = self.buffered + self._in_kernel()
        written = self._metered.written
        if self._reading.is_too_slow(
            now, written - unread, stall, waiting=unread > 0, total=written
        ):
            return "slow_reader"
        waiting = (
            self._content is not None and not self._content.is_eof() and not self._metered.paused
        )
        if self._sending.is_too_slow(now, self._received, stall, waiting=waiting):
            return "slow_sender"
        if not unread and not self._busy and now - self._idle_since > idle:
            return "idle"
        return ""

    def _in_kernel(self) -> int:
        """Return how many bytes the kernel has not delivered; 0 where it does not say."""
        answer = bytearray(4)
        with contextlib.suppress(OSError, ValueError):
            fcntl.ioctl(self._socket().fileno(), termios.TIOCOUTQ, answer)
        return int.from_bytes(answer, "little")

    def _socket(self) -> socket.socket:
        assert self._metered is not None
        found: socket.socket = self._metered.get_extra_info("socket")
        return found

    def _close_now(self) -> None:
        if self._metered is None:
            return
        if not self._received:
            self.slot.refuse()
        elif self.buffered + self._in_kernel():
            # Otherwise the kernel would go on to offer the rest to a client that does not read it.
            with contextlib.suppress(OSError):
                self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._metered.abort()
