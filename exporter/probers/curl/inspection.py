"""A bare request, and what libcurl can tell of its TLS session: chain, version and cipher.

Bare: without the headers that libcurl adds of its own accord (Accept, Accept-Encoding,
Content-Type), as blackbox_exporter asks, so that the same target answers both alike.

The chain comes from CURLINFO_CERTINFO. Version and cipher are only in libcurl's informational
text ("SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384 / …", lib/vtls/openssl.c); pycurl has
no CURLINFO_TLS_SSL_PTR. A text of another form leaves both unknown. Costs a callback per line,
so only requests with `inspect` pay it.
"""

from __future__ import annotations

import re
import ssl
from typing import Any

import pycurl

from exporter.probers import Answer, Request
from exporter.probers.curl.options import host_lines

_SESSION = re.compile(rb"SSL connection using (TLSv1(?:\.[0-3])?) / ([A-Za-z0-9_-]{1,64}) /")
_OWN = ("Accept", "Accept-Encoding", "Content-Type", "Expect")
MAX_CHAIN = 16


class Inspection:
    """Watches one transfer."""

    __slots__ = ("_curl", "_session")

    def __init__(self, curl: Any, request: Request) -> None:
        self._curl = curl
        _bare(curl, request)
        self._session = ("", "")
        curl.setopt(pycurl.VERBOSE, 1)
        curl.setopt(pycurl.DEBUGFUNCTION, self._on_text)

    def _on_text(self, kind: int, text: bytes) -> None:
        # The last one counts: an https proxy has a session of its own before.
        if kind == pycurl.INFOTYPE_TEXT and (match := _SESSION.search(text)):
            self._session = (match.group(1).decode(), match.group(2).decode())

    def tell(self, answer: Answer) -> None:
        """Put what was seen into *answer*."""
        answer.session = self._session
        answer.chain = tuple(_chain(self._curl.getinfo(pycurl.INFO_CERTINFO)))


def _bare(curl: Any, request: Request) -> None:
    if request.encoding:
        curl.setopt(pycurl.ACCEPT_ENCODING, request.encoding)
    else:
        curl.unsetopt(pycurl.ACCEPT_ENCODING)
    given = {name.lower() for name, _ in request.headers}
    lines = [f"{name}: {value}" if value.strip() else f"{name};" for name, value in request.headers]
    # A name without a value takes back what libcurl would send.
    lines += [f"{name}:" for name in _OWN if name.lower() not in given]
    lines += host_lines(request)
    curl.setopt(pycurl.HTTPHEADER, [line.encode() for line in lines])


def _chain(entries: list[tuple[tuple[str, str], ...]] | None) -> list[bytes]:
    texts = (p[1] for entry in (entries or ())[:MAX_CHAIN] for p in entry if p[0] == "Cert")
    try:
        return [ssl.PEM_cert_to_DER_cert(text) for text in texts]
    except ValueError:
        return []
