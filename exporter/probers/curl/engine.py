"""The engine: libcurl's multi interface, driven by the event loop's own readiness events.

Why libcurl: it times every phase (TLS apart from TCP), supports HTTP/2, proxies and client
certificates, and costs half of blackbox_exporter's CPU over plain HTTP, as much over TLS: there a
bare request of libcurl is 0.87 of a probe (`tests/instructions`). Here it follows no redirects. It
repeats a request that a server has not processed (a stream that HTTP/2 refuses, a kept connection
that was closed), but once only. A failed transfer is returned as an `Answer`, not raised as a
`pycurl.error`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pycurl

from exporter.checks import TlsSettings
from exporter.model import Certificate, Reason
from exporter.probers import Answer, Request
from exporter.probers.curl.addresses import is_public
from exporter.probers.curl.answers import answer_of
from exporter.probers.curl.certificates import earliest
from exporter.probers.curl.chains import Chains
from exporter.probers.curl.handles import Handles
from exporter.probers.curl.heads import head_of
from exporter.probers.curl.inspection import Inspection
from exporter.probers.curl.options import address_of, set_own_options
from exporter.probers.curl.readiness import Readiness, best_readiness
from exporter.probers.curl.resolver import ResolveError, Resolver, literal_address
from exporter.probers.curl.shortages import answer_for, blame, shortage_behind, shortage_of
from exporter.probers.curl.transfer import Transfer

_NEVER = float("inf")
_TIMER_ERROR_SECONDS = 0.0005
"""A timer of the loop, which counts milliseconds, may run so early."""


class CurlTransport:
    """Sends requests on the running event loop. One instance serves every probe of a process.

    Example:

        transport = CurlTransport()
        answer = await transport.fetch(Request(url=url, method="GET", headers=(), timeout=5.0))
        await transport.close()
    """

    def __init__(
        self,
        resolver: Resolver | None = None,
        readiness: Callable[[], Readiness] = best_readiness,
        chains: Chains | None = None,
    ) -> None:
        self.resolver = resolver or Resolver()
        self._chains = chains or Chains()
        self._make_sockets = readiness
        self._sockets: Readiness
        self._multi: Any = None
        self._loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self._due = self._alarm_at = _NEVER
        """When libcurl wants to be asked, and for when the loop's timer is set."""
        self._alarm: asyncio.TimerHandle | None = None
        self._running: dict[Any, Transfer] = {}
        self._handles = Handles()

    async def fetch(self, request: Request) -> Answer:
        """Return the answer to *request*, or how far it came, within its timeout."""
        begun = asyncio.get_running_loop().time()
        try:
            return await self._answer(request, begun)
        except (OSError, MemoryError, RuntimeError, pycurl.error) as error:
            if (shortage := shortage_of(error)) is None:
                raise
            return answer_for(shortage, self._loop.time() - begun)

    async def _answer(self, request: Request, begun: float) -> Answer:
        self._start()
        try:
            host, _, secure, url = address_of(request.url)
        except ValueError:
            return Answer(failure=Reason.CLIENT_ERROR, detail="the URL is not valid")
        if url != request.url:
            request = replace(request, url=url)
        addresses = await self._addresses(request, host, begun)
        if isinstance(addresses, Answer):
            return addresses
        resolved = self._loop.time() - begun
        answer = await self._send(request, addresses, resolved)
        if request.keep_alive and answer.failure is Reason.ADDRESS_REFUSED:
            # The kept connection was that of a service of the same host which may connect inside.
            answer = await self._send(replace(request, keep_alive=False), addresses, resolved)
        if secure:
            if answer.failure is Reason.TLS and not request.tls.insecure_skip_verify:
                left = request.timeout - answer.duration
                if left > 0.05:
                    answer.certificate = await self._unverified_certificate(
                        request, addresses, left
                    )
            await self._chains.complete(request, answer, self._loop.time())
        return answer

    async def _addresses(self, request: Request, host: str, begun: float) -> list[str] | Answer:
        """Return the addresses to try, none if a proxy looks for them; or why there are none."""
        if literal := literal_address(host):
            addresses = [] if request.proxy else [literal]
        elif request.proxy:
            return []
        else:
            try:
                addresses = await self.resolver.addresses(host, request.ip_version, request.timeout)
            except ResolveError as error:
                spent = self._loop.time() - begun
                if error.shortage is not None:
                    return answer_for(error.shortage, spent)
                return _no_address(Reason.DNS, str(error), spent)
        if addresses and not request.allow_private:
            addresses = [a for a in addresses if is_public(a)]
            if not addresses:
                detail = "the name leads to an address that is not public"
                spent = self._loop.time() - begun
                return _no_address(Reason.ADDRESS_REFUSED, detail, spent)
        return addresses

    @property
    def in_flight(self) -> int:
        """The number of transfers that are running."""
        return len(self._running)

    async def close(self) -> None:
        """Cancel every transfer and free the sockets."""
        for curl, transfer in list(self._running.items()):
            self._forget(curl)
            curl.close()
            transfer.done.cancel()
        self._handles.close()
        if self._multi is not None:
            self._loop.remove_reader(self._sockets.fileno())
            self._multi.close()
            self._multi = None
            self._sockets.close()
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._due, self._alarm_at = None, _NEVER, _NEVER
        await self.resolver.close()

    # -- one transfer ------------------------------------------------------------------------

    async def _send(self, request: Request, addresses: list[str], resolved: float) -> Answer:
        secure = request.url.startswith("https")
        try:
            transfer = self._prepare(request, addresses, request.timeout - resolved)
        except ValueError:
            return Answer(
                failure=Reason.CLIENT_ERROR, detail="the URL or a header holds a control character"
            )
        curl = transfer.curl
        if secure:
            lacks = self._chains.lacks(request, addresses, self._loop.time())
            curl.setopt(pycurl.OPT_CERTINFO, int(lacks))
        watched = request.session or request.inspect
        inspection = Inspection(curl, request) if watched else None
        try:
            self._begin(transfer)
            ended = await transfer.done
            headers, repeated, versions_exist = head_of(transfer.lines)
            collected = Answer(
                headers=headers,
                repeated=repeated,
                body=b"".join(transfer.body),
                truncated=transfer.truncated,
            )
            answer = answer_of(curl, collected, ended, resolved, request, refused=transfer.refused)
            answer.resolved = tuple(addresses)
            if answer.failure is None and not versions_exist:
                answer.failure, answer.detail = Reason.PROTOCOL, "the answer is not HTTP"
            if transfer.lacked is not None and answer.failure and not transfer.refused:
                blame(answer, transfer.lacked)
            if inspection is not None:
                inspection.fill(answer)
        except BaseException:
            self._forget(curl)
            curl.close()
            raise
        self._handles.give_back(transfer, clean=not ended[0] and transfer.sent == 1)
        return answer

    async def _unverified_certificate(
        self, request: Request, addresses: list[str], left: float
    ) -> Certificate | None:
        """Return the certificate of a chain that does not verify, from a handshake alone.

        Neither headers nor body nor client certificate are sent to this server.
        """
        bare = Request(
            url=request.url,
            method="GET",
            headers=(),
            timeout=left,
            proxy=request.proxy,
            allow_private=request.allow_private,
            ip_version=request.ip_version,
            tls=TlsSettings(server_name=request.tls.server_name),
        )
        transfer = self._prepare(bare, addresses, left)
        curl = transfer.curl
        curl.setopt(pycurl.OPT_CERTINFO, 1)
        curl.setopt(pycurl.CONNECT_ONLY, 1)
        curl.setopt(pycurl.SSL_VERIFYPEER, 0)
        curl.setopt(pycurl.SSL_VERIFYHOST, 0)
        try:
            self._begin(transfer)
            await transfer.done
            return earliest(curl.getinfo(pycurl.INFO_CERTINFO), verified=False)
        except pycurl.error:
            return None
        finally:
            self._forget(curl)
            curl.close()

    def _prepare(self, request: Request, addresses: list[str], seconds: float) -> Transfer:
        transfer = self._handles.take(request)
        try:
            set_own_options(transfer.curl, request, addresses, seconds)
        except BaseException:
            transfer.curl.close()
            raise
        transfer.begin(request, self._loop.create_future())
        return transfer

    def _begin(self, transfer: Transfer) -> None:
        self._running[transfer.curl] = transfer
        self._multi.add_handle(transfer.curl)

    def _forget(self, curl: Any) -> Transfer | None:
        """End the transfer of *curl* if it is under way, and return it."""
        if (transfer := self._running.pop(curl, None)) is not None:
            self._multi.remove_handle(curl)
            transfer.close_opened()
        return transfer

    # -- the event loop ----------------------------------------------------------------------

    def _start(self) -> None:
        if self._multi is not None:
            return
        self._loop = asyncio.get_running_loop()
        multi = pycurl.CurlMulti()
        self._sockets = self._make_sockets()
        self._loop.add_reader(self._sockets.fileno(), self._on_ready)
        self._multi = multi
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._sockets.watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        # Idle connections to keep, for the services with `connection: keep_alive`.
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1024)

    def _on_timer(self, milliseconds: int) -> None:
        self._due = self._loop.time() + milliseconds / 1000 if milliseconds >= 0 else _NEVER
        if milliseconds == 0:
            # Not at once: libcurl must not be entered again from its own callback.
            self._loop.call_soon(self._on_timeout)
        elif self._due < self._alarm_at:
            self._set_alarm()

    def _set_alarm(self) -> None:
        """Wake up when libcurl is due.

        An alarm that is set earlier stays: most transfers end before theirs, and to cancel one and
        set another each time took a hundredth of a probe.
        """
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = self._due
        self._alarm = self._loop.call_at(self._due, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm, self._alarm_at = None, _NEVER
        self._on_timeout()
        if self._due < self._alarm_at:
            self._set_alarm()

    def _on_timeout(self) -> None:
        # Nothing to do if libcurl has been asked since, or thought better of it.
        if self._multi is not None and self._due - self._loop.time() < _TIMER_ERROR_SECONDS:
            self._due = _NEVER
            self._work(pycurl.SOCKET_TIMEOUT, 0)

    def _on_ready(self) -> None:
        for fd, events in self._sockets.ready():
            self._work(fd, events)

    def _work(self, fd: int, events: int) -> None:
        """Let libcurl do what is due for *fd*, and take what has ended: mostly nothing has."""
        _, running = self._multi.socket_action(fd, events)
        if running < len(self._running):
            self._collect()

    def _collect(self) -> None:
        while True:
            waiting, finished, failed = self._multi.info_read()
            for curl in finished:
                self._finish(curl, 0, "")
            for curl, code, text in failed:
                self._finish(curl, code, text)
            if not waiting:
                return

    def _finish(self, curl: Any, code: int, text: str) -> None:
        if (transfer := self._forget(curl)) is None:
            return
        if code:
            number = curl.getinfo(pycurl.OS_ERRNO)
            if code != pycurl.E_COULDNT_CONNECT:
                transfer.lacked = None  # another of the addresses got its socket
            transfer.lacked = shortage_behind(code, number) or transfer.lacked
        if not transfer.done.done():
            transfer.done.set_result((code, text))


def _no_address(failure: Reason, detail: str, spent: float) -> Answer:
    phases = (spent, 0.0, 0.0, 0.0, 0.0)
    return Answer(failure=failure, detail=detail, duration=spent, phases=phases)
