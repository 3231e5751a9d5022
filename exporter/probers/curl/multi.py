"""libcurl's multi interface on the event loop: it is asked when a socket is ready or a time is up.

A multi has its own connections, and one set of authorities: libcurl keeps the last that it read, so
that two files in turn would be read for each request, which takes 13 ms for the usual 140 of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import pycurl

from exporter.probers.curl.readiness import Readiness
from exporter.probers.curl.shortages import shortage_behind
from exporter.probers.curl.transfer import Transfer

MOST_MULTIS = 16
"""One for plain HTTP, one for the usual authorities, the others for files of services' own."""
_NEVER = float("inf")
_TIMER_ERROR_SECONDS = 0.0005
"""A timer of the loop, which counts milliseconds, may run so early."""
Key = TypeVar("Key", bound=Hashable)


class Multi:
    """Runs transfers on the running event loop. It must be closed.

    Raises:
        OSError: we have no descriptor left.
    """

    def __init__(self, readiness: Callable[[], Readiness]) -> None:
        self._loop = asyncio.get_running_loop()
        self._multi: Any = pycurl.CurlMulti()
        self._sockets = readiness()
        self._loop.add_reader(self._sockets.fileno(), self._on_ready)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._sockets.watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        # Idle connections to keep, for the services with `connection: keep_alive`.
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1024)
        self._due = self._alarm_at = _NEVER
        """When libcurl wants to be asked, and for when the loop's timer is set."""
        self._alarm: asyncio.TimerHandle | None = None
        self._running: dict[Any, Transfer] = {}

    @property
    def in_flight(self) -> int:
        """The number of transfers that are running."""
        return len(self._running)

    def begin(self, transfer: Transfer) -> None:
        """Run *transfer*; its `done` is set at the end."""
        self._running[transfer.curl] = transfer
        self._multi.add_handle(transfer.curl)

    def forget(self, curl: Any) -> Transfer | None:
        """End the transfer of *curl* if it is under way, and return it."""
        if (transfer := self._running.pop(curl, None)) is not None:
            self._multi.remove_handle(curl)
            transfer.close_opened()
        return transfer

    def close(self) -> None:
        """Cancel every transfer and free the sockets."""
        for curl, transfer in list(self._running.items()):
            self.forget(curl)
            curl.close()
            transfer.done.cancel()
        self._loop.remove_reader(self._sockets.fileno())
        self._multi.close()
        self._multi = None
        self._sockets.close()
        if self._alarm is not None:
            self._alarm.cancel()

    def _on_timer(self, milliseconds: int) -> None:
        self._due = self._loop.time() + milliseconds / 1000 if milliseconds >= 0 else _NEVER
        if milliseconds == 0:
            # Not at once: libcurl must not be entered again from its own callback.
            self._loop.call_soon(self._on_timeout)
        elif self._due < self._alarm_at:
            self._set_alarm()

    def _set_alarm(self) -> None:
        """Wake up when libcurl is due.

        An alarm that is set earlier stays: most transfers end before theirs, and to cancel one and
        set another each time took a hundredth of a probe.
        """
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = self._due
        self._alarm = self._loop.call_at(self._due, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm, self._alarm_at = None, _NEVER
        self._on_timeout()
        if self._due < self._alarm_at:
            self._set_alarm()

    def _on_timeout(self) -> None:
        # Nothing to do if libcurl has been asked since, or thought better of it.
        if self._multi is not None and self._due - self._loop.time() < _TIMER_ERROR_SECONDS:
            self._due = _NEVER
            self._work(pycurl.SOCKET_TIMEOUT, 0)

    def _on_ready(self) -> None:
        for fd, events in self._sockets.ready():
            self._work(fd, events)

    def _work(self, fd: int, events: int) -> None:
        """Let libcurl do what is due for *fd*, and take what has ended: mostly nothing has."""
        _, running = self._multi.socket_action(fd, events)
        if running < len(self._running):
            self._collect()

    def _collect(self) -> None:
        while True:
            waiting, finished, failed = self._multi.info_read()
            for curl in finished:
                self._finish(curl, 0, "")
            for curl, code, text in failed:
                self._finish(curl, code, text)
            if not waiting:
                return

    def _finish(self, curl: Any, code: int, text: str) -> None:
        if (transfer := self.forget(curl)) is None:
            return
        if code:
            number = curl.getinfo(pycurl.OS_ERRNO)
            if code != pycurl.E_COULDNT_CONNECT:
                transfer.lacked = None  # another of the addresses got its socket
            transfer.lacked = shortage_behind(code, number) or transfer.lacked
        if not transfer.done.done():
            transfer.done.set_result((code, text))


class Multis(Generic[Key]):
    """A `Multi` for each key, made when it is asked for; of many the idle ones are closed."""

    def __init__(self, readiness: Callable[[], Readiness]) -> None:
        self._readiness = readiness
        self._made: dict[Key, Multi] = {}

    @property
    def in_flight(self) -> int:
        """The number of transfers that are running."""
        return sum(multi.in_flight for multi in self._made.values())

    def of(self, key: Key) -> Multi:
        """Return the one of *key*.

        Raises:
            OSError: it is new, and we have no descriptor left.
        """
        if (multi := self._made.get(key)) is None:
            if len(self._made) >= MOST_MULTIS:
                self._drop()
            multi = self._made[key] = Multi(self._readiness)
        return multi

    def close(self) -> None:
        """Close them all; they may be asked for again."""
        for multi in self._made.values():
            multi.close()
        self._made.clear()

    def _drop(self) -> None:
        """Close the one that was made first of those that are idle; there may be none."""
        idle = (key for key, multi in self._made.items() if not multi.in_flight)
        if (key := next(idle, None)) is not None:
            self._made.pop(key).close()
