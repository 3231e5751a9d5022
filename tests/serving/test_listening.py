"""Who comes while the loop is held, or while the server ends: nobody has to come again."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from exporter.clock import SystemClock
from exporter.serving import Limits, listen
from exporter.serving.web_config import WebFile
from tests.api.test_edge import Client, running
from tests.fakes import settle

_ESTABLISHED = 1
"""Of the states of TCP, in Linux."""
CONFIG = "services: [{id: a, base_url: 'http://127.0.0.1:1', enabled: false}]"


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let the test open as many files as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def crowd(client: Client, count: int) -> Iterator[list[socket.socket]]:
    """Connect *count* clients without a look at the loop: nobody accepts them meanwhile."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in clients:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", client.app.port))
        yield clients


@pytest.mark.usefixtures("many_files")
async def test_a_crowd_that_comes_while_the_loop_is_held_finds_a_place() -> None:
    """It would have to come again after a second, and so would a scrape among it."""
    count = min(2000, int(Path("/proc/sys/net/core/somaxconn").read_text()))

    async with running(CONFIG) as client:
        with crowd(client, count) as clients:
            states = [one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) for one in clients]

    assert states == [bytes([_ESTABLISHED])] * count


async def test_whoever_was_just_accepted_when_the_server_ends_is_closed() -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    limits = Limits(connections=9, head=9.0, stall=9.0)
    file = WebFile(None, SystemClock())
    listener = await listen(runner, file, ("127.0.0.1", 0), limits=limits, count=print)

    with socket.create_connection(listener.sockets[0].getsockname()) as client:
        listener._accept(listener.sockets[0])
        listener.close()
        await settle()
        client.setblocking(False)
        assert client.recv(9) == b""
    await runner.cleanup()
