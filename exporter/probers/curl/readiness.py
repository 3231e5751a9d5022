"""Which of many sockets are ready, behind one descriptor that an event loop watches.

A loop's own watch of a socket costs about as much as the socket's whole request over plain HTTP:
eight system calls and several objects, for a connection that lives for three events.
"""

from __future__ import annotations

import select
import selectors
from typing import Protocol

IN, OUT = selectors.EVENT_READ, selectors.EVENT_WRITE
"""Bits for the events to wait for; libcurl's POLL_IN and POLL_OUT are the same numbers."""
REMOVE = 4
"""libcurl's POLL_REMOVE."""


class Readiness(Protocol):
    """A set of sockets to wait for."""

    def fileno(self) -> int:
        """Return the descriptor that is readable while one of the sockets is ready."""

    def watch(self, events: int, fd: int, *_: object) -> None:
        """Wait for exactly *events* of *fd* from now on; 0 or REMOVE removes it.

        libcurl calls it without a function of ours in between, five times a probe; hence the order.
        """

    def ready(self) -> list[tuple[int, int]]:
        """Return each descriptor that is ready now, and its events.

        A descriptor with an error has at least the events that are waited for.
        """

    def close(self) -> None:
        """Free the descriptor."""


class Epoll:
    """Linux's epoll, the cheapest."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        both = select.EPOLLIN | select.EPOLLOUT
        self._bits = (0, select.EPOLLIN, select.EPOLLOUT, both, 0)
        """What epoll calls IN, OUT, IN | OUT and, as the last one, REMOVE."""
        self._events = {select.EPOLLIN: IN, select.EPOLLOUT: OUT}
        self._watched: set[int] = set()

    def fileno(self) -> int:
        return self._epoll.fileno()

    def watch(self, events: int, fd: int, *_: object) -> None:
        wanted = self._bits[events]
        if fd not in self._watched:
            if wanted:
                self._watched.add(fd)
                self._epoll.register(fd, wanted)
        elif wanted:
            self._epoll.modify(fd, wanted)
        else:
            self._watched.discard(fd)
            self._epoll.unregister(fd)

    def ready(self) -> list[tuple[int, int]]:
        # An error or a hang-up (neither bit) counts as both, or libcurl would not notice it.
        known = self._events.get
        return [(fd, known(bits, IN | OUT)) for fd, bits in self._epoll.poll(0, 256)]

    def close(self) -> None:
        self._epoll.close()


class Selector:
    """Python's default selector, for systems without epoll (macOS: kqueue)."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def fileno(self) -> int:
        return int(self._selector.fileno())

    def watch(self, events: int, fd: int, *_: object) -> None:
        events, known = events & (IN | OUT), fd in self._selector.get_map()
        if events and known:
            self._selector.modify(fd, events)
        elif events:
            self._selector.register(fd, events)
        elif known:
            self._selector.unregister(fd)

    def ready(self) -> list[tuple[int, int]]:
        return [(key.fd, events) for key, events in self._selector.select(0)]

    def close(self) -> None:
        self._selector.close()


def best_readiness() -> Readiness:
    """Return the cheapest implementation that this system supports."""
    return Epoll() if hasattr(select, "epoll") else Selector()
