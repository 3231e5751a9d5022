"""The terminal as a screen with keys: taken over for a while, and given back however that ends."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Generic, NoReturn, TypeVar

from exporter.secret import environment

_T = TypeVar("_T")
_SEQUENCES = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b[5~": "page up",
    b"\x1b[6~": "page down",
    b"\x1b[H": "home",
    b"\x1b[F": "end",
}
_MOST_BYTES = 64


def is_interactive() -> bool:
    """Return whether there is a terminal to draw on and to take keys from."""
    if environment().get("TERM", "dumb") in ("", "dumb", "unknown"):
        return False
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextlib.contextmanager
def keys() -> Iterator[Callable[[float], list[str]]]:
    """Take keys as they are pressed; yields a function that waits up to so many seconds for some.

    Ctrl-C still interrupts. SIGTERM and SIGHUP end the block as an exit, so that the terminal is
    given back; Ctrl-Z does nothing, for it would leave the shell with a foreign screen.
    """
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    former = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        tty.setcbreak(descriptor)
        own = termios.tcgetattr(descriptor)
        own[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(descriptor, termios.TCSANOW, own)
        yield lambda seconds: _pressed(descriptor, seconds)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        for number, handler in former.items():
            signal.signal(number, handler)


def _leave(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _pressed(descriptor: int, seconds: float) -> list[str]:
    ready, _, _ = select.select([descriptor], [], [], seconds)
    if not ready:
        return []
    found = os.read(descriptor, _MOST_BYTES)
    if not found:  # the terminal is gone
        raise SystemExit(1)
    return list(_names(found))


def _names(found: bytes) -> Iterator[str]:
    while found:
        for sequence, name in _SEQUENCES.items():
            if found.startswith(sequence):
                yield name
                found = found.removeprefix(sequence)
                break
        else:
            # An escape sequence that is not known must not be taken for the letters in it.
            if found.startswith(b"\x1b"):
                return
            yield chr(found[0])
            found = found[1:]


class Background(Generic[_T]):
    """Calls a function again and again in a thread, so that keys never wait for its answer."""

    def __init__(self, call: Callable[[], _T], seconds: float) -> None:
        self._call, self._seconds = call, seconds
        self._results: SimpleQueue[_T] = SimpleQueue()
        self._ended = threading.Event()
        # A daemon: at the end nobody waits for a request that hangs.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def newest(self) -> _T | None:
        """Return the last result since the last call, None without a new one."""
        found = None
        with contextlib.suppress(Empty):
            while True:
                found = self._results.get_nowait()
        return found

    def end(self) -> None:
        """Call no more."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._results.put(self._call())
            self._ended.wait(self._seconds)
