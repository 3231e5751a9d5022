"""Watches the event loop from a thread: while it does not run, nothing else can say so."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from types import FrameType

from exporter.clock import Clock, SystemClock
from exporter.log import event

_log = logging.getLogger(__name__)
STALL_SECONDS = 5.0
"""Without a turn of the loop for longer, a stall is reported: half of a probe's usual limit."""
_BEAT_SECONDS = 0.5
_DEEPEST = 25


class Watchdog:
    """Reports each stall of the loop once, with the place in the code that holds it.

    A call in C that keeps the interpreter's lock holds this thread too: such a stall is reported
    when it has ended, without its place. The same is true of a process that was suspended.
    """

    def __init__(
        self, on_stall: Callable[[], object], *, stall_seconds: float = STALL_SECONDS
    ) -> None:
        """*on_stall* is called from the thread, once for each stall."""
        self._on_stall, self._stall_seconds = on_stall, stall_seconds
        self._clock: Clock = SystemClock()  # a thread cannot wait on another clock
        self._stopped = threading.Event()
        self._loop_thread = 0
        self.beat_at = 0.0
        """When the loop last ran, of the monotonic clock; 0 before it first did."""

    async def run(self) -> None:
        """Watch the loop that runs this, until cancelled."""
        self._loop_thread, self.beat_at = threading.get_ident(), self._clock.tick()
        self._stopped.clear()
        thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        thread.start()
        try:
            while True:
                await asyncio.sleep(min(_BEAT_SECONDS, self._stall_seconds / 4))
                self.beat_at = self._clock.tick()
        finally:
            self._stopped.set()
            thread.join(1.0)

    def silent_for(self) -> float:
        """Return for how many seconds the loop has not run."""
        return self._clock.tick() - self.beat_at

    def _watch(self) -> None:
        held_since, looked_at = 0.0, self._clock.tick()
        while not self._stopped.wait(min(_BEAT_SECONDS, self._stall_seconds / 4)):
            now = self._clock.tick()
            late, looked_at = now - looked_at > self._stall_seconds, now
            if held_since and self.beat_at != held_since:
                seconds = round(self.beat_at - held_since, 1)
                event(_log, "the event loop runs again", level=logging.WARNING, seconds=seconds)
                held_since = 0.0
            if not held_since and now - self.beat_at > self._stall_seconds:
                held_since = self.beat_at
                self._report(now - held_since, late=late)

    def _report(self, seconds: float, *, late: bool) -> None:
        self._on_stall()
        where = "unknown: the process was suspended, or held by a call in C"
        if not late:
            where = stack_of(sys._current_frames().get(self._loop_thread))
        what = "the event loop is held: no probe, page or signal is handled"
        event(_log, what, level=logging.ERROR, seconds=round(seconds, 1), stack=where)


def stack_of(frame: FrameType | None) -> str:
    """Return the innermost places of *frame* as `file:line function`, the outermost first.

    No line of source and no variable is in it: either may hold a secret.
    """
    places: list[str] = []
    while frame is not None and len(places) < _DEEPEST:
        file = frame.f_code.co_filename
        for folder in ("/site-packages/", "/exporter/"):
            file = file.rpartition(folder)[2]
        places.append(f"{file}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return " > ".join(reversed(places)) or "unknown"
