"""A command on a terminal of its own: what its screen shows, keys, sizes, how it was left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator

from tests.patience import Patience

HOME, ALTERNATE, MAIN, CURSOR = "\x1b[H", "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]")
_PATIENCE_SECONDS = 60.0
# The terminal becomes the one that Ctrl-C comes from only to a process that asks for it.
_TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
_RUN = f"{_TAKE}; os.execv(sys.executable, [sys.executable, '-m', 'exporter', *sys.argv[1:]])"


class Screen:
    """A terminal with a command on it."""

    def __init__(self, side: int, other: int, process: subprocess.Popen[bytes]) -> None:
        self._side, self._other = side, other
        self.process = process
        self.output = ""

    @property
    def shown(self) -> str:
        """Return the last whole picture, or all of the output where none is drawn."""
        return plain(self.output.rpartition(HOME)[2])

    def until(self, condition: Callable[[str], bool]) -> str:
        """Return what is shown as soon as *condition* holds for it."""
        patience = Patience(_PATIENCE_SECONDS)
        while not condition(self.shown):
            assert not patience.is_over, self.shown
            self._read()
        return self.shown

    def press(self, keys: str) -> None:
        os.write(self._side, keys.encode())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._side, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self) -> int:
        """Return the exit code once the command has ended, with all that it wrote read."""
        patience = Patience(_PATIENCE_SECONDS)
        while self.process.poll() is None:
            assert not patience.is_over, self.shown
            self._read()
        while self._read():
            pass
        return self.process.wait()

    def settings(self) -> list[object]:
        """Return how the terminal is set: echo, lines, signals."""
        found = termios.tcgetattr(self._other)
        return [*found[:6], *found[6]]

    def _read(self) -> bool:
        ready, _, _ = select.select([self._side], [], [], 0.05)
        if ready:
            self.output += os.read(self._side, 65536).decode(errors="replace")
        return bool(ready)


def plain(text: str) -> str:
    """Return *text* without what sets colours and moves the cursor."""
    return _ESCAPE.sub("", text).replace("\r\n", "\n")


@contextlib.contextmanager
def screen(*arguments: str, rows: int = 24, columns: int = 100, **more: str) -> Iterator[Screen]:
    """Run a command on a terminal; *more* are environment variables."""
    side, other = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", **more}
    for name in ("COLUMNS", "LINES", "CI"):
        environment.pop(name, None)
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, *arguments],
        stdin=other,
        stdout=other,
        stderr=other,
        env=environment,
        start_new_session=True,
    )
    try:
        yield Screen(side, other, process)
    finally:
        process.kill()
        process.wait()
        os.close(side)
        os.close(other)
