"""One transfer of libcurl: its handle, and what the callbacks of the handle collect."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pycurl

from exporter.model import Shortage
from exporter.probers import MAX_HEAD_BYTES, MAX_HEADERS, Request
from exporter.probers.curl.addresses import is_public
from exporter.probers.curl.options import Shape
from exporter.probers.curl.shortages import shortage_of

# The status line, the headers and the empty line. Interim (1xx) answers count as well.
MAX_LINES = MAX_HEADERS + 2
MAX_SENT = 2
"""How often one request is sent: libcurl alone would repeat a refused one five times."""


class Transfer:
    """A handle, for one request at a time; `done` has libcurl's error number and text.

    `shape` is that of the requests for which the options of the handle are set, None if they are
    set for one request only.
    """

    __slots__ = (
        "body",
        "curl",
        "done",
        "lacked",
        "lines",
        "max_body",
        "opened",
        "public_only",
        "refused",
        "sent",
        "shape",
        "size",
        "truncated",
        "watch",
    )

    def __init__(self, curl: Any) -> None:
        self.curl = curl
        self.shape: Shape | None = None

    def begin(self, request: Request, done: asyncio.Future[tuple[int, str]]) -> None:
        """Be ready for *request*, at the end of which *done* is set."""
        self.done, self.max_body, self.watch = done, request.max_body, request.watch
        self.lines: list[bytes] = []
        self.body: list[bytes] = []
        self.opened: list[socket.socket] = []
        self.size = self.sent = 0
        self.truncated = self.refused = False
        # A kept connection opens no socket.
        self.public_only = request.keep_alive and not request.allow_private
        self.lacked: Shortage | None = None

    def set_callbacks(self, request: Request) -> None:
        """Let the handle call this object, for every request of the shape of *request*."""
        self.curl.setopt(pycurl.PREREQFUNCTION, self.on_request)
        self.curl.setopt(pycurl.HEADERFUNCTION, self.on_header)
        self.curl.setopt(pycurl.WRITEFUNCTION, self.on_body)
        if not request.allow_private:
            self.curl.setopt(pycurl.OPENSOCKETFUNCTION, self.open_public)

    def on_request(self, address: str, *_: object) -> int:
        """Let a request go over the connection to *address*, new or kept: twice, if it may."""
        self.sent += 1
        if self.public_only and not is_public(address):
            self.refused = True
        may = self.sent <= MAX_SENT and not self.refused
        return int(pycurl.PREREQFUNC_OK if may else pycurl.PREREQFUNC_ABORT)

    def on_header(self, line: bytes) -> int | None:
        self.lines.append(line)
        self.size += len(line)
        # Any number but the length of the line makes libcurl stop; None means all of it.
        return -1 if len(self.lines) > MAX_LINES or self.size > MAX_HEAD_BYTES else None

    def on_body(self, chunk: bytes) -> int | None:
        room = self.max_body
        if self.watch is not None:
            self.watch(chunk[:room])
        self.body.append(chunk[:room])
        self.max_body = room - len(chunk)
        if self.max_body < 0:
            self.truncated = True
            return 0  # libcurl stops with a write error
        return None

    def open_public(self, purpose: int, address: Any) -> Any:
        """Open a socket, to a public address only.

        The check of the resolved addresses is not enough: this is the address that libcurl
        connects to in the end.
        """
        family, kind, protocol, where = address
        if not is_public(str(where[0])):
            self.refused = True
            return pycurl.SOCKET_BAD
        try:
            new = socket.socket(family, kind, protocol)
        except OSError as error:
            self.lacked = shortage_of(error)
            return pycurl.SOCKET_BAD
        self.opened.append(new)
        return new

    def close_opened(self) -> None:
        """Close our copies of the sockets: pycurl works on a duplicate of each."""
        for opened in self.opened:
            opened.close()
