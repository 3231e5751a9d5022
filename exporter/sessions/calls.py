"""The calls of one client to one service, for as long as the program runs.

A client is made once, a service changes: its key is rotated, its configuration reloaded. Each call
has the settings of its time; the connections of older ones end with the last call that uses them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from exporter.config import Target
from exporter.sessions.exchange import Exchange


class ClosedError(RuntimeError):
    """The transport, or the registry that it belongs to, is closed."""


class Line:
    """An exchange, and how many calls use it; in the set *opened* for as long as it is open."""

    def __init__(self, exchange: Exchange, opened: set[Line]) -> None:
        self.exchange, self._opened = exchange, opened
        self._users, self._is_current = 0, True
        self._opening = asyncio.Lock()

    async def take(self) -> None:
        """Open the exchange if it is not, for one more call."""
        self._users += 1
        try:
            async with self._opening:
                if not self.exchange.is_open:
                    self._opened.add(self)
                    # the vendors' clients limit nothing that a transport could know of
                    await self.exchange.open(connections=0)
        except BaseException:
            await self.give()
            raise

    async def give(self) -> None:
        """End one call."""
        self._users -= 1
        await self._close_if_over()

    async def retire(self) -> None:
        """Take no further calls."""
        self._is_current = False
        await self._close_if_over()

    async def end(self) -> None:
        """End the connections; calls under way fail."""
        self._is_current = False  # what is just being opened ends with its call
        await self._close()

    @property
    def is_over(self) -> bool:
        return not self._users and not self._is_current

    async def _close_if_over(self) -> None:
        if self.is_over:
            await self._close()

    async def _close(self) -> None:
        await self.exchange.close()
        self._opened.discard(self)


class Calls:
    """Sends single requests to a service as it is now; belongs to one event loop."""

    def __init__(self, find: Callable[[], Target], make: Callable[[Target], Line]) -> None:
        """*find* returns the service as it is now, *make* a line to it."""
        self._find, self._make = find, make
        self._loop: asyncio.AbstractEventLoop | None = None
        self._line: Line | None = None
        self._lines: set[Line] = set()
        self._waiting: set[asyncio.Timeout] = set()
        self._closed = False

    def __del__(self) -> None:
        """Let the connections of a client that nobody has closed end with its last answer."""
        loop = self._loop
        if loop is not None and not self._closed and not loop.is_closed():
            for line in self._lines:
                loop.call_soon_threadsafe(_retire_soon, line)

    async def line(self) -> Line:
        """Return the connections for one call; `Line.give` ends it.

        Raises:
            ClosedError: this is closed.
            RuntimeError: this is used from another event loop than before.
            UnknownServiceError: the service was removed.
            RequestFailed: its settings do not allow calls.
        """
        self._check()
        target = self._find()
        line = self._line
        if line is None or line.exchange.target is not target:
            self._line = self._make(target)
            self._lines.add(self._line)
            if line is not None:
                await line.retire()
            self._lines = {kept for kept in self._lines if not kept.is_over}
            line = self._line
        await line.take()
        return line

    async def take_turn(self, line: Line, seconds: float | None) -> None:
        """Return as soon as the rate limit leaves room for one request, and count it.

        Raises:
            TimeoutError: it leaves none within *seconds*; None waits for as long as it takes.
            ClosedError: this was closed meanwhile.
        """
        try:
            async with asyncio.timeout(seconds) as limit:
                self._waiting.add(limit)
                try:
                    await line.exchange.take_turn()
                finally:
                    self._waiting.discard(limit)
        except TimeoutError:
            self._check()  # it may be the end of the registry that ended the waiting
            raise
        self._check()

    async def close(self) -> None:
        """End the connections; calls under way fail, also those that wait for their turn."""
        self._closed = True
        for limit in self._waiting:
            limit.reschedule(0.0)  # long past
        for line in tuple(self._lines):
            await line.end()

    def _check(self) -> None:
        if self._closed:
            raise ClosedError("the transport is closed")
        loop = asyncio.get_running_loop()
        if self._loop not in (None, loop):
            raise RuntimeError("the transport is used from another event loop than before")
        self._loop = loop


def _retire_soon(line: Line) -> None:
    task = asyncio.get_running_loop().create_task(line.retire())
    _retiring.add(task)
    task.add_done_callback(_retiring.discard)


_retiring: set[asyncio.Task[None]] = set()
"""A loop keeps no task alive."""
