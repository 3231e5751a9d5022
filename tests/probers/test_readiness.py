"""Many sockets behind one descriptor: both implementations report the same."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable, Iterator

import pycurl
import pytest

from exporter.probers import Request
from exporter.probers.curl import CurlTransport
from exporter.probers.curl.readiness import (
    IN,
    OUT,
    REMOVE,
    Epoll,
    Readiness,
    Selector,
    best_readiness,
)
from tests.vendor import Vendor, answer

Make = Callable[[], Readiness]
each = pytest.mark.parametrize("make", [Epoll, Selector])


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    one.setblocking(False)
    with one, other:
        yield one, other


def shows(made: Readiness) -> bool:
    """Return whether a loop that watches its descriptor would wake up."""
    return bool(select.select([made.fileno()], [], [], 0)[0])


def test_the_numbers_are_those_of_libcurl() -> None:
    assert (IN, OUT, REMOVE) == (pycurl.POLL_IN, pycurl.POLL_OUT, pycurl.POLL_REMOVE)
    assert pycurl.POLL_INOUT == IN | OUT


@each
def test_a_socket_is_ready_for_what_is_waited_for_only(
    make: Make, pair: tuple[socket.socket, socket.socket]
) -> None:
    made, (one, other) = make(), pair
    made.watch(IN, one.fileno())
    assert (shows(made), made.ready()) == (False, [])

    made.watch(OUT, one.fileno())
    assert (shows(made), made.ready()) == (True, [(one.fileno(), OUT)])

    made.watch(IN | OUT, one.fileno())
    other.send(b"x")
    assert made.ready() == [(one.fileno(), IN | OUT)]

    made.watch(REMOVE, one.fileno())
    made.watch(REMOVE, one.fileno())  # libcurl may forget what it never had watched
    assert (shows(made), made.ready()) == (False, [])
    made.close()


@each
def test_the_other_side_is_gone(make: Make, pair: tuple[socket.socket, socket.socket]) -> None:
    made, (one, other) = make(), pair
    made.watch(IN, one.fileno())

    other.close()

    ((fd, events),) = made.ready()
    assert (fd, events & IN) == (one.fileno(), IN)
    made.close()


@each
async def test_probes_go_through_either(make: Make, vendor: Vendor) -> None:
    vendor.on("/", answer(200, {"status": "ok"}))
    transport = CurlTransport(readiness=make)
    request = Request(url=vendor.url(), method="GET", headers=(), timeout=5, allow_private=True)

    answers = await asyncio.gather(*(transport.fetch(request) for _ in range(20)))

    assert [found.status for found in answers] == [200] * 20
    await transport.close()


def test_linux_has_the_cheapest() -> None:
    assert isinstance(best_readiness(), Epoll)
