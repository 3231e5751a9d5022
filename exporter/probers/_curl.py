"""The engine: libcurl's multi interface, driven by the event loop's own readiness events.

Why libcurl: it times every phase (TLS apart from TCP), speaks HTTP/2, proxies and client
certificates, and costs a fifth of blackbox_exporter's CPU. Redirects, retries and judgement are
not its business here. No pycurl exception leaves this module.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import certifi
import pycurl

from exporter.model import Certificate, Reason
from exporter.probers import MAX_HEAD, MAX_HEADERS, Answer, Request
from exporter.probers._addresses import is_public
from exporter.probers._certificates import earliest
from exporter.probers._curl_errors import failure_of
from exporter.probers._resolver import Resolver, ResolveError

_VERSIONS = {
    pycurl.CURL_HTTP_VERSION_1_0: 1.0,
    pycurl.CURL_HTTP_VERSION_1_1: 1.1,
    pycurl.CURL_HTTP_VERSION_2_0: 2.0,
    pycurl.CURL_HTTP_VERSION_3: 3.0,
}
_READY = {1: pycurl.CSELECT_IN, 2: pycurl.CSELECT_OUT}


@functools.lru_cache(maxsize=1)
def default_authorities() -> str:
    """Return the PEM file of the trusted authorities: the system's, else certifi's."""
    return ssl.get_default_verify_paths().cafile or certifi.where()


@functools.lru_cache(maxsize=16384)
def _address_of(url: str) -> tuple[str, int, bool]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    return parts.hostname or "", parts.port or (443 if secure else 80), secure


class _Transfer:
    """One request under way: what its callbacks collect."""

    __slots__ = ("body", "done", "head", "lines", "max_body", "refused", "size", "truncated")

    def __init__(self, done: asyncio.Future[tuple[int, str]], max_body: int) -> None:
        self.done, self.max_body = done, max_body
        self.head: dict[str, str] = {}
        self.body: list[bytes] = []
        self.lines = self.size = 0
        self.truncated = self.refused = False

    def on_header(self, line: bytes) -> int | None:
        self.lines += 1
        self.size += len(line)
        if self.lines > MAX_HEADERS or self.size > MAX_HEAD:
            return -1
        if line.startswith(b"HTTP/"):
            self.head = {}
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            name, value = name.strip().lower(), value.strip()
            known = self.head.get(name)
            self.head[name] = value if known is None else f"{known}, {value}"
        return None

    def on_body(self, chunk: bytes) -> int | None:
        room = self.max_body
        self.body.append(chunk[:room])
        self.max_body = room - len(chunk)
        if self.max_body < 0:
            self.truncated = True
            return 0
        return None

    def open_public(self, purpose: int, address: Any) -> Any:
        """Open a socket to a public address only: the check is on what is really dialled."""
        family, kind, protocol, where = address
        if not is_public(str(where[0])):
            self.refused = True
            return pycurl.SOCKET_BAD
        return socket.socket(family, kind, protocol)


class CurlTransport:
    """Sends requests on the running loop. One instance serves every probe of a process."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        self.resolver = resolver or Resolver()
        self._multi: Any = None
        self._loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self._timer: asyncio.Handle | None = None
        self._watched: dict[int, int] = {}
        self._running: dict[Any, _Transfer] = {}
        self._idle: list[Any] = []

    async def fetch(self, request: Request) -> Answer:
        """Return the answer to *request*, or how far it came, within its timeout."""
        self._start()
        host, port, secure = _address_of(request.url)
        begun = self._loop.time()
        addresses: list[str] = []
        if not request.proxy:
            try:
                async with asyncio.timeout(request.timeout):
                    addresses = await self.resolver.addresses(host, request.ip_version)
            except (ResolveError, TimeoutError) as error:
                spent = self._loop.time() - begun
                return _no_address(str(error) or "no name server answers in time", spent)
        resolved = self._loop.time() - begun
        if addresses and not request.allow_private:
            addresses = [a for a in addresses if is_public(a)]
            if not addresses:
                return Answer(
                    failure=Reason.ADDRESS_REFUSED,
                    detail="the name leads to an address that is not public",
                    duration=resolved,
                    phases=(resolved, 0.0, 0.0, 0.0, 0.0),
                )
        answer = await self._send(request, host, port, addresses, resolved)
        if answer.failure is Reason.TLS and secure and not request.tls.insecure_skip_verify:
            left = request.timeout - answer.duration
            if left > 0.05:
                answer.certificate = await self._peek(request, host, port, addresses, left)
        return answer

    async def close(self) -> None:
        """End every transfer and free the sockets."""
        for curl in list(self._running):
            self._forget(curl)
            curl.close()
        for curl in self._idle:
            curl.close()
        self._idle.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._multi is not None:
            self._multi.close()
            self._multi = None
        await self.resolver.close()

    # -- one transfer ------------------------------------------------------------------------

    async def _send(
        self, request: Request, host: str, port: int, addresses: list[str], resolved: float
    ) -> Answer:
        curl, transfer = self._prepare(request, host, port, addresses, resolved)
        try:
            code, _ = await self._run(curl, transfer)
            answer = _answer(curl, transfer, code, resolved, request)
        except BaseException:
            self._forget(curl)
            curl.close()
            raise
        curl.reset()
        self._idle.append(curl)
        return answer

    async def _peek(
        self, request: Request, host: str, port: int, addresses: list[str], left: float
    ) -> Certificate | None:
        """Return the certificate of a chain that does not verify; nothing of ours is sent."""
        bare = Request(
            url=request.url, method="GET", headers=(), timeout=left, proxy=request.proxy,
            allow_private=request.allow_private,
        )  # fmt: skip
        curl, transfer = self._prepare(bare, host, port, addresses, 0.0)
        curl.setopt(pycurl.CONNECT_ONLY, 1)
        curl.setopt(pycurl.SSL_VERIFYPEER, 0)
        curl.setopt(pycurl.SSL_VERIFYHOST, 0)
        try:
            await self._run(curl, transfer)
            return earliest(curl.getinfo(pycurl.INFO_CERTINFO), verified=False)
        except pycurl.error:
            return None
        finally:
            self._forget(curl)
            curl.close()

    def _prepare(
        self, request: Request, host: str, port: int, addresses: list[str], spent: float
    ) -> tuple[Any, _Transfer]:
        curl = self._idle.pop() if self._idle else pycurl.Curl()
        transfer = _Transfer(self._loop.create_future(), request.max_body)
        budget = max(1, round((request.timeout - spent) * 1000))
        set_ = curl.setopt
        set_(pycurl.NOSIGNAL, 1)
        set_(pycurl.TIMEOUT_MS, budget)
        set_(pycurl.CONNECTTIMEOUT_MS, budget)
        set_(pycurl.PROXY, request.proxy or "")
        set_(pycurl.ACCEPT_ENCODING, "")
        set_(pycurl.HEADERFUNCTION, transfer.on_header)
        set_(pycurl.WRITEFUNCTION, transfer.on_body)
        _set_method(curl, request)
        _set_address(curl, request, host, port, addresses)
        if not request.keep_alive:
            set_(pycurl.FRESH_CONNECT, 1)
            set_(pycurl.FORBID_REUSE, 1)
        if not request.allow_private:
            set_(pycurl.OPENSOCKETFUNCTION, transfer.open_public)
        if request.url.startswith("https") or (request.proxy or "").startswith("https"):
            _set_tls(curl, request)
        return curl, transfer

    async def _run(self, curl: Any, transfer: _Transfer) -> tuple[int, str]:
        self._running[curl] = transfer
        self._multi.add_handle(curl)
        return await transfer.done

    def _forget(self, curl: Any) -> None:
        if self._running.pop(curl, None) is not None:
            self._multi.remove_handle(curl)

    # -- the event loop ----------------------------------------------------------------------

    def _start(self) -> None:
        if self._multi is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1024)

    def _on_socket(self, what: int, fd: int, multi: Any, data: Any) -> None:
        known = self._watched.get(fd, 0)
        wanted = 0 if what == pycurl.POLL_REMOVE else what
        if known & 1 and not wanted & 1:
            self._loop.remove_reader(fd)
        if known & 2 and not wanted & 2:
            self._loop.remove_writer(fd)
        if wanted & 1 and not known & 1:
            self._loop.add_reader(fd, self._on_ready, fd, pycurl.CSELECT_IN)
        if wanted & 2 and not known & 2:
            self._loop.add_writer(fd, self._on_ready, fd, pycurl.CSELECT_OUT)
        if wanted:
            self._watched[fd] = wanted
        else:
            self._watched.pop(fd, None)

    def _on_timer(self, milliseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if milliseconds == 0:
            self._timer = self._loop.call_soon(self._on_timeout)
        elif milliseconds > 0:
            self._timer = self._loop.call_later(milliseconds / 1000, self._on_timeout)

    def _on_timeout(self) -> None:
        self._timer = None
        self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _on_ready(self, fd: int, mask: int) -> None:
        self._act(fd, mask)

    def _act(self, fd: int, mask: int) -> None:
        if self._multi is None:
            return
        self._multi.socket_action(fd, mask)
        while True:
            waiting, finished, failed = self._multi.info_read()
            for curl in finished:
                self._finish(curl, 0, "")
            for curl, code, text in failed:
                self._finish(curl, code, text)
            if not waiting:
                return

    def _finish(self, curl: Any, code: int, text: str) -> None:
        transfer = self._running.pop(curl, None)
        if transfer is None:
            return
        self._multi.remove_handle(curl)
        if not transfer.done.done():
            transfer.done.set_result((code, text))


def _no_address(detail: str, spent: float) -> Answer:
    phases = (spent, 0.0, 0.0, 0.0, 0.0)
    return Answer(failure=Reason.DNS, detail=detail, duration=spent, phases=phases)


def _set_method(curl: Any, request: Request) -> None:
    headers = [f"{name}: {value}" if value else f"{name};" for name, value in request.headers]
    curl.setopt(pycurl.HTTPHEADER, headers)
    if request.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    elif request.body is not None:
        curl.setopt(pycurl.POSTFIELDSIZE, len(request.body))
        curl.setopt(pycurl.POSTFIELDS, request.body)
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)
    elif request.method == "POST":
        curl.setopt(pycurl.POSTFIELDS, b"")
    elif request.method != "GET":
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)


def _set_address(
    curl: Any, request: Request, host: str, port: int, addresses: list[str]
) -> None:
    url = request.url
    if (name := request.tls.server_name) and name != host:
        # SNI and verification follow the URL's host in libcurl, so the other name becomes the
        # URL's and the true one goes into Host; the address is that of the true one.
        url = url.replace(f"//{host}", f"//{name}", 1)
        addresses, host = addresses or [host], name
    curl.setopt(pycurl.URL, url)
    if addresses and addresses != [host]:
        shown = ",".join(f"[{a}]" if ":" in a else a for a in addresses)
        curl.setopt(pycurl.RESOLVE, [f"+{host}:{port}:{shown}"])
    if request.ip_version:
        only = pycurl.IPRESOLVE_V4 if request.ip_version == 4 else pycurl.IPRESOLVE_V6
        curl.setopt(pycurl.IPRESOLVE, only)


def _set_tls(curl: Any, request: Request) -> None:
    tls = request.tls
    curl.setopt(pycurl.CAINFO, tls.ca_file or default_authorities())
    curl.setopt(pycurl.OPT_CERTINFO, 1)
    # A resumed session would show no certificate and flatter the handshake.
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    if not request.http2:
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    if tls.cert_file:
        curl.setopt(pycurl.SSLCERT, tls.cert_file)
        curl.setopt(pycurl.SSLKEY, tls.key_file or tls.cert_file)
    if tls.insecure_skip_verify:
        curl.setopt(pycurl.SSL_VERIFYPEER, 0)
        curl.setopt(pycurl.SSL_VERIFYHOST, 0)


def _answer(
    curl: Any, transfer: _Transfer, code: int, resolved: float, request: Request
) -> Answer:
    get: Callable[[int], Any] = curl.getinfo
    secure = request.url.startswith("https")
    phases = _phases(get, resolved, secure)
    answer = Answer(
        status=get(pycurl.RESPONSE_CODE),
        headers=transfer.head,
        body=b"".join(transfer.body),
        truncated=transfer.truncated,
        content_length=int(get(pycurl.CONTENT_LENGTH_DOWNLOAD)),
        http_version=_VERSIONS.get(get(pycurl.INFO_HTTP_VERSION), 0.0),
        duration=sum(phases),
        phases=phases,
        address=get(pycurl.PRIMARY_IP) or "",
    )
    if secure and not request.tls.insecure_skip_verify:
        answer.certificate = earliest(get(pycurl.INFO_CERTINFO), verified=code == 0)
    elif secure:
        answer.certificate = earliest(get(pycurl.INFO_CERTINFO), verified=False)
    if code and not (code == pycurl.E_WRITE_ERROR and transfer.truncated):
        if transfer.refused:
            answer.failure = Reason.ADDRESS_REFUSED
            answer.detail = "the address is not public"
        else:
            verify = get(pycurl.SSL_VERIFYRESULT) if secure else 0
            answer.failure, answer.detail = failure_of(code, _open_phase(get, secure), verify)
    return answer


def _stamps(get: Callable[[int], Any]) -> tuple[float, float, float, float, float]:
    return (
        get(pycurl.NAMELOOKUP_TIME),
        get(pycurl.CONNECT_TIME),
        get(pycurl.APPCONNECT_TIME),
        # set by a failure too: it counts only once there is a status
        get(pycurl.STARTTRANSFER_TIME) if get(pycurl.RESPONSE_CODE) else 0.0,
        get(pycurl.TOTAL_TIME),
    )


def _phases(
    get: Callable[[int], Any], resolved: float, secure: bool
) -> tuple[float, float, float, float, float]:
    """Return resolve, connect, tls, processing, transfer; they sum to the duration.

    libcurl's stamps are cumulative and 0 where a phase did not happen (a kept connection) or did
    not end (a failure). In the second case the rest of the time belongs to that phase.
    """
    lookup, connect, handshake, first, total = _stamps(get)
    ends, before = [], 0.0
    for stamp, happens in ((lookup, True), (connect, True), (handshake, secure), (first, True)):
        if not happens:
            end = before
        elif stamp <= 0:
            end = before if first > 0 else total
        else:
            end = min(max(stamp, before), total)
        ends.append(end)
        before = end
    a, b, c, d = ends
    return (resolved + a, b - a, c - b, d - c, total - d)


def _open_phase(get: Callable[[int], Any], secure: bool) -> str:
    """Return the phase that had not ended, in words for a person."""
    lookup, connect, handshake, first, _ = _stamps(get)
    if lookup <= 0:
        return "resolving the name"
    if connect <= 0:
        return "connecting"
    if secure and handshake <= 0:
        return "in the TLS handshake"
    return "waiting for the answer" if first <= 0 else "reading the answer"
