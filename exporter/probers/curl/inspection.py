"""What libcurl reports about a TLS session, version and cipher; and a bare request.

Bare: without the headers that libcurl adds of its own accord (Accept, Accept-Encoding,
Content-Type). blackbox_exporter does not send them, and a target should answer both alike.

Version and cipher are only in libcurl's informational
text ("SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384 / …", lib/vtls/openssl.c); pycurl has
no CURLINFO_TLS_SSL_PTR. A text of another form leaves both empty. The price is a callback for
each line of that text, so only requests with `session` or `inspect` pay it.
"""

from __future__ import annotations

import re
from typing import Any

import pycurl

from exporter.probers import Answer, Request
from exporter.probers.curl.options import host_lines

_SESSION = re.compile(rb"SSL connection using (TLSv1(?:\.[0-3])?) / ([A-Za-z0-9_-]{1,64}) /")
_ADDED_BY_LIBCURL = ("Accept", "Accept-Encoding", "Content-Type", "Expect")


class Inspection:
    """Watches one transfer for its TLS session; create it before the transfer starts."""

    __slots__ = ("_session",)

    def __init__(self, curl: Any, request: Request) -> None:
        if request.inspect:
            _set_bare_headers(curl, request)
        self._session = ("", "")
        curl.setopt(pycurl.VERBOSE, 1)
        curl.setopt(pycurl.DEBUGFUNCTION, self._on_text)

    def _on_text(self, kind: int, text: bytes) -> None:
        # The last one counts: an https proxy has a session of its own before that of the target.
        if kind == pycurl.INFOTYPE_TEXT and (match := _SESSION.search(text)):
            self._session = (match.group(1).decode(), match.group(2).decode())

    def fill(self, answer: Answer) -> None:
        """Set the session of *answer*."""
        answer.session = self._session


def _set_bare_headers(curl: Any, request: Request) -> None:
    if request.encoding:
        curl.setopt(pycurl.ACCEPT_ENCODING, request.encoding)
    else:
        curl.unsetopt(pycurl.ACCEPT_ENCODING)
    own_names = {name.lower() for name, _ in request.headers}
    lines = [f"{name}: {value}" if value.strip() else f"{name};" for name, value in request.headers]
    # `Name:` without a value removes the header that libcurl would send (CURLOPT_HTTPHEADER).
    lines += [f"{name}:" for name in _ADDED_BY_LIBCURL if name.lower() not in own_names]
    lines += host_lines(request)
    curl.setopt(pycurl.HTTPHEADER, [line.encode() for line in lines])
