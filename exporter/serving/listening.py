"""The server's socket with its connection limit, and the resource limits of the process."""

from __future__ import annotations

import asyncio
import contextlib
import resource

from aiohttp import web

from exporter.serving.web_config import WebFile


class _Refusal(asyncio.Protocol):
    """Closes a connection beyond the limit at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def listen(
    runner: web.AppRunner, file: WebFile, address: tuple[str, int], *, connections: int, head: float
) -> asyncio.Server:
    """Accept at most *connections* at once on *address*; *head* limits a TLS handshake, in seconds.

    Raises:
        OSError: the address cannot be bound.
    """
    handlers = runner.server
    assert handlers is not None

    def accept() -> asyncio.BaseProtocol:
        return handlers() if len(handlers.connections) < connections else _Refusal()

    context, (host, port) = file.context(), address
    return await asyncio.get_running_loop().create_server(
        accept,
        host or None,
        port,
        backlog=1024,
        ssl=context,
        ssl_handshake_timeout=head if context else None,
    )


def set_process_limits() -> None:
    """Raise the limit of open files, one per probe; write no core file, it would contain keys."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # a sandbox may forbid it; go on without
        if soft < hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
