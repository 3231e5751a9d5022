"""Requests in a network of their own, where a route is forbidden and two local ports exist.

Run as `unshare -rn python -m tests.probers.own_network`; prints JSON: reason and shortage of each.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import socket
import struct
from pathlib import Path

import uvloop

from exporter.probers import Answer
from exporter.probers.curl import CurlTransport
from tests.fakes import make_request

FORBIDDEN = {"192.0.2.1": 8, "192.0.2.2": 6}
"""By address the type of its route: "prohibit" gives EACCES at connect, "blackhole" EINVAL."""


def switch_on_loopback() -> None:
    """Set the flag IFF_UP of `lo` (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))


def forbid(address: str, kind: int) -> None:
    """Add a route of the type *kind* (rtnetlink(7)) to *address*."""
    attribute = struct.pack("HH", 8, 1) + socket.inet_aton(address)
    route = struct.pack("BBBBBBBBI", socket.AF_INET, 32, 0, 0, 254, 4, 0, kind, 0) + attribute
    head = struct.pack("IHHII", 16 + len(route), 24, 0x401 | 0x4, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.send(head + route)
        (error,) = struct.unpack_from("i", kernel.recv(4096), 16)
        assert error == 0, error


async def _late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.3)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    writer.close()


def _shown(answer: Answer) -> list[str | None]:
    return [answer.failure, answer.shortage]


async def main() -> None:
    switch_on_loopback()
    for address, kind in FORBIDDEN.items():
        forbid(address, kind)
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("61000 61001")
    transport = CurlTransport()
    server = await asyncio.start_server(_late, "127.0.0.1", 5555)
    forbidden = [await transport.fetch(make_request(f"http://{one}/")) for one in FORBIDDEN]
    refused = await transport.fetch(make_request("http://127.0.0.1:5556/"))
    crowd = await asyncio.gather(
        *(transport.fetch(make_request("http://127.0.0.1:5555/")) for _ in range(4))
    )
    server.close()
    await transport.close()
    print(
        json.dumps(
            {
                "forbidden": [_shown(one) for one in forbidden],
                "refused": _shown(refused),
                "crowd": sorted((_shown(one) for one in crowd), key=str),
            }
        )
    )


if __name__ == "__main__":
    uvloop.run(main())
