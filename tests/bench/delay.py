"""A server of known delay: it writes down when each request came and its answer left.

Run as `python -m tests.bench.delay PORT SECONDS`; `GET /log` returns [service, start, seconds]
rows, start being the Unix time of the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Iterator

import uvloop

from tests.programs import free_port, running

BODY = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"status": "ok"}'


class Connection(asyncio.Protocol):
    """One request a connection."""

    log: list[tuple[str, float, float]] = []  # noqa: RUF012, shared on purpose
    delay = 0.05

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.accepted, self.at = time.perf_counter(), time.time()

    def data_received(self, data: bytes) -> None:
        path = data.split(b" ", 2)[1].decode().strip("/")
        if path == "log":
            body = json.dumps(self.log).encode()
            self.log.clear()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            self.transport.write(head + body)
            return
        asyncio.get_running_loop().call_later(self.delay, self.answer, path)

    def answer(self, path: str) -> None:
        self.transport.write(BODY)
        self.log.append((path, self.at, time.perf_counter() - self.accepted))


@contextlib.contextmanager
def delay_server(seconds: float, core: int | None = None) -> Iterator[str]:
    """Run the server in a process of its own, on one *core* if given; yield its URL."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.delay", str(port), str(seconds)]
    with running(command, core, f"http://127.0.0.1:{port}/log"):
        yield f"http://127.0.0.1:{port}"


async def main(port: int, delay: float) -> None:
    Connection.delay = delay
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2])))
