"""How long to wait for real programs on a machine that has other work: by what it gives them.

patience = Patience(60)
while not found():
    assert not patience.is_over, "in vain"

async with patient(60):  # as asyncio.timeout(60)
    await found()

watch = Stopwatch()
await found()
assert watch.read().given < 0.9
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

_LOOK_SECONDS = 0.5
_LONGEST = 4
"""What hangs while the machine gives nothing ends after so many times its seconds."""
_PROC = Path("/proc")
Found = TypeVar("Found")


class Patience:
    """Seconds of which those do not count that the machine gave to others.

    While a thread of this process, or of one that it has started, is ready and waits for a core,
    nothing can be said of how long its work takes.
    """

    def __init__(
        self,
        seconds: float,
        *,
        tick: Callable[[], float] = time.monotonic,
        waited: Callable[[], dict[str, float]] | None = None,
    ) -> None:
        """*waited* returns by thread for how many seconds it has waited for a core until now."""
        self._tick, self._waited = tick, waited or seconds_waited
        self._left, self._at, self._known = seconds, tick(), self._waited()

    @property
    def is_over(self) -> bool:
        """Whether the seconds are over; at the latest after four times of them."""
        now = self._tick()
        passed = now - self._at
        if passed >= min(_LOOK_SECONDS, self._left):
            found = self._waited()
            held = sum(max(0.0, s - self._known.get(thread, 0.0)) for thread, s in found.items())
            self._left -= passed - min(held, passed * (1 - 1 / _LONGEST))
            self._at, self._known = now, found
        return self._left <= 0


@contextlib.asynccontextmanager
async def patient(
    seconds: float, *, waited: Callable[[], dict[str, float]] | None = None
) -> AsyncIterator[None]:
    """Cancel the block after *seconds* of `Patience`, which says what *waited* is.

    Raises:
        TimeoutError: if it was cancelled.
    """
    loop = asyncio.get_running_loop()
    first = min(_LOOK_SECONDS, seconds)

    def look(patience: Patience | None) -> None:
        """Look again and again; what ends within the first seconds costs no look at all."""
        nonlocal next_look
        patience = patience or Patience(seconds - first, waited=waited)
        if patience.is_over:
            limit.reschedule(loop.time())
        else:
            next_look = loop.call_later(_LOOK_SECONDS / 5, look, patience)

    next_look = loop.call_later(first, look, None)
    try:
        async with asyncio.timeout(None) as limit:
            yield
    finally:
        next_look.cancel()


async def within(seconds: float, coming: Awaitable[Found]) -> Found:
    """Return what *coming* is, as `asyncio.wait_for` does, within *seconds* of `Patience`.

    Raises:
        TimeoutError: if it did not come.
    """
    async with patient(seconds):
        return await coming


class Spent(NamedTuple):
    """How long something lasted: at least `seconds` is judged, at most `given`."""

    seconds: float
    """What a clock on the wall says."""
    given: float
    """Those of them in which no thread waited for a core: what others took is not counted."""


class Stopwatch:
    """Measures since it was made how long this process, and others, have taken."""

    def __init__(self, *processes: int) -> None:
        """*processes*, by number, are those that are waited for beside this one."""
        self._processes = (os.getpid(), *processes)
        self._begun, self._before = time.monotonic(), self._held()

    def read(self) -> Spent:
        """Return what has been spent until now."""
        seconds = time.monotonic() - self._begun
        return Spent(seconds, max(0.0, seconds - (self._held() - self._before)))

    def _held(self) -> float:
        return sum(map(seconds_held, self._processes))


def seconds_waited() -> dict[str, float]:
    """Return by thread of this process and those below for how long it waited for a core.

    Empty where the system is not Linux.
    """
    found = {}
    for thread in _threads(str(os.getpid())):
        try:
            found[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):  # it has ended
            continue
    return found


def seconds_held(process: int) -> float:
    """Return for how long the threads of *process* have waited for a core; 0 if not Linux."""
    held = 0.0
    with contextlib.suppress(OSError):
        for thread in (_PROC / str(process) / "task").iterdir():
            held += int((thread / "schedstat").read_text().split()[1]) / 1e9
    return held


def _threads(process: str) -> Iterator[Path]:
    try:
        threads = list((_PROC / process / "task").iterdir())
        children = [(thread / "children").read_text().split() for thread in threads]
    except OSError:
        return
    yield from threads
    for child in (one for some in children for one in some):
        yield from _threads(child)
