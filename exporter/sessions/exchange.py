"""One request to a service: within its rate limit, with its key, counted, its limits read.

An `Exchange` decides nothing about a second request; `session` and `transport` do, each as its
callers expect.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from weakref import WeakSet

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from exporter.budget import Budget
from exporter.clock import Clock
from exporter.config import Target
from exporter.config.declarations import RateLimit
from exporter.matching import NO_JSON
from exporter.probers import Endpoint
from exporter.probers.echoes import secrets_of, without_echoes
from exporter.probers.redirects import HARMLESS_HEADERS
from exporter.readings import NOTHING, ReadValues
from exporter.sessions.redirects import Hop, origin, parsed
from exporter.sessions.wire import (
    FailedAttempt,
    RequestFailed,
    SilentRequest,
    SilentResponse,
    any_socket,
    failed_attempt,
    public_socket,
    tls_contexts,
)

Observe = Callable[[Target, str, float], None]
"""Called after every request with its target, the status or "error", and the seconds it took.

The seconds end with the headers of the answer, or with the error.
"""

Report = Callable[[Target, ReadValues], None]
"""Called with what an answer reports: limits of the service's own key, and ends that it announces.
"""

MAX_CONNECTIONS = 100


class RateLimiter:
    """The rate limit of one service: first come, first served, kept in every sliding window."""

    def __init__(self, limit: RateLimit, clock: Clock) -> None:
        self.limit = limit
        self._budget = Budget(limit.requests_per_minute, limit.requests_per_hour)
        self._clock, self._lock = clock, asyncio.Lock()

    async def take(self) -> None:
        """Return as soon as one more request may be sent, and count it."""
        # asyncio.Lock is fair, so callers are served in the order in which they came
        async with self._lock:
            while (wait := self._budget.wait(self._clock.tick())) > 0:
                await self._clock.sleep(max(wait, 0.001))
            self._budget.spend(self._clock.tick())


class Exchange:
    """The connections to one *target*, with the settings that it had when this was made."""

    def __init__(
        self,
        target: Target,
        clock: Clock,
        observe: Observe,
        *,
        limiter: RateLimiter,
        report: Report | None = None,
    ) -> None:
        self.target, self.clock = target, clock
        self.access = target.calls or Endpoint(url=target.base_url, shown="")
        self._observe, self._report, self._limiter = observe, report, limiter
        self._http: aiohttp.ClientSession | None = None
        self._answers: WeakSet[SilentResponse] = WeakSet()
        self._tls: tuple[ssl.SSLContext, ssl.SSLContext]

    @property
    def is_open(self) -> bool:
        return self._http is not None and not self._http.closed

    async def open(
        self, connector: aiohttp.BaseConnector | None = None, *, connections: int = MAX_CONNECTIONS
    ) -> None:
        """Make ready for requests; with a *connector* of the caller's, who also closes it.

        At most so many *connections* are open at once; 0 means without limit.

        Raises:
            RequestFailed: the settings of the service do not allow calls.
        """
        access = self.access
        if (access.proxy or "http").partition(":")[0] not in ("http", "https"):
            raise self.failed("calls cannot use a SOCKS proxy")
        tls = await _in_own_thread(functools.partial(tls_contexts, access.tls))
        if tls is None:
            raise self.failed("the TLS files cannot be read")
        self._tls = tls
        self._http = aiohttp.ClientSession(
            connector=connector
            # Behind a proxy only the proxy's address is connected to here, so it is not checked.
            or aiohttp.TCPConnector(
                limit=connections,
                socket_factory=any_socket
                if access.allow_private or access.proxy
                else public_socket,
            ),
            connector_owner=connector is None,
            # a jar would send the cookies of one caller's answer with the calls of another
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=SilentRequest,
            response_class=SilentResponse,
        )

    async def close(self) -> None:
        """End the connections; requests under way fail."""
        for answer in self._answers:
            if answer.connection is not None:
                answer.close()  # the end of the connection alone would leave its reader waiting
        if self._http is not None:
            await self._http.close()

    async def take_turn(self) -> None:
        """Return as soon as the rate limit leaves room for one more request, and count it."""
        await self._limiter.take()

    async def send(self, hop: Hop) -> SilentResponse | FailedAttempt:
        """Send one request and return its answer or why there is none; raise on misuse only.

        A request to the service itself needs a turn (`take_turn`) of its own.

        Raises:
            RuntimeError: this is not open.
        """
        if self._http is None or self._http.closed:
            raise RuntimeError("the session is not open")
        public = self.access.headers
        headers = CIMultiDict(
            (n, v) for n, v in public if hop.to_service or n.lower() in HARMLESS_HEADERS
        )
        headers.update(hop.headers)
        options = {"ssl": self._tls[0 if hop.to_service else 1]} | hop.options
        if hop.to_service and self.access.tls.server_name:
            options.setdefault("server_hostname", self.access.tls.server_name)
        try:
            answer = await self._http.request(
                hop.method,
                hop.url,
                headers=headers,
                allow_redirects=False,
                proxy=self.access.proxy,
                middlewares=(functools.partial(self._with_credentials, hop),),
                **options,
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            return failed_attempt(error)
        assert isinstance(answer, SilentResponse)
        answer.service = self.target.id
        self._answers.add(answer)
        return answer

    async def _with_credentials(
        self, hop: Hop, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Middleware: add the credentials, below all that could show them, and observe."""
        if hop.to_service:
            for name, value in self.access.credentials:
                # a header of the caller wins over the service's
                if name not in hop.headers:
                    request.headers[name] = value.reveal()
            query = {n: v.reveal() for n, v in self.access.query if n not in request.url.query}
            if query:
                request.url = request.url.extend_query(query)
        code, started = "error", self.clock.tick()
        try:
            answer = await handler(request)
            code = str(answer.status)
            self._report_values(hop, answer)
            return answer
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = failed_attempt(error)
        finally:
            self._observe(self.target, code, self.clock.tick() - started)
        # Not aiohttp's own error: on some it resends the request itself, outside the rate limit.
        raise failure

    def _report_values(self, hop: Hop, answer: aiohttp.ClientResponse) -> None:
        """Pass on what is of use to others: a caller's own key has limits of its own."""
        if self._report is None or not hop.to_service:
            return
        now = self.clock.now()
        read = self.access.readings.read(answer.status, lowered(answer), lambda: NO_JSON, now)
        if read is NOTHING:
            return
        if any(name in hop.headers for name, _ in self.access.credentials):
            read = replace(read, limits={})
        if read.retirement is not None:
            read = replace(
                read, retirement=without_echoes(read.retirement, secrets_of(self.access))
            )
        if read.limits or read.retirement is not None:
            self._report(self.target, read)

    def is_service(self, url: URL) -> bool:
        """Return whether *url* has the origin of the service."""
        service_url = parsed(self.base_url) if self.base_url else None
        return service_url is not None and origin(url) == origin(service_url)

    @property
    def base_url(self) -> str:
        return self.access.url.partition("?")[0].rstrip("/")

    def failed(self, reason: str, attempts: int = 0) -> RequestFailed:
        return RequestFailed(reason, self.target.id, attempts)


def lowered(answer: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the headers of *answer* by their lower-case names; of Link, a list, all values."""
    found = {name.lower(): value for name, value in answer.headers.items()}
    if "link" in found:
        found["link"] = ", ".join(answer.headers.getall("Link"))
    return found


async def _in_own_thread(
    work: Callable[[], tuple[ssl.SSLContext, ssl.SSLContext] | None],
) -> tuple[ssl.SSLContext, ssl.SSLContext] | None:
    """Return what *work* returns, done in a thread of its own.

    The threads of the loop may all be waiting for this: sync clients are used in them.
    """
    threads = ThreadPoolExecutor(1)
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, work)
    finally:
        threads.shutdown(wait=False)
