"""A crowd of hostile clients, run as a program of its own: `python -m tests.serving.flood PORT`.

Some ask for the metrics, or the page, and never read the answer; the others never ask. Whoever is
cut off comes back. It prints a line once all have been there, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import socket
import sys

SLOW_READERS, IDLE = 900, 2000
_PATHS = (*["/metrics"] * 8, "/", "/api/health")
_REQUEST = "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n"
_PAUSE_SECONDS = 10.0


async def _client(port: int, request: bytes, came: asyncio.Semaphore) -> None:
    """Connect, send *request*, read nothing; again when cut off."""
    loop, first = asyncio.get_running_loop(), True
    await asyncio.sleep(random.uniform(0, 1))
    while True:
        one = socket.socket()
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        with contextlib.suppress(OSError):
            await loop.sock_connect(one, ("127.0.0.1", port))
            await loop.sock_sendall(one, request)
        if first:
            came.release()
            first = False
        await _end(one)
        one.close()
        await asyncio.sleep(random.uniform(0.5, 1.5) * _PAUSE_SECONDS)


async def _end(one: socket.socket) -> None:
    """Wait until the server has closed *one*, without reading what it sends."""
    while True:
        await asyncio.sleep(0.5)
        state = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        if state != 1:  # TCP_ESTABLISHED
            return


async def _main(port: int) -> None:
    came = asyncio.Semaphore(0)
    requests = [_REQUEST.format(_PATHS[n % len(_PATHS)]).encode() for n in range(SLOW_READERS)]
    tasks = [
        asyncio.create_task(_client(port, request, came)) for request in [*requests, *[b""] * IDLE]
    ]
    for _ in tasks:
        await came.acquire()
    print("all are there", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_main(int(sys.argv[1])))
