"""A name server on loopback, byte by byte: answers, refusals, silence, and lies."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

NXDOMAIN, SERVFAIL, REFUSED, SILENCE = 3, 2, 5, -1
TYPES = {1: 4, 28: 6}
_ALIAS_TYPE = 5
_LARGEST_DATAGRAM = 1232
"""Bytes; a longer answer is cut off and asked for again over TCP (DNS flag day 2020)."""


@dataclass(frozen=True, slots=True)
class Alias:
    """A CNAME."""

    to: str


@dataclass(frozen=True, slots=True)
class Odd:
    """*addresses* in an answer that is odd: the id of another question, or drips over TCP."""

    addresses: Sequence[str]
    wrong_id: bool = False
    drips: bool = False


Known = Sequence[str] | int | Alias | Odd
"""Addresses, or one of the numbers above, or something odder."""


def turning(*answers: Known, over_again: bool = False) -> Callable[[int], Known]:
    """Answer each question of one type with the next of *answers*; the last one stays, or all."""
    asked: dict[int, itertools.count[int]] = {}

    def answer(kind: int) -> Known:
        number = next(asked.setdefault(kind, itertools.count()))
        return answers[number % len(answers) if over_again else min(number, len(answers) - 1)]

    return answer


class NameServer(asyncio.DatagramProtocol):
    """Answers A and AAAA from `names`, over UDP; over TCP too if it is given such a socket.

    What lives 0 seconds is not kept by a resolver; everything here does.
    """

    def __init__(
        self, datagrams: socket.socket | None = None, streams: socket.socket | None = None
    ) -> None:
        """*datagrams* and *streams* are bound sockets; without, a free port of loopback."""
        self.names: dict[str, Known | Callable[[int], Known]] = {}
        self.asked: list[tuple[str, int]] = []
        self.over_tcp = 0
        self._datagrams, self._streams = datagrams, streams
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[object]] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._datagrams is None:
            made = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        else:
            made = await loop.create_datagram_endpoint(lambda: self, sock=self._datagrams)
        self._transport = made[0]
        self.address = "{}:{}".format(*made[0].get_extra_info("sockname")[:2])
        if self._streams is not None:
            self._server = await asyncio.start_server(self._on_stream, sock=self._streams)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._transport is not None
        self._transport.close()
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.sleep(0)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        found, odd = self._answered(data)
        if found is None:
            return
        if len(found) > _LARGEST_DATAGRAM or (odd is not None and odd.drips):
            found = _cut(data)
        assert self._transport is not None
        self._transport.sendto(found, addr)

    async def _on_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.over_tcp += 1
        if (task := asyncio.current_task()) is not None:
            self._tasks.add(task)
        # uvloop raises a RuntimeError when a closed connection is written to.
        ended = (OSError, RuntimeError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*ended):
            while True:
                (size,) = struct.unpack("!H", await reader.readexactly(2))
                found, odd = self._answered(await reader.readexactly(size))
                if found is None:
                    break
                found = struct.pack("!H", len(found)) + found
                for byte in found if odd is not None and odd.drips else ():
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0.1)
                writer.write(found)
                await writer.drain()
        writer.close()

    def _answered(self, data: bytes) -> tuple[bytes | None, Odd | None]:
        """Return the answer to the question *data*, None for none, and what is odd about it."""
        name, end = _question(data)
        (kind,) = struct.unpack_from("!H", data, end)
        self.asked.append((name, kind))
        known, records = self._known(name, kind), list[bytes]()
        odd = known if isinstance(known, Odd) else None
        for _ in range(8):
            if not isinstance(known, Alias):
                break
            records.append(_record(name, _ALIAS_TYPE, _name(known.to)))
            name = known.to
            known = self._known(name, kind)
        if known == SILENCE:
            return None, None
        code = known if isinstance(known, int) else 0
        found = odd.addresses if odd else () if isinstance(known, int | Alias | Odd) else known
        records += _records(name, found, kind)
        number = bytes([data[0] ^ 1, data[1]]) if odd and odd.wrong_id else data[:2]
        head = number + struct.pack("!HHHHH", 0x8180 | code, 1, len(records), 0, 0)
        return head + data[12 : end + 4] + b"".join(records), odd

    def _known(self, name: str, kind: int) -> Known:
        known = self.names.get(name, NXDOMAIN)
        return known(kind) if callable(known) else known


def _question(data: bytes) -> tuple[str, int]:
    """Return the name that is asked for and where it ends."""
    at, labels = 12, []
    while size := data[at]:
        labels.append(data[at + 1 : at + 1 + size].decode("latin-1").lower())
        at += 1 + size
    return ".".join(labels), at + 1


def _cut(data: bytes) -> bytes:
    """Return the answer to *data* that says: too long, ask over TCP."""
    _, end = _question(data)
    return data[:2] + struct.pack("!HHHHH", 0x8380, 1, 0, 0, 0) + data[12 : end + 4]


def _name(text: str) -> bytes:
    labels = (label.encode("latin-1") for label in text.split(".") if label)
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _record(name: str, kind: int, data: bytes) -> bytes:
    return _name(name) + struct.pack("!HHIH", kind, 1, 0, len(data)) + data


def _records(name: str, addresses: Sequence[str], kind: int) -> list[bytes]:
    """Return the records of *kind*; each lives 0 seconds."""
    parsed = [ipaddress.ip_address(text) for text in addresses]
    return [_record(name, kind, ip.packed) for ip in parsed if TYPES.get(kind) == ip.version]
