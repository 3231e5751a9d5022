"""Long work on text in a thread beside the loop: RE2 gives up Python's lock while it searches.

The threads are daemons, so that a search that takes minutes keeps no process from ending; those of
`asyncio.to_thread` are awaited at the end, and a few slow patterns would take them all.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

LONG_TEXT = 65_536
"""Bytes of a body from which on it is worked on in a thread; a shorter one costs less than that."""
AT_ONCE = 2
"""Threads of one `Beside`."""
START_SECONDS = 5.0
"""A thread that has not begun by then has died for want of memory before its first line."""
T = TypeVar("T")


class Beside:
    """Runs functions in at most `AT_ONCE` threads; more of them wait."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(self, work: Callable[[], T], *, length: int) -> T:
        """Return what *work* returns: at once for a text of a short *length*, else from a thread.

        Whoever is cancelled leaves the thread to its work, and its place is taken until that ends.

        Raises:
            MemoryError: there was not enough for the thread; or whatever *work* raises.

            found = await beside.run(lambda: pattern_matches(pattern, text), length=len(text))
        """
        if length <= LONG_TEXT:
            return work()
        await self._places.acquire()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        begun = threading.Lock()

        def search() -> None:
            if not begun.acquire(blocking=False):
                return  # too late
            try:
                found = work()
            except BaseException as error:
                give = _failing(done, error)
            else:
                give = _giving(done, found)
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(self._end, done, give)

        def miss() -> None:
            if begun.acquire(blocking=False):
                self._end(done, _failing(done, MemoryError()))

        if not _has_thread(search):  # slow is better than not at all
            self._places.release()
            return work()
        loop.call_later(START_SECONDS, miss)
        return await done

    def _end(self, done: asyncio.Future[T], give: Callable[[], None]) -> None:
        self._places.release()
        if not done.done():
            give()


def _has_thread(search: Callable[[], None]) -> bool:
    """Begin *search* in a thread; return whether there can be one."""
    try:
        # `Thread.start` waits for the first line: in the loop, and without memory for ever.
        _thread.start_new_thread(search, ())
    except RuntimeError:
        return False
    return True


def _failing(done: asyncio.Future[T], error: BaseException) -> Callable[[], None]:
    return lambda: done.set_exception(error)


def _giving(done: asyncio.Future[T], found: T) -> Callable[[], None]:
    return lambda: done.set_result(found)
