"""Tells systemd that the exporter is ready, that its loop runs, and that it stops.

A unit of `Type=notify` counts as started when its port is open, and one with `WatchdogSec=` is
started anew when the loop stands still. Source: sd_notify(3) and sd_watchdog_enabled(3), systemd
252: datagrams to the socket in NOTIFY_SOCKET, half of WATCHDOG_USEC between two signs of life.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

from exporter.clock import Clock, SystemClock

_SHORTEST_BEAT = 0.1


class Supervisor:
    """Sends nothing unless the process was started by a unit that listens."""

    def __init__(self, variables: Mapping[str, str], clock: Clock | None = None) -> None:
        """*variables* is the process environment."""
        self._clock = clock or SystemClock()
        address = variables.get("NOTIFY_SOCKET", "")
        # "@" means the NUL of an abstract address.
        self._address = "\0" + address[1:] if address[:1] == "@" else address
        self._beat = _beat_seconds(variables)

    def ready(self) -> None:
        """Say that requests are answered."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Say that the exporter ends."""
        self._send("STOPPING=1")

    async def beat(self) -> None:
        """Say again and again that the loop runs, until cancelled, if somebody waits for that."""
        while self._beat is not None:
            self._send("WATCHDOG=1")
            await self._clock.sleep(self._beat)

    def _send(self, text: str) -> None:
        if not self._address.startswith(("/", "\0")):
            return
        # Whoever listens may be gone or slow: the exporter works without.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to,
        ):
            to.setblocking(False)
            to.sendto(text.encode(), self._address)


def _beat_seconds(variables: Mapping[str, str]) -> float | None:
    """Return the seconds between two signs of life, None if nobody waits for them."""
    given = variables.get("WATCHDOG_USEC", "")
    for_us = variables.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
    if not for_us or not given.isdecimal() or not given.isascii() or len(given) > 18:
        return None
    return max(_SHORTEST_BEAT, int(given) / 2e6) if int(given) else None
