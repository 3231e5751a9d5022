"""Every server of the table, in a process of their own: `python -m tests.hostile.servers FOLDER`.

Writes one line of JSON with their addresses, and at the end of its input one about what they saw.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tests.fakes import KEY
from tests.hostile.behaviours import ROWS
from tests.hostile.certificates import contexts
from tests.hostile.handshakes import CONTEXTS
from tests.hostile.pages import GREEN
from tests.hostile.table import LATER, MARK, PLACES, Misdeed
from tests.mischief import hang
from tests.vendor import Behaviour, Greeting, Peer, Vendor, answer


def every_request(behaviour: Behaviour) -> Greeting:
    """Return what answers each request by *behaviour*, whatever its path."""

    async def greet(peer: Peer) -> None:
        while (seen := await peer.read()) is not None and not peer.writer.is_closing():
            await behaviour(peer, seen)

    return greet


def _server(row: Misdeed) -> Vendor:
    server = Vendor(CONTEXTS[row.tls] if row.tls else None)
    assert (row.behaviour is None) is not (row.greeting is None)
    server.greeting = row.greeting or every_request(row.behaviour or hang)
    return server


def _url(row: Misdeed, server: Vendor) -> str:
    secure = bool(row.tls) if row.secure is None else row.secure
    name = "localhost" if row.tls.startswith("chain") else "127.0.0.1"
    return f"{'https' if secure else 'http'}://{name}:{server.port}/"


@contextlib.asynccontextmanager
async def _elsewhere() -> AsyncIterator[tuple[Vendor, Vendor]]:
    """Run the servers to which redirects lead: one for services, and one for status pages."""
    async with Vendor() as elsewhere, Vendor() as hanging, Vendor() as green:
        elsewhere.on("/", answer(body="ok"))
        hanging.on("/", hang)
        for adapter, data in GREEN.items():
            green.on(f"/{adapter}", answer(body=json.dumps(data)))
        for name, server in (("elsewhere", elsewhere), ("hanging", hanging), ("green", green)):
            PLACES[name] = server.url("")
        yield elsewhere, green


async def _ended() -> None:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    await reader.read()


async def main(folder: Path) -> None:
    made, authority = contexts(folder)
    CONTEXTS.update(made)
    for make in LATER:
        make()
    async with _elsewhere() as (elsewhere, green), contextlib.AsyncExitStack() as stack:
        urls = {}
        for row in ROWS:
            urls[row.id] = _url(row, await stack.enter_async_context(_server(row)))
        print(json.dumps({"authority": authority, "urls": urls}), flush=True)
        await _ended()
        stolen = [seen for seen in elsewhere.seen if seen.holds(KEY) or seen.holds(MARK)]
        seen = {"redirected": len(elsewhere.seen), "stolen": len(stolen), "pages": len(green.seen)}
        print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
