"""A name server on loopback, byte by byte: answers, refusals, silence."""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from collections.abc import Sequence
from typing import Self

NXDOMAIN, SERVFAIL, REFUSED, SILENCE = 3, 2, 5, -1
TYPES = {1: 4, 28: 6}


class NameServer(asyncio.DatagramProtocol):
    """Answers A and AAAA from `names`: addresses, or one of the numbers above."""

    def __init__(self) -> None:
        self.names: dict[str, Sequence[str] | int] = {}
        self.asked: list[tuple[str, int]] = []
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        made = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self._transport = made[0]
        self.address = f"127.0.0.1:{made[0].get_extra_info('sockname')[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._transport is not None
        self._transport.close()
        await asyncio.sleep(0)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name, end = _question(data)
        (kind,) = struct.unpack_from("!H", data, end)
        self.asked.append((name, kind))
        known = self.names.get(name, NXDOMAIN)
        if known == SILENCE:
            return
        assert self._transport is not None
        code = known if isinstance(known, int) else 0
        found = () if isinstance(known, int) else tuple(_records(known, kind))
        head = data[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(found), 0, 0)
        self._transport.sendto(head + data[12 : end + 4] + b"".join(found), addr)


def _question(data: bytes) -> tuple[str, int]:
    """Return the name that is asked for and where it ends."""
    at, labels = 12, []
    while size := data[at]:
        labels.append(data[at + 1 : at + 1 + size].decode("latin-1").lower())
        at += 1 + size
    return ".".join(labels), at + 1


def _records(addresses: Sequence[str], kind: int) -> list[bytes]:
    """Return the records of *kind*; each points at the question's name and lives 0 seconds."""
    parsed = [ipaddress.ip_address(text) for text in addresses]
    return [
        struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(ip.packed)) + ip.packed
        for ip in parsed
        if TYPES.get(kind) == ip.version
    ]
