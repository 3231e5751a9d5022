"""The crowd as a program of its own: `python -m tests.torture.crowd_clients PORT SERVICES SCRAPERS
VIEWERS SECONDS` keeps pages open and scrapes without a pause, and prints what it got, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import re
import resource
import statistics
import sys
import zlib
from collections import Counter
from dataclasses import dataclass, field

import uvloop

_SCRAPE = (
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n"
    b"Connection: close\r\n\r\n"
)
_VIEW = b"GET /api/events?of=/ HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
_SAMPLE = re.compile(rb"[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? [0-9eE+.naNIf-]+")


@dataclass(slots=True)
class Seen:
    """What the crowd got."""

    scrapes: Counter[str] = field(default_factory=Counter)
    """`whole`, `refused` by a 503 with Retry-After, `cut` while it was sent, `closed` without a
    word, `broken`."""
    seconds: list[float] = field(default_factory=list)
    views: Counter[str] = field(default_factory=Counter)
    """`open` at the end, `refused`, `closed`."""
    events: int = 0
    why: set[str] = field(default_factory=set)


class CutError(Exception):
    """The connection ended within an answer: the client was too slow."""


async def _answer(port: int, request: bytes) -> tuple[bytes, bytes]:
    """Return head and body of the answer to *request*; both empty if nothing comes.

    Raises:
        CutError: the head came and not all of the body.
    """
    head = b""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if b"transfer-encoding: chunked" not in head.lower():
            return head, await reader.read()
        pieces = []
        while size := int(await reader.readline(), 16):
            pieces.append((await reader.readexactly(size + 2))[:-2])
        return head, b"".join(pieces)
    except (ConnectionError, asyncio.IncompleteReadError):
        if head:
            raise CutError from None
        return b"", b""
    finally:
        writer.close()


def _fault(head: bytes, body: bytes, services: int, *, thorough: bool) -> str:
    """Return what is wrong with a scrape, or an empty text."""
    if not head.startswith(b"HTTP/1.1 200 "):
        return f"status {head[:40]!r}"
    inflate = zlib.decompressobj(31)
    text = inflate.decompress(body)
    if not inflate.eof or not text.endswith(b"\n"):
        return "cut off"
    if (number := text.count(b"\nprobe_success{")) != services:
        return f"{number} services"
    lines = text.split(b"\n")[:-1] if thorough else []
    bad = [line for line in lines if not line.startswith(b"#") and not _SAMPLE.fullmatch(line)]
    return f"a line {bad[0]!r}" if bad else ""


async def _scrape(port: int, services: int, seen: Seen, end: float, number: int) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < end:
        begun = loop.time()
        try:
            head, body = await _answer(port, _SCRAPE)
        except CutError:
            seen.scrapes["cut"] += 1
            continue
        except (OSError, ValueError) as error:
            seen.scrapes["broken"] += 1
            seen.why.add(type(error).__name__)
            continue
        if not head:
            seen.scrapes["closed"] += 1
            await asyncio.sleep(0.1)
        elif head.startswith(b"HTTP/1.1 503 ") and b"\r\nretry-after: " in head.lower():
            seen.scrapes["refused"] += 1
            await asyncio.sleep(0.1)
        elif why := _fault(head, body, services, thorough=number % 20 == 0):
            seen.scrapes["broken"] += 1
            seen.why.add(why)
        else:
            seen.scrapes["whole"] += 1
            seen.seconds.append(loop.time() - begun)


async def _view(port: int, seen: Seen, came: asyncio.Semaphore) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_VIEW)
        head = await reader.readuntil(b"\r\n\r\n")
        came.release()
        if b" 200 " not in head[:16]:
            seen.views["refused"] += 1
            return
        seen.views["open"] += 1
        while piece := await reader.read(65536):
            seen.events += piece.count(b"\nevent: ") + piece.startswith(b"event: ")
        seen.views["open"] -= 1
        seen.views["closed"] += 1
    except (OSError, asyncio.IncompleteReadError):
        came.release()
        seen.views["closed"] += 1


async def _main(port: int, services: int, scrapers: int, viewers: int, seconds: float) -> None:
    loop, seen, came = asyncio.get_running_loop(), Seen(), asyncio.Semaphore(0)
    views = [asyncio.create_task(_view(port, seen, came)) for _ in range(viewers)]
    for _ in views:
        await came.acquire()
    end = loop.time() + seconds
    await asyncio.gather(*(_scrape(port, services, seen, end, n) for n in range(scrapers)))
    print(
        json.dumps(
            {
                "scrapes": seen.scrapes,
                "median": statistics.median(seen.seconds or [0.0]),
                "worst": max(seen.seconds, default=0.0),
                "views": seen.views,
                "events": seen.events,
                "why": sorted(seen.why)[:5],
            }
        )
    )
    for view in views:
        view.cancel()


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(_main(*(int(text) for text in sys.argv[1:])))
