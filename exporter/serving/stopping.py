"""SIGTERM and SIGINT stop the process, also while its event loop is held.

The handlers of asyncio run on the loop, those of Python in the main thread between two of its
steps: neither while a call holds both. So the signals are blocked, and a thread waits for them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

from exporter.clock import SystemClock
from exporter.log import event

_log = logging.getLogger(__name__)
GRACE_SECONDS = 10.0
"""After the first signal the loop may stand still for so long; what is saved survives a kill."""
_SAME_SECONDS = 1.0
"""A second signal within this time is the same wish: a terminal and a supervisor send one each."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Stopping:
    def __init__(
        self, stop: Callable[[], object], silent_for: Callable[[], float], grace_seconds: float
    ) -> None:
        self._stop, self._silent_for, self._grace = stop, silent_for, grace_seconds
        self._clock = SystemClock()
        self._first: tuple[int, float] | None = None
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._wait, name="signals", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def release(self) -> None:
        """End the thread, unless a signal came: then it guards the end of the process too."""
        if self._first is None and self._thread.ident is not None:
            self._released.set()
            signal.pthread_kill(self._thread.ident, signal.SIGTERM)
            self._thread.join()

    def _wait(self) -> None:
        while True:
            number = signal.sigwait(_SIGNALS)
            if self._released.is_set():
                return
            now = self._clock.tick()
            if self._first is None:
                self._first = (number, now)
                threading.Thread(target=self._enforce, name="grace", daemon=True).start()
                self._stop()
            elif now - self._first[1] > _SAME_SECONDS:
                _end(number, "a second signal: the process ends at once")

    def _enforce(self) -> None:
        assert self._first is not None
        number, at = self._first
        while True:
            threading.Event().wait(min(0.5, self._grace / 4))
            if min(self._silent_for(), self._clock.tick() - at) > self._grace:
                _end(number, "the event loop does not run: the process ends without it")


@contextlib.contextmanager
def stop_on_signals(
    stop: Callable[[], object],
    silent_for: Callable[[], float],
    *,
    grace_seconds: float = GRACE_SECONDS,
) -> Iterator[None]:
    """Call *stop*, from a thread, at the first SIGTERM or SIGINT.

    The process ends at once at a second signal, and when *silent_for*, the seconds for which the
    loop has not run, exceeds *grace_seconds* after the first. To be entered before there are other
    threads: those inherit that the signals are blocked.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    stopping = _Stopping(stop, silent_for, grace_seconds)
    stopping.start()
    try:
        yield
    finally:
        stopping.release()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(number: int, why: str) -> NoReturn:
    """End the process with the status that a shell gives a program ended by the signal *number*.

    The line is written by another thread: whatever holds the main thread may hold the log.
    """
    name = signal.Signals(number).name
    words = threading.Thread(
        target=event, args=(_log, why), kwargs={"level": logging.ERROR, "signal": name}, daemon=True
    )
    words.start()
    words.join(1.0)
    os._exit(128 + number)
