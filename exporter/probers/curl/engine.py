"""The engine: one request through libcurl, from its name to the verdict on its certificate.

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
from exporter.probers.curl.multi import Multis
from exporter.probers.curl.options import address_of, set_own_options
from exporter.probers.curl.readiness import Readiness, best_readiness
from exporter.probers.curl.resolver import ResolveError, Resolver, literal_address
from exporter.probers.curl.shortages import answer_for, blame, shortage_of
from exporter.probers.curl.transfer import Transfer
from exporter.probers.curl.trust import TrustFile, TrustFiles


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
        trust: TrustFiles | None = None,
    ) -> None:
        self.resolver = resolver or Resolver()
        self._chains = chains or Chains()
        self._trust = trust or TrustFiles()
        self._multis = Multis[TrustFile | None](readiness)
        self._loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self._handles = Handles()

    async def fetch(self, request: Request) -> Answer:
        """Return the answer to *request*, or how far it came, within its timeout."""
        self._loop = asyncio.get_running_loop()
        begun = self._loop.time()
        try:
            return await self._answer(request, begun)
        except (OSError, MemoryError, RuntimeError, pycurl.error) as error:
            if (shortage := shortage_of(error)) is None:
                raise
            return answer_for(shortage, self._loop.time() - begun)

    async def _answer(self, request: Request, begun: float) -> Answer:
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
        trust = await self._trust.of(request.tls.ca_file, self._loop.time()) if secure else None
        answer = await self._send(request, trust, addresses, resolved)
        if request.keep_alive and answer.failure is Reason.ADDRESS_REFUSED:
            # The kept connection was that of a service of the same host which may connect inside.
            again = replace(request, keep_alive=False)
            answer = await self._send(again, trust, addresses, resolved)
        if trust is not None:
            if answer.failure is Reason.TLS and not request.tls.insecure_skip_verify:
                left = request.timeout - answer.duration
                if left > 0.05:
                    answer.certificate = await self._unverified_certificate(
                        request, trust, addresses, left
                    )
            await self._chains.complete(request, answer, trust, self._loop.time())
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
        return self._multis.in_flight

    async def close(self) -> None:
        """Cancel every transfer and free the sockets."""
        self._multis.close()
        self._handles.close()
        await self.resolver.close()

    # -- one transfer ------------------------------------------------------------------------

    async def _send(
        self, request: Request, trust: TrustFile | None, addresses: list[str], resolved: float
    ) -> Answer:
        multi = self._multis.of(trust)
        try:
            transfer = self._prepare(request, addresses, request.timeout - resolved)
        except ValueError:
            return Answer(
                failure=Reason.CLIENT_ERROR, detail="the URL or a header holds a control character"
            )
        curl = transfer.curl
        if trust is not None:
            lacks = self._chains.lacks(request, addresses, self._loop.time())
            curl.setopt(pycurl.OPT_CERTINFO, int(lacks))
        watched = request.session or request.inspect
        inspection = Inspection(curl, request) if watched else None
        try:
            multi.begin(transfer)
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
            multi.forget(curl)
            curl.close()
            raise
        self._handles.give_back(transfer, clean=not ended[0] and transfer.sent == 1)
        return answer

    async def _unverified_certificate(
        self, request: Request, trust: TrustFile, addresses: list[str], left: float
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
            tls=TlsSettings(ca_file=request.tls.ca_file, server_name=request.tls.server_name),
        )
        multi = self._multis.of(trust)
        transfer = self._prepare(bare, addresses, left)
        curl = transfer.curl
        curl.setopt(pycurl.OPT_CERTINFO, 1)
        curl.setopt(pycurl.CONNECT_ONLY, 1)
        curl.setopt(pycurl.SSL_VERIFYPEER, 0)
        curl.setopt(pycurl.SSL_VERIFYHOST, 0)
        try:
            multi.begin(transfer)
            await transfer.done
            return earliest(curl.getinfo(pycurl.INFO_CERTINFO), verified=False)
        except pycurl.error:
            return None
        finally:
            multi.forget(curl)
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


def _no_address(failure: Reason, detail: str, spent: float) -> Answer:
    phases = (spent, 0.0, 0.0, 0.0, 0.0)
    return Answer(failure=failure, detail=detail, duration=spent, phases=phases)
